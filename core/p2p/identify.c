/* identify: see identify.h. */
#include "identify.h"

#include "../codec/protobuf.h"
#include "../codec/varint.h"

enum { PUBLIC_KEY = 1, LISTEN_ADDR = 2, PROTOCOL = 3, OBSERVED_ADDR = 4, PROTOCOL_VERSION = 5, AGENT_VERSION = 6, SIGNED_PEER_RECORD = 8 };

static void add_field(hf_buf *buf, uint32_t number, hf_bytes bytes) {
    if (bytes.len) hf_pb_add_bytes(buf, number, bytes);
}

void hf_identify_add(hf_buf *buf, const hf_identify_message *message) {
    const hf_identify *said = &message->said;
    add_field(buf, PROTOCOL_VERSION, said->protocol_version); /* the order that js writes */
    add_field(buf, AGENT_VERSION, said->agent);
    add_field(buf, PUBLIC_KEY, message->public_key);
    for (size_t i = 0; i < said->n_addresses; i++) add_field(buf, LISTEN_ADDR, said->addresses[i]);
    add_field(buf, OBSERVED_ADDR, said->observed);
    for (size_t i = 0; i < said->n_protocols; i++) add_field(buf, PROTOCOL, said->protocols[i]);
    add_field(buf, SIGNED_PEER_RECORD, said->record);
}

typedef struct lists {
    hf_bytes *protocols, *addresses;
} lists;

static void count(hf_bytes bytes, hf_identify *said) {
    hf_pb_reader reader = hf_pb_read(bytes);
    hf_pb_field field;
    while (hf_pb_next(&reader, &field)) {
        if (field.wire != 2) continue;
        if (field.number == PROTOCOL) said->n_protocols++;
        if (field.number == LISTEN_ADDR) said->n_addresses++;
    }
}

static void fill(hf_pb_field field, hf_identify_message *message, lists *next) {
    switch (field.number) {
        case PUBLIC_KEY: message->public_key = field.bytes; break;
        case LISTEN_ADDR: *next->addresses++ = field.bytes; break;
        case PROTOCOL: *next->protocols++ = field.bytes; break;
        case OBSERVED_ADDR: message->said.observed = field.bytes; break;
        case PROTOCOL_VERSION: message->said.protocol_version = field.bytes; break;
        case AGENT_VERSION: message->said.agent = field.bytes; break;
        case SIGNED_PEER_RECORD: message->said.record = field.bytes; break;
        default: break;
    }
}

hf_err hf_identify_read(hf_arena *arena, hf_bytes bytes, hf_identify_message *ret, hf_fault *fault) {
    hf_identify_message message = {.public_key = {NULL, 0}};
    if (bytes.len > HF_IDENTIFY_BYTES_MAX) return hf_fail(fault, HF_LIMIT, "identify: message too long", 0);
    count(bytes, &message.said);
    if (message.said.n_protocols > HF_IDENTIFY_PROTOCOLS_MAX)
        return hf_fail(fault, HF_LIMIT, "identify: too many protocols", 0);
    if (message.said.n_addresses > HF_IDENTIFY_ADDRESSES_MAX)
        return hf_fail(fault, HF_LIMIT, "identify: too many addresses", 0);
    hf_bytes *items = hf_arena_alloc(arena, (message.said.n_protocols + message.said.n_addresses + 1) * sizeof *items);
    if (!items) return HF_NOMEM;
    lists next = {items, items + message.said.n_protocols};
    message.said.protocols = next.protocols;
    message.said.addresses = next.addresses;
    hf_pb_reader reader = hf_pb_read(bytes);
    hf_pb_field field;
    while (hf_pb_next(&reader, &field))
        if (field.wire == 2) fill(field, &message, &next);
    if (reader.err) return hf_fail(fault, HF_MALFORMED, "identify: not a protobuf message", reader.at);
    *ret = message;
    return HF_OK;
}

hf_err hf_identify_unframe(hf_bytes bytes, hf_bytes *ret_message) {
    uint64_t len = 0;
    size_t head = 0;
    hf_err err = hf_varint_read(bytes, &len, &head);
    if (err) return err;
    if (len > HF_IDENTIFY_BYTES_MAX) return HF_LIMIT;
    if (bytes.len - head < len) return HF_TRUNCATED;
    *ret_message = hf_sub(bytes, head, (size_t)len);
    return HF_OK;
}

static hf_err copy_text(hf_arena *arena, hf_bytes before, hf_bytes now, hf_bytes *ret) {
    *ret = hf_arena_copy(arena, now.len ? now : before);
    return ret->ptr ? HF_OK : HF_NOMEM;
}

static hf_err copy_list(hf_arena *arena, const hf_bytes *from, size_t n, const hf_bytes **ret) {
    hf_bytes *items = hf_arena_alloc(arena, (n + 1) * sizeof *items);
    if (!items) return HF_NOMEM;
    for (size_t i = 0; i < n; i++) {
        items[i] = hf_arena_copy(arena, from[i]);
        if (!items[i].ptr) return HF_NOMEM;
    }
    *ret = items;
    return HF_OK;
}

hf_err hf_identify_merge(hf_arena *arena, const hf_identify *before, const hf_identify *now, hf_identify *ret) {
    hf_identify m = {.agent = {NULL, 0}};
    const hf_identify *protocols = now->n_protocols ? now : before, *addresses = now->n_addresses || now->record.len ? now : before;
    m.n_protocols = protocols->n_protocols;
    m.n_addresses = addresses->n_addresses;
    hf_err err = copy_text(arena, before->agent, now->agent, &m.agent);
    if (!err) err = copy_text(arena, before->protocol_version, now->protocol_version, &m.protocol_version);
    if (!err) err = copy_text(arena, before->observed, now->observed, &m.observed);
    if (!err) err = copy_text(arena, addresses->record, (hf_bytes){0}, &m.record);
    m.record_seq = addresses->record_seq;
    if (!err) err = copy_list(arena, protocols->protocols, m.n_protocols, &m.protocols);
    if (!err) err = copy_list(arena, addresses->addresses, m.n_addresses, &m.addresses);
    if (!err) *ret = m;
    return err;
}
