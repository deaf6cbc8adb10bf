/* escape: see escape.h. */
#include "escape.h"

static const char *reference_of(uint8_t c) {
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

static bool is_special(uint8_t c) {
    return c == '&' || c == '<' || c == '>' || c == '"' || c == '\'';
}

void hf_html_add(hf_buf *buf, hf_bytes text) {
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_special(text.ptr[i])) continue;
        hf_buf_add(buf, HF_BYTES(text.ptr + from, i - from));
        hf_buf_add_str(buf, reference_of(text.ptr[i]));
        from = i + 1;
    }
    hf_buf_add(buf, hf_sub(text, from, text.len));
}

static bool is_alnum(uint8_t c) {
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* RFC 3986 section 2.3. */
static bool is_unreserved(uint8_t c) {
    return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* RFC 3986 section 3.3 pchar, '/', '?' and the '%' of what is encoded already. The apostrophe is legal but is
 * encoded, as browsers do in queries. */
static bool is_sent_legal(uint8_t c) {
    for (const char *p = "!$&()*+,;=:@/?%"; *p; p++)
        if (c == (uint8_t)*p) return true;
    return is_unreserved(c);
}

/* What is kept is added in runs: most texts are kept whole. */
static void add_encoded(hf_buf *buf, hf_bytes text, bool (*keeps)(uint8_t)) {
    static const char hex[] = "0123456789ABCDEF";
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (keeps(c)) continue;
        uint8_t code[3] = {'%', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 15]};
        hf_buf_add(buf, HF_BYTES(text.ptr + from, i - from));
        hf_buf_add(buf, HF_BYTES(code, 3));
        from = i + 1;
    }
    hf_buf_add(buf, hf_sub(text, from, text.len));
}

void hf_url_add(hf_buf *buf, hf_bytes text) {
    add_encoded(buf, text, is_unreserved);
}
void hf_url_add_sent(hf_buf *buf, hf_bytes sent) {
    add_encoded(buf, sent, is_sent_legal);
}

static int hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f') return (c | 32) - 'a' + 10;
    return -1;
}

static bool is_plain(hf_bytes text, bool plus) {
    return hf_find(text, '%', 0) == text.len && (!plus || hf_find(text, '+', 0) == text.len);
}

/* Writes at most text.len bytes to `to`; *fault_at is where a '%' stands wrongly. */
static bool decode_into(hf_bytes text, bool plus, uint8_t *to, size_t *ret_len, size_t *fault_at) {
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '%') {
            int high = text.len - i > 2 ? hex_digit(text.ptr[i + 1]) : -1;
            int low = text.len - i > 2 ? hex_digit(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0) {
                *fault_at = i;
                return false;
            }
            c = (uint8_t)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        to[n++] = c;
    }
    *ret_len = n;
    return true;
}

hf_err hf_url_decode(hf_arena *arena, hf_bytes text, bool plus, hf_bytes *ret, hf_fault *fault) {
    hf_bytes decoded = text;
    if (!is_plain(text, plus)) {
        uint8_t *to = hf_arena_alloc(arena, text.len);
        size_t len = 0, at = 0;
        if (!to) return HF_NOMEM;
        if (!decode_into(text, plus, to, &len, &at))
            return hf_fail(fault, HF_MALFORMED, "'%' without two hex digits", at);
        decoded = HF_BYTES(to, len);
    }
    if (hf_find(decoded, 0, 0) != decoded.len) return hf_fail(fault, HF_MALFORMED, "a NUL byte", 0);
    if (!hf_utf8_valid(decoded)) return hf_fail(fault, HF_MALFORMED, "not UTF-8", 0);
    *ret = decoded;
    return HF_OK;
}

bool hf_url_is_own_path(hf_bytes path) {
    if (path.len == 0 || path.ptr[0] != '/') return false;
    if (path.len > 1 && path.ptr[1] == '/') return false;
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] <= 0x20 || path.ptr[i] >= 0x7f || path.ptr[i] == '\\') return false;
    return true;
}
