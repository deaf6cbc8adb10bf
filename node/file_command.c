/* file_command: see file_command.h. Words, the store, and the short verbs; file_add.c and file_get.c hold the long ones. */
#include "file_command.h"

#include "../core/files/car.h"
#include "../core/files/walk.h"
#include "file_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 << 10, COMMIT_BYTES = 64 << 20 };

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

int hf_file_fail(const char *what, const char *why) {
    fprintf(stderr, "holdfast: %s: %s\n", what, why);
    return 1;
}

void hf_file_print_cid(hf_bytes binary, const char *after) {
    hf_mem mem = {resize, NULL};
    hf_cid cid;
    hf_buf text;
    hf_buf_init(&text, &mem);
    if (!hf_cid_read(binary, &cid)) hf_cid_add_text(&text, &cid);
    printf("%.*s%s", (int)text.len, (const char *)text.ptr, after);
    hf_buf_deinit(&text);
}

bool hf_file_cid(hf_file_job *job, const char *word, hf_buf *ret, const char **ret_names) {
    hf_cid cid;
    size_t len = strcspn(word, "/");
    hf_buf_init(ret, &job->mem);
    if (hf_cid_parse(HF_BYTES(word, len), &cid) || (word[len] && !ret_names)) {
        hf_file_fail(word, "not a CID");
        return false;
    }
    hf_cid_add(ret, &cid);
    if (ret_names) *ret_names = word + len;
    return !ret->err;
}

/* ---- the store ---- */

hf_block_source hf_file_source(hf_file_job *job) { return (hf_block_source){hf_blocks_get, job->blocks}; }

/* Commits now and then, so that a large file does not fill the log beside the database. */
static hf_err put(void *ctx, hf_bytes cid, hf_bytes block) {
    static uint64_t since;
    hf_file_job *job = ctx;
    hf_err err = hf_blocks_put(job->blocks, cid, block);
    if (err || (since += block.len) < COMMIT_BYTES) return err;
    since = 0;
    return hf_blocks_commit(job->blocks);
}

hf_block_sink hf_file_sink(hf_file_job *job) { return (hf_block_sink){put, job}; }

static int open_store(hf_file_job *job, bool writes) {
    const char *why;
    if (mkdir(job->dir, 0700) && errno != EEXIST) return hf_file_fail(job->dir, strerror(errno));
    if (writes) job->lock = hf_blocks_lock(job->dir);
    if (writes && job->lock < 0) return hf_file_fail(job->dir, strerror(errno));
    job->blocks = hf_blocks_open(job->dir, 0, &why);
    return job->blocks ? 0 : hf_file_fail("the store", why);
}

static int close_store(hf_file_job *job, int status) {
    if (job->blocks && hf_blocks_commit(job->blocks)) status = hf_file_fail("the store cannot write", hf_blocks_why(job->blocks));
    hf_blocks_close(job->blocks);
    if (job->lock >= 0) close(job->lock);
    return status;
}

/* ---- words ---- */

static int usage(const char *group, const hf_file_verb *verbs, size_t n_verbs) {
    for (size_t i = 0; i < n_verbs; i++)
        fprintf(stderr, "%s holdfast %s %s %s [--dir DIR]\n", i ? "      " : "usage:", group, verbs[i].name, verbs[i].usage);
    return 2;
}

/* False: a flag without its value, or one that is not known. */
static bool read_words(hf_file_job *job, int argc, char **argv) {
    const struct { const char *name; const char **value; } flags[] = {{"--dir", &job->dir}, {"-o", &job->output}, {"--codec", &job->codec}};
    job->words = argv;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        size_t f = 0;
        if (!strcmp(word, "--kubo")) {
            job->kubo = true;
            continue;
        }
        while (f < HF_COUNT(flags) && strcmp(word, flags[f].name) != 0) f++;
        if (f < HF_COUNT(flags)) {
            if (++i == argc) return false;
            *flags[f].value = argv[i];
        } else if (!strncmp(word, "--dir=", 6)) job->dir = word + 6;
        else if (word[0] == '-' && word[1]) return false;
        else job->words[job->n_words++] = argv[i];
    }
    return true;
}

