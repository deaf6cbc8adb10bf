/* rights: see rights.h. */
#include "rights.h"

#include "../codec/dag_cbor.h"
#include "operation.h"

#include <string.h>

/* One capability. The ids stand behind one another in `text`. */
typedef struct capability {
    hf_bytes name;
    hf_bytes *ids;
    size_t n, cap;
    hf_buf text;
} capability;

struct hf_orbit_rights {
    hf_mem *mem;
    hf_arena arena;      /* names, ids ever seen */
    hf_map capabilities; /* name -> capability */
    hf_map ever;         /* id -> itself */
    hf_bytes *admins;
    size_t n_admins;
};

static const hf_bytes ANYONE = HF_TEXT("*"), WRITE = HF_TEXT("write"), ADMIN = HF_TEXT("admin");

hf_orbit_rights *hf_orbit_rights_new(hf_mem *mem, const hf_bytes *admins, size_t n_admins, uint64_t seed) {
    hf_orbit_rights *r = hf_alloc(mem, sizeof *r);
    if (!r) return NULL;
    r->mem = mem;
    hf_arena_init(&r->arena, mem);
    hf_map_init(&r->capabilities, mem, seed);
    hf_map_init(&r->ever, mem, seed);
    r->admins = hf_arena_alloc(&r->arena, (n_admins ? n_admins : 1) * sizeof *r->admins);
    bool ok = r->admins != NULL;
    for (; ok && r->n_admins < n_admins; r->n_admins++) {
        r->admins[r->n_admins] = hf_arena_copy(&r->arena, admins[r->n_admins]);
        ok = r->admins[r->n_admins].ptr || !admins[r->n_admins].len;
    }
    if (ok) return r;
    hf_orbit_rights_free(r);
    return NULL;
}

void hf_orbit_rights_free(hf_orbit_rights *r) {
    if (!r) return;
    size_t cursor = 0;
    for (hf_map_slot *s; (s = hf_map_next(&r->capabilities, &cursor));) {
        capability *c = s->value;
        hf_release(r->mem, c->ids, c->cap * sizeof *c->ids);
        hf_buf_deinit(&c->text);
    }
    hf_map_deinit(&r->capabilities);
    hf_map_deinit(&r->ever);
    hf_arena_deinit(&r->arena);
    hf_release(r->mem, r, sizeof *r);
}

/* ---- applying ---- */

static capability *capability_of(hf_orbit_rights *r, hf_bytes name) {
    capability *c = hf_map_get(&r->capabilities, name);
    if (c) return c;
    c = hf_arena_alloc(&r->arena, sizeof *c);
    if (!c) return NULL;
    c->name = hf_arena_copy(&r->arena, name);
    hf_buf_init(&c->text, r->mem);
    if (!c->name.ptr && name.len) return NULL;
    return hf_map_put(&r->capabilities, c->name, c) ? NULL : c;
}

static bool is_id(const hf_value *v) { return v->kind == HF_TEXT_VALUE && v->as.s.len <= HF_ORBIT_ID_BYTES_MAX; }

static bool stands(const hf_bytes *ids, size_t n, hf_bytes id) {
    for (size_t i = 0; i < n; i++)
        if (hf_eq(ids[i], id)) return true;
    return false;
}

/* Into new memory first, so that a failure leaves the old list whole. Each id once, as in a Set. */
static hf_err replace(hf_orbit_rights *r, capability *c, const hf_value *list) {
    size_t n = list ? list->as.list.n : 0, at = 0, cap = 0;
    hf_bytes *ids = NULL;
    hf_buf text;
    hf_buf_init(&text, r->mem);
    hf_err err = hf_grow(r->mem, (void **)&ids, &cap, sizeof *ids, n);
    for (size_t i = 0; i < n; i++)
        if (is_id(&list->as.list.items[i])) hf_buf_add(&text, list->as.list.items[i].as.s);
    if (!err) err = text.err;
    if (err) {
        hf_release(r->mem, ids, cap * sizeof *ids);
        hf_buf_deinit(&text);
        return err;
    }
    size_t n_ids = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_id(&list->as.list.items[i])) continue;
        hf_bytes id = HF_BYTES(text.ptr + at, list->as.list.items[i].as.s.len);
        at += id.len;
        if (!stands(ids, n_ids, id)) ids[n_ids++] = id;
    }
    hf_release(r->mem, c->ids, c->cap * sizeof *c->ids);
    hf_buf_deinit(&c->text);
    c->ids = ids;
    c->n = n_ids;
    c->cap = cap;
    c->text = text;
    return HF_OK;
}

