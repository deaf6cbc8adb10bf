/* swarm_stream: one stream: its negotiation, its bytes, its end. See swarm_private.h. */
#include "swarm_private.h"

#include <string.h>

/* ---- life ---- */

static hf_bytes id_key(const hf_stream *s) { return HF_BYTES(&s->id, sizeof s->id); }

static void set_deadline(hf_stream *s, uint64_t deadline_ms) {
    hf_link *link = s->link;
    s->deadline_ms = deadline_ms;
    if (deadline_ms < link->stream_deadline_ms) link->stream_deadline_ms = deadline_ms;
    if (deadline_ms < link->swarm->deadline_ms) link->swarm->deadline_ms = deadline_ms;
}

hf_stream *hf_stream_new(hf_link *link, uint64_t now_ms, hf_role role, uint32_t tag, bool inbound) {
    hf_swarm *swarm = link->swarm;
    hf_stream *s = hf_alloc(swarm->mem, sizeof *s);
    if (!s) return NULL;
    s->link = link;
    s->id = ++swarm->next_stream;
    s->role = role;
    s->tag = tag;
    s->inbound = inbound;
    hf_buf_init(&s->collect, swarm->mem);
    if (hf_map_put(&swarm->streams, id_key(s), s)) {
        hf_release(swarm->mem, s, sizeof *s);
        return NULL;
    }
    s->prev = link->last;
    if (link->last)
        link->last->next = s;
    else
        link->first = s;
    link->last = s;
    set_deadline(s, now_ms + swarm->config.negotiate_ms);
    return s;
}

void hf_stream_free(hf_stream *s) {
    hf_multistream_deinit(&s->select);
    hf_buf_deinit(&s->collect);
    hf_release(s->link->swarm->mem, s, sizeof *s);
}

void hf_stream_gone(hf_stream *s, bool reset, const char *reason) {
    hf_link *link = s->link;
    if (s->gone) return;
    s->gone = true;
    s->reset = reset;
    s->reason = reason;
    if (s->mux) link->mux.table->drop(link->mux.self, link->swarm->now_ms, s->mux);
    s->mux = NULL;
    hf_map_remove(&link->swarm->streams, id_key(s));
    if (s->prev)
        s->prev->next = s->next;
    else
        link->first = s->next;
    if (s->next)
        s->next->prev = s->prev;
    else
        link->last = s->prev;
    if (s->role == HF_ROLE_PING_OUT) link->pinging = false;
    if (s->role == HF_ROLE_APP)
        hf_event_push(link->swarm, &s->gone_event, HF_SWARM_STREAM_GONE, link, s);
    else
        hf_stream_free(s);
}

/* ---- ours: the proposal in a frame of its own; what the caller writes may follow at once (js accepts that) ---- */

static hf_err propose(hf_stream *s, uint64_t now_ms, hf_bytes protocol) {
    hf_link *link = s->link;
    hf_buf proposal;
    hf_buf_init(&proposal, link->swarm->mem);
    hf_err err = hf_multistream_dial(&s->select, link->swarm->mem, protocol, &proposal);
    if (!err) err = link->mux.table->open(link->mux.self, s, &s->mux);
    if (!err) err = hf_mux_write(link->mux, now_ms, s->mux, hf_buf_bytes(&proposal));
    hf_buf_deinit(&proposal);
    return err;
}

hf_err hf_stream_open(hf_link *link, uint64_t now_ms, hf_bytes protocol, hf_role role, uint32_t tag, hf_stream **ret) {
    hf_stream *s = hf_stream_new(link, now_ms, HF_ROLE_UNKNOWN, tag, false);
    if (!s) return HF_NOMEM;
    hf_err err = propose(s, now_ms, protocol);
    if (err) {
        hf_stream_gone(s, true, NULL);
        return err;
    }
    s->role = role; /* from here on it is told about */
    hf_link_dirty(link);
    *ret = s;
    return HF_OK;
}

/* ---- the peer's ---- */

hf_err hf_stream_opened(hf_link *link, uint64_t now_ms, void *mux) {
    hf_stream *s = hf_stream_new(link, now_ms, HF_ROLE_UNKNOWN, 0, true);
    if (!s) return HF_NOMEM;
    s->mux = mux;
    link->mux.table->set_owner(mux, s);
    hf_multistream_listen(&s->select, link->swarm->mem);
    return HF_OK;
}

