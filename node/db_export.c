/* db_export: `holdfast db export DATABASE --car FILE`: a whole database as a CAR of version 1: its manifest, its access list (or the database that guards
 * it, whole), the identities of all who wrote, every entry, ancestors first. Roots: the manifest, then the heads. Written as it is taken: what comes in
 * meanwhile is not in it. */
#include "verbs.h"

#include "../core/files/car.h"
#include "../core/log/entry.h"
#include "../core/log/manifest.h"

#include <string.h>

enum { PIECE_LEN = 256 << 10 };

typedef struct part { uint32_t db; size_t at, n; uint8_t manifest[32], access[32]; bool guarded; } part;

typedef struct export_state {
    part parts[2];           /* the one that guards it first */
    size_t n_parts, now;
    hf_map said;             /* digests of identities and access lists that are in it */
    hf_arena scratch;
} export_state;

static void drop(hf_ask *ask) {
    export_state *s = ask->state;
    hf_map_deinit(&s->said);
    hf_arena_deinit(&s->scratch);
}

/* ---- blocks ---- */

static bool add_block(hf_ask *ask, const uint8_t digest[32], hf_bytes *ret) {
    uint8_t cid[HF_CID_LEN];
    hf_cid_from_digest(digest, cid);
    if (hf_core_block(ask->node->core, HF_BYTES(cid, sizeof cid), ret)) return hf_ask_fail(ask, 1, "the store lost a block of it; peers will be asked for it"), false;
    hf_car_add_section(&ask->out, HF_BYTES(cid, sizeof cid), ret->len);
    hf_buf_add(&ask->out, *ret);
    return !ask->out.err;
}

static bool add_once(hf_ask *ask, const uint8_t digest[32]) {
    export_state *s = ask->state;
    hf_bytes key = HF_BYTES(digest, 32), block;
    if (hf_map_get(&s->said, key)) return true;
    key = hf_arena_copy(&ask->arena, key);
    if (!key.ptr || hf_map_put(&s->said, key, s)) return hf_ask_fail(ask, 1, "out of memory"), false;
    return add_block(ask, digest, &block);
}

/* The identity stands before the first entry that names it. */
static bool add_entry(hf_ask *ask, part *p) {
    export_state *s = ask->state;
    uint8_t digest[32], cid[HF_CID_LEN];
    hf_entry entry;
    hf_bytes block;
    hf_core_entry_digest(ask->node->core, p->db, p->at++, digest);
    hf_cid_from_digest(digest, cid);
    if (hf_core_block(ask->node->core, HF_BYTES(cid, sizeof cid), &block)) return add_block(ask, digest, &block);
    hf_arena_clear(&s->scratch);
    if (hf_entry_read(block, &s->scratch, &entry, NULL)) return hf_ask_fail(ask, 1, "a stored entry is damaged"), false;
    return add_once(ask, entry.identity_digest) && add_block(ask, digest, &block);
}

static bool is_there(const hf_ask *ask, uint32_t db) {
    hf_core_db_about about;
    return hf_core_address(ask->node->core, db).len && (hf_core_collection(ask->node->core, db) || !hf_core_db_info(ask->node->core, db, &about));
}

static void step(hf_ask *ask) {
    export_state *s = ask->state;
    if (!ask->is_said) return;
    while (s->now < s->n_parts && ask->out.len < PIECE_LEN && !ask->out.err) {
        part *p = &s->parts[s->now];
        hf_bytes block;
        if (!is_there(ask, p->db)) return hf_ask_fail(ask, 1, "it was closed meanwhile");
        if (p->at == 0 && (!add_block(ask, p->manifest, &block) || (!p->guarded && !add_once(ask, p->access)))) return;
        if (p->at < p->n && !add_entry(ask, p)) return;
        if (p->at >= p->n) s->now++;
    }
    if (s->now == s->n_parts) ask->step = NULL;
}

/* ---- the beginning ---- */

static bool add_part(hf_ask *ask, uint32_t db, size_t at) {
    export_state *s = ask->state;
    part *p = &s->parts[at];
    uint8_t cid[HF_CID_LEN];
    hf_bytes block;
    hf_manifest m;
    *p = (part){.db = db, .n = hf_core_n_entries(ask->node->core, db)};
    bool ok = !hf_address_parse(hf_core_address(ask->node->core, db), p->manifest);
    hf_cid_from_digest(p->manifest, cid);
    hf_arena_clear(&s->scratch);
    ok = ok && !hf_core_block(ask->node->core, HF_BYTES(cid, sizeof cid), &block) && !hf_manifest_read(block, &s->scratch, &m, NULL);
    if (!ok) return hf_ask_fail(ask, 1, "the store lost its manifest"), false;
    p->guarded = m.guarded;
    memcpy(p->access, m.access_digest, sizeof p->access);
    return true;
}

static void add_roots(hf_ask *ask, uint8_t (*digests)[32], uint8_t (*cids)[HF_CID_LEN], hf_bytes *roots) {
    const export_state *s = ask->state;
    size_t n = 0;
    for (size_t i = s->n_parts; i-- > 0 && n < HF_CAR_ROOTS_MAX;) {
        const part *p = &s->parts[i];
        memcpy(digests[n++], p->manifest, 32);
        size_t n_heads = hf_core_db_heads(ask->node->core, p->db, &digests[n], HF_CAR_ROOTS_MAX - n);
        n = n_heads < HF_CAR_ROOTS_MAX - n ? n + n_heads : HF_CAR_ROOTS_MAX;
    }
    for (size_t i = 0; i < n; i++) {
        hf_cid_from_digest(digests[i], cids[i]);
        roots[i] = HF_BYTES(cids[i], HF_CID_LEN);
    }
    hf_car_add_header(&ask->out, roots, n);
}

void hf_db_export_car(hf_ask *ask, uint32_t db) {
    export_state *s = hf_arena_alloc(&ask->arena, sizeof *s);
    uint8_t (*digests)[32] = hf_arena_alloc(&ask->arena, HF_CAR_ROOTS_MAX * sizeof *digests);
    uint8_t (*cids)[HF_CID_LEN] = hf_arena_alloc(&ask->arena, HF_CAR_ROOTS_MAX * sizeof *cids);
    hf_bytes *roots = hf_arena_alloc(&ask->arena, HF_CAR_ROOTS_MAX * sizeof *roots);
    hf_core_db_about about;
    if (!s || !digests || !cids || !roots) return hf_ask_fail(ask, 1, "out of memory");
    hf_map_init(&s->said, &ask->node->mem, 0);
    hf_arena_init(&s->scratch, &ask->node->mem);
    ask->state = s;
    ask->drop = drop;
    bool guarded = !hf_core_db_info(ask->node->core, db, &about) && about.guard;
    if (guarded && !add_part(ask, about.guard, s->n_parts++)) return;
    if (!add_part(ask, db, s->n_parts++)) return;
    add_roots(ask, digests, cids, roots);
    hf_ask_wait(ask, step, UINT64_MAX);
    step(ask);
}
