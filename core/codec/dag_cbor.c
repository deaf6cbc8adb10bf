/* dag_cbor: see dag_cbor.h. Reading; dag_cbor_write.c writes. */
#include "dag_cbor.h"

#include "cid.h"
#include "utf8.h"

#include <string.h>

typedef struct reader {
    hf_arena *arena;
    hf_bytes in;
    size_t at;
    size_t owed; /* bytes that the items still to come in open containers take at least */
    hf_fault *fault;
} reader;

/* RFC 8949 section 3: the first byte is major type (3 bits) and additional information (5 bits). */
typedef struct head {
    uint8_t major, info;
    uint64_t argument;
    size_t at;
} head;

enum { UNSIGNED, NEGATIVE, BYTE_STRING, TEXT_STRING, ARRAY, MAP, TAG, SIMPLE };
enum { TAG_CID = 42 };

static hf_err fail(reader *r, hf_err err, const char *what, size_t at) { return hf_fail(r->fault, err, what, at); }

static uint64_t big_endian(const uint8_t *p, size_t len) {
    uint64_t v = 0;
    for (size_t i = 0; i < len; i++) v = v << 8 | p[i];
    return v;
}

/* dag-cbor: integers and lengths take the shortest form; what follows 1, 2, 4, 8 bytes must need them. */
static bool is_shortest(const head *h) {
    static const uint64_t least[] = {24, 0x100, 0x10000, 0x100000000};
    return h->argument >= least[h->info - 24];
}

static hf_err read_head(reader *r, head *h) {
    h->at = r->at;
    if (r->at == r->in.len) return fail(r, HF_TRUNCATED, "an item is missing", r->at);
    uint8_t first = r->in.ptr[r->at++];
    h->major = first >> 5;
    h->info = first & 31;
    h->argument = h->info;
    if (h->info < 24) return HF_OK;
    if (h->info == 31) return fail(r, HF_MALFORMED, "indefinite length", h->at);
    if (h->info > 27) return fail(r, HF_MALFORMED, "reserved additional information", h->at);
    size_t len = (size_t)1 << (h->info - 24);
    if (r->in.len - r->at < len) return fail(r, HF_TRUNCATED, "the head of an item is cut off", h->at);
    h->argument = big_endian(r->in.ptr + r->at, len);
    r->at += len;
    return h->major == SIMPLE || is_shortest(h)
               ? HF_OK
               : fail(r, HF_MALFORMED, "integer or length not in shortest form", h->at);
}

static hf_err read_string(reader *r, const head *h, hf_bytes *ret) {
    if (h->argument > r->in.len - r->at)
        return fail(r, HF_TRUNCATED, "the string is longer than the bytes that follow", h->at);
    *ret = HF_BYTES(r->in.ptr + r->at, (size_t)h->argument);
    r->at += ret->len;
    return HF_OK;
}

static hf_err read_text(reader *r, const head *h, hf_bytes *ret) {
    hf_err err = read_string(r, h, ret);
    if (err || hf_utf8_check(*ret)) return err;
    *ret = hf_utf8_repair(r->arena, *ret);
    return ret->ptr ? HF_OK : fail(r, HF_NOMEM, "no memory", h->at);
}

/* The spec: tag 42, then a byte string of 00 (the multibase prefix "identity", there for historical reasons) and a
 * binary CID. */
static hf_err read_link(reader *r, const head *tag, hf_bytes *ret) {
    head h;
    hf_bytes s;
    if (tag->argument != TAG_CID) return fail(r, HF_MALFORMED, "a tag other than 42", tag->at);
    hf_err err = read_head(r, &h);
    if (err) return err;
    if (h.major != BYTE_STRING) return fail(r, HF_MALFORMED, "tag 42 on something else than bytes", h.at);
    if ((err = read_string(r, &h, &s))) return err;
    *ret = hf_sub(s, 1, s.len);
    bool good = s.len && s.ptr[0] == 0 && hf_cid_valid(*ret);
    return good ? HF_OK : fail(r, HF_MALFORMED, "tag 42 without 00 and a CID", h.at);
}

/* ---- floats ---- */

/* RFC 8949 appendix D; infinities and NaN (exponent 31) come out as infinity. */
static double from_half(uint16_t half) {
    unsigned exponent = half >> 10 & 31, mantissa = half & 0x3ff;
    double f = exponent ? mantissa + 1024 : mantissa;
    if (exponent == 31) return (double)__builtin_inff();
    for (unsigned i = exponent ? exponent : 1; i < 25; i++) f /= 2;
    for (unsigned i = 25; i < exponent; i++) f *= 2;
    return half >> 15 ? -f : f;
}

