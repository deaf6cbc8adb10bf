/* The same CIDs as js gives, for files and directories (tests/vectors/unixfs/make.mjs), whatever the cut. */
#include "directory.h"

#include "../../tests/kit/blocks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool cid_is(const uint8_t cid[HF_CID_LEN], const hf_value *text) {
    hf_cid a, b;
    return !hf_cid_read(HF_BYTES(cid, HF_CID_LEN), &a) && !hf_cid_parse(hf_value_as_text(text), &b) && hf_cid_eq(&a, &b);
}

static hf_err import(hf_test_blocks *blocks, const hf_import_config *config, size_t len, uint64_t seed, hf_imported *ret) {
    static uint8_t bytes[6 << 20];
    hf_import *i = hf_import_new(hf_test_mem(), config, hf_test_blocks_sink(blocks));
    if (!i) return HF_NOMEM;
    hf_test_content(7, bytes, len);
    hf_err err = HF_OK;
    for (size_t at = 0; at < len && !err;) {
        hf_bytes cut = hf_sub(HF_BYTES(bytes, len), at, seed ? 1 + hf_test_random(&seed) % (2 * config->chunk_bytes + 1) : len);
        err = hf_import_add(i, cut);
        at += cut.len;
    }
    if (!err) err = hf_import_end(i, ret);
    hf_import_free(i);
    return err;
}

HF_TEST(import_makes_the_cids_of_js) {
    const hf_value *rows = hf_value_get(hf_test_json("unixfs/unixfs.json"), "files");
    CHECK(rows && rows->as.list.n > 90);
    for (uint32_t i = 0; i < rows->as.list.n; i++) {
        const hf_value *row = &rows->as.list.items[i];
        hf_import_config config = {(uint32_t)hf_value_as_i64(hf_value_get(row, "chunkBytes"), 0),
                                   (uint32_t)hf_value_as_i64(hf_value_get(row, "linksMax"), 0)};
        size_t len = (size_t)hf_value_as_i64(hf_value_get(row, "bytes"), 0);
        for (uint64_t seed = 0; seed < 2; seed++) {
            hf_test_blocks blocks;
            hf_imported root;
            hf_test_blocks_init(&blocks, hf_test_mem());
            hf_err err = import(&blocks, &config, len, seed, &root);
            size_t n = blocks.n;
            hf_test_blocks_deinit(&blocks);
            CHECK_ERR(err, HF_OK);
            CHECK_MSG(cid_is(root.cid, hf_value_get(row, "cid")), "row %u, %zu bytes", i, len);
            CHECK_U64(root.file_bytes, len);
            CHECK_U64(n, hf_value_as_i64(hf_value_get(row, "blocks"), 0));
        }
    }
    CHECK_U64(HF_IMPORT_HELIA.chunk_bytes, 1048576);
}

HF_TEST(import_ends_with_what_the_sink_says) {
    hf_test_blocks blocks;
    hf_imported root;
    hf_test_blocks_init(&blocks, hf_test_mem());
    blocks.refuse = HF_LIMIT;
    CHECK_ERR(import(&blocks, &(hf_import_config){16, 2}, 100, 0, &root), HF_LIMIT);
    CHECK_U64(blocks.n_puts, 1);
    hf_test_blocks_deinit(&blocks);
}

HF_TEST(import_survives_no_memory) {
    for (size_t n = 1;; n++) {
        hf_test_blocks blocks;
        hf_imported root;
        hf_test_blocks_init(&blocks, hf_test_mem());
        hf_test_mem_fail_at(n);
        hf_err err = import(&blocks, &(hf_import_config){16, 3}, 500, 3, &root);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        hf_test_blocks_deinit(&blocks);
        CHECK_ERR(err, failed ? HF_NOMEM : HF_OK);
        if (!failed) break;
    }
}

