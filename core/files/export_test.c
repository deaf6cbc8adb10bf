/* Reading what was imported: whole files, ranges, missing blocks, directories of every kind, broken files. */
#include "directory.h"
#include "export.h"
#include "../codec/dag_cbor.h"
#include "path.h"
#include "walk.h"

#include "../../tests/kit/blocks.h"

#include <stdio.h>
#include <string.h>

static uint8_t content[5 << 20];

static hf_imported import(hf_test_blocks *blocks, const hf_import_config *config, size_t len) {
    hf_imported root;
    hf_import *i = hf_import_new(hf_test_mem(), config, hf_test_blocks_sink(blocks));
    hf_test_content(7, content, len);
    CHECK_ERR(hf_import_add(i, HF_BYTES(content, len)), HF_OK);
    CHECK_ERR(hf_import_end(i, &root), HF_OK);
    hf_import_free(i);
    return root;
}

static hf_bytes id(const hf_imported *file) { return HF_BYTES(file->cid, HF_CID_LEN); }

/* Reads [from, to) and checks it; returns the number of blocks visited. */
static size_t read_range(hf_test_blocks *blocks, const hf_imported *root, uint64_t from, uint64_t to) {
    hf_export *x = hf_export_new(hf_test_mem(), id(root), from, to, hf_test_blocks_source(blocks));
    uint64_t at = from < root->file_bytes ? from : root->file_bytes, end = to < root->file_bytes ? to : root->file_bytes;
    size_t n = 0;
    hf_export_out out;
    while (hf_export_next(x, &out)) {
        CHECK_MSG(out.kind == HF_EXPORT_BLOCK, "%s", out.reason ? out.reason : "needs a block");
        n++;
        if (!out.bytes.len) continue;
        CHECK_U64(out.at, at);
        CHECK(at + out.bytes.len <= end && memcmp(content + at, out.bytes.ptr, out.bytes.len) == 0);
        at += out.bytes.len;
    }
    hf_export_free(x);
    CHECK(at == (end > at ? end : at) && (to <= from || at == end || from >= end));
    return n;
}

HF_TEST(export_reads_ranges) {
    static const hf_import_config configs[] = {{1 << 20, 1024}, {16, 2}, {100, 3}, {7, 5}};
    static const size_t lens[] = {5 << 20, 1000, 0, 1, 333};
    uint64_t seed = 5;
    for (size_t c = 0; c < HF_COUNT(configs); c++)
        for (size_t l = 0; l < HF_COUNT(lens); l++) {
            if (c && !l) continue;
            hf_test_blocks blocks;
            hf_test_blocks_init(&blocks, hf_test_mem());
            hf_imported root = import(&blocks, &configs[c], lens[l]);
            read_range(&blocks, &root, 0, UINT64_MAX);
            for (size_t i = 0; i < 40; i++) {
                uint64_t from = hf_test_random(&seed) % (lens[l] + 5), to = from + hf_test_random(&seed) % (lens[l] + 5);
                read_range(&blocks, &root, from, to);
            }
            hf_test_blocks_deinit(&blocks);
        }
}

HF_TEST(export_visits_only_the_range) {
    hf_test_blocks blocks;
    hf_test_blocks_init(&blocks, hf_test_mem());
    hf_imported root = import(&blocks, &(hf_import_config){16, 4}, 16 * 64);
    CHECK_U64(read_range(&blocks, &root, 500, 501), 4); /* three levels of nodes, and the leaf */
    CHECK_U64(read_range(&blocks, &root, 15, 17), 5);
    CHECK_U64(read_range(&blocks, &root, 5000, 6000), 1);
    CHECK_U64(read_range(&blocks, &root, 7, 7), 1);
    hf_test_blocks_deinit(&blocks);
}

