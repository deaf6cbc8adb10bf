/* db_lines: `holdfast db import FILE --into DATABASE`: lines of JSON as `db export` writes them, {"value"}, {"key", "value"}, a "hash" beside it. Each becomes
 * an entry of this node's, unless the database shows it already: a key with that value, an event with that hash, or as many events of that value as the
 * file has up to there. So the same file taken twice changes nothing the second time. All lines are judged before the first is written. */
#include "db_import.h"
#include "db_line.h"

#include "../core/codec/dag_cbor.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STEP_LINES = 64, CHUNK_LEN = 64 << 10, LINE_BYTES_MAX = 4 * HF_ENTRY_BYTES_MAX, UNSTORED_MAX = 4096 };

typedef struct lines {
    int fd;
    uint64_t len, at, number;    /* bytes; read; lines taken */
    hf_buf held;                 /* read and not taken */
    size_t from;                 /* taken of `held` */
    uint32_t db;
    bool events, documents, writing, counted;
    hf_map counts;               /* events: digest of a value -> how many of them the file has not named yet */
    hf_arena arena;              /* for one line */
    size_t n_new, n_there;
} lines;

static void drop(hf_ask *ask) {
    lines *l = ask->state;
    hf_buf_deinit(&l->held);
    hf_map_deinit(&l->counts);
    hf_arena_deinit(&l->arena);
    if (l->fd >= 0) close(l->fd);
}

static void refuse(hf_ask *ask, const char *why) {
    const lines *l = ask->state;
    hf_ask_fail(ask, 1, "%s: line %llu: %s; %s", ask->words[2], (unsigned long long)l->number, why, l->writing ? "the lines before it were taken" : "nothing was taken");
}

/* ---- line by line ---- */

/* False: there is none, or the ask has failed. */
static bool next_line(hf_ask *ask, hf_bytes *ret) {
    lines *l = ask->state;
    for (;;) {
        hf_bytes rest = hf_sub(hf_buf_bytes(&l->held), l->from, l->held.len);
        size_t end = hf_find(rest, '\n', 0);
        bool last = l->at == l->len;
        if (end < rest.len || (last && rest.len)) {
            l->from += end + (end < rest.len);
            l->number++;
            *ret = hf_sub(rest, 0, end);
            return true;
        }
        if (last) return false;
        if (rest.len > LINE_BYTES_MAX) return l->number++, refuse(ask, "longer than an entry may be"), false;
        hf_buf_consume(&l->held, l->from);
        l->from = 0;
        size_t n = l->len - l->at < CHUNK_LEN ? (size_t)(l->len - l->at) : CHUNK_LEN;
        uint8_t *room = hf_buf_extend(&l->held, n);
        if (!room) return hf_ask_fail(ask, 1, "out of memory"), false;
        if (!hf_import_read(ask, l->fd, l->at, n, room)) return false;
        l->at += n;
    }
}

static void rewind_lines(lines *l) {
    l->at = l->number = 0;
    l->from = 0;
    hf_buf_clear(&l->held);
}

/* ---- is it there? ---- */

static hf_err digest_of(hf_mem *mem, const hf_value *value, uint8_t ret[32]) {
    hf_buf cbor;
    hf_value none = hf_value_null();
    hf_buf_init(&cbor, mem);
    hf_err err = hf_cbor_encode(value ? value : &none, &cbor);
    if (!err) hf_sha256_of(hf_buf_bytes(&cbor), ret);
    hf_buf_deinit(&cbor);
    return err;
}

typedef struct count { uint8_t digest[32]; size_t n; } count;

static bool count_row(void *ctx, const hf_core_row *row) {
    hf_ask *ask = ctx;
    lines *l = ask->state;
    uint8_t digest[32];
    if (digest_of(&ask->node->mem, row->value, digest)) return true;
    count *c = hf_map_get(&l->counts, HF_BYTES(digest, 32));
    if (!c) {
        c = hf_arena_alloc(&ask->arena, sizeof *c);
        if (!c) return hf_ask_fail(ask, 1, "out of memory"), false;
        memcpy(c->digest, digest, 32);
        if (hf_map_put(&l->counts, HF_BYTES(c->digest, 32), c)) return hf_ask_fail(ask, 1, "out of memory"), false;
    }
    c->n++;
    return true;
}

/* Every event that the file has is counted off, known by its hash or not. */
static bool has_event(hf_ask *ask, const hf_db_line *given) {
    lines *l = ask->state;
    uint8_t digest[32];
    if (!l->counted && hf_core_db_each(ask->node->core, l->db, NULL, count_row, ask)) return hf_ask_fail(ask, 1, "what is there cannot be read"), false;
    l->counted = true;
    if (ask->problem.len || digest_of(&ask->node->mem, given->value, digest)) return false;
    count *c = hf_map_get(&l->counts, HF_BYTES(digest, 32));
    if (!c || !c->n) return false;
    c->n--;
    return true;
}

