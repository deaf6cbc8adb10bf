/* gossip_message: see gossip_message.h. */
#include "gossip_message.h"

#include "../codec/varint.h"

#include <string.h>

enum { RPC_SUBSCRIPTION = 1, RPC_PUBLISH, RPC_CONTROL };
enum { CONTROL_IHAVE = 1, CONTROL_IWANT, CONTROL_GRAFT, CONTROL_PRUNE, CONTROL_IDONTWANT };
enum { MESSAGE_FROM = 1, MESSAGE_DATA, MESSAGE_SEQNO, MESSAGE_TOPIC, MESSAGE_SIGNATURE, MESSAGE_KEY };
enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

static bool is_bytes(const hf_pb_field *f, uint32_t number) { return f->number == number && f->wire == WIRE_BYTES; }
static bool is_number(const hf_pb_field *f, uint32_t number) { return f->number == number && f->wire == WIRE_VARINT; }

/* ---- reading ---- */

hf_gossip_reader hf_gossip_read(hf_bytes rpc) { return (hf_gossip_reader){.rpc = hf_pb_read(rpc)}; }

static hf_err read_subscription(hf_bytes in, hf_gossip_item *ret) {
    hf_pb_reader r = hf_pb_read(in);
    ret->kind = HF_GOSSIP_ITEM_SUBSCRIPTION;
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        if (is_number(&f, 1)) ret->subscribe = f.u != 0;
        else if (is_bytes(&f, 2)) ret->topic = f.bytes;
    }
    return r.err;
}

static hf_err read_message(hf_bytes in, hf_gossip_item *ret) {
    hf_gossip_message *m = &ret->message;
    hf_bytes *fields[] = {&m->from, &m->data, &m->seqno, &m->topic, &m->signature, &m->key};
    hf_pb_reader r = hf_pb_read(in);
    ret->kind = HF_GOSSIP_ITEM_PUBLISH;
    for (hf_pb_field f; hf_pb_next(&r, &f);)
        if (f.wire == WIRE_BYTES && f.number >= 1 && f.number <= HF_COUNT(fields)) *fields[f.number - 1] = f.bytes;
    return r.err;
}

/* The topic of ihave, graft and prune, and the backoff of prune; what is listed is read when it is wanted. */
static hf_err read_control(const hf_pb_field *part, hf_gossip_item *ret) {
    static const hf_gossip_item_kind kinds[] = {HF_GOSSIP_ITEM_END,   HF_GOSSIP_ITEM_IHAVE, HF_GOSSIP_ITEM_IWANT,
                                                HF_GOSSIP_ITEM_GRAFT, HF_GOSSIP_ITEM_PRUNE, HF_GOSSIP_ITEM_IDONTWANT};
    ret->kind = kinds[part->number];
    ret->body = part->bytes;
    bool has_topic = ret->kind != HF_GOSSIP_ITEM_IWANT && ret->kind != HF_GOSSIP_ITEM_IDONTWANT;
    hf_pb_reader r = hf_pb_read(part->bytes);
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        if (has_topic && is_bytes(&f, 1)) ret->topic = f.bytes;
        else if (is_number(&f, 3)) ret->backoff_s = f.u;
    }
    return r.err;
}

static bool next_control(hf_gossip_reader *reader, hf_gossip_item *ret) {
    for (hf_pb_field f; hf_pb_next(&reader->control, &f);)
        if (f.wire == WIRE_BYTES && f.number >= CONTROL_IHAVE && f.number <= CONTROL_IDONTWANT) {
            reader->err = read_control(&f, ret);
            return true;
        }
    reader->err = reader->control.err;
    return reader->in_control = false;
}

static bool next_part(hf_gossip_reader *reader, hf_gossip_item *ret) {
    for (hf_pb_field f; hf_pb_next(&reader->rpc, &f);) {
        if (is_bytes(&f, RPC_SUBSCRIPTION)) reader->err = read_subscription(f.bytes, ret);
        else if (is_bytes(&f, RPC_PUBLISH)) reader->err = read_message(f.bytes, ret);
        else if (is_bytes(&f, RPC_CONTROL)) {
            reader->control = hf_pb_read(f.bytes);
            reader->in_control = true;
            if (!next_control(reader, ret) && !reader->err) continue;
        } else continue;
        return true;
    }
    reader->err = reader->rpc.err;
    return false;
}

