/* entry: see entry.h. Reading and verifying; entry_write.c makes entries.
 *
 * A block that is canonical (every honest one) is read where it lies: fields come in one known order, and what is signed is two ranges of
 * it. Any other block that js would take is decoded into a tree and what is signed is encoded anew, because "signatures are checked over
 * the canonical re-encoding of what was read" (interop notes, section 2). */
#include "entry.h"

#include "../codec/dag_cbor.h"
#include "canonical.h"
#include "entry_read.h"
#include "link_text.h"

#include <string.h>

#define TIME_MAX 9007199254740991u /* 2^53 - 1: beyond it js cannot count */
enum { LINK_MIN = 2 + HF_CID_TEXT_LEN, SIG_HEX_MAX = 2 * HF_DER_MAX };

static bool is_hex(hf_bytes s) {
    for (size_t i = 0; i < s.len; i++)
        if (!((s.ptr[i] >= '0' && s.ptr[i] <= '9') || (s.ptr[i] >= 'a' && s.ptr[i] <= 'f'))) return false;
    return s.len % 2 == 0;
}

/* Room for n digests; never NULL for n == 0. */
static uint8_t (*digests(hf_arena *arena, size_t n))[32] { return hf_arena_alloc(arena, (n ? n : 1) * 32); }

/* ---- the canonical layout ---- */

typedef enum layout { LAYOUT_CANONICAL, LAYOUT_OTHER, LAYOUT_NOMEM } layout;

/* A list of links; a list that is too long is left to the other reader, which says so. */
static layout canonical_links(hf_canonical *c, hf_arena *arena, const uint8_t (**ret)[32], size_t *ret_n) {
    static const uint8_t head[] = {0x78, HF_CID_TEXT_LEN};
    uint64_t n = hf_canonical_head(c, 4);
    if (c->failed || n > HF_ENTRY_LINKS_MAX || n > (c->in.len - c->at) / LINK_MIN) return LAYOUT_OTHER;
    uint8_t(*out)[32] = digests(arena, (size_t)n);
    if (!out) return LAYOUT_NOMEM;
    for (size_t i = 0; i < n; i++) {
        hf_canonical_expect(c, HF_BYTES(head, sizeof head)); /* the alphabet is checked below, and it is all ASCII */
        if (hf_link_text_read(hf_canonical_take(c, HF_CID_TEXT_LEN), out[i])) return LAYOUT_OTHER;
    }
    *ret = (const uint8_t(*)[32])out;
    *ret_n = (size_t)n;
    return LAYOUT_CANONICAL;
}

static void canonical_clock(hf_canonical *c, hf_entry *e) {
    hf_canonical_expect(c, HF_TEXT("\x65" "clock" "\xa2\x62" "id"));
    e->clock_id = hf_canonical_text(c);
    hf_canonical_expect(c, HF_TEXT("\x64" "time"));
    e->time = hf_canonical_head(c, 0);
}

/* Canonical order is by length, then bytes: v, id, key, sig, next, refs, clock, payload, identity. */
static layout canonical_front(hf_canonical *c, hf_arena *arena, hf_entry *e) {
    hf_canonical_expect(c, HF_TEXT("\xa9\x61v\x02\x62id"));
    e->id = hf_canonical_text(c);
    e->signed_parts[0] = hf_sub(c->in, 1, c->at - 1);
    hf_canonical_expect(c, HF_TEXT("\x63key"));
    e->key = hf_canonical_text(c);
    hf_canonical_expect(c, HF_TEXT("\x63sig"));
    e->sig = hf_canonical_text(c);
    size_t signed_from = c->at;
    hf_canonical_expect(c, HF_TEXT("\x64next"));
    layout next = canonical_links(c, arena, &e->next, &e->n_next);
    if (next != LAYOUT_CANONICAL) return next;
    hf_canonical_expect(c, HF_TEXT("\x64refs"));
    layout refs = canonical_links(c, arena, &e->refs, &e->n_refs);
    if (refs != LAYOUT_CANONICAL) return refs;
    canonical_clock(c, e);
    hf_canonical_expect(c, HF_TEXT("\x67payload"));
    e->signed_parts[1] = hf_sub(c->in, signed_from, c->at - signed_from);
    return c->failed ? LAYOUT_OTHER : LAYOUT_CANONICAL;
}

