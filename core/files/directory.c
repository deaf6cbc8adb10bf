/* directory: see directory.h. Entries are sorted once: by name for a plain node, by hash for shards, where a shard is then a run. */
#include "directory.h"

#include "unixfs.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 8 }; /* 64 bits of hash, 8 a level */

typedef struct entry {
    hf_bytes name, cid;
    uint64_t dag_bytes, hash;
} entry;

struct hf_directory {
    hf_mem *mem;
    hf_block_sink sink;
    hf_arena arena;
    entry *entries;
    size_t n, cap, link_bytes;
    hf_buf data;
};

hf_directory *hf_directory_new(hf_mem *mem, hf_block_sink sink) {
    hf_directory *d = hf_alloc(mem, sizeof *d);
    if (!d) return NULL;
    *d = (hf_directory){.mem = mem, .sink = sink};
    hf_arena_init(&d->arena, mem);
    hf_buf_init(&d->data, mem);
    return d;
}

void hf_directory_free(hf_directory *d) {
    if (!d) return;
    hf_release(d->mem, d->entries, d->cap * sizeof *d->entries);
    hf_arena_deinit(&d->arena);
    hf_buf_deinit(&d->data);
    hf_release(d->mem, d, sizeof *d);
}

static bool name_is_sound(hf_bytes name) {
    if (!name.len || name.len > HF_NAME_MAX || hf_eq(name, HF_TEXT(".")) || hf_eq(name, HF_TEXT(".."))) return false;
    return hf_find(name, '/', 0) == name.len && hf_find(name, 0, 0) == name.len;
}

hf_err hf_directory_add(hf_directory *d, hf_bytes name, hf_bytes cid, uint64_t dag_bytes) {
    if (!name_is_sound(name) || !hf_cid_valid(cid) || cid.len > HF_CID_BYTES_MAX) return HF_MALFORMED;
    if (d->n == HF_DIRECTORY_MAX) return HF_LIMIT;
    hf_err err = hf_grow(d->mem, (void **)&d->entries, &d->cap, sizeof *d->entries, d->n + 1);
    if (err) return err;
    entry e = {hf_arena_copy(&d->arena, name), hf_arena_copy(&d->arena, cid), dag_bytes, hf_unixfs_hash(name)};
    if (!e.name.ptr || !e.cid.ptr) return HF_NOMEM;
    d->entries[d->n++] = e;
    d->link_bytes += name.len + cid.len;
    return HF_OK;
}

static int by_name(const void *a, const void *b) {
    const entry *x = a, *y = b;
    return hf_cmp(x->name, y->name);
}

static int by_hash(const void *a, const void *b) {
    const entry *x = a, *y = b;
    return x->hash != y->hash ? (x->hash > y->hash ? 1 : -1) : hf_cmp(x->name, y->name);
}

static bool has_twins(const hf_directory *d) {
    for (size_t i = 1; i < d->n; i++)
        if (hf_eq(d->entries[i - 1].name, d->entries[i].name)) return true;
    return false;
}

/* The node is whole: its data follows the links, and it goes to the sink. */
static hf_err finish(hf_directory *d, hf_buf *node, uint64_t links_bytes, hf_imported *ret) {
    hf_dag_pb_add_data(node, hf_buf_bytes(&d->data));
    if (node->err || d->data.err) return HF_NOMEM;
    if (node->len > HF_BLOCK_MAX) return HF_LIMIT;
    hf_cid_of_codec(HF_CODEC_DAG_PB, hf_buf_bytes(node), ret->cid);
    ret->file_bytes = 0;
    ret->dag_bytes = links_bytes + node->len;
    return d->sink.put(d->sink.ctx, HF_BYTES(ret->cid, HF_CID_LEN), hf_buf_bytes(node));
}

static hf_err write_plain(hf_directory *d, hf_imported *ret) {
    uint64_t links_bytes = 0;
    hf_buf node;
    hf_buf_init(&node, d->mem);
    for (size_t i = 0; i < d->n; i++) {
        const entry *e = &d->entries[i];
        hf_dag_pb_add_link(&node, &(hf_dag_link){e->cid, e->name, e->dag_bytes, true, true});
        links_bytes += e->dag_bytes;
    }
    hf_buf_clear(&d->data);
    hf_unixfs_add_directory(&d->data);
    hf_err err = finish(d, &node, links_bytes, ret);
    hf_buf_deinit(&node);
    return err;
}

