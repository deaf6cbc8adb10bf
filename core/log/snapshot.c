/* snapshot: see snapshot.h. Read in two passes: the first only checks, so that nothing is half restored. */
#include "snapshot.h"

#include "../codec/varint.h"
#include "log_state.h"

static const char MAGIC[] = "HFL2";
enum { MAGIC_LEN = 4, CHECKSUM_LEN = 32, DIGEST_LEN = 32 };

/* ---- writing ---- */

static void add_item(const hf_log *log, uint32_t number, hf_buf *buf) {
    const hf_log_item *item = &log->index.items[number];
    hf_varint_add(buf, item->writer);
    hf_varint_add(buf, item->time);
    hf_varint_add(buf, item->n_next);
    for (uint32_t i = 0; i < item->n_next; i++) hf_varint_add(buf, number - log->index.links.at[item->first_next + i]);
}

void hf_log_save(const hf_log *log, size_t n_items, hf_buf *buf) {
    size_t from = buf->len;
    HF_ASSERT(n_items <= log->index.n_items);
    hf_buf_add_str(buf, MAGIC);
    hf_varint_add(buf, log->address.len);
    hf_buf_add(buf, log->address);
    hf_varint_add(buf, log->index.n_writers);
    for (size_t i = 0; i < log->index.n_writers; i++) hf_buf_add(buf, HF_BYTES(log->index.writers[i]->key, HF_PUBLIC_KEY_HEX_LEN));
    for (size_t i = 0; i < log->index.n_writers; i++) hf_varint_add(buf, log->index.writers[i]->bytes);
    hf_varint_add(buf, n_items);
    for (size_t i = 0; i < n_items; i++) add_item(log, (uint32_t)i, buf);
    for (size_t i = 0; i < n_items; i++) hf_buf_add(buf, HF_BYTES(log->index.items[i].digest, DIGEST_LEN));
    if (buf->err) return;
    uint8_t checksum[CHECKSUM_LEN];
    hf_sha256_of(hf_sub(hf_buf_bytes(buf), from, buf->len), checksum);
    hf_buf_add(buf, HF_BYTES(checksum, sizeof checksum));
}

/* ---- reading ---- */

typedef struct reader {
    hf_bytes bytes;
    size_t at;
    bool bad;
} reader;

static uint64_t number(reader *r) {
    uint64_t value = 0;
    size_t len = 0;
    if (r->bad || hf_varint_read(hf_sub(r->bytes, r->at, r->bytes.len), &value, &len)) return r->bad = true, 0;
    r->at += len;
    return value;
}

static hf_bytes take(reader *r, uint64_t len) {
    if (r->bad || len > r->bytes.len - r->at) return r->bad = true, HF_BYTES(NULL, 0);
    hf_bytes bytes = hf_sub(r->bytes, r->at, (size_t)len);
    r->at += (size_t)len;
    return bytes;
}

/* One item's head; its links follow in the reader. */
typedef struct shape {
    uint64_t writer, time, n_next;
} shape;

static shape item_of(reader *r) {
    shape s = {.writer = number(r)};
    s.time = number(r);
    s.n_next = number(r);
    return s;
}

static void check_item(reader *r, uint64_t n_before, uint64_t n_writers) {
    shape s = item_of(r);
    r->bad |= s.writer >= n_writers || s.time == 0 || s.n_next > r->bytes.len; /* before it is taken as a size */
    for (uint64_t i = 0; i < s.n_next && !r->bad; i++) {
        uint64_t back = number(r);
        r->bad |= back == 0 || back > n_before;
    }
}

typedef struct parts {
    hf_bytes keys, digests;
    reader items, sizes;
    uint64_t n_writers, n_items;
} parts;

static bool check(const hf_log *log, hf_bytes body, parts *ret) {
    reader r = {.bytes = body, .at = MAGIC_LEN};
    r.bad = !hf_eq(take(&r, number(&r)), log->address);
    ret->n_writers = number(&r);
    if (ret->n_writers > body.len) return false; /* before it is multiplied */
    ret->keys = take(&r, ret->n_writers * HF_PUBLIC_KEY_HEX_LEN);
    ret->sizes = r;
    for (uint64_t i = 0; i < ret->n_writers && !r.bad; i++) (void)number(&r);
    ret->n_items = number(&r);
    ret->items = r;
    if (ret->n_items > body.len) return false;
    for (uint64_t i = 0; i < ret->n_items && !r.bad; i++) check_item(&r, i, ret->n_writers);
    ret->digests = take(&r, ret->n_items * DIGEST_LEN);
    return !r.bad && r.at == body.len;
}