static layout read_canonical(hf_bytes block, hf_arena *arena, hf_entry *e) {
    hf_canonical c = {block, 0, false};
    layout front = canonical_front(&c, arena, e);
    if (front != LAYOUT_CANONICAL) return front;
    hf_bytes rest = hf_sub(block, c.at, block.len - c.at);
    size_t len, decoded_len;
    if (!hf_canonical_item(rest, &len)) return LAYOUT_OTHER;
    hf_err err = hf_cbor_decode_prefix(arena, rest, &e->payload, &decoded_len, NULL);
    if (err) return err == HF_NOMEM ? LAYOUT_NOMEM : LAYOUT_OTHER;
    if (len != decoded_len) return LAYOUT_OTHER;
    e->payload_bytes = hf_sub(rest, 0, len);
    e->signed_parts[1].len += len;
    c.at += len;
    hf_canonical_expect(&c, HF_TEXT("\x68identity"));
    if (hf_link_text_read(hf_canonical_text(&c), e->identity_digest)) return LAYOUT_OTHER;
    return c.failed || c.at != block.len ? LAYOUT_OTHER : LAYOUT_CANONICAL;
}

/* ---- any layout ---- */

static hf_err other_links(const hf_value *list, hf_arena *arena, const uint8_t (**ret)[32], size_t *ret_n, hf_fault *fault) {
    if (!list || list->kind != HF_LIST) return hf_fail(fault, HF_MALFORMED, "entry: next or refs is not a list", 0);
    size_t n = list->as.list.n;
    if (n > HF_ENTRY_LINKS_MAX) return hf_fail(fault, HF_LIMIT, "entry: too many links", 0);
    uint8_t(*out)[32] = digests(arena, n);
    if (!out) return HF_NOMEM;
    for (size_t i = 0; i < n; i++)
        if (hf_link_text_read(hf_value_as_text(&list->as.list.items[i]), out[i]))
            return hf_fail(fault, HF_MALFORMED, "entry: a link is not the text of a dag-cbor CID", i);
    *ret = (const uint8_t(*)[32])out;
    *ret_n = n;
    return HF_OK;
}

static hf_err other_payload(const hf_value *payload, hf_arena *arena, hf_entry *e, hf_fault *fault) {
    if (!payload) return hf_fail(fault, HF_MALFORMED, "entry: payload is missing", 0);
    hf_buf buf;
    hf_buf_init(&buf, arena->mem);
    hf_err err = hf_cbor_encode(payload, &buf);
    if (!err) err = buf.err;
    if (!err) {
        e->payload = *payload;
        e->payload_bytes = hf_arena_copy(arena, hf_buf_bytes(&buf));
        if (!e->payload_bytes.ptr) err = HF_NOMEM;
    }
    hf_buf_deinit(&buf);
    return err;
}

static hf_err other_clock(const hf_value *clock, hf_entry *e, hf_fault *fault) {
    const hf_value *time = hf_value_get(clock, "time");
    if (!clock || clock->kind != HF_MAP || !time) return hf_fail(fault, HF_MALFORMED, "entry: clock is missing or not a clock", 0);
    e->clock_id = hf_value_as_text(hf_value_get(clock, "id"));
    int64_t t = hf_value_as_i64(time, 0);
    if (t < 1) return hf_fail(fault, HF_DENIED, "entry: clock.time is not a positive integer", 0);
    e->time = (uint64_t)t;
    return HF_OK;
}

static hf_err other_version(const hf_value *v, hf_fault *fault) {
    if (!v) return hf_fail(fault, HF_MALFORMED, "entry: v is missing", 0);
    return hf_value_as_i64(v, 0) == 2 ? HF_OK : hf_fail(fault, HF_DENIED, "entry: v is not 2", 0);
}

static hf_err other_fields(const hf_value *map, hf_arena *arena, hf_entry *e, hf_fault *fault) {
    if (map->kind != HF_MAP) return hf_fail(fault, HF_MALFORMED, "entry: not a map", 0);
    hf_err err = other_version(hf_value_get(map, "v"), fault);
    if (!err) err = other_links(hf_value_get(map, "next"), arena, &e->next, &e->n_next, fault);
    if (!err) err = other_links(hf_value_get(map, "refs"), arena, &e->refs, &e->n_refs, fault);
    if (!err) err = other_clock(hf_value_get(map, "clock"), e, fault);
    if (!err) err = other_payload(hf_value_get(map, "payload"), arena, e, fault);
    if (err) return err;
    e->id = hf_value_as_text(hf_value_get(map, "id"));
    e->key = hf_value_as_text(hf_value_get(map, "key"));
    e->sig = hf_value_as_text(hf_value_get(map, "sig"));
    if (hf_link_text_read(hf_value_as_text(hf_value_get(map, "identity")), e->identity_digest))
        return hf_fail(fault, HF_MALFORMED, "entry: identity is not the text of a dag-cbor CID", 0);
    return HF_OK;
}

