/* databases: the core's face for script, continued: snapshots, and OrbitDB databases added at run time. As in exports.c; what is said about a database
 * and what it shows is JSON, as `holdfast db --json` has it. */
#include "glue.h"

#include "../../core/codec/json.h"
#include "../../core/log/manifest.h"

static uint64_t ms(double now_ms) { return (uint64_t)now_ms; }

static hf_err say(hf_err err, const hf_fault *fault) {
    if (err && fault->what) hf_buf_add_str(hf_w_answer(), fault->what);
    return err;
}

/* ---- snapshots ---- */

/* Input: a block that the core looks up when it needs it, and does not read now (raw cid, block). */
uint32_t EXPORT(hf_w_keep)(void) {
    size_t at = 0;
    hf_bytes cid = hf_w_take(&at), block = hf_w_take(&at);
    return cid.len != HF_CID_LEN ? HF_MALFORMED : hf_w_keep_block(cid.ptr, block);
}

/* Result: what hf_core_snapshot has of it. */
uint32_t EXPORT(hf_w_snapshot)(uint32_t database) { return hf_core_snapshot(hf_w_core(), database, hf_w_answer()); }

/* Input: that, not prefixed. On failure the result is the reason. */
uint32_t EXPORT(hf_w_restore)(uint32_t database, uint32_t len) {
    hf_fault fault = {NULL, 0};
    hf_buf *out = hf_w_answer();
    (void)out;
    return say(hf_core_restore(hf_w_core(), database, hf_w_given(len), &fault), &fault);
}

/* Result: the address; empty: no database has this number. */
uint32_t EXPORT(hf_w_address)(uint32_t database) {
    hf_buf *out = hf_w_answer();
    hf_buf_add(out, hf_core_address(hf_w_core(), database));
    return out->err;
}

uint32_t EXPORT(hf_w_databases)(void) { return (uint32_t)hf_core_n_databases(hf_w_core()); }
uint32_t EXPORT(hf_w_entries)(uint32_t database) { return (uint32_t)hf_core_n_entries(hf_w_core(), database); }

/* ---- databases ---- */

/* Input: address. 0: no address, or too many are open; else the number. */
uint32_t EXPORT(hf_w_db_open)(double now_ms) {
    size_t at = 0;
    uint32_t db = 0;
    return hf_core_db_open(hf_w_core(), ms(now_ms), hf_w_take(&at), &db) ? 0 : db;
}

/* Input: name, type, "guarded" or empty, ids that may write (none: we alone). Likewise. */
uint32_t EXPORT(hf_w_db_create)(double now_ms) {
    enum { IDS_MAX = 64 };
    size_t at = 0;
    uint32_t db = 0;
    hf_bytes name = hf_w_take(&at), type = hf_w_take(&at), ids[IDS_MAX];
    hf_core_db_access access = {.guarded = hf_w_take(&at).len > 0};
    for (hf_bytes id; access.n_write < IDS_MAX && (id = hf_w_take(&at)).len;) ids[access.n_write++] = id;
    if (access.n_write) access.write = ids;
    return hf_core_db_create(hf_w_core(), ms(now_ms), name, type, &access, &db) ? 0 : db;
}

uint32_t EXPORT(hf_w_db_loaded)(double now_ms, uint32_t db) { return hf_core_db_loaded(hf_w_core(), ms(now_ms), db); }
uint32_t EXPORT(hf_w_db_close)(double now_ms, uint32_t db) { return hf_core_db_close(hf_w_core(), ms(now_ms), db); }

static hf_err take_value(hf_arena *arena, size_t *at, hf_value *ret, const hf_value **ret_given) {
    hf_bytes text = hf_w_take(at);
    *ret_given = text.len ? ret : NULL;
    return text.len ? hf_json_decode(arena, text, ret, NULL) : HF_OK;
}

static void add_hash(hf_buf *out, const uint8_t digest[32]) {
    uint8_t cid[HF_CID_LEN];
    char text[HF_CID_TEXT_LEN];
    hf_cid_from_digest(digest, cid);
    hf_cid_text(cid, text);
    hf_json_add_text(out, HF_BYTES(text, sizeof text));
}

/* Input: key and value as JSON; empty: none. op: 0 add, 1 put, 2 del. Result: seq, hash; on failure the reason. */
uint32_t EXPORT(hf_w_db_append)(double now_ms, uint32_t db, uint32_t op) {
    size_t at = 0;
    hf_value key, value;
    const hf_value *given[2];
    uint8_t digest[32];
    uint64_t seq = 0;
    hf_fault fault = {NULL, 0};
    hf_arena *arena = hf_w_scratch();
    hf_buf *out = hf_w_answer();
    if (op > HF_ORBIT_DEL || take_value(arena, &at, &key, &given[0]) || take_value(arena, &at, &value, &given[1])) return HF_MALFORMED;
    hf_err err = hf_core_db_append(hf_w_core(), ms(now_ms), db, (hf_orbit_op)op, given[0], given[1], digest, &seq, &fault);
    if (err) return say(err, &fault);
    uint32_t seq32 = (uint32_t)seq;
    hf_buf_add(out, HF_BYTES(&seq32, sizeof seq32));
    add_hash(out, digest);
    return out->err;
}

static const char *change_problem(hf_err err, bool still) {
    if (err == HF_EXISTS && still) return "not revoked: it may write for another reason, such as the access list that the database was made with";
    if (err == HF_STATE) return "its access list is fixed: only a database made with guarded can be changed";
    if (err == HF_DENIED) return "this peer may not grant or revoke here";
    return err == HF_EXISTS ? NULL : "rights cannot be changed so";
}

