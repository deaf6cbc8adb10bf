/* kad_serve: others' questions. A stream carries one after the other; ADD_PROVIDER has no answer. What a peer may ask and
 * write is metered; beyond it, and for what is no message, its stream is reset. */
#include "kad_private.h"

#include "../codec/varint.h"
#include "../crypto/crypto.h"

static hf_bytes id_key(const hf_kad_served *s) {
    return HF_BYTES(&s->stream, sizeof s->stream);
}

void hf_kad_served_drop(hf_kad *kad, hf_kad_served *s) {
    hf_map_remove(&kad->served, id_key(s));
    if (s->prev)
        s->prev->next = s->next;
    else
        kad->first_served = s->next;
    if (s->next) s->next->prev = s->prev;
    s->contact->n_streams--;
    s->contact->partial_bytes -= s->bytes.len;
    hf_buf_deinit(&s->bytes);
    hf_release(kad->mem, s, sizeof *s);
}

static void refuse(hf_kad *kad, uint64_t now_ms, hf_kad_served *s) {
    hf_swarm_stream_reset(kad->swarm, now_ms, s->stream);
    hf_kad_served_drop(kad, s);
}

static void arm(hf_kad *kad, hf_kad_served *s, uint64_t at_ms) {
    s->deadline_ms = at_ms;
    hf_kad_due(kad, at_ms);
}

/* ---- what a peer may ---- */

static uint64_t fill(uint64_t tokens, uint64_t ms, uint64_t a_second, uint64_t burst) {
    tokens += ms * a_second / 1000;
    return tokens < burst ? tokens : burst;
}

/* Whole steps of time only, so that nothing is lost to rounding. */
static bool may(hf_kad_contact *c, uint64_t now_ms, bool writes) {
    enum { STEP_MS = 250 };
    uint64_t ms = (now_ms - c->filled_ms) / STEP_MS * STEP_MS;
    c->filled_ms += ms;
    if (ms > 3600000) ms = 3600000;
    c->asks = fill(c->asks, ms, HF_KAD_ASKS_A_SECOND, HF_KAD_ASKS_BURST);
    c->writes = fill(c->writes, ms, HF_KAD_WRITES_A_SECOND, HF_KAD_WRITES_BURST);
    if (!c->asks || (writes && !c->writes)) return false;
    c->asks--;
    c->writes -= writes;
    return true;
}

/* ---- answers ---- */

static void add_closer(hf_kad *kad, const hf_kad_contact *to, hf_bytes key, hf_buf *answer) {
    uint8_t target[HF_KAD_KEY];
    hf_kad_contact *closest[HF_KAD_K_MAX];
    hf_sha256_of(key, target);
    size_t n = hf_kad_table_closest(&kad->table, target, &to->id, closest, kad->config.k);
    for (size_t i = 0; i < n; i++)
        hf_kad_add_closer(answer, &closest[i]->id, hf_kad_addresses_packed(&closest[i]->addresses));
}

/* The peer that is looked for is told when we know it, be it a client. */
static void add_sought(hf_kad *kad, const hf_kad_contact *to, hf_bytes key, hf_buf *answer) {
    hf_peer_id id;
    if (hf_peer_id_read(key, &id) || hf_peer_id_eq(&id, &to->id)) return;
    const hf_kad_contact *c = hf_kad_contact_of(kad, &id);
    if (c && c->place != HF_KAD_IN && c->addresses.n)
        hf_kad_add_closer(answer, &id, hf_kad_addresses_packed(&c->addresses));
    if (!hf_peer_id_eq(&id, hf_swarm_self(kad->swarm))) return;
    hf_kad_addresses ours = {NULL, 0, 0};
    hf_kad_own_addresses(kad, &ours);
    if (ours.n) hf_kad_add_closer(answer, &id, hf_kad_addresses_packed(&ours));
    hf_kad_addresses_clear(kad->mem, &ours);
}