static bool has_key(hf_ask *ask, const hf_db_line *given) {
    lines *l = ask->state;
    hf_core_row row;
    uint8_t there[32], wanted[32];
    hf_value key = given->key ? *given->key : *hf_value_get(given->value, "_id");
    if (hf_core_db_get(ask->node->core, l->db, &key, &row)) return false;
    return !digest_of(&ask->node->mem, row.value, there) && !digest_of(&ask->node->mem, given->value, wanted) && !memcmp(there, wanted, 32);
}

static bool write_one(hf_ask *ask, const hf_db_line *given) {
    lines *l = ask->state;
    hf_fault fault = {NULL, 0};
    uint64_t seq;
    hf_value field = hf_value_text(given->field);
    if (l->events ? has_event(ask, given) : has_key(ask, given)) return l->n_there++, true;
    if (ask->problem.len) return false;
    const hf_value *key = l->events ? NULL : l->documents ? given->field.len ? &field : NULL : given->key;
    hf_err err = hf_core_db_append(ask->node->core, hf_node_now(ask->node), l->db, l->events ? HF_ORBIT_ADD : HF_ORBIT_PUT, key, given->value, NULL, &seq, &fault);
    if (err) return refuse(ask, fault.what && *fault.what ? fault.what : hf_err_name(err)), false;
    l->n_new++;
    return true;
}

/* ---- the steps ---- */

static void report(hf_ask *ask) {
    const lines *l = ask->state;
    hf_buf *out = &ask->out;
    hf_buf_add_str(out, ask->json ? "[{\"address\":\"" : "");
    hf_buf_add(out, hf_core_address(ask->node->core, l->db));
    hf_buf_add_str(out, ask->json ? "\",\"new\":" : "\tnew ");
    hf_buf_add_u64(out, l->n_new);
    hf_buf_add_str(out, ask->json ? ",\"there\":" : "\tthere ");
    hf_buf_add_u64(out, l->n_there);
    hf_buf_add_str(out, ask->json ? ",\"waiting\":0}]\n" : "\twaiting 0\n");
    hf_ask_end_stored(ask, hf_core_seq(ask->node->core));
}

static bool is_blank(hf_bytes text) {
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != ' ' && text.ptr[i] != '\r' && text.ptr[i] != '\t') return false;
    return true;
}

static void go_on(hf_ask *ask) {
    lines *l = ask->state;
    hf_bytes text;
    if (hf_core_seq(ask->node->core) - hf_core_seq_stored(ask->node->core) > UNSTORED_MAX) return;
    for (size_t i = 0; i < STEP_LINES; i++) {
        hf_db_line given;
        bool more = next_line(ask, &text);
        if (ask->problem.len) return;
        if (!more && l->writing) return report(ask);
        if (!more) {
            l->writing = true;
            rewind_lines(l);
            break;
        }
        if (is_blank(text)) continue;
        hf_arena_clear(&l->arena);
        const char *why = hf_db_line_read(&l->arena, text, l->events, l->documents, &given);
        if (why) return refuse(ask, why);
        if (l->writing && !write_one(ask, &given)) return;
    }
    ask->hurry = true;
}

static void opened(hf_ask *ask, uint32_t db) {
    lines *l = ask->state;
    hf_core_db_about about;
    if (hf_core_db_info(ask->node->core, db, &about)) return hf_ask_fail(ask, 1, "a collection of the app takes archives, not lines");
    l->db = db;
    l->events = hf_eq(about.type, HF_TEXT("events"));
    l->documents = hf_eq(about.type, HF_TEXT("documents"));
    if (!about.type.len) return hf_ask_fail(ask, 1, "a database of a type that is not js's own takes archives, not lines");
    hf_ask_wait(ask, go_on, UINT64_MAX);
    ask->hurry = true;
}

static void receive(hf_ask *ask) {
    lines *l = ask->state;
    if (!hf_import_write(ask, l->fd, hf_buf_bytes(&ask->in))) return;
    l->len += ask->in.len;
    hf_buf_clear(&ask->in);
    if (ask->in_over) hf_db_open_then(ask, ask->words[4], opened);
}

void hf_db_import_lines(hf_ask *ask, int fd) {
    lines *l = hf_arena_alloc(&ask->arena, sizeof *l);
    if (!l || fd < 0) {
        if (fd >= 0) close(fd);
        return hf_ask_fail(ask, 1, l ? "no room for it in the data folder" : "out of memory");
    }
    l->fd = fd;
    hf_buf_init(&l->held, &ask->node->mem);
    hf_arena_init(&l->arena, &ask->node->mem);
    hf_map_init(&l->counts, &ask->node->mem, hf_node_wall());
    ask->state = l;
    ask->drop = drop;
    if (ask->n_words != 5 || strcmp(ask->words[3], "--into") != 0) return hf_ask_fail(ask, 2, "lines of JSON name no database: holdfast db import FILE --into DATABASE");
    hf_ask_wait(ask, receive, UINT64_MAX);
    receive(ask);
}
