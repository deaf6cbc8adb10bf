/* daemon_message: see daemon_message.h. */
#include "daemon_message.h"

#include "../codec/protobuf.h"
#include "../codec/varint.h"

/* ---- requests ---- */

hf_err hf_daemon_unframe(hf_bytes bytes, hf_bytes *ret_message, size_t *ret_len) {
    uint64_t len = 0;
    size_t head = 0;
    hf_err err = hf_varint_read(bytes, &len, &head);
    if (err) return err;
    if (len > HF_DAEMON_MESSAGE_MAX) return HF_LIMIT;
    if (bytes.len - head < len) return HF_TRUNCATED;
    *ret_message = hf_sub(bytes, head, (size_t)len);
    *ret_len = head + (size_t)len;
    return HF_OK;
}

enum { VARINT = 0, BYTES = 2, ADDR_LIST, PROTOCOL_LIST };

/* Where the fields of each type's part go. */
static const struct place { uint8_t type, number, how; uint16_t offset; } places[] = {
#define AT(type, number, how, member) {HF_DAEMON_##type, number, how, offsetof(hf_daemon_request, member)}
    AT(CONNECT, 1, BYTES, peer), AT(CONNECT, 2, ADDR_LIST, addrs), AT(CONNECT, 3, VARINT, timeout_s),
    AT(STREAM_OPEN, 1, BYTES, peer), AT(STREAM_OPEN, 2, PROTOCOL_LIST, protocols), AT(STREAM_OPEN, 3, VARINT, timeout_s),
    AT(STREAM_HANDLER, 1, BYTES, addr), AT(STREAM_HANDLER, 2, PROTOCOL_LIST, protocols),
    AT(DHT, 2, BYTES, peer), AT(DHT, 3, BYTES, cid), AT(DHT, 4, BYTES, key), AT(DHT, 5, BYTES, value), AT(DHT, 6, VARINT, count),
    AT(DHT, 7, VARINT, timeout_s),
    AT(CONNMANAGER, 2, BYTES, peer), AT(CONNMANAGER, 3, BYTES, tag), AT(CONNMANAGER, 4, VARINT, weight),
    AT(DISCONNECT, 1, BYTES, peer),
    AT(PUBSUB, 2, BYTES, topic), AT(PUBSUB, 3, BYTES, data),
    AT(PEERSTORE, 2, BYTES, peer), AT(PEERSTORE, 3, PROTOCOL_LIST, protocols),
#undef AT
};

static const struct place *place_of(const hf_daemon_request *r, const hf_pb_field *field) {
    for (size_t i = 0; i < HF_COUNT(places); i++)
        if (places[i].type == r->type && places[i].number == field->number && (places[i].how == VARINT) == (field->wire == VARINT)) return &places[i];
    return NULL;
}

static bool has_kind(const hf_daemon_request *r) {
    return r->type == HF_DAEMON_DHT || r->type == HF_DAEMON_CONNMANAGER || r->type == HF_DAEMON_PUBSUB || r->type == HF_DAEMON_PEERSTORE;
}

static hf_err take_field(hf_daemon_request *r, const hf_pb_field *field) {
    if (has_kind(r) && field->number == 1 && field->wire == VARINT) r->kind = (uint32_t)field->u;
    const struct place *p = field->wire == VARINT || field->wire == BYTES ? place_of(r, field) : NULL;
    if (!p) return HF_OK;
    if (p->how == VARINT) *(int64_t *)(void *)((uint8_t *)r + p->offset) = (int64_t)field->u;
    if (p->how == BYTES) *(hf_bytes *)(void *)((uint8_t *)r + p->offset) = field->bytes;
    if (p->how == ADDR_LIST && r->n_addrs == HF_DAEMON_ITEMS_MAX) return HF_LIMIT;
    if (p->how == PROTOCOL_LIST && r->n_protocols == HF_DAEMON_ITEMS_MAX) return HF_LIMIT;
    if (p->how == ADDR_LIST) r->addrs[r->n_addrs++] = field->bytes;
    if (p->how == PROTOCOL_LIST) r->protocols[r->n_protocols++] = field->bytes;
    return HF_OK;
}

static hf_err read_part(hf_bytes part, hf_daemon_request *r, hf_fault *fault) {
    hf_pb_reader reader = hf_pb_read(part);
    hf_pb_field field;
    while (hf_pb_next(&reader, &field))
        if (take_field(r, &field)) return hf_fail(fault, HF_LIMIT, "daemon: more than 64 addresses or protocols", reader.at);
    return reader.err ? hf_fail(fault, HF_MALFORMED, "daemon: a part is not a protobuf message", reader.at) : HF_OK;
}

/* The part for a type stands in the field after it, up to DHT; then in the field of its number. */
static uint32_t number_of_part(uint32_t type) { return type <= HF_DAEMON_DHT ? type + 1 : type; }

hf_err hf_daemon_read(hf_bytes message, hf_daemon_request *ret, hf_fault *fault) {
    *ret = (hf_daemon_request){.type = UINT32_MAX};
    hf_pb_reader reader = hf_pb_read(message);
    hf_pb_field field;
    while (hf_pb_next(&reader, &field))
        if (field.number == 1 && field.wire == VARINT) ret->type = (uint32_t)field.u;
    if (reader.err) return hf_fail(fault, HF_MALFORMED, "daemon: not a protobuf message", reader.at);
    if (ret->type == UINT32_MAX) return hf_fail(fault, HF_MALFORMED, "daemon: a request without a type", 0);
    reader = hf_pb_read(message);
    while (hf_pb_next(&reader, &field)) {
        if (field.wire != BYTES || ret->type == HF_DAEMON_IDENTIFY || field.number != number_of_part(ret->type)) continue;
        ret->there = true;
        hf_err err = read_part(field.bytes, ret, fault);
        if (err) return err;
    }
    return HF_OK;
}