/* Nothing is here at first; each block that is needed is brought, and told some blocks ahead. */
HF_TEST(export_asks_for_blocks_in_order) {
    hf_test_blocks all, here;
    hf_test_blocks_init(&all, hf_test_mem());
    hf_test_blocks_init(&here, hf_test_mem());
    hf_imported root = import(&all, &(hf_import_config){16, 10}, 1000);
    hf_export *x = hf_export_new(hf_test_mem(), id(&root), 0, UINT64_MAX, hf_test_blocks_source(&here));
    size_t n_needs = 0, n_bytes = 0, most_ahead = 0;
    for (hf_export_out out; hf_export_next(x, &out);) {
        CHECK(out.kind != HF_EXPORT_FAILED);
        n_bytes += out.bytes.len;
        if (out.kind != HF_EXPORT_NEED) continue;
        hf_bytes block, ahead[4];
        CHECK_ERR(hf_test_blocks_get(&all, out.cid, &block), HF_OK);
        CHECK_ERR(hf_test_blocks_put(&here, out.cid, block), HF_OK);
        size_t n = hf_export_ahead(x, ahead, 4);
        for (size_t i = 0; i < n; i++) CHECK(!hf_eq(ahead[i], out.cid));
        if (n > most_ahead) most_ahead = n;
        n_needs++;
    }
    hf_export_free(x);
    CHECK_U64(n_bytes, 1000);
    CHECK_U64(n_needs, here.n);
    CHECK_U64(most_ahead, 4);
    hf_test_blocks_deinit(&all);
    hf_test_blocks_deinit(&here);
}

static hf_export_kind read_crafted(hf_bytes part_data, uint64_t told_size, const char **ret_reason) {
    hf_test_blocks blocks;
    uint8_t leaf[HF_CID_LEN], root[HF_CID_LEN];
    hf_buf node, data;
    hf_test_blocks_init(&blocks, hf_test_mem());
    hf_buf_init(&node, hf_test_mem());
    hf_buf_init(&data, hf_test_mem());
    hf_cid_of_codec(HF_CODEC_RAW, part_data, leaf);
    CHECK_ERR(hf_test_blocks_put(&blocks, HF_BYTES(leaf, sizeof leaf), part_data), HF_OK);
    hf_dag_pb_add_link(&node, &(hf_dag_link){.cid = HF_BYTES(leaf, sizeof leaf)});
    hf_unixfs_add_file(&data, told_size);
    hf_unixfs_add_size(&data, told_size);
    hf_dag_pb_add_data(&node, hf_buf_bytes(&data));
    hf_cid_of_codec(HF_CODEC_DAG_PB, hf_buf_bytes(&node), root);
    CHECK_ERR(hf_test_blocks_put(&blocks, HF_BYTES(root, sizeof root), hf_buf_bytes(&node)), HF_OK);
    hf_export *x = hf_export_new(hf_test_mem(), HF_BYTES(root, sizeof root), 0, UINT64_MAX, hf_test_blocks_source(&blocks));
    hf_export_out out;
    while (hf_export_next(x, &out) == HF_EXPORT_BLOCK) continue;
    *ret_reason = out.reason;
    hf_export_free(x);
    hf_buf_deinit(&node);
    hf_buf_deinit(&data);
    hf_test_blocks_deinit(&blocks);
    return out.kind;
}

HF_TEST(export_refuses_parts_of_another_size) {
    const char *reason;
    CHECK(read_crafted(HF_TEXT("four"), 4, &reason) == HF_EXPORT_END);
    CHECK(read_crafted(HF_TEXT("four"), 5, &reason) == HF_EXPORT_FAILED);
    CHECK_BYTES(hf_str(reason), HF_TEXT("a part of a file is not as long as its parent says"));
}

/* ---- directories ---- */

static hf_imported make_directory(hf_test_blocks *blocks, size_t n) {
    hf_directory *d = hf_directory_new(hf_test_mem(), hf_test_blocks_sink(blocks));
    hf_imported root;
    for (size_t i = 0; i < n; i++) {
        char name[64];
        uint8_t cid[HF_CID_LEN];
        snprintf(name, sizeof name, "a name that fills its directory sooner %zu", i);
        hf_cid_of_codec(HF_CODEC_RAW, hf_str(name), cid);
        CHECK_ERR(hf_test_blocks_put(blocks, HF_BYTES(cid, sizeof cid), hf_str(name)), HF_OK);
        CHECK_ERR(hf_directory_add(d, hf_str(name), HF_BYTES(cid, sizeof cid), strlen(name)), HF_OK);
    }
    CHECK_ERR(hf_directory_end(d, &root), HF_OK);
    hf_directory_free(d);
    return root;
}