hf_gossip_item_kind hf_gossip_read_next(hf_gossip_reader *reader, hf_gossip_item *ret) {
    *ret = (hf_gossip_item){.kind = HF_GOSSIP_ITEM_END};
    if (reader->err) return HF_GOSSIP_ITEM_END;
    bool found = reader->in_control && next_control(reader, ret);
    if (!found && !reader->err) found = next_part(reader, ret);
    return found && !reader->err ? ret->kind : (ret->kind = HF_GOSSIP_ITEM_END);
}

bool hf_gossip_next_id(hf_pb_reader *body, hf_gossip_item_kind kind, hf_bytes *ret_id) {
    for (hf_pb_field f; hf_pb_next(body, &f);)
        if (is_bytes(&f, kind == HF_GOSSIP_ITEM_IHAVE ? 2 : 1)) {
            *ret_id = f.bytes;
            return true;
        }
    return false;
}

bool hf_gossip_next_peer(hf_pb_reader *body, hf_bytes *ret_peer_id, hf_bytes *ret_record) {
    *ret_peer_id = *ret_record = (hf_bytes){0};
    for (hf_pb_field f; hf_pb_next(body, &f);) {
        if (!is_bytes(&f, 2)) continue;
        hf_pb_reader r = hf_pb_read(f.bytes);
        for (hf_pb_field part; hf_pb_next(&r, &part);) {
            if (is_bytes(&part, 1)) *ret_peer_id = part.bytes;
            else if (is_bytes(&part, 2)) *ret_record = part.bytes;
        }
        if (r.err) body->err = r.err;
        return !r.err;
    }
    return false;
}

hf_err hf_gossip_check(hf_bytes rpc) {
    hf_gossip_reader reader = hf_gossip_read(rpc);
    for (hf_gossip_item item; hf_gossip_read_next(&reader, &item);) {
        if (item.kind != HF_GOSSIP_ITEM_PRUNE) continue;
        hf_pb_reader body = hf_pb_read(item.body);
        hf_bytes peer, record;
        while (hf_gossip_next_peer(&body, &peer, &record)) {}
        if (body.err) return body.err;
    }
    return reader.err;
}

/* ---- authors and ids ---- */

static hf_err refuse(const char **ret_reason, hf_err err, const char *reason) {
    *ret_reason = reason;
    return err;
}

hf_err hf_gossip_author(const hf_gossip_message *m, hf_gossip_verified *ret, const char **ret_reason) {
    if (m->seqno.len != HF_GOSSIP_SEQNO_LEN)
        return refuse(ret_reason, HF_MALFORMED, "gossip: a message without a sequence number");
    if (!m->signature.ptr) return refuse(ret_reason, HF_DENIED, "gossip: a message without a signature");
    if (hf_peer_id_read(m->from, &ret->from)) return refuse(ret_reason, HF_MALFORMED, "gossip: a message without an author");
    bool inlined = ret->from.bytes[0] == 0;
    hf_bytes key = m->key.ptr || !inlined ? m->key : hf_sub(hf_peer_id_bytes(&ret->from), 2, ret->from.len);
    hf_peer_id id;
    if (hf_peer_id_of_key(key, &id)) return refuse(ret_reason, HF_MALFORMED, "gossip: a key of unknown kind");
    if (!hf_peer_id_eq(&id, &ret->from)) return refuse(ret_reason, HF_DENIED, "gossip: the key of somebody else");
    memcpy(ret->key, key.ptr, key.len);
    ret->key_len = (uint8_t)key.len;
    return HF_OK;
}

size_t hf_gossip_id_of(const hf_gossip_verified *author, hf_bytes seqno, bool by_specification, uint8_t ret[HF_GOSSIP_ID_MAX]) {
    hf_bytes head = by_specification ? hf_peer_id_bytes(&author->from) : HF_BYTES(author->key, author->key_len);
    memcpy(ret, head.ptr, head.len);
    memcpy(ret + head.len, seqno.ptr, HF_GOSSIP_SEQNO_LEN);
    return head.len + HF_GOSSIP_SEQNO_LEN;
}

/* ---- writing ---- */

/* Length of what hf_pb_add_bytes writes for a field below 16. */
static size_t field_len(size_t len) {
    uint8_t ignored[HF_VARINT_MAX];
    return 1 + hf_varint_write(len, ignored) + len;
}

