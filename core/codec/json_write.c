/* json: see json.h. Writing. */
#include "json.h"

#include "multibase.h"
#include "number.h"
#include "utf8.h"

#include <string.h>

static const uint64_t EACH = 0x0101010101010101; /* times a byte: that byte eight times */
static const char HEX[] = "0123456789abcdef";

/* What a byte needs: 0 nothing, a letter: backslash and that letter, 'u': \u00xx, 'U': look closer. '<' '>' '&' are
 * escaped so that no text can end a script element or open a comment in it. */
static const char NEEDS[256] = {
    ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\',
    ['<'] = 'u',  ['>'] = 'u',  ['&'] = 'u',
    [0x00] = 'u', [0x01] = 'u', [0x02] = 'u', [0x03] = 'u', [0x04] = 'u', [0x05] = 'u', [0x06] = 'u', [0x07] = 'u',
    [0x0b] = 'u', [0x0e] = 'u', [0x0f] = 'u', [0x10] = 'u', [0x11] = 'u', [0x12] = 'u', [0x13] = 'u', [0x14] = 'u',
    [0x15] = 'u', [0x16] = 'u', [0x17] = 'u', [0x18] = 'u', [0x19] = 'u', [0x1a] = 'u', [0x1b] = 'u', [0x1c] = 'u',
    [0x1d] = 'u', [0x1e] = 'u', [0x1f] = 'u', [0xe2] = 'U',
};

static void add_escaped(hf_buf *buf, uint8_t c, char need) {
    uint8_t *p = hf_buf_extend(buf, need == 'u' ? 6 : 2);
    if (!p) return;
    p[0] = '\\';
    p[1] = (uint8_t)need;
    if (need != 'u') return;
    p[2] = p[3] = '0';
    p[4] = (uint8_t)HEX[c >> 4];
    p[5] = (uint8_t)HEX[c & 15];
}

/* U+2028 and U+2029 (e2 80 a8, e2 80 a9) end a line in older JavaScript. */
static bool is_line_separator(hf_bytes s, size_t at) {
    return s.len - at >= 3 && s.ptr[at + 1] == 0x80 && (s.ptr[at + 2] | 1) == 0xa9;
}

/* 0x80 in each byte of x that is 0 (and perhaps in one above such a byte: good enough for "is there one"). */
static uint64_t zeros(uint64_t x) { return (x - EACH) & ~x & EACH * 0x80; }

/* Moves over eight bytes at a time while all of them are ASCII that needs nothing. '"' and '&' differ in one bit,
 * '<' and '>' too. */
static size_t skip_plain(hf_bytes s, size_t at) {
    for (uint64_t word; s.len - at >= 8; at += 8) {
        memcpy(&word, s.ptr + at, 8);
        uint64_t control = (word - EACH * 0x20) & ~word, quote_or_and = zeros((word | EACH * 4) ^ EACH * '&');
        uint64_t less_or_more = zeros((word | EACH * 2) ^ EACH * '>'), backslash = zeros(word ^ EACH * '\\');
        if ((control | word | quote_or_and | less_or_more | backslash) & EACH * 0x80) break;
    }
    return at;
}

static void add_valid(hf_buf *buf, hf_bytes s) {
    size_t from = 0;
    for (size_t i = skip_plain(s, 0); i < s.len; i++) {
        char need = NEEDS[s.ptr[i]];
        if (!need || (need == 'U' && !is_line_separator(s, i))) continue;
        hf_buf_add(buf, hf_sub(s, from, i - from));
        if (need == 'U') {
            hf_buf_add_str(buf, s.ptr[i + 2] == 0xa8 ? "\\u2028" : "\\u2029");
            i += 2;
        } else add_escaped(buf, s.ptr[i], need);
        from = i + 1;
        i = skip_plain(s, from) - 1;
    }
    hf_buf_add(buf, hf_sub(s, from, s.len));
}

