/* Against what js reads and refuses, and the IPLD project's own files: read, written again, the same bytes. */
#include "dag_pb.h"

#include "../../tests/kit/check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_again(const hf_dag_node *node, hf_buf *buf) {
    size_t at = 0;
    for (hf_dag_link link; hf_dag_pb_next(node, &at, &link);) hf_dag_pb_add_link(buf, &link);
    if (node->has_data) hf_dag_pb_add_data(buf, node->data);
}

HF_TEST(dag_pb_reads_what_js_reads) {
    const hf_value *rows = hf_value_get(hf_test_json("unixfs/unixfs.json"), "nodes");
    CHECK(rows && rows->as.list.n == 18);
    size_t n_refused = 0;
    for (uint32_t i = 0; i < rows->as.list.n; i++) {
        const hf_value *row = &rows->as.list.items[i];
        hf_bytes bytes = hf_test_hex(hf_value_as_text(hf_value_get(row, "hex")));
        bool refused = hf_value_as_bool(hf_value_get(row, "refused"), false);
        hf_dag_node node;
        hf_fault fault = {NULL, 0};
        hf_err err = hf_dag_pb_read(bytes, &node, &fault);
        CHECK_MSG((err != HF_OK) == refused, "row %u: %s", i, fault.what ? fault.what : "taken");
        n_refused += refused;
        if (err) continue;
        const hf_value *data = hf_value_get(row, "data");
        CHECK_U64(node.n_links, hf_value_as_i64(hf_value_get(row, "links"), -1));
        CHECK(node.has_data == (data->kind == HF_TEXT_VALUE));
        if (node.has_data) CHECK_BYTES(node.data, hf_test_hex(hf_value_as_text(data)));
    }
    CHECK(n_refused > 5);
}

static size_t check_folder(const char *folder) {
    char path[512];
    size_t n = 0;
    const char *root = getenv("HF_VECTORS");
    snprintf(path, sizeof path, "%s/ipld/fixtures/%s", root ? root : "tests/vectors", folder);
    DIR *dir = opendir(path);
    for (struct dirent *file; dir && (file = readdir(dir));) {
        const char *dot = strrchr(file->d_name, '.');
        if (!dot || strcmp(dot, ".dag-pb") != 0) continue;
        snprintf(path, sizeof path, "ipld/fixtures/%s/%s", folder, file->d_name);
        hf_bytes bytes = hf_test_file(path);
        hf_dag_node node;
        hf_buf again;
        CHECK_ERR(hf_dag_pb_read(bytes, &node, NULL), HF_OK);
        hf_buf_init(&again, hf_test_mem());
        write_again(&node, &again);
        bool same = hf_eq(hf_buf_bytes(&again), bytes);
        hf_buf_deinit(&again);
        CHECK_MSG(same, "%s: written otherwise", folder);
        n++;
    }
    if (dir) closedir(dir);
    return n;
}

HF_TEST(dag_pb_writes_the_ipld_fixtures_again) {
    char path[512];
    size_t n = 0;
    const char *root = getenv("HF_VECTORS");
    snprintf(path, sizeof path, "%s/ipld/fixtures", root ? root : "tests/vectors");
    DIR *dir = opendir(path);
    for (struct dirent *folder; dir && (folder = readdir(dir));)
        if (strncmp(folder->d_name, "dagpb", 5) == 0) n += check_folder(folder->d_name);
    if (dir) closedir(dir);
    CHECK_U64(n, 17);
}
