/* json: see json.h. Reading; json_write.c writes. */
#include "json.h"

#include "number.h"
#include "utf8.h"

#include <string.h>

/* Items of the containers that are still open, one stack for lists and maps, because JSON does not say in advance
 * how many come. A container that closes copies its own into the arena. */
typedef struct reader {
    hf_arena *arena;
    hf_bytes in;
    size_t at;
    hf_fault *fault;
    hf_pair *open;
    size_t n_open, n_room;
} reader;

static hf_err fail(reader *r, hf_err err, const char *what) { return hf_fail(r->fault, err, what, r->at); }

static int peek(const reader *r) { return r->at < r->in.len ? r->in.ptr[r->at] : -1; }

static void skip_space(reader *r) {
    for (; r->at < r->in.len; r->at++) {
        uint8_t c = r->in.ptr[r->at];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
    }
}

/* What was found instead of what the grammar wants: the end, or something else. */
static hf_err expected(reader *r, const char *what) { return fail(r, peek(r) < 0 ? HF_TRUNCATED : HF_MALFORMED, what); }

/* ---- strings ---- */

static hf_err read_hex4(reader *r, uint32_t *ret) {
    uint32_t code = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        int c = peek(r);
        int d = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
        if (c < 0 || d < 0) return expected(r, "a \\u needs four hex digits");
        code = code << 4 | (uint32_t)d;
    }
    *ret = code;
    return HF_OK;
}

/* RFC 8259 section 7: beyond the basic plane a character is a pair of escapes, high surrogate first. */
static hf_err read_unicode(reader *r, uint32_t *ret) {
    uint32_t high, low;
    hf_err err = read_hex4(r, &high);
    if (err) return err;
    *ret = high;
    if (high < 0xd800 || high > 0xdfff) return HF_OK;
    if (high > 0xdbff) return fail(r, HF_MALFORMED, "a low surrogate without its high one");
    for (const char *want = "\\u"; *want; want++, r->at++)
        if (peek(r) != *want) return expected(r, "a high surrogate without its low one");
    if ((err = read_hex4(r, &low))) return err;
    if (low < 0xdc00 || low > 0xdfff) return fail(r, HF_MALFORMED, "a high surrogate without its low one");
    *ret = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return HF_OK;
}

static hf_err read_escape(reader *r, uint32_t *ret) {
    static const char names[] = "\"\\/bfnrt", codes[] = "\"\\/\b\f\n\r\t";
    int c = peek(r);
    if (c < 0) return expected(r, "the string does not end");
    r->at++;
    if (c == 'u') return read_unicode(r, ret);
    const char *name = c ? strchr(names, c) : NULL;
    if (!name) return fail(r, HF_MALFORMED, "unknown escape");
    *ret = (uint8_t)codes[name - names];
    return HF_OK;
}

/* `raw` is what stands between the quotes, known to hold no quote but escaped ones; the unescaped form is never
 * longer. */
static hf_err unescape(reader *r, hf_bytes raw, hf_bytes *ret) {
    uint8_t *out = hf_arena_alloc(r->arena, raw.len);
    if (!out) return fail(r, HF_NOMEM, "no memory");
    size_t end = r->at, n = 0;
    r->at = (size_t)(raw.ptr - r->in.ptr);
    while (r->at < end) {
        if (r->in.ptr[r->at] != '\\') {
            out[n++] = r->in.ptr[r->at++];
            continue;
        }
        uint32_t code = 0;
        r->at++;
        hf_err err = read_escape(r, &code);
        if (err) return err;
        n += hf_utf8_write(code, out + n);
    }
    *ret = HF_BYTES(out, n);
    return HF_OK;
}

/* To the closing quote; *ret_escaped: a backslash was on the way. */
static hf_err scan_string(reader *r, bool *ret_escaped) {
    *ret_escaped = false;
    for (; r->at < r->in.len; r->at++) {
        uint8_t c = r->in.ptr[r->at];
        if (c == '"') return HF_OK;
        if (c < 0x20) return fail(r, HF_MALFORMED, "a control character in a string");
        if (c == '\\') {
            *ret_escaped = true;
            r->at++;
        }
    }
    r->at = r->in.len;
    return fail(r, HF_TRUNCATED, "the string does not end");
}

static hf_err read_string(reader *r, hf_bytes *ret) {
    bool escaped;
    size_t from = ++r->at;
    hf_err err = scan_string(r, &escaped);
    if (err) return err;
    hf_bytes raw = hf_sub(r->in, from, r->at - from);
    if (!hf_utf8_check(raw)) return hf_fail(r->fault, HF_MALFORMED, "broken UTF-8 in a string", from);
    *ret = raw;
    if (escaped && (err = unescape(r, raw, ret))) return err;
    r->at++;
    return HF_OK;
}

/* ---- numbers and words ---- */

/* Short integers without a detour; returns false when it is not one. */
static bool small_integer(hf_bytes s, hf_value *ret) {
    bool negative = s.len && s.ptr[0] == '-';
    hf_bytes digits = hf_sub(s, negative, s.len);
    uint64_t u;
    if (digits.len > 19 || (digits.len > 1 && digits.ptr[0] == '0') || hf_parse_u64(digits, &u)) return false;
    if (u > (uint64_t)INT64_MAX + negative) return false;
    negative = negative && u > 0;
    *ret = (hf_value){.kind = HF_INT, .negative = negative, .as.u = negative ? u - 1 : u};
    return true;
}

