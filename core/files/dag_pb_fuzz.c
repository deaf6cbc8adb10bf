/* Fuzz: a block as a dag-pb node and what stands in it: what reads, written again in order, reads the same; UnixFS sizes and entries end. */
#include "node.h"

#include "../../tests/kit/fuzz.h"

static hf_mem mem = {hf_fuzz_resize, NULL};

static void check_again(const hf_dag_node *node) {
    hf_buf buf;
    hf_dag_node again;
    size_t at = 0, at_again = 0, n = 0;
    hf_dag_link a, b;
    hf_buf_init(&buf, &mem);
    while (hf_dag_pb_next(node, &at, &a)) hf_dag_pb_add_link(&buf, &a), n++;
    HF_ASSERT(n == node->n_links);
    if (node->has_data) hf_dag_pb_add_data(&buf, node->data);
    HF_ASSERT(!hf_dag_pb_read(hf_buf_bytes(&buf), &again, NULL) && again.n_links == n && hf_eq(again.data, node->data));
    for (at = 0; hf_dag_pb_next(node, &at, &a);) {
        HF_ASSERT(hf_dag_pb_next(&again, &at_again, &b) && hf_eq(a.cid, b.cid) && hf_eq(a.name, b.name));
        HF_ASSERT(a.tsize == b.tsize && a.has_name == b.has_name && a.has_tsize == b.has_tsize);
    }
    hf_buf_deinit(&buf);
}

static void check_unixfs(hf_bytes message) {
    hf_unixfs u;
    hf_unixfs_sizes at = {.begun = false};
    if (hf_unixfs_read(message, &u, NULL)) return;
    uint64_t sum = u.data.len, n = 0;
    for (uint64_t size; (u.type == HF_UNIXFS_FILE || u.type == HF_UNIXFS_RAW) && hf_unixfs_next_size(&u, &at, &size); n++) sum += size;
    if (n) HF_ASSERT(n == u.n_sizes && sum == u.file_size);
}

/* The list of links, with the turned order: as many as the node says, the first on top. */
static void check_links(uint8_t codec, hf_bytes block) {
    uint8_t cid[HF_CID_LEN];
    hf_buf cids;
    hf_bytes one;
    hf_buf_init(&cids, &mem);
    hf_cid_of_codec(codec, block, cid);
    if (!hf_cids_push_links(&cids, HF_BYTES(cid, sizeof cid), block, HF_LINKS_ALL, 1 << 20)) {
        size_t end = cids.len;
        while (hf_cids_step(&cids, &end, &one)) HF_ASSERT(hf_cid_valid(one));
        HF_ASSERT(end == 0);
    } else HF_ASSERT(!cids.len);
    hf_buf_deinit(&cids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_bytes input = HF_BYTES(data, len);
    hf_dag_node node;
    if (!hf_dag_pb_read(input, &node, NULL)) {
        check_again(&node);
        check_unixfs(node.data);
    }
    check_unixfs(input);
    check_links(HF_CODEC_DAG_PB, input);
    check_links(HF_CODEC_DAG_CBOR, input);
    return 0;
}
