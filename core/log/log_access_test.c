/* Access that changes: what waits for a grant, what a revocation leaves standing, and the bounds. */
#include "log_kit.h"

#include <string.h>

/* alice may always; the others by this table. */
typedef struct list {
    const hf_kit *kit;
    hf_log_access of[HF_KIT_WRITERS];
} list;

static hf_log_access look(void *ctx, hf_bytes id) {
    const list *l = ctx;
    for (size_t i = 0; i < HF_KIT_WRITERS; i++)
        if (hf_eq(id, HF_BYTES(l->kit->identities[i].id, HF_PUBLIC_KEY_HEX_LEN))) return l->of[i];
    return HF_LOG_STRANGER;
}

static hf_log *open_log(const hf_kit *kit, list *l, size_t n_known) {
    *l = (list){kit, {HF_LOG_MAY, HF_LOG_STRANGER, HF_LOG_STRANGER, HF_LOG_STRANGER}};
    hf_log_config config = {.address = HF_TEXT(HF_KIT_ADDRESS), .seed = 1, .access = look, .access_ctx = l};
    hf_log *log = hf_log_new(hf_test_mem(), &config);
    CHECK(log != NULL);
    for (size_t i = 0; i < n_known; i++) CHECK_ERR(hf_log_identity(log, &kit->identities[i]), HF_OK);
    return log;
}

static void change(hf_log *log, list *l, size_t writer, hf_log_access to) {
    l->of[writer] = to;
    hf_log_access_changed(log);
}

HF_TEST(log_access_waits_for_a_grant) {
    hf_kit kit;
    list l;
    hf_kit_open(&kit);
    hf_log *log = open_log(&kit, &l, 3);
    hf_kit_entry root = hf_kit_make(&kit, 0, 0, NULL, 0, NULL, 0);
    const hf_kit_entry *on_root[] = {&root};
    hf_kit_entry bob = hf_kit_make(&kit, 1, 0, on_root, 1, NULL, 0), carol = hf_kit_make(&kit, 2, 0, on_root, 1, NULL, 0);
    const hf_kit_entry *on_bob[] = {&bob};
    hf_kit_entry more = hf_kit_make(&kit, 1, 0, on_bob, 1, NULL, 0);
    CHECK_ERR(hf_kit_join(log, root.block, NULL), HF_OK);
    CHECK_ERR(hf_kit_join(log, bob.block, NULL), HF_MISSING);
    CHECK_ERR(hf_kit_join(log, more.block, NULL), HF_MISSING);
    CHECK_ERR(hf_kit_join(log, carol.block, NULL), HF_MISSING);
    CHECK_U64(hf_log_counts(log)->held, 2); /* `more` waits for its parent */
    hf_log_want want;
    CHECK_U64(hf_log_wanted(log, &want, 1), 0); /* nothing that a peer could send */
    change(log, &l, 3, HF_LOG_MAY);
    CHECK_U64(hf_kit_drain(log), 0);
    change(log, &l, 1, HF_LOG_MAY);
    CHECK_U64(hf_kit_drain(log), 2);
    CHECK_U64(hf_log_n(log), 3);
    CHECK_U64(hf_log_n_pending(log), 1);
    CHECK(!hf_log_allows(log, HF_BYTES(kit.identities[2].id, HF_PUBLIC_KEY_HEX_LEN)));
    hf_log_free(log);
    hf_kit_close(&kit);
}

/* alice's entry stands on bob's, who was allowed once. In whatever order they come, and however late the identities, all are taken: alice had
 * taken bob's. What bob wrote on top of it is not; and never what somebody wrote who was not allowed at any time. */
