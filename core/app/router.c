/* router: see router.h. */
#include "router.h"

#include "escape.h"

static bool is_literal(hf_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i], lower = c | 32;
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.' && c != '~')
            return false;
    }
    return text.len > 0 && !hf_eq(text, HF_TEXT(".")) && !hf_eq(text, HF_TEXT(".."));
}

static const char *read_part(hf_bytes text, hf_path *path) {
    if (path->n == HF_PATH_PARTS_MAX) return "has too many segments";
    bool is_param = text.len > 0 && text.ptr[0] == ':';
    if (is_param) text = hf_sub(text, 1, text.len);
    if (!is_literal(text)) return "has a segment that is empty or not made of letters, digits and - _ . ~";
    if (is_param && hf_path_param(path, text) != SIZE_MAX) return "has a parameter twice";
    path->parts[path->n] = (hf_path_part){text, is_param};
    if (!is_param) path->rank |= 1u << (HF_PATH_PARTS_MAX - path->n);
    path->n++;
    return NULL;
}

const char *hf_path_read(hf_bytes text, hf_path *ret) {
    hf_path path = {.text = text};
    if (text.len == 0 || text.ptr[0] != '/') return "must begin with '/'";
    for (size_t at = 1, end; at < text.len; at = end + 1) {
        end = hf_find(text, '/', at);
        const char *wrong =
            end + 1 == text.len ? "must not end with '/'" : read_part(hf_sub(text, at, end - at), &path);
        if (wrong) return wrong;
    }
    *ret = path;
    return NULL;
}

static bool is_dots(hf_bytes s) {
    return hf_eq(s, HF_TEXT(".")) || hf_eq(s, HF_TEXT(".."));
}

hf_err hf_segments_read(hf_arena *arena, hf_bytes path, hf_segments *ret, hf_fault *fault) {
    hf_segments segments = {0};
    if (path.len > HF_PATH_BYTES_MAX) return hf_fail(fault, HF_LIMIT, "the path is too long", HF_PATH_BYTES_MAX);
    if (path.len == 0 || path.ptr[0] != '/') return hf_fail(fault, HF_MALFORMED, "the path must begin with '/'", 0);
    for (size_t at = 1, end; at < path.len; at = end + 1) {
        end = hf_find(path, '/', at);
        hf_bytes part;
        hf_err err = hf_url_decode(arena, hf_sub(path, at, end - at), false, &part, fault);
        if (err) return err;
        if (part.len == 0 || is_dots(part) || segments.n == HF_PATH_PARTS_MAX)
            segments.odd = true;
        else
            segments.parts[segments.n++] = part;
        segments.trailing_slash = end + 1 == path.len;
    }
    *ret = segments;
    return HF_OK;
}

bool hf_path_matches(const hf_path *path, const hf_segments *segments) {
    if (segments->odd || path->n != segments->n) return false;
    for (size_t i = 0; i < path->n; i++)
        if (!path->parts[i].is_param && !hf_eq(path->parts[i].text, segments->parts[i])) return false;
    return true;
}

size_t hf_path_param(const hf_path *path, hf_bytes name) {
    for (size_t i = 0; i < path->n; i++)
        if (path->parts[i].is_param && hf_eq(path->parts[i].text, name)) return i;
    return SIZE_MAX;
}

void hf_path_add(hf_buf *buf, const hf_path *path, hf_bytes id) {
    for (size_t i = 0; i < path->n; i++) {
        hf_buf_add_byte(buf, '/');
        if (path->parts[i].is_param)
            hf_url_add(buf, id);
        else
            hf_buf_add(buf, path->parts[i].text);
    }
    if (path->n == 0) hf_buf_add_byte(buf, '/');
}
