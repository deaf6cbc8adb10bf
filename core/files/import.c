/* import: see import.h. Level 0 collects leaves; a level that is full becomes one node in the level above it. */
#include "import.h"

#include "unixfs.h"

#include <string.h>

enum { LEVELS_MAX = 40, CHUNK_MAX = 1 << 20, LINKS_MAX = 8192 }; /* 2^40 leaves even with 2 links a node */

const hf_import_config HF_IMPORT_HELIA = {1 << 20, 1024};
const hf_import_config HF_IMPORT_KUBO = {256 << 10, 174};

typedef struct level {
    hf_imported *parts;
    size_t n, cap;
} level;

struct hf_import {
    hf_mem *mem;
    hf_import_config config;
    hf_block_sink sink;
    hf_buf chunk, node, data;
    level levels[LEVELS_MAX];
    size_t n_levels;
};

hf_import *hf_import_new(hf_mem *mem, const hf_import_config *config, hf_block_sink sink) {
    HF_ASSERT(config->chunk_bytes && config->chunk_bytes <= CHUNK_MAX && config->links_max >= 2 && config->links_max <= LINKS_MAX);
    hf_import *i = hf_alloc(mem, sizeof *i);
    if (!i) return NULL;
    i->mem = mem;
    i->config = *config;
    i->sink = sink;
    hf_buf_init(&i->chunk, mem);
    hf_buf_init(&i->node, mem);
    hf_buf_init(&i->data, mem);
    return i;
}

void hf_import_free(hf_import *i) {
    if (!i) return;
    for (size_t k = 0; k < i->n_levels; k++) hf_release(i->mem, i->levels[k].parts, i->levels[k].cap * sizeof(hf_imported));
    hf_buf_deinit(&i->chunk);
    hf_buf_deinit(&i->node);
    hf_buf_deinit(&i->data);
    hf_release(i->mem, i, sizeof *i);
}

static hf_err put(hf_import *i, uint8_t codec, hf_bytes block, uint8_t ret_cid[HF_CID_LEN]) {
    hf_cid_of_codec(codec, block, ret_cid);
    return i->sink.put(i->sink.ctx, HF_BYTES(ret_cid, HF_CID_LEN), block);
}

/* The parts of a level become a node; the level is empty then. */
static hf_err reduce(hf_import *i, level *level, hf_imported *ret) {
    *ret = (hf_imported){.file_bytes = 0};
    hf_buf_clear(&i->node);
    hf_buf_clear(&i->data);
    for (size_t k = 0; k < level->n; k++) ret->file_bytes += level->parts[k].file_bytes;
    hf_unixfs_add_file(&i->data, ret->file_bytes);
    for (size_t k = 0; k < level->n; k++) {
        const hf_imported *part = &level->parts[k];
        hf_dag_link link = {.cid = HF_BYTES(part->cid, HF_CID_LEN), .tsize = part->dag_bytes, .has_name = true, .has_tsize = true};
        hf_dag_pb_add_link(&i->node, &link);
        hf_unixfs_add_size(&i->data, part->file_bytes);
        ret->dag_bytes += part->dag_bytes;
    }
    hf_dag_pb_add_data(&i->node, hf_buf_bytes(&i->data));
    if (i->node.err || i->data.err) return HF_NOMEM;
    ret->dag_bytes += i->node.len;
    level->n = 0;
    return put(i, HF_CODEC_DAG_PB, hf_buf_bytes(&i->node), ret->cid);
}

/* Makes room first, so that a level is only reduced when one more part follows (or at the end). */
static hf_err add_part(hf_import *i, size_t at, hf_imported part) {
    for (; at < LEVELS_MAX; at++) {
        level *level = &i->levels[at];
        if (at == i->n_levels) i->n_levels++;
        bool full = level->n == i->config.links_max;
        hf_imported node;
        hf_err err = full ? reduce(i, level, &node) : hf_grow(i->mem, (void **)&level->parts, &level->cap, sizeof part, level->n + 1);
        if (err) return err;
        level->parts[level->n++] = part;
        if (!full) return HF_OK;
        part = node;
    }
    return HF_LIMIT;
}

static hf_err add_leaf(hf_import *i, hf_bytes leaf) {
    hf_imported part = {.file_bytes = leaf.len, .dag_bytes = leaf.len};
    hf_err err = put(i, HF_CODEC_RAW, leaf, part.cid);
    return err ? err : add_part(i, 0, part);
}

hf_err hf_import_add(hf_import *i, hf_bytes bytes) {
    while (bytes.len) {
        size_t room = i->config.chunk_bytes - i->chunk.len;
        hf_bytes piece = hf_sub(bytes, 0, room);
        bytes = hf_sub(bytes, piece.len, bytes.len);
        bool whole = piece.len == i->config.chunk_bytes; /* straight from the caller */
        if (!whole) hf_buf_add(&i->chunk, piece);
        if (i->chunk.err) return HF_NOMEM;
        if (!whole && i->chunk.len < i->config.chunk_bytes) return HF_OK;
        hf_err err = add_leaf(i, whole ? piece : hf_buf_bytes(&i->chunk));
        if (err) return err;
        hf_buf_clear(&i->chunk);
    }
    return HF_OK;
}

hf_err hf_import_end(hf_import *i, hf_imported *ret) {
    hf_err err = i->chunk.len || !i->n_levels ? add_leaf(i, hf_buf_bytes(&i->chunk)) : HF_OK;
    for (size_t at = 0; !err && at < i->n_levels; at++) {
        level *level = &i->levels[at];
        bool top = at + 1 == i->n_levels;
        if (top && level->n == 1) return *ret = level->parts[0], HF_OK;
        hf_imported node;
        err = reduce(i, level, &node);
        if (!err && top) return *ret = node, HF_OK;
        if (!err) err = add_part(i, at + 1, node);
    }
    return err ? err : HF_STATE; /* not reached: the top level always ends it */
}
