/* mdns_message: see mdns_message.h. RFC 1035 section 4.1:
 *
 *     header    ID 2 | flags 2 | n questions 2 | n answers 2 | n authorities 2 | n additionals 2
 *     question  name | type 2 | class 2
 *     record    name | type 2 | class 2 | TTL 4 | data length 2 | data
 *     name      (length 1 | label)* and then 0, or a pointer: 11 and 14 bits of an offset into the packet
 *     TXT data  (length 1 | text)*
 */
#include "mdns_message.h"

#include <string.h>

enum {
    HEADER_BYTES = 12,
    TYPE_PTR = 12, TYPE_TXT = 16, TYPE_ANY = 255,
    CLASS_IN = 1, CLASS_ANY = 255,
    CLASS_FLAG = 0x8000,                      /* RFC 6762: unicast answer wanted (5.4), or flush what you cached (10.2) */
    FLAG_ANSWER = 0x8000, FLAGS_OPCODE = 0x7800, FLAGS_RCODE = 0x000f,
    FLAGS_OUR_ANSWER = 0x8400,                /* QR and AA, as RFC 6762 section 18 asks */
};
static const char KEY[] = "dnsaddr=";
enum { KEY_LEN = sizeof KEY - 1 };

/* A name in its wire form without the closing 0: unlike dotted text it stays right when a label contains a dot. */
typedef struct name {
    uint8_t bytes[HF_MDNS_NAME_MAX];
    size_t len;
    hf_bytes label;                           /* the first one, a view into where it was read from */
} name;

static bool add_label(name *to, hf_bytes label) {
    if (!label.len || label.len > HF_MDNS_LABEL_MAX) return false;
    if (to->len + 1 + label.len + 1 > HF_MDNS_NAME_MAX) return false; /* the last 1 is the closing 0 */
    if (!to->len) to->label = label;
    to->bytes[to->len++] = (uint8_t)label.len;
    memcpy(to->bytes + to->len, label.ptr, label.len);
    to->len += label.len;
    return true;
}

static hf_err name_of_service(hf_bytes service, name *ret) {
    ret->len = 0;
    for (size_t from = 0, dot; from <= service.len; from = dot + 1) {
        dot = hf_find(service, '.', from);
        if (!add_label(ret, hf_sub(service, from, dot - from))) return HF_MALFORMED;
    }
    return ret->len + 1 + HF_MDNS_PEER_NAME_MAX + 1 > HF_MDNS_NAME_MAX ? HF_MALFORMED : HF_OK;
}

/* ---- writing ---- */

static void add_u16(hf_buf *buf, size_t value) {
    hf_buf_add_byte(buf, (uint8_t)(value >> 8));
    hf_buf_add_byte(buf, (uint8_t)value);
}

static void add_header(hf_buf *buf, unsigned flags, size_t n_questions, size_t n_answers) {
    add_u16(buf, 0); /* "In multicast responses ... the Query Identifier MUST be set to zero" (RFC 6762 section 18.1) */
    add_u16(buf, flags);
    add_u16(buf, n_questions);
    add_u16(buf, n_answers);
    add_u16(buf, 0);
    add_u16(buf, 0);
}

static void add_name(hf_buf *buf, const name *n) {
    hf_buf_add(buf, HF_BYTES(n->bytes, n->len));
    hf_buf_add_byte(buf, 0);
}

static void add_record_head(hf_buf *buf, const name *owner, unsigned type, size_t data_len) {
    add_name(buf, owner);
    add_u16(buf, type);
    add_u16(buf, CLASS_IN);
    add_u16(buf, 0);
    add_u16(buf, HF_MDNS_TTL_SECONDS);
    add_u16(buf, data_len);
}

static void add_text_record(hf_buf *buf, const name *owner, hf_bytes multiaddr) {
    size_t len = KEY_LEN + multiaddr.len;
    add_record_head(buf, owner, TYPE_TXT, 1 + len);
    hf_buf_add_byte(buf, (uint8_t)len);
    hf_buf_add_str(buf, KEY);
    hf_buf_add(buf, multiaddr);
}

/* All or nothing: what was appended since `before` goes when it failed or became longer than a packet may be. */
static hf_err settle(hf_buf *buf, size_t before) {
    if (buf->err) return buf->err;
    if (buf->len - before <= HF_MDNS_PACKET_MAX) return HF_OK;
    buf->len = before;
    return HF_LIMIT;
}