static hf_err find_node(hf_kad *kad, const hf_kad_contact *to, const hf_kad_message *m, hf_buf *answer) {
    if (!m->key.len) return HF_MALFORMED;
    hf_kad_add_head(answer, HF_KAD_FIND_NODE, HF_BYTES(NULL, 0), NULL);
    add_sought(kad, to, m->key, answer);
    add_closer(kad, to, m->key, answer);
    return HF_OK;
}

static void add_value(hf_kad *kad, hf_kad_type type, const hf_kad_value *v, hf_bytes key, hf_buf *answer) {
    hf_buf record;
    hf_buf_init(&record, kad->mem);
    hf_kad_record_add(&record, key, HF_BYTES(v->value, v->value_len), v->received_unix_ms);
    hf_bytes bytes = hf_buf_bytes(&record);
    hf_kad_add_head(answer, type, key, &bytes);
    if (record.err) answer->err = record.err;
    hf_buf_deinit(&record);
}

static hf_err get_value(hf_kad *kad, uint64_t now_ms, const hf_kad_contact *to, const hf_kad_message *m,
                        hf_buf *answer) {
    if (!m->key.len) return HF_MALFORMED;
    const hf_kad_value *v = hf_kad_store_value(&kad->store, now_ms, m->key);
    if (v && !hf_kad_validate(kad, now_ms, m->key, HF_BYTES(v->value, v->value_len)))
        add_value(kad, HF_KAD_GET_VALUE, v, m->key, answer);
    else
        hf_kad_add_head(answer, HF_KAD_GET_VALUE, m->key, NULL);
    add_closer(kad, to, m->key, answer);
    return HF_OK;
}

/* The answer holds what stands here now: the asker sees whether its value was taken. */
static hf_err put_value(hf_kad *kad, uint64_t now_ms, const hf_kad_contact *from, const hf_kad_message *m,
                        hf_buf *answer) {
    hf_kad_record record;
    hf_err err = m->has_record ? hf_kad_record_read(m->record, &record, NULL) : HF_MALFORMED;
    if (!err && (!m->key.len || !hf_eq(m->key, record.key))) err = HF_MALFORMED;
    if (!err) err = hf_kad_validate(kad, now_ms, m->key, record.value);
    if (err) return err;
    const hf_kad_value *old = hf_kad_store_value(&kad->store, now_ms, m->key);
    hf_bytes old_value = old ? HF_BYTES(old->value, old->value_len) : HF_BYTES(NULL, 0);
    if (old && !hf_eq(old_value, record.value) && hf_kad_better(kad, m->key, old_value, record.value) &&
        !hf_kad_validate(kad, now_ms, m->key, old_value)) {
        add_value(kad, HF_KAD_PUT_VALUE, old, m->key, answer);
        return HF_OK;
    }
    err = hf_kad_store_put(&kad->store, now_ms, hf_kad_unix(kad, now_ms), &from->id, m->key, record.value);
    if (!err) hf_kad_add_head(answer, HF_KAD_PUT_VALUE, m->key, &m->record);
    return err;
}

static hf_err add_provider(hf_kad *kad, uint64_t now_ms, const hf_kad_contact *from, const hf_kad_message *m) {
    hf_bytes key;
    hf_err err = hf_kad_multihash(m->key, &key);
    hf_kad_peers peers = hf_kad_providers(m);
    for (hf_kad_peer peer; !err && hf_kad_peers_next(&peers, &peer);) {
        if (!hf_peer_id_eq(&peer.id, &from->id)) continue; /* nobody speaks for others */
        hf_kad_addresses addresses = {NULL, 0, 0};
        hf_kad_provider *ignored;
        hf_pb_reader said = hf_kad_peer_addresses(&peer);
        for (hf_bytes address; !err && hf_kad_address_next(&said, &address);)
            err = hf_kad_addresses_add(kad->mem, &addresses, kad->takes, &peer.id, address);
        if (!err && addresses.n)
            err = hf_kad_store_provide(&kad->store, now_ms, key, &peer.id, &addresses, false, &ignored);
        hf_kad_addresses_clear(kad->mem, &addresses);
    }
    return err;
}