HF_TEST(log_access_keeps_the_history_of_a_revoked_writer) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_kit_entry b1 = hf_kit_make(&kit, 1, 0, NULL, 0, NULL, 0);
    const hf_kit_entry *on_b1[] = {&b1};
    hf_kit_entry b2 = hf_kit_make(&kit, 1, 0, on_b1, 1, NULL, 0);
    const hf_kit_entry *on_b2[] = {&b2};
    hf_kit_entry a = hf_kit_make(&kit, 0, 0, on_b2, 1, NULL, 0);
    const hf_kit_entry *on_a[] = {&a};
    hf_kit_entry late = hf_kit_make(&kit, 1, 0, on_a, 1, NULL, 0);
    const hf_kit_entry *all[] = {&b1, &b2, &a, &late};
    uint64_t random = 5;
    for (size_t round = 0; round < 200; round++) {
        list l;
        bool former = round % 4 != 3;
        hf_log *log = open_log(&kit, &l, 0);
        l.of[1] = former ? HF_LOG_FORMER : HF_LOG_STRANGER;
        size_t order[6] = {0, 1, 2, 3, 4, 5}; /* four entries, two identities */
        for (size_t i = 5; i; i--) {
            size_t k = hf_test_random(&random) % (i + 1), t = order[i];
            order[i] = order[k], order[k] = t;
        }
        for (size_t i = 0; i < 6; i++) {
            if (order[i] < 4) hf_kit_join(log, all[order[i]]->block, NULL);
            else CHECK_ERR(hf_log_identity(log, &kit.identities[order[i] - 4]), HF_OK);
            hf_kit_drain(log);
        }
        CHECK_MSG(hf_log_n(log) == (former ? 3 : 0), "round %zu: %zu", round, hf_log_n(log));
        CHECK(hf_log_counts(log)->held > 0);
        change(log, &l, 1, HF_LOG_MAY);
        hf_kit_drain(log);
        CHECK_U64(hf_log_n(log), 4);
        CHECK_U64(hf_log_n_pending(log), 0);
        hf_log_free(log);
    }
    hf_kit_close(&kit);
}

/* A forged entry in the name of somebody who may write vouches for nothing. */
HF_TEST(log_access_is_not_vouched_for_by_a_forgery) {
    hf_kit kit;
    list l;
    hf_kit_open(&kit);
    hf_log *log = open_log(&kit, &l, 0);
    l.of[1] = HF_LOG_FORMER;
    hf_kit_entry b = hf_kit_make(&kit, 1, 0, NULL, 0, NULL, 0);
    const hf_kit_entry *on_b[] = {&b};
    hf_kit_entry a = hf_kit_make(&kit, 0, 0, on_b, 1, NULL, 0);
    hf_bytes forged = hf_arena_copy(hf_test_arena(), a.block), payload = hf_kit_payload(0);
    for (size_t i = 0; i + 8 < forged.len; i++) /* another value under alice's signature */
        if (!memcmp(forged.ptr + i, "evalue", 6)) ((uint8_t *)(uintptr_t)forged.ptr)[i + 6] ^= 1;
    CHECK(payload.len > 0 && memcmp(forged.ptr, a.block.ptr, forged.len) != 0);
    hf_kit_join(log, forged, NULL);
    hf_kit_join(log, b.block, NULL);
    CHECK_ERR(hf_log_identity(log, &kit.identities[1]), HF_OK);
    CHECK_ERR(hf_log_identity(log, &kit.identities[0]), HF_OK);
    hf_kit_drain(log);
    CHECK_U64(hf_log_n(log), 0);
    hf_kit_join(log, a.block, NULL);
    hf_kit_drain(log);
    CHECK_U64(hf_log_n(log), 2);
    hf_log_free(log);
    hf_kit_close(&kit);
}

HF_TEST(log_access_holds_only_so_many) {
    hf_kit kit;
    list l;
    hf_kit_open(&kit);
    hf_log *log = open_log(&kit, &l, 2);
    for (uint64_t i = 0; i < HF_LOG_HELD_MAX; i++) CHECK_ERR(hf_kit_join_only(log, hf_kit_make(&kit, 1, i + 1, NULL, 0, NULL, 0).block), HF_MISSING);
    CHECK_ERR(hf_kit_join_only(log, hf_kit_make(&kit, 1, HF_LOG_HELD_MAX + 1, NULL, 0, NULL, 0).block), HF_LIMIT);
    change(log, &l, 1, HF_LOG_MAY);
    CHECK_U64(hf_kit_drain(log), HF_LOG_HELD_MAX);
    CHECK_ERR(hf_kit_join_only(log, hf_kit_make(&kit, 1, HF_LOG_HELD_MAX + 2, NULL, 0, NULL, 0).block), HF_OK);
    hf_log_free(log);
    hf_kit_close(&kit);
}