static hf_err read_other(hf_bytes block, hf_arena *arena, hf_entry *e, hf_fault *fault) {
    hf_value map;
    e->signed_parts[0] = e->signed_parts[1] = HF_BYTES(NULL, 0);
    hf_err err = hf_cbor_decode(arena, block, &map, fault);
    if (err == HF_TRUNCATED) return HF_MALFORMED; /* a block is whole: no more will come */
    return err ? err : other_fields(&map, arena, e, fault);
}

/* ---- both ---- */

/* Section 8, with the strict rules that it recommends as far as one entry by itself can tell. */
static hf_err check_rules(const hf_entry *e, hf_fault *fault) {
    if (e->id.len == 0) return hf_fail(fault, HF_MALFORMED, "entry: id is missing", 0);
    if (e->key.len != HF_PUBLIC_KEY_HEX_LEN || !is_hex(e->key)) return hf_fail(fault, HF_MALFORMED, "entry: key is not a public key", 0);
    if (e->sig.len == 0) return hf_fail(fault, HF_MALFORMED, "entry: sig is missing", 0);
    if (!hf_eq(e->clock_id, e->key)) return hf_fail(fault, HF_DENIED, "entry: clock.id is not the key", 0);
    if (e->time < 1 || e->time > TIME_MAX) return hf_fail(fault, HF_DENIED, "entry: clock.time out of range", 0);
    return HF_OK;
}

hf_err hf_entry_read_as(hf_bytes block, const uint8_t digest[32], hf_arena *arena, hf_entry *ret, hf_fault *fault) {
    hf_entry e = {.block = block};
    memcpy(e.digest, digest, 32);
    layout found = read_canonical(block, arena, &e);
    if (found == LAYOUT_NOMEM) return HF_NOMEM;
    hf_err err = found == LAYOUT_CANONICAL ? HF_OK : read_other(block, arena, &e, fault);
    if (!err) err = check_rules(&e, fault);
    if (!err) *ret = e;
    return err;
}

hf_err hf_entry_read(hf_bytes block, hf_arena *arena, hf_entry *ret, hf_fault *fault) {
    if (block.len > HF_ENTRY_BYTES_MAX) return hf_fail(fault, HF_LIMIT, "entry: block too big", HF_ENTRY_BYTES_MAX);
    uint8_t digest[32];
    hf_sha256_of(block, digest);
    return hf_entry_read_as(block, digest, arena, ret, fault);
}

/* ---- the payload alone ---- */

static void skip_link(hf_canonical *c) {
    static const uint8_t head[] = {0x78, HF_CID_TEXT_LEN};
    hf_canonical_expect(c, HF_BYTES(head, sizeof head));
    hf_canonical_take(c, HF_CID_TEXT_LEN);
}

static void skip_links(hf_canonical *c) {
    uint64_t n = hf_canonical_head(c, 4);
    for (uint64_t i = 0; i < n && !c->failed; i++) skip_link(c);
}

/* The one layout of canonical entries, without a look into the links: these cost most of what reading one does. */
static bool find_payload(hf_bytes block, hf_arena *arena, hf_value *ret, hf_err *ret_err) {
    hf_canonical c = {block, 0, false};
    hf_entry e;
    size_t len = 0;
    hf_canonical_expect(&c, HF_TEXT("\xa9\x61v\x02\x62id"));
    hf_canonical_text(&c);
    hf_canonical_expect(&c, HF_TEXT("\x63key"));
    hf_canonical_text(&c);
    hf_canonical_expect(&c, HF_TEXT("\x63sig"));
    hf_canonical_text(&c);
    hf_canonical_expect(&c, HF_TEXT("\x64next"));
    skip_links(&c);
    hf_canonical_expect(&c, HF_TEXT("\x64refs"));
    skip_links(&c);
    canonical_clock(&c, &e);
    hf_canonical_expect(&c, HF_TEXT("\x67payload"));
    if (c.failed) return false;
    *ret_err = hf_cbor_decode_prefix(arena, hf_sub(block, c.at, block.len), ret, &len, NULL);
    if (*ret_err) return *ret_err == HF_NOMEM;
    c.at += len;
    hf_canonical_expect(&c, HF_TEXT("\x68identity"));
    skip_link(&c);
    return !c.failed && c.at == block.len;
}

