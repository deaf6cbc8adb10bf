/* verbs_db: `holdfast db …`: OrbitDB databases made, opened, read and written from the command line. A database is named by its address, or by its
 * name when only one open database has it. */
#include "verbs.h"

#include "../core/codec/cid.h"
#include "../core/codec/json.h"

#include <stdlib.h>
#include <string.h>

enum { OPEN_MS = 60 * 1000, HEADS_SHOWN_MAX = 64 };

/* One word of `holdfast db`. Those that need an open database wait for it. */
typedef struct db_verb {
    const char *name, *usage;
    size_t n_min, n_max;             /* words behind it */
    bool opens;                      /* the first is a database */
    void (*run)(hf_ask *ask, uint32_t db, const char *const *words, size_t n_words);
} db_verb;

typedef struct waiting { void (*run)(hf_ask *ask, uint32_t db); const char *word; uint32_t db; } waiting;

/* ---- answers ---- */

static void show_hash(hf_ask *ask, const uint8_t digest[32], uint64_t seq) {
    if (ask->json) hf_buf_add_str(&ask->out, "{\"hash\":\"");
    hf_db_add_hash(&ask->out, digest);
    hf_buf_add_str(&ask->out, ask->json ? "\"}\n" : "\n");
    hf_ask_end_stored(ask, seq);
}

static void show_address(hf_ask *ask, uint32_t db) {
    if (ask->json) hf_buf_add_str(&ask->out, "{\"address\":\"");
    hf_buf_add(&ask->out, hf_core_address(ask->node->core, db));
    hf_buf_add_str(&ask->out, ask->json ? "\"}\n" : "\n");
}

/* ---- reading what was typed ---- */

/* JSON, or else the text as it stands. */
static hf_value value_of(hf_ask *ask, const char *word) {
    hf_value value;
    return hf_json_decode(&ask->arena, hf_str(word), &value, NULL) ? hf_value_text(hf_str(word)) : value;
}

static bool find_db(hf_ask *ask, const char *word, uint32_t *ret) {
    const hf_core *core = ask->node->core;
    *ret = 0;
    for (uint32_t i = 1; i <= hf_core_n_databases(core); i++) {
        hf_core_db_about about;
        hf_bytes address = hf_core_address(core, i);
        hf_collection *collection = hf_core_collection((hf_core *)core, i);
        if (!address.len || (!collection && hf_core_db_info(core, i, &about))) continue;
        if (hf_eq(address, hf_str(word))) return *ret = i, true;
        if (!hf_eq(collection ? hf_collection_schema(collection)->name : about.name, hf_str(word))) continue;
        if (*ret) return hf_ask_fail(ask, 2, "more than one database is named '%s'; say its address", word), false;
        *ret = i;
    }
    return true;
}

static size_t count_of(const char *word, bool *ret_bad) {
    uint64_t n = 0;
    *ret_bad = hf_parse_u64(hf_str(word), &n) != HF_OK;
    return (size_t)n;
}

/* ---- the verbs ---- */

static const char *phase_name(hf_core_phase phase) {
    static const char *const names[] = {[HF_CORE_SEEKING] = "seeking", [HF_CORE_WAITING] = "waiting", [HF_CORE_LOADING] = "loading",
                                        [HF_CORE_OPEN] = "open", [HF_CORE_BROKEN] = "broken"};
    return names[phase];
}

static void add_member(hf_buf *out, const char *name, hf_bytes text) {
    hf_buf_add_str(out, name);
    hf_json_add_text(out, text);
}

