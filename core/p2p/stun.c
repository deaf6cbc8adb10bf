/* stun: see stun.h. */
#include "stun.h"

#include "../crypto/crypto.h"

#include <string.h>

enum {
    COOKIE_AT = 4, TRANSACTION_AT = 8, MAC_LEN = 20, FINGERPRINT_XOR = 0x5354554e, BINDING = 1, OPTIONAL = 0x8000,
    USERNAME = 0x0006, MESSAGE_INTEGRITY = 0x0008, ERROR_CODE = 0x0009, UNKNOWN_ATTRIBUTES = 0x000a, XOR_MAPPED_ADDRESS = 0x0020, PRIORITY = 0x0024,
    USE_CANDIDATE = 0x0025, FINGERPRINT = 0x8028, CONTROLLED = 0x8029, CONTROLLING = 0x802a,
};

static const uint8_t COOKIE[4] = {0x21, 0x12, 0xa4, 0x42};

static uint16_t u16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static uint32_t u32(const uint8_t *p) { return (uint32_t)u16(p) << 16 | u16(p + 2); }

static void put16(uint8_t *p, uint32_t value) {
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value) {
    put16(p, value >> 16);
    put16(p + 2, value);
}

/* CRC-32 of ITU V.42, as in zip files. */
static uint32_t crc32_of(hf_bytes bytes) {
    uint32_t crc = ~(uint32_t)0;
    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= bytes.ptr[i];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
    }
    return ~crc;
}

bool hf_stun_is(hf_bytes packet) {
    return packet.len >= HF_STUN_HEADER && packet.ptr[0] < 4 && !memcmp(packet.ptr + COOKIE_AT, COOKIE, sizeof COOKIE);
}

/* ---- reading ---- */

static void xor_address(const uint8_t *transaction, hf_stun_address *address) {
    address->port ^= u16(COOKIE);
    for (size_t i = 0; i < 16; i++) address->ip[i] ^= i < 4 ? COOKIE[i] : transaction[i - 4];
}

static hf_err read_address(hf_bytes value, hf_stun_message *ret) {
    hf_stun_address *a = &ret->mapped;
    bool v6 = value.len == 20;
    if ((value.len != 8 && !v6) || value.ptr[1] != (v6 ? 2 : 1)) return HF_MALFORMED;
    *a = (hf_stun_address){.v6 = v6, .port = u16(value.ptr + 2)};
    memcpy(a->ip, value.ptr + 4, v6 ? 16 : 4);
    xor_address(ret->transaction, a);
    if (!v6) memset(a->ip + 4, 0, 12);
    ret->has_mapped = true;
    return HF_OK;
}

static hf_err read_error(hf_bytes value, hf_stun_message *ret) {
    if (value.len < 4 || (value.ptr[2] & 7) < 3 || (value.ptr[2] & 7) > 6 || value.ptr[3] > 99) return HF_MALFORMED;
    ret->error = (uint16_t)((value.ptr[2] & 7) * 100 + value.ptr[3]);
    return HF_OK;
}

static hf_err read_role(hf_bytes value, bool *ret_role, hf_stun_message *ret) {
    if (value.len != 8) return HF_MALFORMED;
    *ret_role = true;
    ret->tie_breaker = (uint64_t)u32(value.ptr) << 32 | u32(value.ptr + 4);
    return HF_OK;
}

static hf_err read_attribute(uint16_t type, hf_bytes value, hf_stun_message *ret) {
    switch (type) {
    case USERNAME:
        ret->username = value;
        return value.len <= HF_STUN_USERNAME_MAX ? HF_OK : HF_LIMIT;
    case XOR_MAPPED_ADDRESS: return read_address(value, ret);
    case ERROR_CODE: return read_error(value, ret);
    case PRIORITY:
        if (value.len != 4) return HF_MALFORMED;
        ret->has_priority = true;
        ret->priority = u32(value.ptr);
        return HF_OK;
    case USE_CANDIDATE:
        ret->use_candidate = true;
        return value.len ? HF_MALFORMED : HF_OK;
    case CONTROLLED: return read_role(value, &ret->controlled, ret);
    case CONTROLLING: return read_role(value, &ret->controlling, ret);
    case UNKNOWN_ATTRIBUTES: return HF_OK;
    default:
        if (type & OPTIONAL) return HF_OK;
        if (ret->n_unknown < HF_STUN_UNKNOWN_MAX) ret->unknown[ret->n_unknown] = type;
        ret->n_unknown++;
        return HF_OK;
    }
}