static bool match(hf_stream *s, hf_bytes protocol) {
    hf_swarm *swarm = s->link->swarm;
    if (!hf_link_carries(s->link, protocol)) return false;
    s->role = hf_service_role(protocol);
    for (size_t i = 0; i < swarm->n_protocols && s->role == HF_ROLE_UNKNOWN; i++) {
        const hf_protocol *p = &swarm->protocols[i];
        if (!hf_eq(HF_BYTES(p->name, p->len), protocol)) continue;
        s->role = HF_ROLE_APP;
        s->tag = p->tag;
    }
    return s->role != HF_ROLE_UNKNOWN;
}

/* Both sides agree on the protocol. */
static hf_err agreed(hf_stream *s, uint64_t now_ms) {
    s->negotiated = true;
    hf_multistream_deinit(&s->select);
    if (s->role != HF_ROLE_APP) return hf_service_open(s, now_ms);
    s->deadline_ms = UINT64_MAX;
    hf_event_push(s->link->swarm, &s->open_event, HF_SWARM_STREAM_OPEN, s->link, s);
    return HF_OK;
}

static hf_err answer(hf_stream *s, hf_multistream_kind kind, hf_buf *out, bool *ret_agreed) {
    if (kind == HF_MULTISTREAM_PROPOSED) {
        *ret_agreed = match(s, s->select.text);
        hf_multistream_answer(&s->select, *ret_agreed, out);
    }
    if (kind == HF_MULTISTREAM_AGREED) *ret_agreed = true;
    return out->err;
}

/* Header and answer of a listener go out as one frame; js sends two, and reads either. */
static hf_err send_answer(hf_stream *s, uint64_t now_ms, const hf_buf *out) {
    hf_err err = hf_mux_write(s->link->mux, now_ms, s->mux, hf_buf_bytes(out));
    return err == HF_NOMEM ? err : HF_OK; /* else the stream ends by itself: its peer reads nothing */
}

/* Takes the negotiation's bytes from the front. *ret_alive: the stream still is. */
static hf_err negotiate(hf_stream *s, uint64_t now_ms, hf_bytes *bytes, bool *ret_alive) {
    hf_multistream_kind kind = HF_MULTISTREAM_PROPOSED;
    bool is_agreed = false;
    hf_buf out;
    hf_buf_init(&out, s->link->swarm->mem);
    hf_err err = HF_OK;
    while (!err && !is_agreed && kind == HF_MULTISTREAM_PROPOSED) {
        err = hf_multistream_recv(&s->select, bytes, &out, &kind);
        if (!err) err = answer(s, kind, &out, &is_agreed);
    }
    if (!err) err = send_answer(s, now_ms, &out);
    hf_buf_deinit(&out);
    *ret_alive = kind != HF_MULTISTREAM_REFUSED && kind != HF_MULTISTREAM_BROKEN;
    if (!err && !*ret_alive)
        hf_stream_gone(s, true,
                       kind == HF_MULTISTREAM_REFUSED ? "the peer does not speak the protocol" : s->select.fault.what);
    if (!err && is_agreed) {
        uint64_t id = s->id;
        hf_swarm *swarm = s->link->swarm;
        err = agreed(s, now_ms);
        *ret_alive = hf_map_get(&swarm->streams, HF_BYTES(&id, sizeof id)) != NULL;
    }
    return err;
}

/* ---- bytes ---- */

hf_err hf_stream_data(hf_stream *s, uint64_t now_ms, hf_bytes bytes) {
    if (!s->negotiated) {
        bool alive = true;
        hf_err err = negotiate(s, now_ms, &bytes, &alive);
        if (err || !alive || !s->negotiated) return err;
    }
    if (bytes.len == 0) return HF_OK;
    return s->role == HF_ROLE_APP ? hf_event_push_data(s, bytes) : hf_service_data(s, now_ms, bytes);
}

void hf_stream_fin(hf_stream *s, uint64_t now_ms) {
    (void)now_ms;
    if (!s->negotiated) {
        hf_stream_gone(s, true, "finished before a protocol was agreed on");
        return;
    }
    if (s->role != HF_ROLE_APP) {
        hf_service_fin(s);
        return;
    }
    hf_event_push(s->link->swarm, &s->fin_event, HF_SWARM_STREAM_FIN, s->link, s);
    if (hf_mux_over(s->link->mux, s->mux)) hf_stream_gone(s, false, "finished");
}
