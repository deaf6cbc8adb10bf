/* node_load: what the store has, into the core: all of it when the node starts, a database's own when it is opened at run time. What a snapshot holds is
 * not read. */
#include "../core/log/manifest.h"
#include "node_private.h"
#include "say.h"
#include "warm.h"

#include <stdio.h>

/* ---- at the start ---- */

typedef struct loading { hf_node *node; const hf_warm *warm; size_t n, n_damaged; const char *problem; } loading;

static bool load_one(void *ctx, uint64_t at, hf_bytes address, hf_bytes block) {
    loading *l = ctx;
    hf_fault fault = {"", 0};
    uint32_t number = 0;
    for (uint32_t i = 1; address.len && i <= hf_core_n_databases(l->node->core); i++)
        if (hf_eq(address, hf_core_address(l->node->core, i))) number = i;
    if (address.len && !number) return true; /* of a collection that the app has no more: kept, not shown */
    if (hf_warm_has(l->warm, number, at)) return true;
    l->n++;
    if (!hf_core_load(l->node->core, number, block, &fault)) return true;
    if (!l->n_damaged++) l->problem = fault.what;
    return true;
}

/* What is no entry first: it says which databases there are beside the app's. */
static hf_err load_all(loading *l, hf_warm *warm, const char **ret_why) {
    hf_core_db_about about;
    hf_err err = hf_store_each(l->node->store, HF_STORE_OTHERS, 0, load_one, l, ret_why);
    for (uint32_t i = 1; i <= hf_core_n_databases(l->node->core) && !err; i++) {
        uint64_t after;
        if (hf_core_db_info(l->node->core, i, &about) || about.phase != HF_CORE_LOADING) continue;
        if (!hf_warm_take(warm, i, &after)) *ret_why = "no memory", err = HF_NOMEM;
    }
    size_t before = SIZE_MAX, n_others = l->n, n_others_damaged = l->n_damaged;
    /* Again as long as it helps: out of a repaired store they may come in another order. */
    for (bool more = true; more && !err; before = l->n_damaged) {
        l->n = n_others;
        l->n_damaged = n_others_damaged;
        err = hf_store_each(l->node->store, HF_STORE_ENTRIES, hf_warm_after(warm), load_one, l, ret_why);
        more = l->n_damaged > n_others_damaged && l->n_damaged < before;
    }
    return err;
}

/* Our own identity block comes out of our keys. Stored, it lets our entries be read when the keys are lost. */
static bool keep_identity(hf_node *node) {
    uint8_t cid[HF_CID_LEN];
    hf_bytes block;
    hf_core_identity_cid(node->core, cid);
    if (hf_store_get(node->store, HF_BYTES(cid, sizeof cid), &block) != HF_NOT_FOUND) return true;
    return !hf_core_block(node->core, HF_BYTES(cid, sizeof cid), &block) &&
           !hf_store_put(node->store, 0, HF_BYTES(NULL, 0), HF_BYTES(cid, sizeof cid), block);
}

bool hf_node_load(hf_node *node) {
    loading l = {.node = node};
    const char *why;
    node->warm = hf_warm_open(node);
    if (!node->warm) return hf_node_fail("cannot start", "no memory");
    l.warm = node->warm;
    hf_err err = load_all(&l, node->warm, &why);
    if (err) return hf_node_fail(err == HF_MALFORMED ? "the store is damaged; the next start repairs it" : "the store cannot be read", why);
    hf_warm_loaded(node->warm, l.n_damaged == 0);
    char n[32], damaged[32];
    snprintf(n, sizeof n, "%zu", l.n);
    snprintf(damaged, sizeof damaged, "%zu", l.n_damaged);
    hf_say(HF_LEVEL_INFO, "loaded", "blocks", n, "damaged", damaged, NULL);
    if (l.n_damaged) hf_say(HF_LEVEL_ERROR, "stored blocks do not load; peers will be asked for them", "blocks", damaged, "the first", l.problem, NULL);
    return (keep_identity(node) && hf_core_start(node->core, hf_node_now(node)) == HF_OK) || hf_node_fail("cannot start", "no memory");
}

/* ---- databases added at run time ---- */

typedef struct replay { hf_node *node; uint32_t database; size_t n, n_damaged; } replay;

static bool replay_one(void *ctx, uint64_t at, hf_bytes address, hf_bytes block) {
    replay *r = ctx;
    (void)at;
    hf_fault fault = {"", 0};
    if (!hf_eq(address, hf_core_address(r->node->core, r->database))) return true;
    r->n++;
    if (!hf_core_load(r->node->core, r->database, block, &fault)) return true;
    r->n_damaged++;
    hf_say(HF_LEVEL_ERROR, "a stored block does not load; peers will be asked for it", "reason", fault.what, NULL);
    return true;
}

static void say_opened(const replay *r) {
    char address[HF_ADDRESS_LEN + 1], n[32];
    snprintf(address, sizeof address, "%.*s", HF_ADDRESS_LEN, (const char *)hf_core_address(r->node->core, r->database).ptr);
    snprintf(n, sizeof n, "%zu", r->n);
    hf_say(HF_LEVEL_INFO, "database opened", "address", address, "blocks", n, NULL);
}

void hf_node_database_news(hf_node *node, const hf_out *out) {
    hf_core_db_about about;
    if (hf_core_db_info(node->core, out->database, &about)) return;
    if (about.phase == HF_CORE_BROKEN) hf_say(HF_LEVEL_WARN, "a database cannot be opened", "reason", out->reason ? out->reason : "", NULL);
    if (about.phase != HF_CORE_LOADING) return;
    replay r = {.node = node, .database = out->database};
    const char *why = "";
    uint64_t after = 0;
    hf_err err = !node->warm || hf_warm_take(node->warm, out->database, &after) ? HF_OK : HF_NOMEM;
    if (!err) err = hf_store_each(node->store, HF_STORE_ENTRIES, after, replay_one, &r, &why);
    if (node->warm && r.n_damaged) hf_warm_loaded(node->warm, false);
    if (!err) err = hf_core_db_loaded(node->core, hf_node_now(node), out->database);
    if (err) hf_say(HF_LEVEL_ERROR, "a database cannot be opened", "error", hf_err_name(err), "why", why, NULL);
    else say_opened(&r);
}