static hf_err read_fingerprint(hf_bytes packet, size_t at, hf_bytes value, hf_stun_message *ret) {
    if (value.len != 4 || at + 8 != packet.len || (crc32_of(hf_sub(packet, 0, at)) ^ FINGERPRINT_XOR) != u32(value.ptr)) return HF_MALFORMED;
    ret->fingerprinted = true;
    return HF_OK;
}

static hf_err take(hf_bytes packet, size_t at, hf_bytes value, hf_stun_message *ret) {
    uint16_t type = u16(packet.ptr + at);
    if (type == FINGERPRINT) return read_fingerprint(packet, at, value, ret);
    if (ret->integrity_at) return HF_OK; /* nobody vouches for it */
    if (type != MESSAGE_INTEGRITY) return read_attribute(type, value, ret);
    ret->integrity_at = at;
    return value.len == MAC_LEN ? HF_OK : HF_MALFORMED;
}

hf_err hf_stun_read(hf_bytes packet, hf_stun_message *ret, hf_fault *fault) {
    *ret = (hf_stun_message){.kind = HF_STUN_REQUEST};
    if (!hf_stun_is(packet)) return hf_fail(fault, HF_MALFORMED, "no STUN message", 0);
    if (packet.len > HF_STUN_BYTES_MAX) return hf_fail(fault, HF_LIMIT, "a STUN message of more than 1,280 bytes", 0);
    if (packet.len % 4 || u16(packet.ptr + 2) != packet.len - HF_STUN_HEADER) return hf_fail(fault, HF_MALFORMED, "another length than the message says", 2);
    uint16_t type = u16(packet.ptr);
    ret->kind = (hf_stun_class)((type >> 4 & 1) | (type >> 7 & 2));
    if ((type & 0x3eef) != BINDING) return hf_fail(fault, HF_DENIED, "not a binding", 0);
    memcpy(ret->transaction, packet.ptr + TRANSACTION_AT, sizeof ret->transaction);
    for (size_t at = HF_STUN_HEADER, len; at < packet.len; at += 4 + (len + 3) / 4 * 4) {
        len = u16(packet.ptr + at + 2);
        if (len > packet.len - at - 4) return hf_fail(fault, HF_MALFORMED, "an attribute goes beyond the message", at);
        hf_err err = take(packet, at, HF_BYTES(packet.ptr + at + 4, len), ret);
        if (err) return hf_fail(fault, err, "an attribute does not follow its format", at);
    }
    return HF_OK;
}

/* The MAC counts as if the message ended with it. */
static void mac_of(hf_bytes before, hf_bytes password, hf_stun_mac mac, uint8_t ret[MAC_LEN]) {
    uint8_t text[HF_STUN_BYTES_MAX];
    HF_ASSERT(before.len >= HF_STUN_HEADER && before.len <= sizeof text);
    memcpy(text, before.ptr, before.len);
    put16(text + 2, (uint32_t)(before.len - HF_STUN_HEADER + 4 + MAC_LEN));
    mac.hmac(mac.ctx, password, HF_BYTES(text, before.len), ret);
}

hf_err hf_stun_check(hf_bytes packet, const hf_stun_message *message, hf_bytes password, hf_stun_mac mac) {
    uint8_t want[MAC_LEN];
    size_t at = message->integrity_at;
    if (!at) return HF_DENIED;
    mac_of(hf_sub(packet, 0, at), password, mac, want);
    return hf_equal_ct(packet.ptr + at + 4, want, MAC_LEN) ? HF_OK : HF_DENIED;
}