static double from_single(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

static double from_double(uint64_t bits) {
    double f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static hf_err read_simple(reader *r, const head *h, hf_value *ret) {
    switch (h->info) {
    case 20:
    case 21: *ret = hf_value_bool(h->info == 21); return HF_OK;
    case 22:
    case 23: *ret = hf_value_null(); return HF_OK; /* null; undefined, which js reads so */
    case 25: *ret = hf_value_float(from_half((uint16_t)h->argument)); break;
    case 26: *ret = hf_value_float(from_single((uint32_t)h->argument)); break;
    case 27: *ret = hf_value_float(from_double(h->argument)); break;
    default: return fail(r, HF_MALFORMED, "a simple value other than false, true, null", h->at);
    }
    return ret->as.f - ret->as.f == 0 ? HF_OK : fail(r, HF_MALFORMED, "NaN or infinity", h->at);
}

/* ---- containers ---- */

static hf_err read_item(reader *r, int depth, hf_value *ret);

/* n items of at least `least` bytes each must fit into what is left and not owed to the containers around: so all
 * containers together never have more items than there are bytes, however they are nested. */
static hf_err owe(reader *r, const head *h, size_t least) {
    size_t left = r->in.len - r->at, free_bytes = left > r->owed ? left - r->owed : 0;
    if (h->argument > free_bytes / least) return fail(r, HF_TRUNCATED, "more items announced than bytes follow", h->at);
    r->owed += (size_t)h->argument * least;
    return HF_OK;
}

static hf_err read_list(reader *r, const head *h, int depth, hf_value *ret) {
    hf_err err = owe(r, h, 1);
    if (err) return err;
    size_t n = (size_t)h->argument;
    *ret = hf_value_list(r->arena, n);
    if (hf_value_spoiled(ret)) return fail(r, HF_NOMEM, "no memory", h->at);
    for (size_t i = 0; i < n; i++) {
        r->owed -= 1;
        if ((err = read_item(r, depth + 1, &ret->as.list.items[i]))) return err;
    }
    ret->as.list.n = (uint32_t)n;
    return HF_OK;
}

static hf_err read_pair(reader *r, int depth, hf_pair *ret) {
    head h;
    r->owed -= 2;
    hf_err err = read_head(r, &h);
    if (err) return err;
    if (h.major != TEXT_STRING) return fail(r, HF_MALFORMED, "a key that is not text", h.at);
    if ((err = read_text(r, &h, &ret->key))) return err;
    return read_item(r, depth + 1, &ret->value);
}

static hf_err read_map(reader *r, const head *h, int depth, hf_value *ret) {
    hf_err err = owe(r, h, 2);
    if (err) return err;
    size_t n = (size_t)h->argument;
    *ret = hf_value_map(r->arena, n);
    if (hf_value_spoiled(ret)) return fail(r, HF_NOMEM, "no memory", h->at);
    for (size_t i = 0; i < n; i++)
        if ((err = read_pair(r, depth, &ret->as.map.pairs[i]))) return err;
    ret->as.map.n = (uint32_t)n;
    err = hf_pairs_check_unique(r->arena->mem, ret->as.map.pairs, n);
    return err ? fail(r, err, err == HF_NOMEM ? "no memory" : "a key stands twice in the map", h->at) : HF_OK;
}

static hf_err read_item(reader *r, int depth, hf_value *ret) {
    head h;
    hf_err err = read_head(r, &h);
    if (err) return err;
    if ((h.major == ARRAY || h.major == MAP) && depth >= HF_VALUE_DEPTH_MAX)
        return fail(r, HF_LIMIT, "nested too deep", h.at);
    switch (h.major) {
    case UNSIGNED:
    case NEGATIVE: *ret = (hf_value){.kind = HF_INT, .negative = h.major == NEGATIVE, .as.u = h.argument}; return HF_OK;
    case BYTE_STRING: ret->kind = HF_BYTES_VALUE; return read_string(r, &h, &ret->as.s);
    case TEXT_STRING: ret->kind = HF_TEXT_VALUE; return read_text(r, &h, &ret->as.s);
    case ARRAY: return read_list(r, &h, depth, ret);
    case MAP: return read_map(r, &h, depth, ret);
    case TAG: ret->kind = HF_LINK; return read_link(r, &h, &ret->as.s);
    default: return read_simple(r, &h, ret);
    }
}

hf_err hf_cbor_decode_prefix(hf_arena *arena, hf_bytes bytes, hf_value *ret, size_t *ret_len, hf_fault *fault) {
    reader r = {.arena = arena, .in = bytes, .fault = fault};
    hf_value value = {.kind = HF_NULL};
    hf_err err = read_item(&r, 0, &value);
    if (err) return err;
    *ret = value;
    *ret_len = r.at;
    return HF_OK;
}

hf_err hf_cbor_decode(hf_arena *arena, hf_bytes bytes, hf_value *ret, hf_fault *fault) {
    hf_value value;
    size_t len;
    hf_err err = hf_cbor_decode_prefix(arena, bytes, &value, &len, fault);
    if (!err && len != bytes.len) err = hf_fail(fault, HF_MALFORMED, "something follows the item", len);
    if (!err) *ret = value;
    return err;
}