static void add_about(hf_ask *ask, hf_bytes address, hf_bytes type, hf_bytes name, const char *phase, size_t n, bool first) {
    hf_buf *out = &ask->out;
    if (ask->json) {
        add_member(out, first ? "{\"address\":" : ",{\"address\":", address);
        add_member(out, ",\"type\":", type);
        add_member(out, ",\"name\":", name);
        add_member(out, ",\"state\":", hf_str(phase));
        hf_buf_add_str(out, ",\"entries\":");
        hf_buf_add_u64(out, n);
        hf_buf_add_byte(out, '}');
        return;
    }
    hf_buf_add(out, address);
    hf_buf_add_byte(out, '\t');
    hf_buf_add(out, type);
    hf_buf_add_byte(out, '\t');
    hf_buf_add(out, name);
    hf_buf_add_byte(out, '\t');
    hf_buf_add_str(out, phase);
    hf_buf_add_byte(out, '\t');
    hf_buf_add_u64(out, n);
    hf_buf_add_byte(out, '\n');
}

static void list(hf_ask *ask, uint32_t db, const char *const *words, size_t n_words) {
    hf_core *core = ask->node->core;
    bool first = true;
    (void)db, (void)words, (void)n_words;
    if (ask->json) hf_buf_add_byte(&ask->out, '[');
    for (uint32_t i = 1; i <= hf_core_n_databases(core); i++) {
        hf_core_db_about about;
        hf_bytes address = hf_core_address(core, i);
        if (!address.len) continue;
        hf_collection *collection = hf_core_collection(core, i);
        if (collection) add_about(ask, address, HF_TEXT("collection"), hf_collection_schema(collection)->name, "open", hf_core_n_entries(core, i), first);
        else if (!hf_core_db_info(core, i, &about)) add_about(ask, address, about.type, about.name, phase_name(about.phase), about.n_entries, first);
        else continue;
        first = false;
    }
    if (ask->json) hf_buf_add_str(&ask->out, "]\n");
}

static void create(hf_ask *ask, uint32_t db, const char *const *words, size_t n_words) {
    hf_bytes write[HF_ASK_WORDS_MAX];
    hf_core_db_access access = {.write = write};
    const char *type = "events";
    for (size_t i = 1; i < n_words; i++) {
        if (!strcmp(words[i], "--guarded")) access.guarded = true;
        else if (i + 1 == n_words) return hf_ask_fail(ask, 2, "%s: needs a value, or is no flag of db create", words[i]);
        else if (!strcmp(words[i], "--type")) type = words[++i];
        else if (!strcmp(words[i], "--write")) write[access.n_write++] = hf_str(words[++i]);
        else return hf_ask_fail(ask, 2, "%s: no such flag of db create", words[i]);
    }
    if (!access.n_write) access.write = NULL; /* our own id */
    hf_err err = hf_core_db_create(ask->node->core, hf_node_now(ask->node), hf_str(words[0]), hf_str(type), &access, &db);
    if (err == HF_MALFORMED) return hf_ask_fail(ask, 2, "%s: types are events, keyvalue, keyvalue-indexed and documents", type);
    if (err) return hf_ask_fail(ask, 1, "cannot be made: %s", hf_err_name(err));
    show_address(ask, db);
    hf_ask_end_stored(ask, hf_core_seq(ask->node->core));
}

static void opened(hf_ask *ask, uint32_t db, const char *const *words, size_t n_words) {
    (void)words, (void)n_words;
    show_address(ask, db);
    hf_ask_end_stored(ask, hf_core_seq(ask->node->core));
}

static void close_one(hf_ask *ask, uint32_t db, const char *const *words, size_t n_words) {
    (void)n_words;
    if (!find_db(ask, words[0], &db)) return;
    if (!db || hf_core_db_close(ask->node->core, hf_node_now(ask->node), db)) return hf_ask_fail(ask, 1, "%s: not open", words[0]);
    hf_ask_end_stored(ask, hf_core_seq(ask->node->core));
}

static void all(hf_ask *ask, uint32_t db, const char *const *words, size_t n_words) {
    (void)words, (void)n_words;
    hf_core_query query = {.amount = SIZE_MAX, .oldest_first = true};
    hf_db_show_rows(ask, db, &query, false);
}