/* A provider that we know ourselves is told with what it says of itself now. */
static void add_one_provider(hf_kad *kad, uint64_t now_ms, const hf_kad_provider *p, hf_buf *answer) {
    const hf_kad_contact *c = hf_kad_contact_of(kad, &p->id);
    const hf_kad_addresses *a = c && c->addresses.n ? &c->addresses : &p->addresses;
    bool told = a != &p->addresses || hf_kad_provider_address_counts(&kad->store, now_ms, p);
    hf_kad_add_provider(answer, &p->id, told ? hf_kad_addresses_packed(a) : HF_BYTES(NULL, 0));
}

static hf_err get_providers(hf_kad *kad, uint64_t now_ms, const hf_kad_contact *to, const hf_kad_message *m,
                            hf_buf *answer) {
    hf_bytes key;
    hf_err err = hf_kad_multihash(m->key, &key);
    if (err) return err;
    hf_kad_add_head(answer, HF_KAD_GET_PROVIDERS, m->key, NULL);
    add_closer(kad, to, key, answer);
    const hf_kad_shelf *shelf = hf_kad_store_shelf(&kad->store, key);
    for (const hf_kad_provider *p = shelf ? shelf->first : NULL; p; p = p->next_of_key)
        if (hf_kad_provider_counts(&kad->store, now_ms, p)) add_one_provider(kad, now_ms, p, answer);
    return HF_OK;
}

static hf_err answer_to(hf_kad *kad, uint64_t now_ms, const hf_kad_contact *c, const hf_kad_message *m,
                        hf_buf *answer) {
    switch (m->type) {
    case HF_KAD_PUT_VALUE:
        return put_value(kad, now_ms, c, m, answer);
    case HF_KAD_GET_VALUE:
        return get_value(kad, now_ms, c, m, answer);
    case HF_KAD_ADD_PROVIDER:
        return add_provider(kad, now_ms, c, m);
    case HF_KAD_GET_PROVIDERS:
        return get_providers(kad, now_ms, c, m, answer);
    case HF_KAD_FIND_NODE:
        return find_node(kad, c, m, answer);
    case HF_KAD_PING:
        hf_kad_add_head(answer, HF_KAD_PING, HF_BYTES(NULL, 0), NULL);
        return HF_OK;
    }
    return HF_MALFORMED;
}

/* ---- streams ---- */

static hf_err write_answer(hf_kad *kad, uint64_t now_ms, const hf_kad_served *s, const hf_buf *answer) {
    hf_buf framed;
    hf_buf_init(&framed, kad->mem);
    hf_varint_add(&framed, answer->len);
    hf_buf_add(&framed, hf_buf_bytes(answer));
    hf_err err = framed.err ? framed.err : hf_swarm_stream_write(kad->swarm, now_ms, s->stream, hf_buf_bytes(&framed));
    hf_buf_deinit(&framed);
    return err;
}

static hf_err take_message(hf_kad *kad, uint64_t now_ms, hf_kad_served *s, hf_bytes bytes) {
    hf_kad_message m;
    hf_buf answer;
    hf_err err = hf_kad_read(bytes, &m, NULL);
    if (!err && !may(s->contact, now_ms, m.type == HF_KAD_PUT_VALUE || m.type == HF_KAD_ADD_PROVIDER)) err = HF_LIMIT;
    if (err) return err;
    hf_buf_init(&answer, kad->mem);
    err = answer_to(kad, now_ms, s->contact, &m, &answer);
    if (!err) err = answer.err;
    if (!err && answer.len) err = write_answer(kad, now_ms, s, &answer);
    hf_buf_deinit(&answer);
    return err;
}