/* Input: capability, identity id. Result: seq, 0: it was so already; on failure the reason. */
uint32_t EXPORT(hf_w_db_change)(double now_ms, uint32_t db, uint32_t grants) {
    size_t at = 0;
    uint64_t seq = 0;
    hf_bytes capability = hf_w_take(&at), id = hf_w_take(&at);
    hf_buf *out = hf_w_answer();
    hf_err err = grants ? hf_core_db_grant(hf_w_core(), ms(now_ms), db, capability, id, &seq)
                        : hf_core_db_revoke(hf_w_core(), ms(now_ms), db, capability, id, &seq);
    const char *problem = err ? change_problem(err, !grants && hf_core_db_allows(hf_w_core(), db, id)) : NULL;
    if (problem) return hf_buf_add_str(out, problem), err;
    uint32_t seq32 = (uint32_t)seq;
    hf_buf_add(out, HF_BYTES(&seq32, sizeof seq32));
    return out->err;
}

/* Input: capability. Result: a list of identity ids. */
uint32_t EXPORT(hf_w_db_granted)(uint32_t db) {
    size_t at = 0, n;
    hf_buf *out = hf_w_answer();
    const hf_bytes *ids = hf_core_db_capability(hf_w_core(), db, hf_w_take(&at), &n);
    hf_buf_add_byte(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i) hf_buf_add_byte(out, ',');
        hf_json_add_text(out, ids[i]);
    }
    hf_buf_add_byte(out, ']');
    return out->err;
}

static bool add_row(void *ctx, const hf_core_row *row) {
    hf_buf *out = ctx;
    hf_buf_add_str(out, out->len > 1 ? ",{\"hash\":" : "{\"hash\":");
    add_hash(out, row->digest);
    if (row->key) hf_buf_add_str(out, ",\"key\":"), hf_json_add(out, row->key);
    hf_buf_add_str(out, ",\"value\":");
    if (row->value) hf_json_add(out, row->value);
    else hf_buf_add_str(out, "null");
    hf_buf_add_byte(out, '}');
    return !out->err;
}

/* Input: hashes lt, lte, gt, gte, each may be empty. amount: 2^32 - 1: all. Result: a list of {hash, key, value}. */
uint32_t EXPORT(hf_w_db_rows)(uint32_t db, uint32_t amount, uint32_t oldest_first) {
    size_t at = 0;
    uint8_t digests[4][32];
    hf_core_query q = {.amount = amount == UINT32_MAX ? SIZE_MAX : amount, .oldest_first = oldest_first != 0};
    const uint8_t **ends[] = {&q.lt, &q.lte, &q.gt, &q.gte};
    hf_buf *out = hf_w_answer();
    for (size_t i = 0; i < HF_COUNT(ends); i++) {
        hf_bytes text = hf_w_take(&at);
        if (text.len && hf_cid_digest(text, digests[i])) return HF_MALFORMED;
        if (text.len) *ends[i] = digests[i];
    }
    hf_buf_add_byte(out, '[');
    hf_err err = hf_core_db_each(hf_w_core(), db, &q, add_row, out);
    hf_buf_add_byte(out, ']');
    return err ? err : out->err;
}

/* Input: key as JSON. Result: the row. */
uint32_t EXPORT(hf_w_db_get)(uint32_t db) {
    size_t at = 0;
    hf_value key;
    const hf_value *given;
    hf_core_row row;
    hf_arena *arena = hf_w_scratch();
    hf_buf *out = hf_w_answer();
    if (take_value(arena, &at, &key, &given) || !given) return HF_MALFORMED;
    hf_err err = hf_core_db_get(hf_w_core(), db, given, &row);
    if (!err) add_row(out, &row);
    return err ? err : out->err;
}

static void add_text(hf_buf *out, const char *name, hf_bytes text) {
    hf_buf_add_str(out, name);
    hf_json_add_text(out, text);
}

/* Result: {address, type, name, state, entries, waiting, mayWrite, listed, guard, identity, problem}. */
uint32_t EXPORT(hf_w_db_info)(uint32_t db) {
    static const char *const states[] = {"seeking", "waiting", "loading", "open", "broken"};
    hf_core_db_about about;
    hf_buf *out = hf_w_answer();
    hf_err err = hf_core_db_info(hf_w_core(), db, &about);
    if (err) return err;
    add_text(out, "{\"address\":", about.address);
    add_text(out, ",\"type\":", about.type);
    add_text(out, ",\"name\":", about.name);
    add_text(out, ",\"state\":", hf_str(states[about.phase]));
    hf_buf_add_str(out, ",\"entries\":");
    hf_buf_add_u64(out, about.n_entries);
    hf_buf_add_str(out, ",\"waiting\":");
    hf_buf_add_u64(out, about.n_waiting);
    hf_buf_add_str(out, about.may_write ? ",\"mayWrite\":true" : ",\"mayWrite\":false");
    hf_buf_add_str(out, about.listed ? ",\"listed\":true" : ",\"listed\":false");
    add_text(out, ",\"guard\":", about.guard ? hf_core_address(hf_w_core(), about.guard) : HF_BYTES(NULL, 0));
    add_text(out, ",\"identity\":", hf_core_identity(hf_w_core()));
    add_text(out, ",\"problem\":", hf_str(about.problem ? about.problem : ""));
    hf_buf_add_byte(out, '}');
    return out->err;
}