/* One JSON object a line, oldest first: for other programs, and for `import`. Or the whole of it; FILE is the command line's business. */
static void export(hf_ask *ask, uint32_t db, const char *const *words, size_t n_words) {
    if (n_words > 1 && (n_words != 3 || strcmp(words[1], "--car") != 0)) return hf_ask_fail(ask, 2, "usage: holdfast db export DATABASE [--car FILE]");
    if (n_words == 3) return hf_db_export_car(ask, db);
    hf_core_query query = {.amount = SIZE_MAX, .oldest_first = true};
    hf_db_show_rows(ask, db, &query, true);
}

static void query(hf_ask *ask, uint32_t db, const char *const *words, size_t n_words) {
    static const char *const ends[] = {"--lt", "--lte", "--gt", "--gte"};
    uint8_t digests[4][32];
    hf_core_query q = {.amount = SIZE_MAX};
    const uint8_t **fields[] = {&q.lt, &q.lte, &q.gt, &q.gte};
    for (size_t i = 1; i + 1 < n_words; i += 2) {
        bool bad = false;
        size_t end = 0;
        while (end < HF_COUNT(ends) && strcmp(words[i], ends[end])) end++;
        if (!strcmp(words[i], "--amount")) q.amount = count_of(words[i + 1], &bad);
        else if (end == HF_COUNT(ends)) return hf_ask_fail(ask, 2, "%s: no such flag of db query", words[i]);
        else if (!(bad = hf_cid_digest(hf_str(words[i + 1]), digests[end]) != HF_OK)) *fields[end] = digests[end];
        if (bad) return hf_ask_fail(ask, 2, "%s %s: not a number or an entry's hash", words[i], words[i + 1]);
    }
    if (n_words % 2 == 0) return hf_ask_fail(ask, 2, "%s: needs a value", words[n_words - 1]);
    hf_db_show_rows(ask, db, &q, false);
}

static void get(hf_ask *ask, uint32_t db, const char *const *words, size_t n_words) {
    (void)n_words;
    hf_core_row row;
    hf_value key = hf_value_text(hf_str(words[1]));
    hf_err err = hf_core_db_get(ask->node->core, db, &key, &row);
    if (err == HF_NOT_FOUND) return hf_ask_fail(ask, 1, "%s: nothing there", words[1]);
    if (err) return hf_ask_fail(ask, 1, "cannot be read: %s", hf_err_name(err));
    if (ask->json) hf_db_add_row(&ask->out, &row);
    else hf_db_add_value(&ask->out, row.value);
    hf_buf_add_byte(&ask->out, '\n');
}

static void append(hf_ask *ask, uint32_t db, hf_orbit_op op, const hf_value *key, const hf_value *value) {
    uint8_t digest[32];
    uint64_t seq;
    hf_fault fault = {"", 0};
    hf_err err = hf_core_db_append(ask->node->core, hf_node_now(ask->node), db, op, key, value, digest, &seq, &fault);
    if (err) return hf_ask_fail(ask, 1, "not written: %s", *fault.what ? fault.what : hf_err_name(err));
    show_hash(ask, digest, seq);
}

/* Several at once are stored in one commit. What stands before one that is refused is written all the same, and its hashes are told. */
static void add(hf_ask *ask, uint32_t db, const char *const *words, size_t n_words) {
    bool list = ask->json && n_words > 2;
    for (size_t i = 1; i < n_words && !ask->status; i++) {
        hf_value value = value_of(ask, words[i]);
        size_t whole = ask->out.len;
        if (list) hf_buf_add_byte(&ask->out, i > 1 ? ',' : '[');
        append(ask, db, HF_ORBIT_ADD, NULL, &value);
        if (ask->status && i > 1) ask->out.len = whole;
    }
    if (list) hf_buf_add_str(&ask->out, "]\n");
}

