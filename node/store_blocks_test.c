#include "store_blocks.h"

#include "../core/files/import.h"
#include "../tests/kit/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

static char dir[64];

static hf_blocks *begin(uint64_t bytes_max) {
    const char *why = "";
    snprintf(dir, sizeof dir, "/tmp/holdfast-blocks-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    hf_blocks *b = hf_blocks_open(dir, bytes_max, &why);
    CHECK_MSG(b != NULL, "%s", why);
    return b;
}

static hf_blocks *again(hf_blocks *b) {
    const char *why = "";
    hf_blocks_close(b);
    b = hf_blocks_open(dir, 0, &why);
    CHECK_MSG(b != NULL, "%s", why);
    return b;
}

static void end(hf_blocks *b) {
    char path[128];
    static const char *const names[] = {"blocks.db", "blocks.db-wal", "blocks.db-shm", "blocks.lock"};
    hf_blocks_close(b);
    for (size_t i = 0; i < HF_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

static hf_imported add_file(hf_blocks *b, hf_bytes bytes) {
    hf_imported root;
    hf_import *i = hf_import_new(hf_test_mem(), &(hf_import_config){4, 2}, (hf_block_sink){hf_blocks_put, b});
    CHECK_ERR(hf_import_add(i, bytes), HF_OK);
    CHECK_ERR(hf_import_end(i, &root), HF_OK);
    hf_import_free(i);
    return root;
}

static hf_bytes id(const hf_imported *file) { return HF_BYTES(file->cid, HF_CID_LEN); }

HF_TEST(blocks_are_kept_by_their_hash) {
    hf_blocks *b = begin(0);
    uint8_t raw[HF_CID_LEN], pb[HF_CID_LEN];
    hf_bytes block;
    hf_cid_of_codec(HF_CODEC_RAW, HF_TEXT("block"), raw);
    hf_cid_of_codec(HF_CODEC_DAG_PB, HF_TEXT("block"), pb);
    CHECK_ERR(hf_blocks_get(b, HF_BYTES(raw, sizeof raw), &block), HF_NOT_FOUND);
    CHECK_ERR(hf_blocks_put(b, HF_BYTES(raw, sizeof raw), HF_TEXT("block")), HF_OK);
    CHECK_ERR(hf_blocks_put(b, HF_BYTES(pb, sizeof pb), HF_TEXT("block")), HF_OK);
    CHECK_U64(hf_blocks_bytes(b), 5);
    CHECK_ERR(hf_blocks_get(b, HF_BYTES(pb, sizeof pb), &block), HF_OK); /* before it is committed */
    CHECK_BYTES(block, HF_TEXT("block"));
    CHECK_ERR(hf_blocks_commit(b), HF_OK);
    b = again(b);
    CHECK_U64(hf_blocks_bytes(b), 5);
    CHECK(hf_blocks_has(b, HF_BYTES(pb, sizeof pb)));
    CHECK_ERR(hf_blocks_get(b, HF_BYTES(raw, sizeof raw), &block), HF_OK);
    CHECK_BYTES(block, HF_TEXT("block"));
    hf_cid_of_codec(HF_CODEC_RAW, HF_TEXT(""), raw);
    CHECK_ERR(hf_blocks_put(b, HF_BYTES(raw, sizeof raw), HF_TEXT("")), HF_OK);
    CHECK_ERR(hf_blocks_get(b, HF_BYTES(raw, sizeof raw), &block), HF_OK);
    CHECK_U64(block.len, 0);
    end(b);
}

HF_TEST(blocks_have_a_bound) {
    hf_blocks *b = begin(100);
    uint8_t cid[HF_CID_LEN], bytes[60] = {1};
    hf_cid_of_codec(HF_CODEC_RAW, HF_BYTES(bytes, 60), cid);
    CHECK_ERR(hf_blocks_put(b, HF_BYTES(cid, sizeof cid), HF_BYTES(bytes, 60)), HF_OK);
    hf_cid_of_codec(HF_CODEC_RAW, HF_BYTES(bytes, 41), cid);
    CHECK_ERR(hf_blocks_put(b, HF_BYTES(cid, sizeof cid), HF_BYTES(bytes, 41)), HF_LIMIT);
    CHECK(!hf_blocks_has(b, HF_BYTES(cid, sizeof cid)));
    end(b);
}

static bool count_pin(void *ctx, hf_bytes cid, hf_bytes name) {
    (void)cid;
    CHECK(name.len > 0);
    ++*(size_t *)ctx;
    return true;
}

HF_TEST(blocks_collect_what_no_pin_reaches) {
    hf_blocks *b = begin(0);
    uint64_t freed = 0;
    size_t n = 0;
    hf_imported a = add_file(b, HF_TEXT("one file of some parts")), c = add_file(b, HF_TEXT("another, with one equal part"));
    CHECK_ERR(hf_blocks_pin(b, id(&a), HF_TEXT("a")), HF_OK);
    CHECK_ERR(hf_blocks_pin(b, id(&c), HF_TEXT("c")), HF_OK);
    CHECK_ERR(hf_blocks_pin(b, id(&c), HF_TEXT("c")), HF_OK);
    uint64_t all = hf_blocks_bytes(b);
    CHECK_ERR(hf_blocks_collect(b, hf_test_mem(), &freed), HF_OK);
    CHECK(freed == 0 && hf_blocks_bytes(b) == all);
    CHECK_ERR(hf_blocks_each_pin(b, count_pin, &n), HF_OK);
    CHECK_U64(n, 2);
    CHECK_ERR(hf_blocks_unpin(b, id(&c)), HF_OK);
    CHECK_ERR(hf_blocks_unpin(b, id(&c)), HF_NOT_FOUND);
    b = again(b);
    CHECK_ERR(hf_blocks_collect(b, hf_test_mem(), &freed), HF_OK);
    CHECK(freed > 0 && hf_blocks_bytes(b) == all - freed);
    CHECK(hf_blocks_has(b, id(&a)) && !hf_blocks_has(b, id(&c)));
    b = again(b);
    CHECK_U64(hf_blocks_bytes(b), all - freed);
    end(b);
}

/* A node that reads, and a command that writes beside it. */
HF_TEST(blocks_written_beside_are_seen_when_they_are_committed) {
    const char *why = "";
    hf_blocks *reader = begin(0), *writer = hf_blocks_open(dir, 0, &why);
    uint64_t freed;
    uint8_t cid[HF_CID_LEN];
    hf_bytes block, binary = HF_BYTES(cid, sizeof cid);
    CHECK_MSG(writer != NULL, "%s", why);
    hf_cid_of_codec(HF_CODEC_RAW, HF_TEXT("block"), cid);
    CHECK(!hf_blocks_changed(reader));
    CHECK_ERR(hf_blocks_put(writer, binary, HF_TEXT("block")), HF_OK);
    CHECK_ERR(hf_blocks_get(reader, binary, &block), HF_NOT_FOUND);
    CHECK(!hf_blocks_changed(reader));
    CHECK_ERR(hf_blocks_commit(writer), HF_OK);
    CHECK(hf_blocks_changed(reader) && !hf_blocks_changed(reader) && !hf_blocks_changed(writer));
    CHECK_ERR(hf_blocks_get(reader, binary, &block), HF_OK);
    CHECK_BYTES(block, HF_TEXT("block"));
    CHECK_ERR(hf_blocks_collect(writer, hf_test_mem(), &freed), HF_OK); /* the reader looks at it still */
    CHECK_U64(freed, 5);
    CHECK_BYTES(block, HF_TEXT("block"));
    hf_blocks_rest(reader);
    CHECK_ERR(hf_blocks_get(reader, binary, &block), HF_NOT_FOUND);
    CHECK(hf_blocks_changed(reader));
    CHECK_ERR(hf_blocks_put(reader, binary, HF_TEXT("block")), HF_OK); /* counted only now: as it stands by now */
    CHECK_U64(hf_blocks_bytes(reader), 5);
    hf_blocks_close(writer);
    end(reader);
}

HF_TEST(blocks_have_one_lock_for_those_who_write) {
    hf_blocks *b = begin(0);
    int first = hf_blocks_lock(dir), other;
    char path[128];
    CHECK(first >= 0);
    snprintf(path, sizeof path, "%s/blocks.lock", dir);
    other = open(path, O_RDWR | O_CLOEXEC);
    CHECK(flock(other, LOCK_EX | LOCK_NB) != 0);
    close(first);
    CHECK(flock(other, LOCK_EX | LOCK_NB) == 0);
    close(other);
    CHECK(hf_blocks_lock("/nowhere/at/all") < 0);
    end(b);
}

/* A pinned node that is no node stops it: better too much than too little. */
HF_TEST(blocks_drop_nothing_when_a_pin_cannot_be_read) {
    hf_blocks *b = begin(0);
    uint64_t freed = 0;
    uint8_t broken[HF_CID_LEN];
    add_file(b, HF_TEXT("not pinned"));
    hf_cid_of_codec(HF_CODEC_DAG_PB, HF_TEXT("no node"), broken);
    CHECK_ERR(hf_blocks_put(b, HF_BYTES(broken, sizeof broken), HF_TEXT("no node")), HF_OK);
    CHECK_ERR(hf_blocks_pin(b, HF_BYTES(broken, sizeof broken), HF_TEXT("x")), HF_OK);
    uint64_t all = hf_blocks_bytes(b);
    CHECK_ERR(hf_blocks_collect(b, hf_test_mem(), &freed), HF_MALFORMED);
    CHECK_U64(hf_blocks_bytes(b), all);
    end(b);
}