int hf_file_run(const char *group, const hf_file_verb *verbs, size_t n_verbs, int argc, char **argv) {
    const char *from_env = getenv("HOLDFAST_DIR");
    hf_file_job job = {.dir = from_env && *from_env ? from_env : "./holdfast_data", .mem = {resize, NULL}, .lock = -1};
    size_t v = 0;
    while (argc && v < n_verbs && strcmp(argv[0], verbs[v].name) != 0) v++;
    if (!argc || v == n_verbs || !read_words(&job, argc - 1, argv + 1)) return usage(group, verbs, n_verbs);
    if (job.n_words < verbs[v].words_min || job.n_words > verbs[v].words_max) return usage(group, verbs, n_verbs);
    int status = open_store(&job, verbs[v].writes);
    return close_store(&job, status ? status : verbs[v].run(&job));
}

/* ---- file list, file drop ---- */

static bool print_pin(void *ctx, hf_bytes cid, hf_bytes name) {
    (void)ctx;
    hf_file_print_cid(cid, "  ");
    printf("%.*s\n", (int)name.len, (const char *)name.ptr);
    return true;
}

static int list_pins(hf_file_job *job) {
    return hf_blocks_each_pin(job->blocks, print_pin, NULL) ? hf_file_fail("the store", hf_blocks_why(job->blocks)) : 0;
}

static int drop(hf_file_job *job) {
    uint64_t freed = 0;
    for (int i = 0; i < job->n_words; i++) {
        hf_buf cid;
        bool ok = hf_file_cid(job, job->words[i], &cid, NULL);
        hf_err err = ok ? hf_blocks_unpin(job->blocks, hf_buf_bytes(&cid)) : HF_OK;
        hf_buf_deinit(&cid);
        if (!ok) return 1;
        if (err) return hf_file_fail(job->words[i], err == HF_NOT_FOUND ? "not among what was added" : hf_blocks_why(job->blocks));
    }
    if (hf_blocks_collect(job->blocks, &job->mem, &freed)) return hf_file_fail("the store", hf_blocks_why(job->blocks));
    printf("%llu bytes freed\n", (unsigned long long)freed);
    return 0;
}

/* ---- block put, block get ---- */

static FILE *open_output(const hf_file_job *job) { return job->output ? fopen(job->output, "wbx") : stdout; }

static bool close_output(FILE *file, bool ok) {
    ok = !fflush(file) && !ferror(file) && ok;
    return (file == stdout || !fclose(file)) && ok;
}

static bool codec_of(const char *name, uint8_t *ret) {
    static const struct { const char *name; uint8_t codec; } codecs[] = {
        {"raw", HF_CODEC_RAW}, {"dag-pb", HF_CODEC_DAG_PB}, {"dag-cbor", HF_CODEC_DAG_CBOR}};
    for (size_t i = 0; i < HF_COUNT(codecs); i++)
        if (!name || !strcmp(name, codecs[i].name)) return *ret = codecs[i].codec, true;
    return false;
}

static int put_block(hf_file_job *job) {
    static uint8_t bytes[HF_BLOCK_MAX + 1];
    uint8_t codec, cid[HF_CID_LEN];
    if (!codec_of(job->codec, &codec)) return hf_file_fail(job->codec, "expected raw, dag-pb or dag-cbor");
    FILE *file = job->n_words && strcmp(job->words[0], "-") != 0 ? fopen(job->words[0], "rb") : stdin;
    if (!file) return hf_file_fail(job->words[0], strerror(errno));
    size_t len = fread(bytes, 1, sizeof bytes, file);
    bool ok = !ferror(file);
    if (file != stdin) fclose(file);
    if (!ok) return hf_file_fail(job->n_words ? job->words[0] : "input", "cannot be read");
    if (len > HF_BLOCK_MAX) return hf_file_fail("block put", "a block over 2 MiB; see holdfast file add");
    hf_cid_of_codec(codec, HF_BYTES(bytes, len), cid);
    hf_err err = hf_blocks_put(job->blocks, HF_BYTES(cid, sizeof cid), HF_BYTES(bytes, len));
    if (!err) err = hf_blocks_pin(job->blocks, HF_BYTES(cid, sizeof cid), HF_TEXT("block"));
    if (err) return hf_file_fail("block put", err == HF_LIMIT ? "the store is full" : hf_blocks_why(job->blocks));
    hf_file_print_cid(HF_BYTES(cid, sizeof cid), "\n");
    return 0;
}

static int get_block(hf_file_job *job) {
    hf_buf cid;
    hf_bytes block;
    bool ok = hf_file_cid(job, job->words[0], &cid, NULL);
    hf_block_source source = hf_file_source(job);
    hf_err err = ok ? hf_block_find(&source, hf_buf_bytes(&cid), &block) : HF_OK;
    FILE *file = ok && !err ? open_output(job) : NULL;
    int status = !ok ? 1 : err ? hf_file_fail(job->words[0], "not here") : !file ? hf_file_fail(job->output, strerror(errno)) : 0;
    if (file && !close_output(file, fwrite(block.ptr, 1, block.len, file) == block.len)) status = hf_file_fail("output", strerror(errno));
    hf_buf_deinit(&cid);
    return status;
}

