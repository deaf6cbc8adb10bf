/* file_get: `holdfast file get`: a file to the output, or a file or a folder under a name that is not taken yet. */
#include "../core/files/export.h"
#include "../core/files/path.h"
#include "../core/files/walk.h"
#include "file_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What is still to be written; the last one first. */
typedef struct todo {
    struct todo *next;
    size_t cid_len;
    uint8_t cid[HF_CID_BYTES_MAX];
    char path[];
} todo;

static const char *push(todo **list, hf_bytes cid, const char *folder, hf_bytes name) {
    size_t len = strlen(folder);
    todo *t = malloc(sizeof *t + len + name.len + 2);
    if (!t) return "no memory";
    t->next = *list;
    t->cid_len = cid.len;
    memcpy(t->cid, cid.ptr, cid.len);
    memcpy(t->path, folder, len + 1);
    if (name.len) {
        t->path[len] = '/';
        memcpy(t->path + len + 1, name.ptr, name.len);
        t->path[len + 1 + name.len] = 0;
    }
    *list = t;
    return NULL;
}

/* A stranger's name must stay within its folder. */
static bool name_is_sound(hf_bytes name) {
    if (!name.len || hf_eq(name, HF_TEXT(".")) || hf_eq(name, HF_TEXT(".."))) return false;
    return hf_find(name, '/', 0) == name.len && hf_find(name, 0, 0) == name.len;
}

static const char *write_file(hf_file_job *job, hf_bytes cid, FILE *file) {
    hf_export *x = hf_export_new(&job->mem, cid, 0, UINT64_MAX, hf_file_source(job));
    const char *why = x ? NULL : "no memory";
    for (hf_export_out out; !why && hf_export_next(x, &out);) {
        if (out.kind == HF_EXPORT_NEED) why = "a block of it is not here";
        else if (out.kind == HF_EXPORT_FAILED) why = out.reason;
        else if (fwrite(out.bytes.ptr, 1, out.bytes.len, file) != out.bytes.len) why = strerror(errno);
    }
    hf_export_free(x);
    return why;
}

static const char *write_new_file(hf_file_job *job, hf_bytes cid, const char *path) {
    FILE *file = fopen(path, "wbx");
    if (!file) return strerror(errno);
    const char *why = write_file(job, cid, file);
    if (fclose(file) && !why) why = strerror(errno);
    return why;
}

/* A new folder; its entries are put on the list. */
static const char *write_folder(hf_file_job *job, const todo *at, todo **list) {
    if (mkdir(at->path, 0777)) return strerror(errno);
    hf_walk *w = hf_walk_new(&job->mem, HF_BYTES(at->cid, at->cid_len), HF_LINKS_SHARDS, hf_file_source(job));
    const char *why = w ? NULL : "no memory";
    for (hf_walk_out out; !why && hf_walk_next(w, &out);) {
        hf_node node;
        size_t cursor = 0;
        if (out.kind != HF_WALK_BLOCK) why = out.kind == HF_WALK_NEED ? "a block of it is not here" : out.reason;
        else if (hf_node_read(out.cid, out.block, &node, NULL)) why = "a broken folder";
        for (hf_node_entry e; !why && hf_node_next_entry(&node, &cursor, &e);) {
            if (!e.name.len) continue; /* a shard */
            why = name_is_sound(e.name) ? push(list, e.cid, at->path, e.name) : "a name that would leave its folder";
        }
    }
    hf_walk_free(w);
    return why;
}

static const char *write_one(hf_file_job *job, const todo *at, todo **list) {
    hf_node node;
    hf_bytes block, cid = HF_BYTES(at->cid, at->cid_len);
    hf_fault fault = {NULL, 0};
    hf_block_source source = hf_file_source(job);
    if (hf_block_find(&source, cid, &block)) return "a block of it is not here";
    if (hf_node_read(cid, block, &node, &fault)) return fault.what;
    if (node.kind == HF_NODE_DIRECTORY) return job->output ? write_folder(job, at, list) : "a folder; say where with -o";
    if (node.kind != HF_NODE_FILE) return "neither file nor folder; see holdfast block get";
    return job->output ? write_new_file(job, cid, at->path) : write_file(job, cid, stdout);
}

static const char *follow(hf_file_job *job, hf_bytes root, const char *names, todo **list) {
    hf_path path;
    hf_path_out out;
    hf_block_source source = hf_file_source(job);
    if (hf_path_init(&path, root, hf_str(names))) return "a path that is too long";
    while (hf_path_next(&path, &source, &out) == HF_PATH_BLOCK) continue;
    if (out.kind == HF_PATH_NEED) return "a block of it is not here";
    return out.kind == HF_PATH_FOUND ? push(list, out.cid, job->output ? job->output : "", HF_BYTES(NULL, 0)) : out.reason;
}

int hf_file_get(hf_file_job *job) {
    hf_buf root;
    const char *names;
    todo *list = NULL;
    if (!hf_file_cid(job, job->words[0], &root, &names)) return 1;
    const char *why = follow(job, hf_buf_bytes(&root), names, &list);
    int status = why ? hf_file_fail(job->words[0], why) : 0;
    while (list) {
        todo *at = list;
        list = at->next;
        why = status ? NULL : write_one(job, at, &list);
        if (why) status = hf_file_fail(*at->path ? at->path : job->words[0], why);
        free(at);
    }
    if (!job->output && fflush(stdout) && !status) status = hf_file_fail("output", strerror(errno));
    hf_buf_deinit(&root);
    return status;
}