hf_err hf_entry_payload(hf_bytes block, const uint8_t digest[32], hf_arena *arena, hf_value *ret) {
    hf_entry entry;
    hf_err err = HF_OK;
    if (find_payload(block, arena, ret, &err)) return err;
    err = hf_entry_read_as(block, digest, arena, &entry, NULL);
    if (!err) *ret = entry.payload;
    return err;
}

/* ---- signature ---- */

/* "Signed bytes = dag-cbor of the six-field map {v, id, next, refs, clock, payload} (first byte a6)" */
static hf_err canonical_message(const hf_entry *e, hf_arena *scratch, hf_bytes *ret) {
    size_t front = e->signed_parts[0].len, back = e->signed_parts[1].len;
    uint8_t *p = hf_arena_alloc(scratch, 1 + front + back);
    if (!p) return HF_NOMEM;
    p[0] = 0xa6;
    memcpy(p + 1, e->signed_parts[0].ptr, front);
    memcpy(p + 1 + front, e->signed_parts[1].ptr, back);
    *ret = HF_BYTES(p, 1 + front + back);
    return HF_OK;
}

/* From the tree, because what a stranger put into `clock` beside the two fields that we know is signed too. */
static hf_err other_message(const hf_entry *e, hf_arena *scratch, hf_bytes *ret) {
    static const char *const names[] = {"v", "id", "next", "refs", "clock", "payload"};
    hf_value map, six = hf_value_map(scratch, HF_COUNT(names));
    if (!six.as.map.pairs) return HF_NOMEM;
    hf_err err = hf_cbor_decode(scratch, e->block, &map, NULL);
    if (err) return err;
    for (size_t i = 0; i < HF_COUNT(names); i++) hf_map_add(&six, names[i], *hf_value_get(&map, names[i]));
    hf_buf buf;
    hf_buf_init(&buf, scratch->mem);
    err = hf_cbor_encode(&six, &buf);
    if (!err) err = buf.err;
    if (!err) *ret = hf_arena_copy(scratch, hf_buf_bytes(&buf));
    if (!err && !ret->ptr) err = HF_NOMEM;
    hf_buf_deinit(&buf);
    return err;
}

hf_err hf_entry_signed(const hf_entry *entry, hf_arena *scratch, hf_bytes *ret_message) {
    return entry->signed_parts[0].len ? canonical_message(entry, scratch, ret_message) : other_message(entry, scratch, ret_message);
}

bool hf_hex_read(hf_bytes hex, uint8_t *ret) {
    if (!is_hex(hex)) return false;
    for (size_t i = 0; i < hex.len; i++) {
        uint8_t c = hex.ptr[i], d = (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        ret[i / 2] = (uint8_t)(ret[i / 2] << 4 | d);
    }
    return true;
}

hf_err hf_entry_check_of(const hf_entry *entry, const hf_identity *identity, hf_arena *arena, hf_entry_check *ret, hf_fault *fault) {
    if (memcmp(entry->identity_digest, identity->digest, 32) != 0)
        return hf_fail(fault, HF_DENIED, "entry: names another identity", 0);
    if (!hf_eq(entry->key, HF_BYTES(identity->public_key, HF_PUBLIC_KEY_HEX_LEN)))
        return hf_fail(fault, HF_DENIED, "entry: key is not the identity's", 0);
    *ret = (hf_entry_check){.key = &identity->key, .der_len = entry->sig.len / 2};
    if (entry->sig.len > SIG_HEX_MAX || !hf_hex_read(entry->sig, ret->der))
        return hf_fail(fault, HF_DENIED, "entry: sig is not lower-case hex", 0);
    return hf_entry_signed(entry, arena, &ret->message);
}

void hf_entry_check_run(hf_entry_check *check) {
    check->holds = hf_secp_verify(check->key, check->message, HF_BYTES(check->der, check->der_len)) == HF_OK;
}

hf_err hf_entry_verify(const hf_entry *entry, const hf_identity *identity, hf_arena *scratch, hf_fault *fault) {
    hf_entry_check check;
    hf_err err = hf_entry_check_of(entry, identity, scratch, &check, fault);
    if (err) return err;
    hf_entry_check_run(&check);
    return check.holds ? HF_OK : hf_fail(fault, HF_DENIED, "entry: signature does not fit", 0);
}
