/* write: see write.h. */
#include "write.h"

#include "../crypto/crypto.h"
#include "answer.h"

#include <string.h>

bool hf_write_is_own_site(const hf_request *request) {
    hf_bytes site = request->sec_fetch_site, origin = request->header_origin;
    if (site.len && !hf_eq(site, HF_TEXT("same-origin")) && !hf_eq(site, HF_TEXT("none"))) return false;
    return origin.len == 0 || hf_eq(origin, request->origin);
}

/* ---- operation IDs ---- */

static void add_part(hf_sha256 *sha, hf_bytes part) {
    hf_sha256_add(sha, part);
    hf_sha256_add(sha, HF_BYTES("", 1));
}

/* Without an op of its own an action gets one from the nonce, in the same form as {{op}}. */
static hf_err begin_opid(hf_call *call, hf_bytes op, hf_sha256 *sha) {
    hf_err err = op.len ? HF_OK : hf_base32_text(call->arena, HF_BYTES(call->request->nonce, 16), &op);
    if (err) return err;
    hf_sha256_init(sha);
    add_part(sha, HF_TEXT("holdfast op"));
    add_part(sha, op);
    add_part(sha, call->request->path);
    return HF_OK;
}

static hf_err end_opid(hf_call *call, hf_sha256 *sha, hf_bytes *ret) {
    uint8_t digest[32];
    hf_sha256_end(sha, digest);
    return hf_base32_text(call->arena, HF_BYTES(digest, 16), ret);
}

hf_err hf_write_form_opid(hf_call *call, const hf_form *form, hf_bytes *ret) {
    const hf_bytes *op = hf_form_get(form, HF_TEXT("op"));
    hf_sha256 sha;
    hf_err err = begin_opid(call, op ? *op : HF_TEXT(""), &sha);
    if (err) return err;
    for (size_t i = 0; i < form->n; i++) {
        const hf_form_field *field = &form->fields[i];
        if (hf_eq(field->name, HF_TEXT("op")) || hf_eq(field->name, HF_TEXT("back"))) continue;
        hf_sha256_add(&sha, field->name);
        hf_sha256_add(&sha, HF_TEXT("="));
        add_part(&sha, field->value);
    }
    return end_opid(call, &sha, ret);
}

hf_err hf_write_api_opid(hf_call *call, hf_bytes *ret) {
    hf_sha256 sha;
    hf_err err = begin_opid(call, call->request->client_op, &sha);
    if (err) return err;
    add_part(&sha, call->request->method);
    add_part(&sha, call->request->body);
    return end_opid(call, &sha, ret);
}

/* ---- sessions ---- */

/* Cookies of ours are base32 of 16 bytes. What looks otherwise is not ours, and does not become somebody's name. */
static bool has_session(const hf_request *request) {
    hf_bytes s = request->session;
    for (size_t i = 0; i < s.len; i++)
        if (!(s.ptr[i] >= 'a' && s.ptr[i] <= 'z') && !(s.ptr[i] >= '2' && s.ptr[i] <= '7')) return false;
    return s.len == 26;
}

static hf_err cookie_of(hf_call *call, hf_bytes *ret) {
    *ret = call->request->session;
    return has_session(call->request) ? HF_OK
                                      : hf_base32_text(call->arena, HF_BYTES(call->request->new_session, 16), ret);
}

/* The public name does not give the cookie away. */
static hf_err public_name(hf_call *call, hf_bytes *ret) {
    hf_sha256 sha;
    uint8_t digest[32];
    hf_bytes cookie;
    *ret = HF_TEXT("");
    if (!call->request->by_session) return HF_OK;
    hf_err err = cookie_of(call, &cookie);
    if (err) return err;
    hf_sha256_init(&sha);
    add_part(&sha, HF_TEXT("holdfast session"));
    hf_sha256_add(&sha, cookie);
    hf_sha256_end(&sha, digest);
    return hf_base32_text(call->arena, HF_BYTES(digest, 10), ret);
}

hf_err hf_write_session(hf_call *call) {
    hf_buf buf;
    hf_bytes cookie, header;
    if (!call->request->by_session || has_session(call->request)) return HF_OK;
    hf_err err = cookie_of(call, &cookie);
    if (err) return err;
    hf_buf_init(&buf, call->arena->mem);
    hf_buf_add_str(&buf, "holdfast_session=");
    hf_buf_add(&buf, cookie);
    hf_buf_add_str(&buf, "; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax");
    if (hf_starts(call->request->origin, HF_TEXT("https://"))) hf_buf_add_str(&buf, "; Secure");
    err = hf_answer_keep(call, &buf, &header);
    if (!err) hf_answer_header(call, "set-cookie", header);
    return err;
}

/* ---- operations ---- */

hf_err hf_write_failure(hf_call *call, const hf_field *field, const char *refusal, hf_failure *ret) {
    hf_buf buf;
    hf_buf_init(&buf, call->arena->mem);
    hf_buf_add(&buf, field->label);
    hf_buf_add_byte(&buf, ' ');
    hf_buf_add_str(&buf, refusal);
    hf_buf_add_byte(&buf, '.');
    ret->field = field;
    return hf_answer_keep(call, &buf, &ret->message);
}

static uint64_t now_of(const hf_request *request) {
    const uint64_t last =
        8640000000000000; /* the last moment an operation can carry: a broken clock must not stop the app */
    return request->now_ms < last ? request->now_ms : last;
}

hf_err hf_write_add(hf_call *call, size_t collection, const char *op, hf_bytes key, const hf_value *value,
                    hf_bytes opid) {
    hf_buf buf;
    hf_bytes by, payload;
    hf_err err = public_name(call, &by);
    if (err) return err;
    hf_buf_init(&buf, call->arena->mem);
    err = hf_operation_encode(&buf, op, key, value, opid, now_of(call->request), by);
    if (!err && buf.len > HF_WRITE_PAYLOAD_MAX) err = HF_LIMIT;
    if (err) {
        hf_buf_deinit(&buf);
        return err;
    }
    err = hf_answer_keep(call, &buf, &payload);
    if (err) return err;
    HF_ASSERT(call->answer->n_operations < HF_APP_OPERATIONS_MAX);
    call->answer->operations[call->answer->n_operations++] = (hf_operation){collection, key, opid, payload};
    return HF_OK;
}