static void put(hf_ask *ask, uint32_t db, const char *const *words, size_t n_words) {
    hf_core_db_about about;
    hf_value key = hf_value_text(hf_str(words[1])), value = value_of(ask, words[n_words - 1]);
    bool document = !hf_core_db_info(ask->node->core, db, &about) && hf_eq(about.type, HF_TEXT("documents"));
    if (document != (n_words == 2)) return hf_ask_fail(ask, 2, document ? "usage: holdfast db put DATABASE DOCUMENT" : "usage: holdfast db put DATABASE KEY VALUE");
    append(ask, db, HF_ORBIT_PUT, document ? NULL : &key, &value);
}

static void del(hf_ask *ask, uint32_t db, const char *const *words, size_t n_words) {
    (void)n_words;
    hf_value key = hf_value_text(hf_str(words[1]));
    append(ask, db, HF_ORBIT_DEL, &key, NULL);
}

static void import(hf_ask *ask, uint32_t db, const char *const *words, size_t n_words) {
    (void)db, (void)words, (void)n_words;
    hf_db_import(ask);
}

static void heads(hf_ask *ask, uint32_t db, const char *const *words, size_t n_words) {
    uint8_t digests[HEADS_SHOWN_MAX][32];
    size_t n = hf_core_db_heads(ask->node->core, db, digests, HEADS_SHOWN_MAX);
    (void)words, (void)n_words;
    if (ask->json) hf_buf_add_byte(&ask->out, '[');
    for (size_t i = 0; i < n && i < HEADS_SHOWN_MAX; i++) {
        if (ask->json) hf_buf_add_str(&ask->out, i ? ",\"" : "\"");
        hf_db_add_hash(&ask->out, digests[i]);
        hf_buf_add_byte(&ask->out, ask->json ? '"' : '\n');
    }
    if (ask->json) hf_buf_add_str(&ask->out, "]\n");
}

typedef hf_err (*change)(hf_core *core, uint64_t now_ms, uint32_t db, hf_bytes capability, hf_bytes id, uint64_t *ret_seq);

static void change_rights(hf_ask *ask, uint32_t db, const char *const *words, change make) {
    uint64_t seq = 0;
    hf_err err = make(ask->node->core, hf_node_now(ask->node), db, hf_str(words[1]), hf_str(words[2]), &seq);
    if (err == HF_EXISTS) return; /* it is so already */
    if (err == HF_STATE) return hf_ask_fail(ask, 1, "its access list is fixed: only a database made with --guarded can be changed");
    if (err == HF_DENIED) return hf_ask_fail(ask, 1, "this node may not grant or revoke here");
    if (err) return hf_ask_fail(ask, 1, "not changed: %s", hf_err_name(err));
    hf_ask_end_stored(ask, seq);
}

static void give(hf_ask *ask, uint32_t db, const char *const *words, size_t n_words) {
    (void)n_words;
    change_rights(ask, db, words, hf_core_db_grant);
}

static void take_back(hf_ask *ask, uint32_t db, const char *const *words, size_t n_words) {
    (void)n_words;
    change_rights(ask, db, words, hf_core_db_revoke);
}

static void identity(hf_ask *ask, uint32_t db, const char *const *words, size_t n_words) {
    (void)db, (void)words, (void)n_words;
    if (ask->json) hf_buf_add_str(&ask->out, "{\"id\":\"");
    hf_buf_add(&ask->out, hf_core_identity(ask->node->core));
    hf_buf_add_str(&ask->out, ask->json ? "\"}\n" : "\n");
}

/* ---- the table, and waiting for a database to be open ---- */

