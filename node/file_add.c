/* file_add: `holdfast file add`: files and folders into the store, each path pinned. Names that begin with a dot are left out within folders,
 * and so is what is neither file nor folder. */
#include "../core/files/directory.h"
#include "file_private.h"

#include <errno.h>
#include <fts.h>
#include <string.h>

enum { PIECE = 1 << 20, DEPTH_MAX = 128 };

typedef struct tree {
    hf_file_job *job;
    hf_directory *open[DEPTH_MAX]; /* by level */
    hf_imported last;              /* what was finished last: at the end the path itself */
    bool any;
    const char *why, *where;
} tree;

static void stop(tree *t, const char *where, const char *why) {
    if (t->why) return;
    t->where = where;
    t->why = why;
}

static const char *text_of(hf_file_job *job, hf_err err) {
    if (err == HF_LIMIT) return "the store is full, or there are too many names";
    return err == HF_DENIED ? hf_blocks_why(job->blocks) : hf_err_name(err);
}

static hf_err read_all(hf_import *i, FILE *file, hf_imported *ret) {
    static uint8_t bytes[PIECE];
    hf_err err = HF_OK;
    for (size_t n; !err && (n = fread(bytes, 1, sizeof bytes, file)) > 0;) err = hf_import_add(i, HF_BYTES(bytes, n));
    if (!err && ferror(file)) err = HF_STATE;
    return err ? err : hf_import_end(i, ret);
}

static void add_one(tree *t, const FTSENT *e) {
    FILE *file = fopen(e->fts_accpath, "rb");
    hf_import *i = hf_import_new(&t->job->mem, t->job->kubo ? &HF_IMPORT_KUBO : &HF_IMPORT_HELIA, hf_file_sink(t->job));
    if (!file) stop(t, e->fts_path, strerror(errno));
    else {
        hf_err err = i ? read_all(i, file, &t->last) : HF_NOMEM;
        if (err) stop(t, e->fts_path, err == HF_STATE ? "cannot be read" : text_of(t->job, err));
        fclose(file);
    }
    hf_import_free(i);
}

/* What was finished becomes an entry of the folder around it. */
static void enter(tree *t, const FTSENT *e) {
    t->any = true;
    if (t->why || e->fts_level == 0) return;
    hf_bytes name = HF_BYTES(e->fts_name, e->fts_namelen);
    hf_err err = hf_directory_add(t->open[e->fts_level - 1], name, HF_BYTES(t->last.cid, HF_CID_LEN), t->last.dag_bytes);
    if (err) stop(t, e->fts_path, text_of(t->job, err));
}

static void begin_folder(tree *t, const FTSENT *e) {
    if (e->fts_level >= DEPTH_MAX) return stop(t, e->fts_path, "folders more than 128 deep");
    t->open[e->fts_level] = hf_directory_new(&t->job->mem, hf_file_sink(t->job));
    if (!t->open[e->fts_level]) stop(t, e->fts_path, "no memory");
}

static void end_folder(tree *t, const FTSENT *e) {
    hf_err err = hf_directory_end(t->open[e->fts_level], &t->last);
    hf_directory_free(t->open[e->fts_level]);
    t->open[e->fts_level] = NULL;
    if (err) stop(t, e->fts_path, text_of(t->job, err));
    enter(t, e);
}

static void take(tree *t, FTS *fts, FTSENT *e) {
    if (e->fts_level > 0 && e->fts_name[0] == '.') {
        if (e->fts_info == FTS_D) fts_set(fts, e, FTS_SKIP);
        return;
    }
    switch (e->fts_info) {
    case FTS_D: begin_folder(t, e); break;
    case FTS_DP: end_folder(t, e); break;
    case FTS_F:
        add_one(t, e);
        enter(t, e);
        break;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS: stop(t, e->fts_path, strerror(e->fts_errno)); break;
    default: fprintf(stderr, "holdfast: %s: left out, neither file nor folder\n", e->fts_path); break;
    }
}

static int add_path(hf_file_job *job, char *path) {
    tree t = {.job = job};
    char *paths[] = {path, NULL};
    FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_COMFOLLOW, NULL);
    int status = 0;
    if (!fts) return hf_file_fail(path, strerror(errno));
    for (FTSENT *e; !t.why && (e = fts_read(fts));) take(&t, fts, e);
    if (t.why) status = hf_file_fail(t.where, t.why); /* where is fts's */
    fts_close(fts);
    for (size_t i = 0; i < DEPTH_MAX; i++) hf_directory_free(t.open[i]);
    if (status || !t.any) return 1;
    hf_bytes cid = HF_BYTES(t.last.cid, HF_CID_LEN);
    if (hf_blocks_pin(job->blocks, cid, hf_str(path)) || hf_blocks_commit(job->blocks)) return hf_file_fail(path, hf_blocks_why(job->blocks));
    hf_file_print_cid(cid, "  ");
    printf("%s\n", path);
    return 0;
}

int hf_file_add(hf_file_job *job) {
    int status = 0;
    for (int i = 0; i < job->n_words && !status; i++) status = add_path(job, job->words[i]);
    return status;
}
