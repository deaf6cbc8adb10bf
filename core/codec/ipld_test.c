/* The IPLD project's codec fixtures: each file is named by its CID, so the name says what the bytes must hash to;
 * each dag-cbor file is canonical, so decoding and encoding gives the same bytes again. dag-pb files take part in
 * the CID check only. */
#include "../../tests/kit/check.h"
#include "cid.h"
#include "dag_cbor.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static DIR *open_folder(const char *name) {
    char path[512];
    const char *root = getenv("HF_VECTORS");
    snprintf(path, sizeof path, "%s/ipld/fixtures/%s", root ? root : "tests/vectors", name);
    return opendir(path);
}

static void check_same_bytes(const char *folder, hf_bytes bytes) {
    hf_value v;
    hf_fault fault = {"", 0};
    hf_buf buf;
    hf_err err = hf_cbor_decode(hf_test_arena(), bytes, &v, &fault);
    CHECK_MSG(!err, "%s: %s at %zu", folder, fault.what, fault.at);
    hf_buf_init(&buf, hf_test_mem());
    CHECK_ERR(hf_cbor_encode(&v, &buf), HF_OK);
    bool same = hf_eq(hf_buf_bytes(&buf), bytes);
    hf_buf_deinit(&buf);
    CHECK_MSG(same, "%s: encoded otherwise", folder);
}

/* "name.codec" */
static size_t check_file(const char *folder, const char *name) {
    char path[512];
    const char *dot = strrchr(name, '.');
    if (!dot || name[0] == '.') return 0;
    snprintf(path, sizeof path, "ipld/fixtures/%s/%s", folder, name);
    hf_bytes bytes = hf_test_file(path);
    hf_cid cid;
    CHECK_ERR(hf_cid_parse(HF_BYTES(name, (size_t)(dot - name)), &cid), HF_OK);
    CHECK_ERR(hf_cid_check(&cid, bytes), HF_OK);
    if (cid.codec == HF_CODEC_DAG_CBOR) check_same_bytes(folder, bytes);
    return 1;
}

static size_t check_folder(const char *folder) {
    size_t n = 0;
    DIR *dir = folder[0] == '.' ? NULL : open_folder(folder);
    if (!dir) return 0;
    for (struct dirent *file; (file = readdir(dir));) n += check_file(folder, file->d_name);
    closedir(dir);
    return n;
}

HF_TEST(ipld_fixtures) {
    size_t n = 0;
    DIR *dir = open_folder("");
    for (struct dirent *folder; dir && (folder = readdir(dir));) n += check_folder(folder->d_name);
    if (dir) closedir(dir);
    CHECK_U64(n, 145);
}

/* A folder called "cid-…" holds a link to what its name says. */
HF_TEST(ipld_links_hold_the_cid_they_are_named_after) {
    static const char *const rows[][2] = {
        {"bafkqabiaaebagba", "bafyreihm764rs4lirtozq4d5d4pqext5b5akh6val7cyphu4aglvpha3xm"},
        {"QmQg1v4o9xdT3Q14wh4S7dxZkDjyZ9ssFzFzyep1YrVJBY",
         "bafyreidsrf4agofvag5iiksjc7jjehhdcjqggra7cxe3m2movopc7pomr4"},
        {"bagyacvradn6dsgl6sw2jwoh7s3d37hq5wsu7g22wtdwnmaaaaaaaaaaaaaaa",
         "bafyreicwwufftyxxvvbolsj2svwvc3zzo7u23j2hz27edffxzazlhistjy"},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        char path[256];
        hf_value v;
        hf_cid named, linked;
        snprintf(path, sizeof path, "ipld/fixtures/cid-%s/%s.dag-cbor", rows[i][0], rows[i][1]);
        CHECK_ERR(hf_cbor_decode(hf_test_arena(), hf_test_file(path), &v, NULL), HF_OK);
        CHECK(v.kind == HF_LINK);
        CHECK_ERR(hf_cid_parse(hf_str(rows[i][0]), &named), HF_OK);
        CHECK_ERR(hf_cid_read(v.as.s, &linked), HF_OK);
        CHECK(hf_cid_eq(&named, &linked));
    }
}

HF_TEST(ipld_negative_fixtures) {
    const hf_value *rows = hf_test_json("ipld/negative-fixtures/dag-cbor/decode/duplicate-keys.json");
    CHECK(rows->as.list.n > 0);
    for (uint32_t i = 0; i < rows->as.list.n; i++) {
        hf_value v;
        hf_bytes bytes = hf_test_hex(hf_value_as_text(hf_value_get(&rows->as.list.items[i], "hex")));
        CHECK_ERR(hf_cbor_decode(hf_test_arena(), bytes, &v, NULL), HF_MALFORMED);
    }
}
