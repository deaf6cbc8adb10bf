/* verbs_db_rows: what stands in a database, as lines or as JSON; of a long one piece by piece, so that neither it nor a slow asker holds the loop, or the
 * store's WAL. */
#include "verbs.h"

#include "../core/codec/json.h"
#include "../core/log/link_text.h"

void hf_db_add_hash(hf_buf *out, const uint8_t digest[32]) {
    char text[HF_CID_TEXT_LEN];
    hf_link_text_write(digest, text);
    hf_buf_add(out, HF_BYTES(text, sizeof text));
}

void hf_db_add_value(hf_buf *out, const hf_value *value) {
    if (value) hf_json_add(out, value);
    else hf_buf_add_str(out, "null");
}

void hf_db_add_row(hf_buf *out, const hf_core_row *row) {
    hf_buf_add_str(out, "{\"hash\":\"");
    hf_db_add_hash(out, row->digest);
    if (row->key) hf_buf_add_str(out, "\",\"key\":");
    if (row->key) hf_db_add_value(out, row->key);
    hf_buf_add_str(out, row->key ? ",\"value\":" : "\",\"value\":");
    hf_db_add_value(out, row->value);
    hf_buf_add_byte(out, '}');
}

/* ---- many, piece by piece ---- */

enum { PIECE_LEN = 56 << 10, PIECE_ROWS = 512 };

typedef struct rows { hf_ask *ask; hf_core_rows *left; size_t n, n_end; bool lines; } rows;

static bool show_row(void *ctx, const hf_core_row *row) {
    rows *r = ctx;
    hf_buf *out = &r->ask->out;
    if (r->lines) {
        hf_db_add_row(out, row);
        hf_buf_add_byte(out, '\n');
    } else if (r->ask->json) {
        hf_buf_add_byte(out, r->n ? ',' : '[');
        hf_db_add_row(out, row);
    } else {
        if (row->key) hf_db_add_value(out, row->key);
        else hf_db_add_hash(out, row->digest);
        hf_buf_add_byte(out, '\t');
        hf_db_add_value(out, row->value);
        hf_buf_add_byte(out, '\n');
    }
    return ++r->n < r->n_end && out->len < PIECE_LEN && !out->err;
}

static void drop_rows(hf_ask *ask) { hf_core_rows_free(((rows *)ask->state)->left); }

static void show_more(hf_ask *ask) {
    rows *r = ask->state;
    bool more = true;
    if (!ask->is_said || ask->out.len >= PIECE_LEN || ask->out.err) return;
    r->n_end = r->n + PIECE_ROWS;
    hf_err err = hf_core_rows_visit(r->left, show_row, r, &more);
    if (err == HF_MISSING) return hf_ask_fail(ask, 1, "the store lost a block of it; peers will be asked for it");
    if (err == HF_STATE) return hf_ask_fail(ask, 1, "it was closed meanwhile");
    if (err) return hf_ask_fail(ask, 1, "cannot be read: %s", hf_err_name(err));
    if (more) return;
    ask->step = NULL;
    if (ask->json && !r->lines) hf_buf_add_str(&ask->out, r->n ? "]\n" : "[]\n");
}

void hf_db_show_rows(hf_ask *ask, uint32_t db, const hf_core_query *query, bool lines) {
    if (hf_core_collection(ask->node->core, db)) return hf_ask_fail(ask, 1, "a collection of the app: pages and /api/v1 read it; db export --car takes it whole");
    rows *r = hf_arena_alloc(&ask->arena, sizeof *r);
    if (!r) return hf_ask_fail(ask, 1, "out of memory");
    *r = (rows){.ask = ask, .lines = lines};
    hf_err err = hf_core_rows_new(ask->node->core, db, query, &r->left);
    if (err) return hf_ask_fail(ask, 1, "cannot be read: %s", hf_err_name(err));
    ask->state = r;
    ask->drop = drop_rows;
    hf_ask_wait(ask, show_more, UINT64_MAX);
    show_more(ask);
}