static const db_verb VERBS[] = {
    {"ls", "", 0, 0, false, list},
    {"identity", "", 0, 0, false, identity},
    {"create", "NAME [--type TYPE] [--write ID|'*']... [--guarded]", 1, HF_ASK_WORDS_MAX, false, create},
    {"open", "ADDRESS", 1, 1, true, opened},
    {"close", "DATABASE", 1, 1, false, close_one},
    {"all", "DATABASE", 1, 1, true, all},
    {"get", "DATABASE KEY", 2, 2, true, get},
    {"put", "DATABASE KEY VALUE | DATABASE DOCUMENT", 2, 3, true, put},
    {"add", "DATABASE VALUE...", 2, HF_ASK_WORDS_MAX, true, add},
    {"del", "DATABASE KEY", 2, 2, true, del},
    {"query", "DATABASE [--amount N] [--lt|--lte|--gt|--gte HASH]...", 1, 11, true, query},
    {"heads", "DATABASE", 1, 1, true, heads},
    {"grant", "DATABASE CAPABILITY ID", 3, 3, true, give},
    {"revoke", "DATABASE CAPABILITY ID", 3, 3, true, take_back},
    {"export", "DATABASE [--car FILE]", 1, 3, true, export},
    {"import", "FILE [--into DATABASE]", 1, 3, false, import},
};

static void when_open(hf_ask *ask) {
    waiting *w = ask->opening;
    hf_core_db_about about;
    bool collection = hf_core_collection(ask->node->core, w->db) != NULL;
    if (!collection && hf_core_db_info(ask->node->core, w->db, &about)) return hf_ask_fail(ask, 1, "%s: was closed meanwhile", w->word);
    if (!collection && about.phase == HF_CORE_BROKEN) return hf_ask_fail(ask, 1, "%s: %s", w->word, about.problem ? about.problem : "no database");
    bool alone = !collection && !ask->node->control && about.phase == HF_CORE_SEEKING;
    if (alone && hf_core_db_close(ask->node->core, hf_node_now(ask->node), w->db)) return hf_ask_fail(ask, 1, "out of memory");
    if (alone) return hf_ask_fail(ask, 1, "%s: not here, and no node runs that could ask others", w->word);
    if (!collection && about.phase != HF_CORE_OPEN) return;
    ask->step = NULL;
    w->run(ask, w->db);
}

void hf_db_open_then(hf_ask *ask, const char *word, void (*run)(hf_ask *ask, uint32_t db)) {
    waiting *w = hf_arena_alloc(&ask->arena, sizeof *w);
    if (!w) return hf_ask_fail(ask, 1, "out of memory");
    *w = (waiting){.run = run, .word = word};
    if (!find_db(ask, word, &w->db)) return;
    hf_err err = w->db ? HF_OK : hf_core_db_open(ask->node->core, hf_node_now(ask->node), hf_str(word), &w->db);
    if (err == HF_MALFORMED) return hf_ask_fail(ask, 2, "%s: neither the name of an open database nor an address /orbitdb/zdpu…", word);
    if (err) return hf_ask_fail(ask, 1, "%s: %s", word, hf_err_name(err));
    ask->opening = w;
    hf_ask_wait(ask, when_open, OPEN_MS);
    when_open(ask);
}

static const db_verb *find_verb(const char *name) {
    for (size_t i = 0; i < HF_COUNT(VERBS); i++)
        if (!strcmp(VERBS[i].name, name)) return &VERBS[i];
    return NULL;
}

static void run_verb(hf_ask *ask, uint32_t db) { find_verb(ask->words[1])->run(ask, db, ask->words + 2, ask->n_words - 2); }

static void fail_usage(hf_ask *ask) {
    char text[900] = "usage: holdfast db";
    for (size_t i = 0; i < HF_COUNT(VERBS); i++) {
        strncat(text, i ? "|" : " ", sizeof text - strlen(text) - 1);
        strncat(text, VERBS[i].name, sizeof text - strlen(text) - 1);
    }
    hf_ask_fail(ask, 2, "%s …", text);
}

void hf_verb_db(hf_ask *ask) {
    const db_verb *verb = ask->n_words > 1 ? find_verb(ask->words[1]) : NULL;
    if (!verb) return fail_usage(ask);
    size_t n = ask->n_words - 2;
    if (n < verb->n_min || n > verb->n_max) return hf_ask_fail(ask, 2, "usage: holdfast db %s %s", verb->name, verb->usage);
    if (verb->opens) hf_db_open_then(ask, ask->words[2], run_verb);
    else verb->run(ask, 0, ask->words + 2, n);
}