/* ---- car import, car export ---- */

/* One output of the reader; NULL: all is well. */
static const char *take_car(hf_file_job *job, const hf_car_out *out) {
    if (out->kind == HF_CAR_FAILED) return out->reason;
    if (out->kind == HF_CAR_ROOT) {
        hf_file_print_cid(out->cid, "\n");
        return hf_blocks_pin(job->blocks, out->cid, hf_str(job->words[0])) ? hf_blocks_why(job->blocks) : NULL;
    }
    hf_err err = put(job, out->cid, out->block);
    return !err ? NULL : err == HF_LIMIT ? "the store is full" : hf_blocks_why(job->blocks);
}

static int import_car(hf_file_job *job) {
    static uint8_t bytes[PIECE];
    bool from_stdin = !strcmp(job->words[0], "-");
    FILE *file = from_stdin ? stdin : fopen(job->words[0], "rb");
    if (!file) return hf_file_fail(job->words[0], strerror(errno));
    hf_car *car = hf_car_new(&job->mem);
    const char *why = car ? NULL : "no memory";
    for (size_t n; !why && (n = fread(bytes, 1, sizeof bytes, file)) > 0;) {
        hf_bytes rest = HF_BYTES(bytes, n);
        for (hf_car_out out; !why && hf_car_recv(car, &rest, &out);) why = take_car(job, &out);
    }
    if (!why && (ferror(file) || hf_car_end(car))) why = ferror(file) ? "cannot be read" : "CAR: it breaks off";
    if (!from_stdin) fclose(file);
    hf_car_free(car);
    return why ? hf_file_fail(job->words[0], why) : 0;
}

static const char *write_car(hf_file_job *job, hf_bytes root, FILE *file) {
    hf_walk *w = hf_walk_new(&job->mem, root, HF_LINKS_ALL, hf_file_source(job));
    const char *why = w ? NULL : "no memory";
    hf_buf head;
    hf_buf_init(&head, &job->mem);
    hf_car_add_header(&head, &root, 1);
    for (hf_walk_out out; !why && hf_walk_next(w, &out);) {
        if (out.kind == HF_WALK_NEED) why = "a block of it is not here";
        if (out.kind == HF_WALK_FAILED) why = out.reason;
        if (why) break;
        hf_car_add_section(&head, out.cid, out.block.len);
        if (head.err || fwrite(head.ptr, 1, head.len, file) != head.len || fwrite(out.block.ptr, 1, out.block.len, file) != out.block.len)
            why = strerror(errno);
        hf_buf_clear(&head);
    }
    hf_buf_deinit(&head);
    hf_walk_free(w);
    return why;
}

static int export_car(hf_file_job *job) {
    hf_buf cid;
    if (!hf_file_cid(job, job->words[0], &cid, NULL)) return 1;
    FILE *file = open_output(job);
    const char *why = file ? write_car(job, hf_buf_bytes(&cid), file) : strerror(errno);
    if (file && !close_output(file, true) && !why) why = strerror(errno);
    hf_buf_deinit(&cid);
    return why ? hf_file_fail(job->words[0], why) : 0;
}

/* ---- the tables ---- */

int hf_file_command(int argc, char **argv) {
    static const hf_file_verb verbs[] = {
        {"add", "[--kubo] PATH...", 1, 1 << 20, hf_file_add, true},
        {"get", "CID[/PATH] [-o PATH]", 1, 1, hf_file_get, false},
        {"list", "", 0, 0, list_pins, false},
        {"drop", "CID...", 1, 1 << 20, drop, true},
    };
    return hf_file_run("file", verbs, HF_COUNT(verbs), argc, argv);
}

int hf_block_command(int argc, char **argv) {
    static const hf_file_verb verbs[] = {{"put", "[--codec raw|dag-pb|dag-cbor] [FILE]", 0, 1, put_block, true},
                                         {"get", "CID [-o FILE]", 1, 1, get_block, false}};
    return hf_file_run("block", verbs, HF_COUNT(verbs), argc, argv);
}

int hf_car_command(int argc, char **argv) {
    static const hf_file_verb verbs[] = {{"import", "FILE", 1, 1, import_car, true}, {"export", "CID [-o FILE]", 1, 1, export_car, false}};
    return hf_file_run("car", verbs, HF_COUNT(verbs), argc, argv);
}