/* Takes the whole messages off the front. */
static hf_err take_messages(hf_kad *kad, uint64_t now_ms, hf_kad_served *s) {
    size_t at = 0;
    hf_err err = HF_OK;
    while (at < s->bytes.len && !err) {
        hf_bytes rest = hf_sub(hf_buf_bytes(&s->bytes), at, s->bytes.len);
        uint64_t len;
        size_t head;
        err = hf_varint_read(rest, &len, &head);
        if (!err && len > HF_KAD_MESSAGE_MAX) err = HF_LIMIT;
        if (!err && rest.len - head < len) err = HF_TRUNCATED;
        if (!err) err = take_message(kad, now_ms, s, hf_sub(rest, head, (size_t)len));
        if (!err) at += head + (size_t)len;
    }
    hf_buf_consume(&s->bytes, at);
    s->contact->partial_bytes -= at;
    return err == HF_TRUNCATED ? HF_OK : err;
}

static void take_bytes(hf_kad *kad, uint64_t now_ms, hf_kad_served *s, hf_bytes bytes) {
    if (s->contact->partial_bytes + bytes.len > HF_KAD_PARTIAL_MAX) return refuse(kad, now_ms, s);
    hf_buf_add(&s->bytes, bytes);
    if (s->bytes.err) return refuse(kad, now_ms, s);
    s->contact->partial_bytes += bytes.len;
    bool was_partial = s->bytes.len > bytes.len;
    if (take_messages(kad, now_ms, s)) return refuse(kad, now_ms, s);
    if (!s->bytes.len)
        arm(kad, s, now_ms + HF_KAD_IDLE_MS);
    else if (!was_partial || s->bytes.len < bytes.len)
        arm(kad, s, now_ms + HF_KAD_MESSAGE_MS);
}

static void stream_in(hf_kad *kad, uint64_t now_ms, const hf_swarm_out *e) {
    hf_kad_contact_up(kad, now_ms, &e->peer);
    hf_kad_contact *c = hf_kad_contact_of(kad, &e->peer);
    hf_kad_served *s = c && c->n_streams < HF_KAD_STREAMS_IN_MAX && kad->server ? hf_alloc(kad->mem, sizeof *s) : NULL;
    if (s) {
        *s = (hf_kad_served){.stream = e->stream, .contact = c};
        if (hf_map_put(&kad->served, id_key(s), s)) {
            hf_release(kad->mem, s, sizeof *s);
            s = NULL;
        }
    }
    if (!s) return hf_swarm_stream_reset(kad->swarm, now_ms, e->stream);
    hf_buf_init(&s->bytes, kad->mem);
    s->next = kad->first_served;
    if (s->next) s->next->prev = s;
    kad->first_served = s;
    c->n_streams++;
    arm(kad, s, now_ms + HF_KAD_MESSAGE_MS);
}

void hf_kad_served_event(hf_kad *kad, uint64_t now_ms, const hf_swarm_out *e) {
    if (e->kind == HF_SWARM_STREAM_OPEN && e->inbound) return stream_in(kad, now_ms, e);
    hf_kad_served *s = hf_map_get(&kad->served, HF_BYTES(&e->stream, sizeof e->stream));
    if (!s) return;
    if (e->kind == HF_SWARM_STREAM_DATA)
        take_bytes(kad, now_ms, s, e->bytes);
    else if (e->kind == HF_SWARM_STREAM_GONE)
        hf_kad_served_drop(kad, s);
    else if (e->kind == HF_SWARM_STREAM_FIN && s->bytes.len)
        refuse(kad, now_ms, s);
    else if (e->kind == HF_SWARM_STREAM_FIN)
        hf_swarm_stream_finish(kad->swarm, now_ms, s->stream);
}

/* A stream on which nothing comes is given up. */
void hf_kad_serve_tick(hf_kad *kad, uint64_t now_ms) {
    for (hf_kad_served *s = kad->first_served, *next; s; s = next) {
        next = s->next;
        if (s->deadline_ms <= now_ms)
            refuse(kad, now_ms, s);
        else
            hf_kad_due(kad, s->deadline_ms);
    }
}
