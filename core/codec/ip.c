/* ip: see ip.h. */
#include "ip.h"

#include <string.h>

hf_err hf_ip4_parse(hf_bytes text, uint8_t ret[4]) {
    uint8_t ip[4];
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        size_t end = hf_find(text, '.', at);
        hf_bytes number = hf_sub(text, at, end - at);
        uint64_t value;
        if (number.len > 3 || (number.len > 1 && number.ptr[0] == '0') || hf_parse_u64(number, &value) || value > 255)
            return HF_MALFORMED;
        if ((end == text.len) != (i == 3)) return HF_MALFORMED;
        ip[i] = (uint8_t)value;
        at = end + 1;
    }
    memcpy(ret, ip, 4);
    return HF_OK;
}

void hf_ip4_add(hf_buf *buf, const uint8_t ip[4]) {
    for (int i = 0; i < 4; i++) {
        if (i) hf_buf_add_byte(buf, '.');
        hf_buf_add_u64(buf, ip[i]);
    }
}

/* ---- IPv6 ---- */

/* One to four hex digits. */
static bool parse_group(hf_bytes s, uint8_t *ret) {
    unsigned value = 0;
    if (s.len < 1 || s.len > 4) return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned c = s.ptr[i], letter = c | 0x20;
        if (c >= '0' && c <= '9') value = value << 4 | (c - '0');
        else if (letter >= 'a' && letter <= 'f') value = value << 4 | (letter - 'a' + 10);
        else return false;
    }
    ret[0] = (uint8_t)(value >> 8);
    ret[1] = (uint8_t)value;
    return true;
}

/* Groups between colons, the last of them perhaps an IPv4 address; *ret_len: bytes written, at most 16. Nothing is
 * no group. */
static bool parse_groups(hf_bytes s, uint8_t ret[16], size_t *ret_len) {
    size_t at = 0, n = 0;
    while (s.len && at <= s.len) {
        size_t end = hf_find(s, ':', at);
        hf_bytes group = hf_sub(s, at, end - at);
        bool is_ip4 = end == s.len && hf_find(group, '.', 0) < group.len;
        size_t len = is_ip4 ? 4 : 2;
        if (n + len > 16) return false;
        if (is_ip4 ? hf_ip4_parse(group, ret + n) != HF_OK : !parse_group(group, ret + n)) return false;
        n += len;
        at = end + 1;
    }
    *ret_len = n;
    return true;
}

static size_t find_gap(hf_bytes s) {
    for (size_t i = 0; i + 1 < s.len; i++)
        if (s.ptr[i] == ':' && s.ptr[i + 1] == ':') return i;
    return s.len;
}

hf_err hf_ip6_parse(hf_bytes text, uint8_t ret[16]) {
    uint8_t front[16], back[16];
    size_t n_front, n_back = 0, gap = find_gap(text);
    bool has_gap = gap < text.len;
    hf_bytes before = hf_sub(text, 0, gap), after = hf_sub(text, gap + 2, text.len);
    if (!parse_groups(before, front, &n_front) || (has_gap && !parse_groups(after, back, &n_back))) return HF_MALFORMED;
    /* "::" stands for at least one group, and an IPv4 tail can only be at the very end. */
    if (has_gap ? n_front + n_back > 14 || hf_find(before, '.', 0) < before.len : n_front != 16) return HF_MALFORMED;
    memset(ret, 0, 16);
    memcpy(ret, front, n_front);
    memcpy(ret + 16 - n_back, back, n_back);
    return HF_OK;
}

static unsigned group_of(const uint8_t ip[16], int i) { return (unsigned)ip[2 * i] << 8 | ip[2 * i + 1]; }

/* The longest run of zero groups, the first of equals; a single one is not worth a "::". */
static void longest_run(const uint8_t ip[16], int *ret_from, int *ret_len) {
    *ret_from = 8;
    *ret_len = 1;
    for (int i = 0, run = 0; i < 8; i++) {
        run = group_of(ip, i) == 0 ? run + 1 : 0;
        if (run <= *ret_len) continue;
        *ret_len = run;
        *ret_from = i + 1 - run;
    }
}

static void add_group(hf_buf *buf, unsigned group) {
    static const char hex[] = "0123456789abcdef";
    for (int shift = 12; shift >= 0; shift -= 4)
        if (shift == 0 || group >> shift) hf_buf_add_byte(buf, (uint8_t)hex[group >> shift & 15]);
}

void hf_ip6_add(hf_buf *buf, const uint8_t ip[16]) {
    int from, len;
    longest_run(ip, &from, &len);
    for (int i = 0; i < 8; i++) {
        if (i == from) {
            hf_buf_add_str(buf, "::");
            i += len - 1;
            continue;
        }
        if (i > 0 && i != from + len) hf_buf_add_byte(buf, ':');
        add_group(buf, group_of(ip, i));
    }
}