/* ---- responses ---- */

enum { OK = 0, ERROR = 1, R_TYPE = 1, R_ERROR = 2, R_STREAM = 3, R_IDENTIFY = 4, R_DHT = 5, R_PEERS = 6, R_PUBSUB = 7, R_PEERSTORE = 8 };

static void frame(hf_buf *out, hf_buf *message) {
    if (message->err) out->err = message->err;
    hf_varint_add(out, message->len);
    hf_buf_add(out, hf_buf_bytes(message));
    hf_buf_deinit(message);
}

/* An OK response with one part; `part` is released. */
static void respond(hf_buf *out, uint32_t number, hf_buf *part) {
    hf_buf message;
    hf_buf_init(&message, out->mem);
    hf_pb_add_u64(&message, R_TYPE, OK);
    hf_pb_add_bytes(&message, number, hf_buf_bytes(part));
    if (part->err) message.err = part->err;
    hf_buf_deinit(part);
    frame(out, &message);
}

static void add_list(hf_buf *buf, uint32_t number, const hf_bytes *items, size_t n) {
    for (size_t i = 0; i < n; i++) hf_pb_add_bytes(buf, number, items[i]);
}

static void add_peer(hf_buf *buf, const hf_daemon_peer *peer) {
    hf_pb_add_bytes(buf, 1, peer->id);
    add_list(buf, 2, peer->addrs, peer->n_addrs);
}

void hf_daemon_add_ok(hf_buf *out) {
    hf_buf message;
    hf_buf_init(&message, out->mem);
    hf_pb_add_u64(&message, R_TYPE, OK);
    frame(out, &message);
}

void hf_daemon_add_error(hf_buf *out, hf_bytes text) {
    hf_buf message, part;
    hf_buf_init(&message, out->mem);
    hf_buf_init(&part, out->mem);
    hf_pb_add_bytes(&part, 1, text);
    hf_pb_add_u64(&message, R_TYPE, ERROR);
    hf_pb_add_bytes(&message, R_ERROR, hf_buf_bytes(&part));
    if (part.err) message.err = part.err;
    hf_buf_deinit(&part);
    frame(out, &message);
}

void hf_daemon_add_identify(hf_buf *out, const hf_daemon_peer *self) {
    hf_buf part;
    hf_buf_init(&part, out->mem);
    add_peer(&part, self);
    respond(out, R_IDENTIFY, &part);
}

void hf_daemon_add_peers(hf_buf *out, const hf_daemon_peer *peers, size_t n_peers) {
    hf_buf message, part;
    hf_buf_init(&message, out->mem);
    hf_buf_init(&part, out->mem);
    hf_pb_add_u64(&message, R_TYPE, OK);
    for (size_t i = 0; i < n_peers; i++) {
        add_peer(&part, &peers[i]);
        hf_pb_add_bytes(&message, R_PEERS, hf_buf_bytes(&part));
        if (part.err) message.err = part.err;
        hf_buf_clear(&part);
    }
    hf_buf_deinit(&part);
    frame(out, &message);
}

void hf_daemon_add_stream(hf_buf *out, bool response, hf_bytes peer, hf_bytes addr, hf_bytes protocol) {
    hf_buf part;
    hf_buf_init(&part, out->mem);
    hf_pb_add_bytes(&part, 1, peer);
    hf_pb_add_bytes(&part, 2, addr);
    hf_pb_add_bytes(&part, 3, protocol);
    if (response) respond(out, R_STREAM, &part);
    else frame(out, &part);
}

/* A peer inside another message. */
static void add_inner_peer(hf_buf *buf, uint32_t number, const hf_daemon_peer *peer) {
    hf_buf inner;
    if (!peer) return;
    hf_buf_init(&inner, buf->mem);
    add_peer(&inner, peer);
    hf_pb_add_bytes(buf, number, hf_buf_bytes(&inner));
    if (inner.err) buf->err = inner.err;
    hf_buf_deinit(&inner);
}

void hf_daemon_add_peerstore(hf_buf *out, const hf_daemon_peer *peer, const hf_bytes *protocols, size_t n_protocols) {
    hf_buf part;
    hf_buf_init(&part, out->mem);
    add_inner_peer(&part, 1, peer);
    add_list(&part, 2, protocols, n_protocols);
    respond(out, R_PEERSTORE, &part);
}

void hf_daemon_add_topics(hf_buf *out, const hf_bytes *topics, size_t n_topics, const hf_bytes *peers, size_t n_peers) {
    hf_buf part;
    hf_buf_init(&part, out->mem);
    add_list(&part, 1, topics, n_topics);
    add_list(&part, 2, peers, n_peers);
    respond(out, R_PUBSUB, &part);
}

void hf_daemon_add_dht(hf_buf *out, bool response, uint32_t kind, const hf_daemon_peer *peer, const hf_bytes *value) {
    hf_buf part;
    hf_buf_init(&part, out->mem);
    hf_pb_add_u64(&part, 1, kind);
    add_inner_peer(&part, 2, peer);
    if (value) hf_pb_add_bytes(&part, 3, *value);
    if (response) respond(out, R_DHT, &part);
    else frame(out, &part);
}

void hf_daemon_add_news(hf_buf *out, const hf_daemon_news *news) {
    hf_buf message;
    hf_buf_init(&message, out->mem);
    const hf_bytes fields[] = {news->from, news->data, news->seqno, news->topic, news->signature, news->key};
    for (uint32_t i = 0; i < HF_COUNT(fields); i++)
        if (fields[i].len || i == 1 || i == 3) hf_pb_add_bytes(&message, i + 1, fields[i]);
    frame(out, &message);
}