/* ---- shards, without recursion: one open shard a level ---- */

typedef struct shard {
    hf_buf node;
    size_t at, end;   /* entries of this shard that are still to be written */
    uint32_t slot;    /* in the shard above */
    uint64_t links_bytes;
    uint8_t bits[HF_UNIXFS_FANOUT / 8]; /* slot 0 is the last byte's lowest bit */
} shard;

static void add_slot(shard *s, uint32_t slot, hf_bytes rest, hf_bytes cid, uint64_t dag_bytes) {
    static const char hex[] = "0123456789ABCDEF";
    uint8_t name[2 + HF_NAME_MAX] = {(uint8_t)hex[slot >> 4], (uint8_t)hex[slot & 15]};
    if (rest.len) memcpy(name + 2, rest.ptr, rest.len);
    hf_dag_pb_add_link(&s->node, &(hf_dag_link){cid, HF_BYTES(name, 2 + rest.len), dag_bytes, true, true});
    s->links_bytes += dag_bytes;
    s->bits[sizeof s->bits - 1 - slot / 8] |= (uint8_t)(1u << slot % 8);
}

static hf_err finish_shard(hf_directory *d, shard *s, hf_imported *ret) {
    size_t from = 0;
    while (from < sizeof s->bits - 1 && !s->bits[from]) from++; /* leading zero bytes are left out */
    hf_buf_clear(&d->data);
    hf_unixfs_add_shard(&d->data, HF_BYTES(s->bits + from, sizeof s->bits - from));
    return finish(d, &s->node, s->links_bytes, ret);
}

/* Entries [at, ret) share the slot of the first. */
static size_t run_end(const hf_directory *d, const shard *s, unsigned depth, uint32_t slot) {
    size_t end = s->at + 1;
    while (end < s->end && hf_unixfs_slot(d->entries[end].hash, HF_UNIXFS_FANOUT, depth) == slot) end++;
    return end;
}

/* One step: a link into the deepest open shard, or a shard below it opened, or it is finished into the one above. */
static hf_err step(hf_directory *d, shard *shards, unsigned *depth, hf_imported *ret) {
    shard *s = &shards[*depth];
    if (s->at == s->end) {
        hf_err err = finish_shard(d, s, ret);
        hf_buf_clear(&s->node);
        if (err || *depth == 0) return err;
        --*depth;
        add_slot(&shards[*depth], s->slot, HF_BYTES(NULL, 0), HF_BYTES(ret->cid, HF_CID_LEN), ret->dag_bytes);
        return HF_OK;
    }
    const entry *e = &d->entries[s->at];
    uint32_t slot = hf_unixfs_slot(e->hash, HF_UNIXFS_FANOUT, *depth);
    size_t end = run_end(d, s, *depth, slot);
    if (end == s->at + 1) add_slot(s, slot, e->name, e->cid, e->dag_bytes);
    else if (*depth + 1 == DEPTH_MAX) return HF_LIMIT; /* names with one hash: 64 equal bits */
    else {
        shard *below = &shards[++*depth];
        *below = (shard){.node = below->node, .at = s->at, .end = end, .slot = slot};
    }
    s->at = end;
    return HF_OK;
}

static hf_err write_shards(hf_directory *d, hf_imported *ret) {
    shard *shards = hf_alloc(d->mem, DEPTH_MAX * sizeof *shards);
    if (!shards) return HF_NOMEM;
    for (size_t i = 0; i < DEPTH_MAX; i++) hf_buf_init(&shards[i].node, d->mem);
    shards[0].end = d->n;
    unsigned depth = 0;
    bool whole = false;
    hf_err err = HF_OK;
    while (!err && !whole) {
        whole = depth == 0 && shards[0].at == shards[0].end;
        err = step(d, shards, &depth, ret);
    }
    for (size_t i = 0; i < DEPTH_MAX; i++) hf_buf_deinit(&shards[i].node);
    hf_release(d->mem, shards, DEPTH_MAX * sizeof *shards);
    return err;
}

hf_err hf_directory_end(hf_directory *d, hf_imported *ret) {
    bool plain = d->link_bytes <= HF_DIRECTORY_SHARD_BYTES;
    if (d->n) qsort(d->entries, d->n, sizeof *d->entries, plain ? by_name : by_hash);
    if (has_twins(d)) return HF_EXISTS;
    return plain ? write_plain(d, ret) : write_shards(d, ret);
}