static hf_err read_number(reader *r, hf_value *ret) {
    size_t from = r->at;
    while (r->at < r->in.len && r->in.ptr[r->at] && strchr("0123456789+-.eE", r->in.ptr[r->at])) r->at++;
    hf_bytes s = hf_sub(r->in, from, r->at - from);
    if (small_integer(s, ret)) return HF_OK;
    double f;
    hf_err err = hf_number_parse(s, &f);
    if (err == HF_LIMIT) return hf_fail(r->fault, HF_MALFORMED, "the number is too large", from);
    bool cut =
        r->at == r->in.len && (s.ptr[s.len - 1] < '0' || s.ptr[s.len - 1] > '9'); /* "1e": a digit may yet come */
    if (err) return hf_fail(r->fault, cut ? HF_TRUNCATED : HF_MALFORMED, "not a number", from);
    *ret = hf_value_float(f);
    return HF_OK;
}

static hf_err read_word(reader *r, const char *word, hf_value value, hf_value *ret) {
    for (; *word; word++, r->at++)
        if (peek(r) != *word) return expected(r, "not a JSON value");
    *ret = value;
    return HF_OK;
}

/* ---- containers ---- */

static hf_err read_value(reader *r, int depth, hf_value *ret);

static hf_err push(reader *r, hf_bytes key, const hf_value *value) {
    if (hf_grow(r->arena->mem, (void **)&r->open, &r->n_room, sizeof *r->open, r->n_open + 1))
        return fail(r, HF_NOMEM, "no memory");
    r->open[r->n_open++] = (hf_pair){key, *value};
    return HF_OK;
}

static hf_err close_list(reader *r, size_t first, hf_value *ret) {
    hf_value list = hf_value_list(r->arena, r->n_open - first);
    if (hf_value_spoiled(&list)) return fail(r, HF_NOMEM, "no memory");
    for (size_t i = first; i < r->n_open; i++) hf_list_add(&list, r->open[i].value);
    r->n_open = first;
    *ret = list;
    return HF_OK;
}

static hf_err close_map(reader *r, size_t first, hf_value *ret) {
    size_t n = r->n_open - first;
    hf_err err = n ? hf_pairs_check_unique(r->arena->mem, r->open + first, n) : HF_OK;
    if (err) return fail(r, err, err == HF_NOMEM ? "no memory" : "a key stands twice in the object that ends here");
    hf_value map = hf_value_map(r->arena, n);
    if (hf_value_spoiled(&map)) return fail(r, HF_NOMEM, "no memory");
    for (size_t i = first; i < r->n_open; i++) hf_map_add_bytes(&map, r->open[i].key, r->open[i].value);
    r->n_open = first;
    *ret = map;
    return HF_OK;
}

/* After an item: a comma (and another item must follow) or the end. */
static hf_err read_separator(reader *r, int end, bool *ret_end) {
    skip_space(r);
    int c = peek(r);
    if (c != ',' && c != end) return expected(r, end == ']' ? "expected ',' or ']'" : "expected ',' or '}'");
    r->at++;
    *ret_end = c == end;
    return HF_OK;
}

static hf_err read_item(reader *r, int depth) {
    hf_value item;
    hf_err err = read_value(r, depth, &item);
    return err ? err : push(r, HF_BYTES("", 0), &item);
}

static hf_err read_pair(reader *r, int depth) {
    hf_bytes key;
    hf_value value;
    skip_space(r);
    if (peek(r) != '"') return expected(r, "expected a key in quotes");
    hf_err err = read_string(r, &key);
    if (err) return err;
    skip_space(r);
    if (peek(r) != ':') return expected(r, "expected ':'");
    r->at++;
    err = read_value(r, depth, &value);
    return err ? err : push(r, key, &value);
}

static hf_err read_container(reader *r, int depth, bool is_map, hf_value *ret) {
    int close = is_map ? '}' : ']';
    size_t first = r->n_open;
    if (depth >= HF_VALUE_DEPTH_MAX) return fail(r, HF_LIMIT, "nested too deep");
    r->at++;
    skip_space(r);
    bool end = peek(r) == close;
    if (end) r->at++;
    while (!end) {
        hf_err err = is_map ? read_pair(r, depth + 1) : read_item(r, depth + 1);
        if (!err) err = read_separator(r, close, &end);
        if (err) return err;
    }
    return is_map ? close_map(r, first, ret) : close_list(r, first, ret);
}

static hf_err read_text(reader *r, hf_value *ret) {
    hf_bytes s;
    hf_err err = read_string(r, &s);
    if (!err) *ret = hf_value_text(s);
    return err;
}

static hf_err read_value(reader *r, int depth, hf_value *ret) {
    skip_space(r);
    int c = peek(r);
    switch (c) {
    case '{': return read_container(r, depth, true, ret);
    case '[': return read_container(r, depth, false, ret);
    case '"': return read_text(r, ret);
    case 't': return read_word(r, "true", hf_value_bool(true), ret);
    case 'f': return read_word(r, "false", hf_value_bool(false), ret);
    case 'n': return read_word(r, "null", hf_value_null(), ret);
    default: break;
    }
    if (c == '-' || (c >= '0' && c <= '9')) return read_number(r, ret);
    return expected(r, "not a JSON value");
}

hf_err hf_json_decode(hf_arena *arena, hf_bytes text, hf_value *ret, hf_fault *fault) {
    reader r = {.arena = arena, .in = text, .fault = fault};
    hf_value value;
    hf_err err = read_value(&r, 0, &value);
    skip_space(&r);
    if (!err && r.at < text.len) err = fail(&r, HF_MALFORMED, "something follows the value");
    hf_release(arena->mem, r.open, r.n_room * sizeof *r.open);
    if (!err) *ret = value;
    return err;
}