static hf_path_kind follow(hf_test_blocks *blocks, hf_bytes root, const char *names, hf_path_out *ret, size_t *ret_blocks) {
    static hf_path path;
    hf_block_source source = hf_test_blocks_source(blocks);
    *ret_blocks = 0;
    CHECK_ERR(hf_path_init(&path, root, hf_str(names)), HF_OK);
    while (hf_path_next(&path, &source, ret) == HF_PATH_BLOCK) ++*ret_blocks;
    return ret->kind;
}

HF_TEST(path_finds_names_in_directories_of_every_kind) {
    static const size_t sizes[] = {1, 500, 5000};
    for (size_t s = 0; s < HF_COUNT(sizes); s++) {
        hf_test_blocks blocks;
        hf_path_out out;
        size_t n_blocks, n_deep = 0;
        hf_test_blocks_init(&blocks, hf_test_mem());
        hf_imported inner = make_directory(&blocks, sizes[s]), outer;
        hf_directory *d = hf_directory_new(hf_test_mem(), hf_test_blocks_sink(&blocks));
        CHECK_ERR(hf_directory_add(d, HF_TEXT("in"), id(&inner), inner.dag_bytes), HF_OK);
        CHECK_ERR(hf_directory_end(d, &outer), HF_OK);
        hf_directory_free(d);
        for (size_t i = 0; i < sizes[s]; i += 37) {
            char path[96];
            uint8_t cid[HF_CID_LEN];
            snprintf(path, sizeof path, "//in/a name that fills its directory sooner %zu/", i);
            hf_cid_of_codec(HF_CODEC_RAW, hf_sub(hf_str(path), 5, strlen(path) - 6), cid);
            CHECK(follow(&blocks, id(&outer), path, &out, &n_blocks) == HF_PATH_FOUND);
            CHECK_BYTES(out.cid, HF_BYTES(cid, sizeof cid));
            n_deep += n_blocks > 2;
        }
        CHECK((n_deep > 0) == (sizes[s] == 5000));
        CHECK(follow(&blocks, id(&outer), "", &out, &n_blocks) == HF_PATH_FOUND && n_blocks == 0);
        CHECK(follow(&blocks, id(&outer), "in/nothing", &out, &n_blocks) == HF_PATH_NOT_FOUND && n_blocks >= 2);
        CHECK(follow(&blocks, id(&outer), "in/a name that fills its directory sooner 0/x", &out, &n_blocks) == HF_PATH_NOT_FOUND);
        hf_test_blocks_deinit(&blocks);
    }
}

static size_t walk_all(hf_test_blocks *blocks, hf_bytes root, hf_links_scope scope, size_t *ret_entries) {
    hf_walk *w = hf_walk_new(hf_test_mem(), root, scope, hf_test_blocks_source(blocks));
    size_t n = 0;
    *ret_entries = 0;
    for (hf_walk_out out; hf_walk_next(w, &out); n++) {
        hf_node node;
        size_t at = 0;
        CHECK_MSG(out.kind == HF_WALK_BLOCK, "%s", out.reason ? out.reason : "needs a block");
        CHECK_ERR(hf_node_read(out.cid, out.block, &node, NULL), HF_OK);
        if (node.kind == HF_NODE_DIRECTORY)
            for (hf_node_entry e; hf_node_next_entry(&node, &at, &e);) *ret_entries += e.name.len > 0;
    }
    hf_walk_free(w);
    return n;
}

HF_TEST(walk_visits_each_block_once) {
    static const size_t sizes[] = {1, 500, 5000};
    for (size_t s = 0; s < HF_COUNT(sizes); s++) {
        hf_test_blocks blocks;
        size_t entries, n;
        hf_test_blocks_init(&blocks, hf_test_mem());
        hf_imported root = make_directory(&blocks, sizes[s]);
        CHECK_U64(walk_all(&blocks, id(&root), HF_LINKS_ALL, &entries), blocks.n);
        CHECK_U64(entries, sizes[s]);
        n = walk_all(&blocks, id(&root), HF_LINKS_SHARDS, &entries);
        CHECK_U64(n, blocks.n - sizes[s]);
        CHECK_U64(entries, sizes[s]);
        hf_test_blocks_deinit(&blocks);
    }
}

