/* log_kit: see log_kit.h. */
#include "log_kit.h"

#include "../codec/dag_cbor.h"
#include "link_text.h"

#include <string.h>

/* "Private keys are SHA-256 of `orbitdb-c-vectors/v1/<label>`" */
static void secret_of(const char *who, const char *what, uint8_t ret[32]) {
    hf_sha256 state;
    hf_sha256_init(&state);
    hf_sha256_add(&state, HF_TEXT("orbitdb-c-vectors/v1/"));
    hf_sha256_add(&state, hf_str(who));
    hf_sha256_add(&state, hf_str(what));
    hf_sha256_end(&state, ret);
}

void hf_kit_open(hf_kit *kit) {
    static const char *const names[HF_KIT_WRITERS] = {"alice", "bob", "carol", "dave"};
    static const uint8_t seed[32] = {1, 2, 3};
    kit->secp = hf_secp_new(hf_test_mem(), seed);
    CHECK(kit->secp != NULL);
    for (size_t i = 0; i < HF_KIT_WRITERS; i++) {
        uint8_t root[32], signing[32];
        secret_of(names[i], "/root", root);
        secret_of(names[i], "/signing", signing);
        CHECK_ERR(hf_writer_init(&kit->writers[i], hf_test_mem(), kit->secp, root, signing), HF_OK);
        CHECK_ERR(hf_identity_read(hf_buf_bytes(&kit->writers[i].block), hf_test_arena(), &kit->identities[i], NULL), HF_OK);
    }
}

void hf_kit_close(hf_kit *kit) {
    for (size_t i = 0; i < HF_KIT_WRITERS; i++) hf_writer_deinit(&kit->writers[i]);
    hf_secp_free(kit->secp);
}

hf_log *hf_kit_log(const hf_kit *kit, hf_mem *mem, hf_bytes address, size_t n_allowed, size_t n_known) {
    hf_bytes write[HF_KIT_WRITERS];
    for (size_t i = 0; i < n_allowed; i++) write[i] = HF_BYTES(kit->writers[i].id, HF_PUBLIC_KEY_HEX_LEN);
    hf_log_config config = {.address = address, .write = write, .n_write = n_allowed, .seed = 7};
    hf_log *log = hf_log_new(mem, &config);
    for (size_t i = 0; log && i < n_known; i++) {
        if (hf_log_identity(log, &kit->identities[i]) == HF_OK) continue;
        hf_log_free(log);
        return NULL;
    }
    return log;
}

hf_bytes hf_kit_payload(uint64_t n) {
    hf_buf buf;
    hf_buf_init(&buf, hf_test_arena()->mem);
    hf_buf_add(&buf, HF_TEXT("\xa3\x62op\x63" "ADD\x63key\xf6\x65value"));
    hf_cbor_add_u64(&buf, n);
    hf_bytes copy = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&buf));
    hf_buf_deinit(&buf);
    return copy;
}

static const uint8_t (*copy_links(const hf_kit_entry *const *from, size_t n, uint64_t *highest))[32] {
    uint8_t(*out)[32] = hf_arena_alloc(hf_test_arena(), n * 32 + 1);
    for (size_t i = 0; i < n; i++) {
        memcpy(out[i], from[i]->digest, 32);
        if (from[i]->time > *highest) *highest = from[i]->time;
    }
    return (const uint8_t(*)[32])out;
}

hf_kit_entry hf_kit_make(const hf_kit *kit, size_t writer, uint64_t time, const hf_kit_entry *const *next, size_t n_next,
                         const hf_kit_entry *const *refs, size_t n_refs) {
    hf_kit_entry e;
    hf_buf buf;
    uint64_t highest = 0;
    hf_buf_init(&buf, hf_test_arena()->mem);
    const uint8_t(*next_digests)[32] = copy_links(next, n_next, &highest);
    const uint8_t(*ref_digests)[32] = copy_links(refs, n_refs, &highest);
    static uint64_t n_made; /* so that two entries at the same place differ */
    e.time = time ? time : highest + 1;
    CHECK_ERR(hf_entry_create(&kit->writers[writer], HF_TEXT(HF_KIT_ADDRESS), next_digests, n_next, ref_digests, n_refs, e.time,
                              hf_kit_payload(n_made++), &buf, e.digest),
              HF_OK);
    e.block = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&buf));
    hf_buf_deinit(&buf);
    return e;
}