hf_err hf_mdns_add_query(hf_buf *buf, hf_bytes service) {
    name asked;
    size_t before = buf->len;
    if (name_of_service(service, &asked)) return HF_MALFORMED;
    add_header(buf, 0, 1, 0);
    add_name(buf, &asked);
    add_u16(buf, TYPE_PTR);
    add_u16(buf, CLASS_IN);
    return settle(buf, before);
}

hf_err hf_mdns_add_answer(hf_buf *buf, hf_bytes service, hf_bytes peer_name, const hf_bytes *addresses, size_t n_addresses) {
    name asked, own = {.len = 0};
    size_t before = buf->len;
    if (name_of_service(service, &asked)) return HF_MALFORMED;
    if (peer_name.len < HF_MDNS_PEER_NAME_MIN || peer_name.len > HF_MDNS_PEER_NAME_MAX) return HF_LIMIT;
    if (n_addresses > HF_MDNS_ADDRESSES_MAX) return HF_LIMIT;
    for (size_t i = 0; i < n_addresses; i++)
        if (KEY_LEN + addresses[i].len > HF_MDNS_TEXT_MAX) return HF_LIMIT;
    bool fits = add_label(&own, peer_name);
    HF_ASSERT(fits); /* name_of_service left room */
    memcpy(own.bytes + own.len, asked.bytes, asked.len);
    own.len += asked.len;
    add_header(buf, FLAGS_OUR_ANSWER, 0, 1 + n_addresses);
    add_record_head(buf, &asked, TYPE_PTR, own.len + 1);
    add_name(buf, &own);
    for (size_t i = 0; i < n_addresses; i++) add_text_record(buf, &own, addresses[i]);
    return settle(buf, before);
}

/* ---- reading: a cursor that remembers its first failure ---- */

typedef struct reader {
    hf_bytes packet;
    size_t at;
    hf_err err;
    hf_fault fault;
} reader;

static void fail(reader *r, hf_err err, const char *what, size_t at) {
    if (!r->err) r->err = hf_fail(&r->fault, err, what, at);
}

static size_t left(const reader *r) { return r->err ? 0 : r->packet.len - r->at; }

static hf_bytes take(reader *r, size_t len) {
    if (left(r) < len) {
        fail(r, HF_MALFORMED, "mdns: the packet ends inside a record", r->at);
        return HF_BYTES(NULL, 0);
    }
    r->at += len;
    return HF_BYTES(r->packet.ptr + r->at - len, len);
}

static unsigned take_u8(reader *r) {
    hf_bytes b = take(r, 1);
    return b.len ? b.ptr[0] : 0;
}

static unsigned take_u16(reader *r) {
    unsigned high = take_u8(r);
    return high << 8 | take_u8(r);
}

static uint32_t take_u32(reader *r) {
    uint32_t high = take_u16(r);
    return high << 16 | take_u16(r);
}

/* Moves `at` to where the pointer says. It must lie before everything this name was read from so far, so the way ends at the latest at byte 0:
 * a loop cannot be written. */
static void follow(reader *r, unsigned first, size_t *earliest) {
    size_t from = r->at - 1, target = (size_t)(first & 0x3f) << 8;
    target |= take_u8(r);
    if (target >= *earliest) fail(r, HF_MALFORMED, "mdns: a name's pointer does not go backwards", from);
    if (!r->err) *earliest = r->at = target;
}

static void take_name(reader *r, name *ret) {
    size_t start = r->at, earliest = start, after = 0; /* after: where the record goes on once a pointer was followed */
    size_t n_pointers = 0;
    ret->len = 0;
    for (unsigned first; (first = take_u8(r)) != 0;) {
        if (first >> 6 == 3) {
            if (!after) after = r->at + 1;
            /* One for each label would be honest; without this bound 64 names could each walk 4,500 pointers. */
            if (++n_pointers > HF_MDNS_NAME_MAX / 2) fail(r, HF_LIMIT, "mdns: a name has more than 127 pointers", start);
            follow(r, first, &earliest);
        } else if (first >> 6) fail(r, HF_MALFORMED, "mdns: a label is neither a length nor a pointer", r->at - 1);
        else {
            hf_bytes label = take(r, first);
            if (label.len && !add_label(ret, label)) fail(r, HF_LIMIT, "mdns: a name is longer than 255 bytes", start);
        }
    }
    if (after) r->at = after;
}