static hf_err remember(hf_orbit_rights *r, const hf_value *list, bool *changed) {
    for (uint32_t i = 0; i < list->as.list.n; i++) {
        const hf_value *v = &list->as.list.items[i];
        if (!is_id(v) || hf_map_get(&r->ever, v->as.s) || r->ever.n >= HF_ORBIT_EVER_MAX) continue;
        hf_bytes *id = hf_arena_alloc(&r->arena, sizeof *id);
        if (!id) return HF_NOMEM;
        *id = hf_arena_copy(&r->arena, v->as.s);
        if (!id->ptr || hf_map_put(&r->ever, *id, id)) return HF_NOMEM;
        *changed = true;
    }
    return HF_OK;
}

hf_err hf_orbit_rights_apply(hf_orbit_rights *r, const hf_value *payload, bool decides, bool *ret_changed) {
    *ret_changed = false;
    if (payload->kind != HF_MAP) return HF_OK;
    const hf_value *key = hf_value_get(payload, "key"), *value = hf_value_get(payload, "value");
    hf_bytes op = hf_value_as_text(hf_value_get(payload, "op"));
    bool put = hf_eq(op, HF_TEXT("PUT")), del = hf_eq(op, HF_TEXT("DEL"));
    if (!key || key->kind != HF_TEXT_VALUE || (!put && !del)) return HF_OK;
    const hf_value *list = put && value && value->kind == HF_LIST ? value : NULL;
    bool counts = hf_eq(key->as.s, WRITE) || hf_eq(key->as.s, ADMIN);
    hf_err err = list && counts ? remember(r, list, ret_changed) : HF_OK;
    if (err || !decides) return err;
    capability *c = capability_of(r, key->as.s);
    if (!c) return HF_NOMEM;
    *ret_changed = true;
    return replace(r, c, list);
}

/* ---- asking ---- */

static bool holds(const hf_bytes *ids, size_t n, hf_bytes id) {
    for (size_t i = 0; i < n; i++)
        if (hf_eq(ids[i], id) || hf_eq(ids[i], ANYONE)) return true;
    return false;
}

static bool has(const hf_orbit_rights *r, hf_bytes name, hf_bytes id) {
    size_t n;
    const hf_bytes *ids = hf_orbit_rights_list(r, name, &n);
    return holds(ids, n, id);
}

hf_log_access hf_orbit_rights_of(void *rights, hf_bytes id) {
    const hf_orbit_rights *r = rights;
    if (holds(r->admins, r->n_admins, id) || has(r, WRITE, id) || has(r, ADMIN, id)) return HF_LOG_MAY;
    return hf_map_get(&r->ever, id) || hf_map_get(&r->ever, ANYONE) ? HF_LOG_FORMER : HF_LOG_STRANGER;
}

const hf_bytes *hf_orbit_rights_list(const hf_orbit_rights *r, hf_bytes name, size_t *ret_n) {
    const capability *c = hf_map_get(&r->capabilities, name);
    *ret_n = c ? c->n : 0;
    return c ? c->ids : NULL;
}

/* ---- changing ---- */

static hf_err add_put(const hf_bytes *ids, size_t n, hf_bytes name, hf_bytes left_out, hf_bytes added, hf_buf *buf) {
    size_t n_out = left_out.ptr && stands(ids, n, left_out), n_list = n - n_out + (added.ptr != NULL);
    if (n_list) hf_orbit_operation_head(buf, "PUT", name);
    else hf_orbit_operation_head(buf, "DEL", name);
    if (n_list) hf_cbor_add_head(buf, 4, n_list);
    else hf_buf_add_byte(buf, 0xf6);
    for (size_t i = 0; i < n && n_list; i++)
        if (!left_out.ptr || !hf_eq(ids[i], left_out)) hf_cbor_add_text(buf, ids[i]);
    if (added.ptr) hf_cbor_add_text(buf, added);
    return buf->err;
}

hf_err hf_orbit_rights_grant(const hf_orbit_rights *r, hf_bytes name, hf_bytes id, hf_buf *payload) {
    size_t n;
    const hf_bytes *ids = hf_orbit_rights_list(r, name, &n);
    if (!id.len || id.len > HF_ORBIT_ID_BYTES_MAX) return HF_LIMIT;
    return stands(ids, n, id) ? HF_EXISTS : add_put(ids, n, name, HF_BYTES(NULL, 0), id, payload);
}

hf_err hf_orbit_rights_revoke(const hf_orbit_rights *r, hf_bytes name, hf_bytes id, hf_buf *payload) {
    size_t n;
    const hf_bytes *ids = hf_orbit_rights_list(r, name, &n);
    return stands(ids, n, id) ? add_put(ids, n, name, id, HF_BYTES(NULL, 0), payload) : HF_EXISTS;
}