static void add_repaired(hf_buf *buf, hf_bytes s) {
    hf_buf repaired;
    hf_buf_init(&repaired, buf->mem);
    hf_utf8_add_repaired(&repaired, s);
    add_valid(buf, hf_buf_bytes(&repaired));
    if (repaired.err && !buf->err) buf->err = repaired.err;
    hf_buf_deinit(&repaired);
}

void hf_json_add_text(hf_buf *buf, hf_bytes text) {
    hf_buf_add_byte(buf, '"');
    if (hf_utf8_check(text)) add_valid(buf, text);
    else add_repaired(buf, text);
    hf_buf_add_byte(buf, '"');
}

static void add_int(hf_buf *buf, const hf_value *value) {
    if (!value->negative) hf_buf_add_u64(buf, value->as.u);
    else if (value->as.u == UINT64_MAX) hf_buf_add_str(buf, "-18446744073709551616");
    else {
        hf_buf_add_byte(buf, '-');
        hf_buf_add_u64(buf, value->as.u + 1);
    }
}

static void add_float(hf_buf *buf, double f) {
    char text[HF_NUMBER_TEXT_MAX];
    if (f - f != 0) hf_buf_add_str(buf, "null"); /* NaN or infinite */
    else hf_buf_add(buf, HF_BYTES(text, hf_number_print(f, text)));
}

static void add_value(hf_buf *buf, const hf_value *value, int depth);

static void add_list(hf_buf *buf, const hf_value *list, int depth) {
    hf_buf_add_byte(buf, '[');
    for (uint32_t i = 0; i < list->as.list.n; i++) {
        if (i) hf_buf_add_byte(buf, ',');
        add_value(buf, &list->as.list.items[i], depth + 1);
    }
    hf_buf_add_byte(buf, ']');
}

static void add_map(hf_buf *buf, const hf_value *map, int depth) {
    hf_buf_add_byte(buf, '{');
    for (uint32_t i = 0; i < map->as.map.n; i++) {
        if (i) hf_buf_add_byte(buf, ',');
        hf_json_add_text(buf, map->as.map.pairs[i].key);
        hf_buf_add_byte(buf, ':');
        add_value(buf, &map->as.map.pairs[i].value, depth + 1);
    }
    hf_buf_add_byte(buf, '}');
}

static void add_bytes(hf_buf *buf, hf_bytes s) {
    hf_buf_add_str(buf, "{\"$bytes\":\"");
    hf_buf_add_hex(buf, s);
    hf_buf_add_str(buf, "\"}");
}

static void add_link(hf_buf *buf, hf_bytes cid) {
    bool v0 = cid.len == 34 && cid.ptr[0] == 0x12; /* "Qm...": these have no multibase prefix */
    hf_buf_add_str(buf, "{\"$cid\":\"");
    if (v0) hf_base_add(buf, HF_BASE58BTC, cid);
    else hf_multibase_add(buf, HF_BASE32, cid);
    hf_buf_add_str(buf, "\"}");
}

static void add_value(hf_buf *buf, const hf_value *value, int depth) {
    if (!buf->err && hf_value_spoiled(value)) buf->err = HF_NOMEM;
    if (!buf->err && depth > 2 * HF_VALUE_DEPTH_MAX) buf->err = HF_LIMIT;
    if (buf->err) return;
    switch (value->kind) {
    case HF_NULL: hf_buf_add_str(buf, "null"); break;
    case HF_BOOL: hf_buf_add_str(buf, value->as.b ? "true" : "false"); break;
    case HF_INT: add_int(buf, value); break;
    case HF_FLOAT: add_float(buf, value->as.f); break;
    case HF_BYTES_VALUE: add_bytes(buf, value->as.s); break;
    case HF_TEXT_VALUE: hf_json_add_text(buf, value->as.s); break;
    case HF_LIST: add_list(buf, value, depth); break;
    case HF_MAP: add_map(buf, value, depth); break;
    case HF_LINK: add_link(buf, value->as.s); break;
    }
}

void hf_json_add(hf_buf *buf, const hf_value *value) { add_value(buf, value, 0); }
