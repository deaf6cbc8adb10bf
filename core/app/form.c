/* form: see form.h. */
#include "form.h"

#include "escape.h"

static size_t count_pieces(hf_bytes body) {
    size_t n = 1;
    for (size_t i = hf_find(body, '&', 0); i < body.len; i = hf_find(body, '&', i + 1)) n++;
    return n;
}

static hf_err read_field(hf_arena *arena, hf_bytes piece, hf_form_field *ret, hf_fault *fault) {
    size_t equals = hf_find(piece, '=', 0);
    hf_err err = hf_url_decode(arena, hf_sub(piece, 0, equals), true, &ret->name, fault);
    return err ? err : hf_url_decode(arena, hf_sub(piece, equals + 1, piece.len), true, &ret->value, fault);
}

hf_err hf_form_read(hf_arena *arena, hf_bytes body, hf_form *ret, hf_fault *fault) {
    size_t n_pieces = count_pieces(body), n = 0;
    if (n_pieces > HF_FORM_FIELDS_MAX) return hf_fail(fault, HF_LIMIT, "too many fields", 0);
    hf_form_field *fields = hf_arena_alloc(arena, n_pieces * sizeof *fields);
    if (!fields) return HF_NOMEM;
    for (size_t at = 0, end; at < body.len; at = end + 1) {
        end = hf_find(body, '&', at);
        if (end == at) continue; /* "a&&b": nothing between */
        hf_err err = read_field(arena, hf_sub(body, at, end - at), &fields[n], fault);
        if (err) return err;
        n++;
    }
    *ret = (hf_form){fields, n};
    return HF_OK;
}

const hf_bytes *hf_form_get(const hf_form *form, hf_bytes name) {
    for (size_t i = form->n; i > 0; i--)
        if (hf_eq(form->fields[i - 1].name, name)) return &form->fields[i - 1].value;
    return NULL;
}

void hf_form_add(hf_buf *buf, size_t *n_written, hf_bytes name, hf_bytes value) {
    hf_buf_add_byte(buf, (*n_written)++ ? '&' : '?');
    hf_url_add(buf, name);
    hf_buf_add_byte(buf, '=');
    hf_url_add(buf, value);
}

/* ---- content types (RFC 9110 section 8.3) ---- */

static hf_bytes trim(hf_bytes s) {
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) s = hf_sub(s, 1, s.len);
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t')) s.len--;
    return s;
}

static bool equal_ignoring_case(hf_bytes a, hf_bytes lower) {
    if (a.len != lower.len) return false;
    for (size_t i = 0; i < a.len; i++) {
        uint8_t c = a.ptr[i];
        if ((c >= 'A' && c <= 'Z' ? c | 32 : c) != lower.ptr[i]) return false;
    }
    return true;
}

static bool parameter_is_fine(hf_bytes parameter) {
    size_t equals = hf_find(parameter, '=', 0);
    if (!equal_ignoring_case(trim(hf_sub(parameter, 0, equals)), HF_TEXT("charset"))) return true;
    hf_bytes charset = trim(hf_sub(parameter, equals + 1, parameter.len));
    return equal_ignoring_case(charset, HF_TEXT("utf-8")) || equal_ignoring_case(charset, HF_TEXT("\"utf-8\""));
}

bool hf_content_type_is(hf_bytes content_type, const char *want) {
    size_t end = hf_find(content_type, ';', 0);
    if (!equal_ignoring_case(trim(hf_sub(content_type, 0, end)), hf_str(want))) return false;
    for (size_t at = end + 1; at < content_type.len; at = end + 1) {
        end = hf_find(content_type, ';', at);
        if (!parameter_is_fine(hf_sub(content_type, at, end - at))) return false;
    }
    return true;
}