/* ---- writing ---- */

static void add(hf_buf *buf, uint16_t type, hf_bytes value) {
    uint8_t head[4], zero[3] = {0};
    put16(head, type);
    put16(head + 2, (uint32_t)value.len);
    hf_buf_add(buf, HF_BYTES(head, 4));
    hf_buf_add(buf, value);
    hf_buf_add(buf, HF_BYTES(zero, (4 - value.len % 4) % 4));
}

static void add_address(hf_buf *buf, const hf_stun_message *m) {
    uint8_t value[20] = {0};
    hf_stun_address a = m->mapped;
    xor_address(m->transaction, &a);
    value[1] = a.v6 ? 2 : 1;
    put16(value + 2, a.port);
    memcpy(value + 4, a.ip, a.v6 ? 16 : 4);
    add(buf, XOR_MAPPED_ADDRESS, HF_BYTES(value, a.v6 ? 20 : 8));
}

static void add_error(hf_buf *buf, const hf_stun_message *m) {
    uint8_t value[4] = {0, 0, (uint8_t)(m->error / 100), (uint8_t)(m->error % 100)}, unknown[2 * HF_STUN_UNKNOWN_MAX];
    size_t n = m->n_unknown < HF_STUN_UNKNOWN_MAX ? m->n_unknown : HF_STUN_UNKNOWN_MAX;
    add(buf, ERROR_CODE, HF_BYTES(value, 4));
    for (size_t i = 0; i < n; i++) put16(unknown + 2 * i, m->unknown[i]);
    if (n) add(buf, UNKNOWN_ATTRIBUTES, HF_BYTES(unknown, 2 * n));
}

static void add_checks(hf_buf *buf, const hf_stun_message *m) {
    uint8_t value[8];
    put32(value, m->priority);
    if (m->has_priority) add(buf, PRIORITY, HF_BYTES(value, 4));
    if (m->use_candidate) add(buf, USE_CANDIDATE, HF_BYTES(NULL, 0));
    put32(value, (uint32_t)(m->tie_breaker >> 32));
    put32(value + 4, (uint32_t)m->tie_breaker);
    if (m->controlled) add(buf, CONTROLLED, HF_BYTES(value, 8));
    if (m->controlling) add(buf, CONTROLLING, HF_BYTES(value, 8));
}

static void set_length(hf_buf *buf, size_t from, size_t more) {
    if (!buf->err) put16(buf->ptr + from + 2, (uint32_t)(buf->len - from - HF_STUN_HEADER + more));
}

hf_err hf_stun_write(hf_buf *buf, const hf_stun_message *m, hf_bytes password, hf_stun_mac mac) {
    size_t from = buf->len;
    uint8_t head[HF_STUN_HEADER] = {0}, digest[MAC_LEN], crc[4];
    if (m->username.len > HF_STUN_USERNAME_MAX) return HF_LIMIT;
    put16(head, (uint32_t)BINDING | ((uint32_t)m->kind & 1) << 4 | ((uint32_t)m->kind & 2) << 7);
    memcpy(head + COOKIE_AT, COOKIE, sizeof COOKIE);
    memcpy(head + TRANSACTION_AT, m->transaction, sizeof m->transaction);
    hf_buf_add(buf, HF_BYTES(head, sizeof head));
    if (m->username.len) add(buf, USERNAME, m->username);
    if (m->has_mapped) add_address(buf, m);
    if (m->error) add_error(buf, m);
    add_checks(buf, m);
    if (buf->err) return buf->err;
    mac_of(HF_BYTES(buf->ptr + from, buf->len - from), password, mac, digest);
    add(buf, MESSAGE_INTEGRITY, HF_BYTES(digest, sizeof digest));
    set_length(buf, from, 8);
    if (buf->err) return buf->err;
    put32(crc, crc32_of(HF_BYTES(buf->ptr + from, buf->len - from)) ^ FINGERPRINT_XOR);
    add(buf, FINGERPRINT, HF_BYTES(crc, sizeof crc));
    return buf->err;
}