/* A log as OrbitDB keeps it: dag-cbor blocks that name their forerunners. */
HF_TEST(walk_follows_dag_cbor) {
    hf_test_blocks blocks;
    hf_test_blocks_init(&blocks, hf_test_mem());
    uint8_t cids[100][HF_CID_LEN];
    for (size_t i = 0; i < 100; i++) {
        hf_value list = hf_value_list(hf_test_arena(), 3), map = hf_value_map(hf_test_arena(), 2);
        for (size_t k = 1; k <= 3 && k <= i; k++) {
            hf_value link = hf_value_bytes(HF_BYTES(cids[i - k], HF_CID_LEN));
            link.kind = HF_LINK;
            hf_list_add(&list, link);
        }
        hf_map_add(&map, "n", hf_value_float((double)i + 0.5));
        hf_map_add(&map, "next", list);
        hf_buf block;
        hf_buf_init(&block, hf_test_mem());
        CHECK_ERR(hf_cbor_encode(&map, &block), HF_OK);
        hf_cid_of(hf_buf_bytes(&block), cids[i]);
        CHECK_ERR(hf_test_blocks_put(&blocks, HF_BYTES(cids[i], HF_CID_LEN), hf_buf_bytes(&block)), HF_OK);
        hf_buf_deinit(&block);
    }
    size_t entries;
    CHECK_U64(walk_all(&blocks, HF_BYTES(cids[99], HF_CID_LEN), HF_LINKS_ALL, &entries), 100);
    CHECK_U64(walk_all(&blocks, HF_BYTES(cids[9], HF_CID_LEN), HF_LINKS_ALL, &entries), 10);
    hf_test_blocks_deinit(&blocks);
}

HF_TEST(walk_goes_on_without_a_block) {
    hf_test_blocks blocks;
    hf_test_blocks_init(&blocks, hf_test_mem());
    hf_imported root = import(&blocks, &(hf_import_config){16, 10}, 1000);
    size_t n = blocks.n, n_needed = 0, n_seen = 0;
    uint8_t leaf[HF_CID_LEN];
    hf_cid_of_codec(HF_CODEC_RAW, HF_BYTES(content + 160, 16), leaf);
    hf_test_blocks_remove(&blocks, HF_BYTES(leaf, sizeof leaf));
    hf_walk *w = hf_walk_new(hf_test_mem(), id(&root), HF_LINKS_ALL, hf_test_blocks_source(&blocks));
    for (hf_walk_out out; hf_walk_next(w, &out);) {
        CHECK(out.kind != HF_WALK_FAILED);
        n_seen += out.kind == HF_WALK_BLOCK;
        if (out.kind != HF_WALK_NEED) continue;
        CHECK_BYTES(out.cid, HF_BYTES(leaf, sizeof leaf));
        n_needed++;
        hf_walk_skip(w);
    }
    hf_walk_free(w);
    CHECK(n_needed == 1 && n_seen == n - 1);
    hf_test_blocks_deinit(&blocks);
}

HF_TEST(export_and_walk_survive_no_memory) {
    hf_test_blocks blocks;
    hf_test_blocks_init(&blocks, hf_test_mem());
    hf_imported root = import(&blocks, &(hf_import_config){16, 3}, 1000);
    for (size_t n = 1;; n++) {
        hf_test_mem_fail_at(n);
        hf_export *x = hf_export_new(hf_test_mem(), id(&root), 0, UINT64_MAX, hf_test_blocks_source(&blocks));
        hf_walk *w = hf_walk_new(hf_test_mem(), id(&root), HF_LINKS_ALL, hf_test_blocks_source(&blocks));
        hf_export_out out = {.kind = HF_EXPORT_BLOCK};
        hf_walk_out step = {.kind = HF_WALK_BLOCK};
        while (x && out.kind == HF_EXPORT_BLOCK) hf_export_next(x, &out);
        while (w && step.kind == HF_WALK_BLOCK) hf_walk_next(w, &step);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        hf_export_free(x);
        hf_walk_free(w);
        CHECK(failed || (out.kind == HF_EXPORT_END && step.kind == HF_WALK_END));
        if (failed) CHECK(!x || !w || out.kind == HF_EXPORT_FAILED || step.kind == HF_WALK_FAILED);
        if (!failed) break;
    }
    hf_test_blocks_deinit(&blocks);
}
