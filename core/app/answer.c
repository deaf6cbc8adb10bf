/* answer: see answer.h. */
#include "answer.h"

#include "../codec/json.h"
#include "../codec/multibase.h"
#include "../crypto/crypto.h"
#include "page.h"

#include <string.h>

hf_bytes hf_app_release_text(const hf_app *app) {
    return HF_BYTES(app->release, app->release_len);
}

bool hf_call_reads(const hf_call *call) {
    return hf_eq(call->request->method, HF_TEXT("GET")) || hf_eq(call->request->method, HF_TEXT("HEAD"));
}

void hf_answer_header(hf_call *call, const char *name, hf_bytes value) {
    HF_ASSERT(call->answer->n_headers < HF_APP_HEADERS_MAX);
    call->answer->headers[call->answer->n_headers++] = (hf_header){hf_str(name), value};
}

/* connect-src lets a page reach sibling nodes and other peers, whose addresses nobody knows beforehand; scripts come
 * from our own origin alone. */
static const char policy[] =
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self' 'wasm-unsafe-eval'; "
    "connect-src 'self' ws: wss: http: https:; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri "
    "'none'; "
    "frame-ancestors 'none'";

void hf_answer_begin(hf_call *call) {
    *call->answer = (hf_response){0};
    hf_answer_header(call, "content-security-policy", hf_str(policy));
    hf_answer_header(call, "x-content-type-options", HF_TEXT("nosniff"));
    hf_answer_header(call, "referrer-policy", HF_TEXT("same-origin"));
    hf_answer_header(call, "cross-origin-opener-policy", HF_TEXT("same-origin"));
    hf_answer_header(call, "permissions-policy",
                     HF_TEXT("camera=(), geolocation=(), microphone=(), payment=(), usb=()"));
}

void hf_answer_body(hf_call *call, unsigned status, const char *content_type, hf_bytes body) {
    call->answer->status = status;
    call->answer->body = body;
    hf_answer_header(call, "content-type", hf_str(content_type));
}

hf_err hf_answer_keep(hf_call *call, hf_buf *buf, hf_bytes *ret) {
    hf_err err = buf->err;
    if (!err) *ret = hf_arena_copy(call->arena, hf_buf_bytes(buf));
    if (!err && !ret->ptr) err = HF_NOMEM;
    hf_buf_deinit(buf);
    return err;
}

/* ---- refusals ---- */

const char *hf_status_title(unsigned status) {
    switch (status) {
    case 400:
        return "Bad request";
    case 403:
        return "Not allowed";
    case 404:
        return "Not found";
    case 405:
        return "Method not allowed";
    case 409:
        return "Conflict";
    case 410:
        return "Gone";
    case 412:
        return "Changed meanwhile";
    case 413:
        return "Too large";
    case 414:
        return "Address too long";
    case 415:
        return "Unsupported media type";
    case 422:
        return "Please check what you entered";
    case 500:
        return "Something went wrong";
    default:
        return "Error";
    }
}

hf_err hf_answer_problem(hf_call *call, unsigned status, hf_bytes detail) {
    hf_buf buf;
    hf_bytes body;
    hf_buf_init(&buf, call->arena->mem);
    hf_buf_add_str(&buf, "{\"type\":\"about:blank\",\"title\":");
    hf_json_add_text(&buf, hf_str(hf_status_title(status)));
    hf_buf_add_str(&buf, ",\"status\":");
    hf_buf_add_u64(&buf, status);
    hf_buf_add_str(&buf, ",\"detail\":");
    hf_json_add_text(&buf, detail);
    hf_buf_add_byte(&buf, '}');
    hf_err err = hf_answer_keep(call, &buf, &body);
    if (err) return err;
    hf_answer_body(call, status, "application/problem+json", body);
    hf_answer_header(call, "cache-control", HF_TEXT("no-store"));
    return HF_OK;
}

hf_err hf_answer_refuse(hf_call *call, unsigned status, const char *detail) {
    bool api = hf_starts(call->request->path, HF_TEXT("/api/"));
    return api ? hf_answer_problem(call, status, hf_str(detail)) : hf_page_error(call, status, hf_str(detail));
}

hf_err hf_answer_not_allowed(hf_call *call, const char *allow) {
    hf_answer_header(call, "allow", hf_str(allow));
    return hf_answer_refuse(call, 405, "This address does not take requests of this kind.");
}

/* ---- entity tags ---- */

hf_err hf_base32_text(hf_arena *arena, hf_bytes bytes, hf_bytes *ret) {
    hf_buf buf;
    hf_buf_init(&buf, arena->mem);
    hf_base_add(&buf, HF_BASE32, bytes);
    hf_err err = buf.err;
    if (!err) *ret = hf_arena_copy(arena, hf_buf_bytes(&buf));
    hf_buf_deinit(&buf);
    return err || !ret->ptr ? HF_NOMEM : HF_OK;
}

hf_err hf_etag_of(hf_arena *arena, hf_bytes bytes, hf_bytes *ret) {
    uint8_t digest[32];
    hf_bytes text;
    hf_sha256_of(bytes, digest);
    hf_err err = hf_base32_text(arena, HF_BYTES(digest, 10), &text);
    uint8_t *etag = err ? NULL : hf_arena_alloc(arena, text.len + 2);
    if (!etag) return HF_NOMEM;
    memcpy(etag + 1, text.ptr, text.len);
    etag[0] = etag[text.len + 1] = '"';
    *ret = HF_BYTES(etag, text.len + 2);
    return HF_OK;
}

static hf_bytes without_weak(hf_bytes etag) {
    return hf_starts(etag, HF_TEXT("W/")) ? hf_sub(etag, 2, etag.len) : etag;
}

static bool same_etag(hf_bytes a, hf_bytes b, bool weak) {
    if (weak) return hf_eq(without_weak(a), without_weak(b));
    return hf_eq(a, b) && !hf_starts(a, HF_TEXT("W/"));
}

bool hf_etag_matches(hf_bytes header, hf_bytes etag, bool weak) {
    for (size_t at = 0, end; at < header.len; at = end + 1) {
        end = hf_find(header, ',', at);
        hf_bytes one = hf_sub(header, at, end - at);
        while (one.len && (one.ptr[0] == ' ' || one.ptr[0] == '\t')) one = hf_sub(one, 1, one.len);
        while (one.len && (one.ptr[one.len - 1] == ' ' || one.ptr[one.len - 1] == '\t')) one.len--;
        if (hf_eq(one, HF_TEXT("*")) || (one.len && same_etag(one, etag, weak))) return true;
    }
    return false;
}

bool hf_answer_unchanged(hf_call *call, hf_bytes etag) {
    hf_answer_header(call, "etag", etag);
    if (!hf_call_reads(call) || !hf_etag_matches(call->request->if_none_match, etag, true)) return false;
    call->answer->status = 304;
    return true;
}

hf_err hf_answer_text(hf_call *call, const char *type, hf_buf *buf) {
    hf_bytes body, etag;
    hf_err err = hf_answer_keep(call, buf, &body);
    if (!err) err = hf_etag_of(call->arena, body, &etag);
    if (err) return err;
    hf_answer_header(call, "cache-control", HF_TEXT("no-cache"));
    if (!hf_answer_unchanged(call, etag)) hf_answer_body(call, 200, type, body);
    return HF_OK;
}
