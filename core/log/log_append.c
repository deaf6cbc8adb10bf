/* log_append: writing an entry of our own. Section 7, "Append". */
#include "log_state.h"

#include "entry_read.h"
#include "link_text.h"

#include <string.h>

enum {
    NEXT_MAX = 256, /* js takes all heads; more than these would pass its 16 KiB for one entry. The rest stay heads for the next entry. */
};

typedef struct draft {
    hf_log *log;
    uint32_t *items;                    /* next, as item numbers */
    char (*next)[HF_CID_TEXT_LEN];
    size_t n_next;
    char refs[HF_LOG_REFS][HF_CID_TEXT_LEN];
    size_t n_refs, n_skip;
    uint64_t time;
} draft;

static void copy_text(hf_log *log, uint32_t item, char ret[HF_CID_TEXT_LEN]) {
    hf_log_text *t = &log->recent[item % HF_LOG_RECENT];
    if (t->item_plus_one != item + 1) {
        hf_link_text_write(log->index.items[item].digest, t->text);
        t->item_plus_one = item + 1;
    }
    memcpy(ret, t->text, HF_CID_TEXT_LEN);
}

/* "refs = positions h … h+15 of the traversal from the heads (newest first), where h is the number of heads" */
static bool take_ref(void *ctx, uint32_t item) {
    draft *d = ctx;
    if (d->n_skip) d->n_skip--;
    else copy_text(d->log, item, d->refs[d->n_refs++]);
    return d->n_refs < HF_LOG_REFS;
}

/* What entries of this writer need to be loaded again: its identity, without checking signatures that we made. */
static hf_err know_writer(hf_log *log, const hf_writer *writer) {
    if (hf_log_knows_identity(log, writer->cid + HF_CID_LEN - 32)) return HF_OK;
    hf_identity identity;
    uint8_t key[HF_PUBLIC_KEY_HEX_LEN / 2];
    memcpy(identity.digest, writer->cid + HF_CID_LEN - 32, 32);
    memcpy(identity.id, writer->id, sizeof identity.id);
    memcpy(identity.public_key, writer->public_key, sizeof identity.public_key);
    if (!hf_hex_read(HF_BYTES(writer->public_key, sizeof writer->public_key), key)) return HF_MALFORMED;
    hf_err err = hf_secp_parse(HF_BYTES(key, sizeof key), &identity.key);
    return err ? err : hf_log_identity(log, &identity);
}

static hf_err draft_links(hf_log *log, draft *d) {
    const hf_index *index = &log->index;
    d->n_next = d->n_skip = index->heads.n < NEXT_MAX ? index->heads.n : NEXT_MAX;
    hf_arena_clear(&log->scratch);
    d->next = hf_arena_alloc(&log->scratch, d->n_next * sizeof *d->next + 1);
    d->items = hf_arena_alloc(&log->scratch, d->n_next * sizeof *d->items + 1);
    if (!d->next || !d->items) return HF_NOMEM;
    for (size_t i = 0; i < d->n_next; i++) {
        d->items[i] = index->heads.at[i];
        copy_text(log, d->items[i], d->next[i]);
    }
    d->time = hf_index_time(index) + 1;
    d->n_refs = 0;
    return hf_index_traverse(index, index->heads.at, index->heads.n, take_ref, d);
}

static hf_err write(hf_log *log, const hf_writer *writer, const draft *d, hf_bytes payload_cbor, hf_buf *block, uint32_t *ret_index) {
    hf_index_writer *w = hf_index_writer_of(&log->index, HF_BYTES(writer->public_key, HF_PUBLIC_KEY_HEX_LEN));
    if (!w) return HF_NOMEM;
    hf_entry_links next = {NULL, (const char(*)[HF_CID_TEXT_LEN])d->next, d->n_next};
    hf_entry_links refs = {NULL, (const char(*)[HF_CID_TEXT_LEN])d->refs, d->n_refs};
    uint8_t digest[32];
    hf_err err = hf_index_reserve(&log->index, d->n_next);
    if (!err) err = hf_entry_write(writer, log->address, next, refs, d->time, payload_cbor, block, digest);
    if (err) return err;
    *ret_index = hf_index_add(&log->index, digest, w, d->time, d->items, d->n_next);
    w->bytes += block->len;
    log->counters.joined++;
    log->counters.equivocations = log->index.n_equivocations;
    return HF_OK;
}

hf_err hf_log_append(hf_log *log, const hf_writer *writer, hf_bytes payload_cbor, hf_buf *block, uint32_t *ret_index) {
    if (!hf_log_allows(log, HF_BYTES(writer->id, sizeof writer->id))) return HF_DENIED;
    hf_err err = know_writer(log, writer);
    draft d;
    d.log = log;
    if (!err) err = draft_links(log, &d);
    return err ? err : write(log, writer, &d, payload_cbor, block, ret_index);
}
