/* swarm_event: what comes out of the swarm, in which order: first everything that happened, then what is to be sent,
 * link by link, one SEND for all that gathered; at a link's end its CONN_CLOSE. */
#include "swarm_private.h"

void hf_event_push(hf_swarm *swarm, hf_event *event, hf_swarm_kind kind, hf_link *link, hf_stream *stream) {
    if (event->queued) return;
    event->kind = kind;
    event->link = link;
    event->stream = stream;
    event->queued = true;
    event->next = NULL;
    if (swarm->event_last)
        swarm->event_last->next = event;
    else
        swarm->event_first = event;
    swarm->event_last = event;
}

hf_err hf_event_push_data(hf_stream *stream, hf_bytes bytes) {
    hf_link *link = stream->link;
    hf_event *event = hf_arena_alloc(&link->swarm->events, sizeof *event);
    if (!event) return HF_NOMEM;
    event->at = (size_t)(bytes.ptr - link->conn.plain.ptr);
    event->len = bytes.len;
    link->n_data_events++;
    hf_event_push(link->swarm, event, HF_SWARM_STREAM_DATA, link, stream);
    return HF_OK;
}

void hf_link_dirty(hf_link *link) {
    hf_swarm *swarm = link->swarm;
    if (link->mux.self) { /* an end of a stream may have set a time */
        uint64_t due = link->mux.table->deadline(link->mux.self);
        if (due < swarm->deadline_ms) swarm->deadline_ms = due;
    }
    if (link->dirty) return;
    link->dirty = true;
    link->next_dirty = NULL;
    if (swarm->dirty_last)
        swarm->dirty_last->next_dirty = link;
    else
        swarm->dirty_first = link;
    swarm->dirty_last = link;
}

static hf_event *pop_event(hf_swarm *swarm) {
    hf_event *event = swarm->event_first;
    if (!event) return NULL;
    swarm->event_first = event->next;
    if (!event->next) swarm->event_last = NULL;
    event->queued = false;
    return event;
}

static void fill_stream(const hf_event *event, hf_swarm_out *out) {
    hf_stream *s = event->stream;
    out->stream = s->id;
    out->tag = s->tag;
    out->inbound = s->inbound;
    if (event->kind == HF_SWARM_STREAM_DATA) out->bytes = HF_BYTES(event->link->conn.plain.ptr + event->at, event->len);
    if (event->kind != HF_SWARM_STREAM_GONE) return;
    out->reset = s->reset;
    out->reason = s->reason;
    hf_stream_free(s); /* this was the last that pointed at it */
}

static void fill(const hf_event *event, hf_swarm_out *out) {
    hf_link *link = event->link;
    *out = (hf_swarm_out){
        .kind = event->kind, .conn = link->number, .inbound = !link->conn.dialer, .peer = link->conn.peer};
    out->relayed = link->relayed;
    out->limited = link->limited;
    if (event->kind == HF_SWARM_IDENTIFIED) out->identify = &link->identify;
    if (event->kind == HF_SWARM_CONN_DOWN) {
        out->last = link->last_of_peer;
        out->reason = link->reason;
    }
    if (event->stream) fill_stream(event, out);
}

/* A stream that our side reset says nothing more but that it is gone. */
static bool is_muted(const hf_event *event) {
    return event->stream && event->stream->muted && event->kind != HF_SWARM_STREAM_GONE;
}

/* Data channels are sealed by those who carry them. */
static hf_err hand_over(hf_link *link, hf_bytes muxed) {
    if (!link->channels) return hf_conn_send(&link->conn, muxed);
    hf_buf_add(&link->conn.out, muxed);
    return link->conn.out.err;
}

/* Seals what the muxer has for this link. */
static void seal(hf_link *link) {
    const hf_mux *mux = &link->mux;
    const hf_buf *muxed = mux->self ? mux->table->out(mux->self) : NULL;
    if (!muxed || link->lost) return;
    hf_err err = muxed->err ? muxed->err : hand_over(link, hf_buf_bytes(muxed));
    if (err) hf_link_fail(link, err == HF_NOMEM ? "out of memory" : link->conn.reason, HF_YAMUX_INTERNAL_ERROR);
    mux->table->taken(mux->self, link->swarm->now_ms);
    hf_link_notices(link);
}

static hf_swarm_kind close_link(hf_link *link, hf_swarm_out *out) {
    bool tell = !link->lost;
    *out = (hf_swarm_out){
        .kind = HF_SWARM_CONN_CLOSE, .conn = link->number, .peer = link->conn.peer, .reason = link->reason};
    out->relayed = link->relayed;
    out->limited = link->limited;
    hf_link_free(link);
    return tell ? HF_SWARM_CONN_CLOSE : HF_SWARM_NONE;
}

static void leave_dirty(hf_link *link) {
    hf_swarm *swarm = link->swarm;
    swarm->dirty_first = link->next_dirty;
    if (!swarm->dirty_first) swarm->dirty_last = NULL;
    link->dirty = false;
}

/* The first link of the dirty list: its SEND, or its end, or NONE when it leaves the list. */
static hf_swarm_kind flush(hf_link *link, hf_swarm_out *out) {
    hf_link_taken(link);
    if (link->resumed) hf_link_resume(link);
    seal(link);
    if (link->conn.out.len && !link->lost) {
        link->sent = true;
        *out = (hf_swarm_out){.kind = HF_SWARM_SEND,
                              .conn = link->number,
                              .relayed = link->relayed,
                              .limited = link->limited,
                              .peer = link->conn.peer,
                              .bytes = hf_buf_bytes(&link->conn.out)};
        return HF_SWARM_SEND;
    }
    if (link->swarm->event_first) return HF_SWARM_NONE; /* sealing made news: those first */
    leave_dirty(link);
    return link->closing ? close_link(link, out) : HF_SWARM_NONE;
}

hf_swarm_kind hf_swarm_next(hf_swarm *swarm, hf_swarm_out *ret_out) {
    for (;;) {
        hf_event *event = pop_event(swarm);
        if (event) {
            if (event->kind == HF_SWARM_STREAM_DATA) event->link->n_data_events--;
            if (is_muted(event)) continue;
            hf_swarm_kind kind = event->kind;
            fill(event, ret_out);
            return kind;
        }
        if (swarm->events.used_bytes) hf_arena_clear(&swarm->events);
        if (!swarm->dirty_first) break;
        hf_swarm_kind kind = flush(swarm->dirty_first, ret_out);
        if (kind) return kind;
    }
    *ret_out = (hf_swarm_out){.kind = HF_SWARM_NONE};
    return HF_SWARM_NONE;
}

void hf_swarm_stream_ahead(const hf_swarm *swarm, uint64_t stream, bool (*each)(void *ctx, hf_bytes bytes), void *ctx) {
    bool goes_on = true;
    for (const hf_event *e = swarm->event_first; e && goes_on; e = e->next)
        if (e->kind == HF_SWARM_STREAM_DATA && e->stream->id == stream && !e->stream->muted)
            goes_on = each(ctx, HF_BYTES(e->link->conn.plain.ptr + e->at, e->len));
}