static void open_field(hf_buf *buf, uint32_t number, size_t len) {
    hf_buf_add_byte(buf, (uint8_t)(number << 3 | WIRE_BYTES));
    hf_varint_add(buf, len);
}

static void add_there(hf_buf *buf, uint32_t number, hf_bytes bytes) {
    if (bytes.ptr) hf_pb_add_bytes(buf, number, bytes);
}

static size_t there_len(hf_bytes bytes) { return bytes.ptr ? field_len(bytes.len) : 0; }

static void add_signed_fields(hf_buf *buf, const hf_gossip_message *m) {
    add_there(buf, MESSAGE_FROM, m->from);
    add_there(buf, MESSAGE_DATA, m->data);
    add_there(buf, MESSAGE_SEQNO, m->seqno);
    if (m->topic.len) add_there(buf, MESSAGE_TOPIC, m->topic);
}

void hf_gossip_add_signed(hf_buf *buf, const hf_gossip_message *message) {
    hf_buf_add_str(buf, HF_GOSSIP_SIGN_PREFIX);
    add_signed_fields(buf, message);
}

void hf_gossip_add_message(hf_buf *buf, const hf_gossip_message *m) {
    add_signed_fields(buf, m);
    add_there(buf, MESSAGE_SIGNATURE, m->signature);
    add_there(buf, MESSAGE_KEY, m->key);
}

static size_t message_len(const hf_gossip_message *m) {
    return there_len(m->from) + there_len(m->data) + there_len(m->seqno) + (m->topic.len ? field_len(m->topic.len) : 0) +
           there_len(m->signature) + there_len(m->key);
}

void hf_gossip_add_publish(hf_buf *rpc, const hf_gossip_message *message) {
    open_field(rpc, RPC_PUBLISH, message_len(message));
    hf_gossip_add_message(rpc, message);
}

void hf_gossip_add_subscription(hf_buf *rpc, hf_bytes topic, bool subscribe) {
    open_field(rpc, RPC_SUBSCRIPTION, 2 + field_len(topic.len));
    hf_pb_add_u64(rpc, 1, subscribe);
    hf_pb_add_bytes(rpc, 2, topic);
}

void hf_gossip_add_control(hf_buf *rpc, hf_bytes control) { hf_pb_add_bytes(rpc, RPC_CONTROL, control); }

void hf_gossip_add_ids(hf_buf *control, hf_gossip_item_kind kind, hf_bytes topic, const hf_bytes *ids, size_t n_ids) {
    bool ihave = kind == HF_GOSSIP_ITEM_IHAVE;
    size_t len = ihave ? field_len(topic.len) : 0;
    for (size_t i = 0; i < n_ids; i++) len += field_len(ids[i].len);
    open_field(control, ihave ? CONTROL_IHAVE : kind == HF_GOSSIP_ITEM_IWANT ? CONTROL_IWANT : CONTROL_IDONTWANT, len);
    if (ihave) hf_pb_add_bytes(control, 1, topic);
    for (size_t i = 0; i < n_ids; i++) hf_pb_add_bytes(control, ihave ? 2 : 1, ids[i]);
}

void hf_gossip_add_graft(hf_buf *control, hf_bytes topic) {
    open_field(control, CONTROL_GRAFT, field_len(topic.len));
    hf_pb_add_bytes(control, 1, topic);
}

static size_t px_len(const hf_gossip_px *px) {
    return field_len(px->peer_id.len) + (px->record.len ? field_len(px->record.len) : 0);
}

void hf_gossip_add_prune(hf_buf *control, hf_bytes topic, const hf_gossip_px *peers, size_t n_peers, uint64_t backoff_s) {
    uint8_t number[HF_VARINT_MAX];
    size_t len = field_len(topic.len) + (backoff_s ? 1 + hf_varint_write(backoff_s, number) : 0);
    for (size_t i = 0; i < n_peers; i++) len += field_len(px_len(&peers[i]));
    open_field(control, CONTROL_PRUNE, len);
    hf_pb_add_bytes(control, 1, topic);
    for (size_t i = 0; i < n_peers; i++) {
        open_field(control, 2, px_len(&peers[i]));
        hf_pb_add_bytes(control, 1, peers[i].peer_id);
        if (peers[i].record.len) hf_pb_add_bytes(control, 2, peers[i].record);
    }
    if (backoff_s) hf_pb_add_u64(control, 3, backoff_s);
}