/* n files PREFIX<i> that hold their number, handed over in a stirred order. */
static hf_err make_directory(hf_test_blocks *blocks, size_t n, hf_bytes prefix, hf_imported *ret) {
    hf_directory *d = hf_directory_new(hf_test_mem(), hf_test_blocks_sink(blocks));
    if (!d) return HF_NOMEM;
    hf_err err = HF_OK;
    for (size_t k = 0; k < n && !err; k++) {
        char number[16], name[300];
        size_t i = (k * 7919) % n;
        uint8_t cid[HF_CID_LEN];
        snprintf(number, sizeof number, "%zu", i);
        snprintf(name, sizeof name, "%.*s%zu", (int)prefix.len, (const char *)prefix.ptr, i);
        hf_cid_of_codec(HF_CODEC_RAW, hf_str(number), cid);
        err = hf_directory_add(d, hf_str(name), HF_BYTES(cid, sizeof cid), strlen(number));
    }
    if (!err) err = hf_directory_end(d, ret);
    hf_directory_free(d);
    return err;
}

HF_TEST(directory_makes_the_cids_of_js) {
    const hf_value *rows = hf_value_get(hf_test_json("unixfs/unixfs.json"), "directories");
    CHECK(rows && rows->as.list.n == 6);
    for (uint32_t i = 0; i < rows->as.list.n; i++) {
        const hf_value *row = &rows->as.list.items[i];
        hf_test_blocks blocks;
        hf_imported root;
        hf_test_blocks_init(&blocks, hf_test_mem());
        hf_err err = make_directory(&blocks, (size_t)hf_value_as_i64(hf_value_get(row, "n"), 0),
                                    hf_value_as_text(hf_value_get(row, "prefix")), &root);
        size_t n = blocks.n;
        hf_test_blocks_deinit(&blocks);
        CHECK_ERR(err, HF_OK);
        CHECK_MSG(cid_is(root.cid, hf_value_get(row, "cid")), "row %u", i);
        uint64_t bytes = (uint64_t)hf_value_as_i64(hf_value_get(row, "bytes"), 0);
        if (bytes) CHECK_U64(root.dag_bytes, bytes);
        CHECK((n > 1) == (i > 3)); /* shards */
    }
}

HF_TEST(directory_refuses) {
    hf_test_blocks blocks;
    hf_imported root;
    uint8_t cid[HF_CID_LEN], long_name[256];
    hf_bytes id = HF_BYTES(cid, sizeof cid);
    hf_cid_of_codec(HF_CODEC_RAW, HF_TEXT(""), cid);
    memset(long_name, 'a', sizeof long_name);
    hf_test_blocks_init(&blocks, hf_test_mem());
    hf_directory *d = hf_directory_new(hf_test_mem(), hf_test_blocks_sink(&blocks));
    const hf_bytes bad[] = {HF_TEXT(""), HF_TEXT("."), HF_TEXT(".."), HF_TEXT("a/b"), HF_TEXT("a\0"), HF_BYTES(long_name, 256)};
    for (size_t i = 0; i < HF_COUNT(bad); i++) CHECK_ERR(hf_directory_add(d, bad[i], id, 0), HF_MALFORMED);
    CHECK_ERR(hf_directory_add(d, HF_TEXT("a"), HF_TEXT("no CID"), 0), HF_MALFORMED);
    CHECK_ERR(hf_directory_add(d, HF_TEXT("a"), id, 0), HF_OK);
    CHECK_ERR(hf_directory_add(d, HF_TEXT("a"), id, 0), HF_OK);
    CHECK_ERR(hf_directory_end(d, &root), HF_EXISTS);
    hf_directory_free(d);
    hf_test_blocks_deinit(&blocks);
}

HF_TEST(directory_survives_no_memory) {
    for (size_t n = 1; n < 100000; n += n < 100 ? 1 : 97) {
        hf_test_blocks blocks;
        hf_imported root;
        hf_test_blocks_init(&blocks, hf_test_mem());
        hf_test_mem_fail_at(n);
        uint8_t prefix[200];
        memset(prefix, 'p', sizeof prefix);
        hf_err err = make_directory(&blocks, 1200, HF_BYTES(prefix, sizeof prefix), &root);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        hf_test_blocks_deinit(&blocks);
        CHECK_ERR(err, failed ? HF_NOMEM : HF_OK);
        if (!failed) break;
    }
}