void hf_kit_digest(hf_bytes text, uint8_t ret[32]) { CHECK_ERR(hf_link_text_read(text, ret), HF_OK); }

size_t hf_kit_drain(hf_log *log) {
    hf_arena arena;
    hf_entry entry;
    uint32_t index;
    size_t n = 0;
    hf_arena_init(&arena, hf_test_arena()->mem);
    for (hf_err err = HF_OK; err != HF_NOT_FOUND && err != HF_NOMEM;) {
        hf_arena_clear(&arena);
        err = hf_log_ready(log, &arena, &entry, &index, NULL);
        if (err == HF_OK) n++;
    }
    hf_arena_deinit(&arena);
    return n;
}

hf_err hf_kit_join_only(hf_log *log, hf_bytes block) {
    hf_arena arena;
    hf_entry entry;
    uint32_t index;
    hf_arena_init(&arena, hf_test_arena()->mem);
    hf_err err = hf_log_join(log, block, &arena, &entry, &index, NULL);
    hf_arena_deinit(&arena);
    return err;
}

hf_err hf_kit_join(hf_log *log, hf_bytes block, size_t *ret_n_ready) {
    hf_err err = hf_kit_join_only(log, block);
    size_t n = hf_kit_drain(log);
    if (ret_n_ready) *ret_n_ready = n;
    return err;
}

/* ---- fetching ---- */

void hf_kit_store_open(hf_kit_store *store) { hf_map_init(&store->blocks, hf_test_arena()->mem, 1); }

void hf_kit_store_close(hf_kit_store *store) { hf_map_deinit(&store->blocks); }

void hf_kit_store_add(hf_kit_store *store, hf_bytes block) {
    struct {
        uint8_t digest[32];
        hf_bytes block;
    } *kept = hf_arena_alloc(hf_test_arena(), sizeof *kept);
    kept->block = block;
    hf_sha256_of(block, kept->digest);
    CHECK_ERR(hf_map_put(&store->blocks, HF_BYTES(kept->digest, 32), &kept->block), HF_OK);
}

void hf_kit_store_add_hex(hf_kit_store *store, const hf_value *blocks) {
    if (blocks->kind == HF_MAP)
        for (size_t i = 0; i < blocks->as.map.n; i++)
            hf_kit_store_add(store, hf_test_hex(hf_value_as_text(&blocks->as.map.pairs[i].value)));
    else
        for (size_t i = 0; i < blocks->as.list.n; i++)
            hf_kit_store_add(store, hf_test_hex(hf_value_as_text(hf_value_get(&blocks->as.list.items[i], "bytes"))));
}

static bool fetch_identity(hf_log *log, hf_bytes block) {
    hf_identity identity;
    return hf_identity_read(block, hf_test_arena(), &identity, NULL) == HF_OK && hf_log_identity(log, &identity) == HF_OK;
}

static bool fetch(hf_log *log, const hf_kit_store *store, const hf_log_want *want) {
    const hf_bytes *block = hf_map_get(&store->blocks, HF_BYTES(want->digest, 32));
    if (!block) return false;
    hf_err err = HF_OK;
    if (want->identity) err = fetch_identity(log, *block) ? HF_OK : HF_DENIED;
    else err = hf_kit_join_only(log, *block);
    hf_kit_drain(log);
    return err == HF_OK || err == HF_MISSING;
}

size_t hf_kit_fetch(hf_log *log, const hf_kit_store *store) {
    hf_log_want want;
    size_t n_given_up = 0;
    while (hf_log_wanted(log, &want, 1)) {
        if (fetch(log, store, &want)) continue;
        hf_log_give_up(log, want.digest);
        n_given_up++;
    }
    return n_given_up;
}

typedef struct order {
    uint32_t *items;
    size_t n;
} order;

static bool note(void *ctx, uint32_t index) {
    order *o = ctx;
    o->items[o->n++] = index;
    return true;
}

uint32_t *hf_kit_order(const hf_log *log, size_t *ret_n) {
    order o = {hf_arena_alloc(hf_test_arena(), hf_log_n(log) * sizeof *o.items + 1), 0};
    CHECK_ERR(hf_log_traverse(log, note, &o), HF_OK);
    *ret_n = o.n;
    return o.items;
}