static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c; }

/* RFC 1035 section 2.3.3: case does not count. No length byte is a letter (they are under 64), so whole names can be compared at once. */
static bool same_name(hf_bytes a, const name *b) {
    if (a.len != b->len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b->bytes[i])) return false;
    return true;
}

static bool is_below(const name *n, const name *service) {
    return n->len && same_name(hf_sub(HF_BYTES(n->bytes, n->len), 1 + (size_t)n->bytes[0], n->len), service);
}

static void take_question(reader *r, const name *service, hf_mdns_message *message) {
    name asked;
    take_name(r, &asked);
    unsigned type = take_u16(r), class = take_u16(r) & ~(unsigned)CLASS_FLAG;
    if (r->err) return;
    bool fits = (type == TYPE_PTR || type == TYPE_ANY) && (class == CLASS_IN || class == CLASS_ANY);
    if (fits && same_name(HF_BYTES(asked.bytes, asked.len), service)) message->asks = true;
}

static void take_texts(reader *r, size_t end, hf_bytes peer_name, hf_mdns_message *message) {
    while (r->at < end && !r->err) {
        size_t at = r->at;
        hf_bytes text = take(r, take_u8(r));
        if (r->at > end) return fail(r, HF_MALFORMED, "mdns: a text is longer than its record", at);
        if (r->err || !hf_starts(text, HF_BYTES(KEY, KEY_LEN))) continue;
        if (message->n_found == HF_MDNS_ADDRESSES_MAX) return fail(r, HF_LIMIT, "mdns: more than 63 addresses", at);
        message->found[message->n_found++] = (hf_mdns_found){peer_name, hf_sub(text, KEY_LEN, text.len)};
    }
}

static void take_record(reader *r, const name *service, bool listen, hf_mdns_message *message) {
    name owner;
    take_name(r, &owner);
    unsigned type = take_u16(r), class = take_u16(r) & ~(unsigned)CLASS_FLAG;
    bool goodbye = take_u32(r) == 0;
    size_t data_len = take_u16(r);
    if (left(r) < data_len) return fail(r, HF_MALFORMED, "mdns: the packet ends inside a record", r->at);
    if (r->err) return;
    size_t end = r->at + data_len;
    bool wanted = listen && type == TYPE_TXT && class == CLASS_IN && !goodbye && is_below(&owner, service);
    if (wanted) take_texts(r, end, owner.label, message);
    if (!r->err) r->at = end;
}

static void take_message(reader *r, const name *service, hf_mdns_message *message) {
    take_u16(r); /* the ID says nothing in multicast */
    unsigned flags = take_u16(r), counts[4];
    size_t n = 0;
    for (size_t i = 0; i < HF_COUNT(counts); i++) n += counts[i] = take_u16(r);
    if (r->err) return;
    if (flags & (FLAGS_OPCODE | FLAGS_RCODE)) return fail(r, HF_MALFORMED, "mdns: an opcode or response code other than 0", 2);
    if (n > HF_MDNS_RECORDS_MAX) return fail(r, HF_LIMIT, "mdns: more than 64 questions and records", 4);
    bool is_answer = flags & FLAG_ANSWER;
    for (unsigned i = 0; i < counts[0] && !r->err; i++) take_question(r, service, message);
    if (is_answer) message->asks = false; /* a question in an answer is only repeated there */
    for (size_t section = 1; section < HF_COUNT(counts); section++) /* the second one: authorities, which tell of conflicts (RFC 6762 section 8.2) */
        for (unsigned i = 0; i < counts[section] && !r->err; i++) take_record(r, service, is_answer && section != 2, message);
}

hf_err hf_mdns_read(hf_bytes packet, hf_bytes service, hf_mdns_message *ret, hf_fault *fault) {
    name wanted;
    reader r = {.packet = packet};
    hf_mdns_message message = {.n_found = 0};
    if (packet.len > HF_MDNS_PACKET_MAX) return hf_fail(fault, HF_LIMIT, "mdns: the packet is longer than 9,000 bytes", HF_MDNS_PACKET_MAX);
    if (name_of_service(service, &wanted)) return hf_fail(fault, HF_MALFORMED, "mdns: the service's name is malformed", 0);
    take_message(&r, &wanted, &message);
    if (r.err) return hf_fail(fault, r.err, r.fault.what, r.fault.at);
    *ret = message;
    return HF_OK;
}