/* Checked before: only memory can be short. */
static hf_err add_one(hf_log *log, parts *p, uint64_t number_of_item) {
    shape s = item_of(&p->items);
    hf_index *index = &log->index;
    hf_err err = hf_index_reserve(index, (size_t)s.n_next);
    if (!err) err = hf_grow(log->mem, (void **)&log->parents.at, &log->parents.cap, sizeof *log->parents.at, (size_t)s.n_next);
    if (err) return err;
    for (uint64_t i = 0; i < s.n_next; i++) log->parents.at[i] = (uint32_t)(number_of_item - number(&p->items));
    const uint8_t *digest = p->digests.ptr + number_of_item * DIGEST_LEN;
    if (hf_index_find(index, digest) != HF_INDEX_NONE) return HF_MALFORMED;
    hf_index_add(index, digest, index->writers[s.writer], s.time, log->parents.at, (size_t)s.n_next);
    return HF_OK;
}

static hf_err add_all(hf_log *log, parts *p) {
    hf_err err = HF_OK;
    for (uint64_t i = 0; i < p->n_writers; i++)
        if (!hf_index_writer_of(&log->index, hf_sub(p->keys, (size_t)i * HF_PUBLIC_KEY_HEX_LEN, HF_PUBLIC_KEY_HEX_LEN))) return HF_NOMEM;
    if (log->index.n_writers != p->n_writers) return HF_MALFORMED; /* a key twice, or the log knew others */
    for (uint64_t i = 0; i < p->n_writers; i++) log->index.writers[i]->bytes = number(&p->sizes);
    for (uint64_t i = 0; i < p->n_items && !err; i++) err = add_one(log, p, i);
    return err;
}

static hf_err is_whole(hf_bytes saved, hf_fault *fault) {
    if (saved.len < MAGIC_LEN + CHECKSUM_LEN || !hf_starts(saved, hf_str(MAGIC))) return hf_fail(fault, HF_MALFORMED, "snapshot: another version", 0);
    uint8_t checksum[CHECKSUM_LEN];
    size_t len = saved.len - CHECKSUM_LEN;
    hf_sha256_of(hf_sub(saved, 0, len), checksum);
    if (hf_eq(hf_sub(saved, len, CHECKSUM_LEN), HF_BYTES(checksum, CHECKSUM_LEN))) return HF_OK;
    return hf_fail(fault, HF_MALFORMED, "snapshot: damaged", len);
}

hf_err hf_log_unrestore(hf_log *log) {
    uint64_t seed = log->index.seed;
    hf_index_deinit(&log->index);
    log->counters.joined = log->counters.equivocations = 0;
    return hf_index_init(&log->index, log->mem, seed);
}

/* What was restored wrongly is thrown away; only a damaged store that kept its checksum could come here. */
static hf_err start_over(hf_log *log, hf_err err, hf_fault *fault) {
    hf_err again = hf_log_unrestore(log);
    if (again) return again;
    return err == HF_MALFORMED ? hf_fail(fault, err, "snapshot: an entry or writer twice", 0) : err;
}

hf_err hf_log_restore(hf_log *log, hf_bytes saved, hf_fault *fault) {
    if (log->index.n_items || log->index.n_writers) return HF_STATE;
    hf_err err = is_whole(saved, fault);
    if (err) return err;
    parts p;
    if (!check(log, hf_sub(saved, 0, saved.len - CHECKSUM_LEN), &p)) return hf_fail(fault, HF_MALFORMED, "snapshot: its parts do not fit", 0);
    err = add_all(log, &p);
    if (err) return start_over(log, err, fault);
    log->counters.joined = log->index.n_items; /* as if they had been loaded one by one */
    log->counters.equivocations = log->index.n_equivocations;
    return HF_OK;
}
