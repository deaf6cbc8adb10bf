/* disk: see disk.h. */
#include "world.h"

#include <string.h>

/* ---- blocks of the world ---- */

static hf_sim_block *block_hold(hf_world *w, const uint8_t cid[HF_CID_LEN], hf_bytes bytes) {
    hf_sim_block *b = hf_map_get(&w->blocks.map, HF_BYTES(cid, HF_CID_LEN));
    if (!b) {
        b = hf_world_alloc(w, sizeof *b + bytes.len);
        memcpy(b->cid, cid, HF_CID_LEN);
        memcpy(b->bytes, bytes.ptr, bytes.len);
        b->len = bytes.len;
        w->blocks.n_bytes += b->len;
        hf_err err = hf_map_put(&w->blocks.map, HF_BYTES(b->cid, HF_CID_LEN), b);
        HF_ASSERT(!err);
    }
    b->refs++;
    return b;
}

static void block_let(hf_world *w, hf_sim_block *b) {
    if (--b->refs) return;
    hf_map_remove(&w->blocks.map, HF_BYTES(b->cid, HF_CID_LEN));
    w->blocks.n_bytes -= b->len;
    hf_release(&w->mem, b, sizeof *b + b->len);
}

/* ---- one disk ---- */

void hf_disk_init(hf_world *w, uint32_t peer) {
    hf_disk *d = &w->peers[peer].disk;
    hf_map_init(&d->index, &w->mem, 1);
    for (size_t i = 0; i < HF_COUNT(d->snapshot); i++) hf_buf_init(&d->snapshot[i], &w->mem);
}

static void index_one(hf_disk *d, size_t i) {
    hf_sim_block *b = d->records[i].block;
    hf_err err = hf_map_put(&d->index, HF_BYTES(b->cid, HF_CID_LEN), b);
    HF_ASSERT(!err);
}

static void forget_from(hf_world *w, hf_disk *d, size_t keep) {
    while (d->n > keep) {
        hf_sim_block *b = d->records[--d->n].block;
        hf_map_remove(&d->index, HF_BYTES(b->cid, HF_CID_LEN));
        block_let(w, b);
    }
    /* A block may be stored twice, as an identity is for two logs: what is kept of it is found again. */
    if (d->n_synced > keep) d->n_synced = keep;
    for (size_t i = 0; i < d->n_synced; i++) index_one(d, i);
    if (keep >= d->snapshot_n) return;
    d->snapshot_n = 0;
    for (size_t i = 0; i < HF_COUNT(d->snapshot); i++) hf_buf_clear(&d->snapshot[i]);
}

void hf_disk_deinit(hf_world *w, uint32_t peer) {
    hf_disk *d = &w->peers[peer].disk;
    forget_from(w, d, 0);
    hf_map_deinit(&d->index);
    hf_release(&w->mem, d->records, d->cap * sizeof *d->records);
    for (size_t i = 0; i < HF_COUNT(d->snapshot); i++) hf_buf_deinit(&d->snapshot[i]);
}

void hf_disk_put(hf_world *w, uint32_t peer, uint64_t seq, uint32_t database, const uint8_t cid[HF_CID_LEN], hf_bytes block) {
    hf_disk *d = &w->peers[peer].disk;
    hf_world_grow(w, (void **)&d->records, &d->cap, sizeof *d->records, d->n + 1);
    d->records[d->n++] = (hf_disk_record){seq, block_hold(w, cid, block), database};
}

void hf_disk_sync(hf_world *w, uint32_t peer) {
    hf_sim_peer *p = &w->peers[peer];
    hf_disk *d = &p->disk;
    if (d->n_syncing || d->n_synced == d->n) return;
    d->n_syncing = d->n;
    uint64_t takes_ms = 1 + hf_world_draw(w, 5);
    if (d->slow_until_ms > w->now_ms) takes_ms += hf_world_draw(w, 2000);
    hf_world_push(w, w->now_ms + takes_ms, HF_EVENT_SYNCED, peer, p->life);
}

static void index_to(hf_disk *d, size_t n) {
    for (; d->n_synced < n; d->n_synced++) index_one(d, d->n_synced);
}

bool hf_disk_synced(hf_world *w, uint32_t peer, uint64_t *ret_seq) {
    hf_disk *d = &w->peers[peer].disk;
    size_t n = d->n_syncing;
    d->n_syncing = 0;
    if (d->full) return false;
    index_to(d, n);
    bool lies = w->config.harms >> HF_HARM_LIE & 1;
    if (!lies || hf_world_chance(w, 100)) d->n_safe = d->n_synced;
    else hf_world_count(w, HF_HARM_LIE);
    *ret_seq = d->records[n - 1].seq;
    return true;
}

void hf_disk_crash(hf_world *w, uint32_t peer) {
    hf_disk *d = &w->peers[peer].disk;
    size_t keep = d->n_safe;
    if (hf_world_harms(w, HF_HARM_TORN) && d->n > keep) {
        keep += hf_world_draw(w, d->n - keep + 1);
        if (keep > d->n_safe) hf_world_count(w, HF_HARM_TORN);
    }
    forget_from(w, d, keep);
    index_to(d, keep);
    d->n_safe = keep;
    d->n_syncing = 0;
    d->full = false;
}

void hf_disk_wipe(hf_world *w, uint32_t peer) {
    hf_disk *d = &w->peers[peer].disk;
    forget_from(w, d, 0);
    d->n_synced = d->n_safe = d->n_syncing = 0;
    d->generation++;
}

hf_err hf_disk_get(void *disk, hf_bytes cid, hf_bytes *ret) {
    const hf_disk *d = disk;
    const hf_sim_block *b = hf_map_get(&d->index, cid);
    if (!b) return HF_NOT_FOUND;
    *ret = HF_BYTES(b->bytes, b->len);
    return HF_OK;
}
