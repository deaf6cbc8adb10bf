/* The runner: `unit [FILTER]...` runs the tests whose name or file contains one of the filters, and closes with
 * `N passed, N failed`. Exit status 1 when one failed or none ran. */
#include "check.h"

#include "../../core/codec/json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hf_test *tests;
static size_t n_checks;
static bool test_failed;

/* ---- leaving a failed test: setjmp where there is one; WebAssembly of this age has none, so there the run ends. ---- */
#ifdef __wasm__
static int run_guarded(void (*run)(void)) {
    run();
    return 0;
}
static void leave(void) {
    printf("0 passed, 1 failed\n");
    exit(1);
}
#else
#include <setjmp.h>
static jmp_buf out;
static int run_guarded(void (*run)(void)) {
    if (setjmp(out)) return 1;
    run();
    return 0;
}
static void leave(void) { longjmp(out, 1); }
#endif

void hf_test_register(hf_test *test) {
    test->next = tests;
    tests = test;
}

void hf_check(bool ok, const char *file, int line, const char *format, ...) {
    n_checks++;
    if (ok) return;
    printf("  %s:%d: ", file, line);
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    test_failed = true;
    leave();
}

void hf_check_u64(uint64_t got, uint64_t want, const char *what, const char *file, int line) {
    hf_check(got == want, file, line, "%s is %" PRIu64 ", expected %" PRIu64, what, got, want);
}

void hf_check_err(hf_err got, hf_err want, const char *what, const char *file, int line) {
    hf_check(got == want, file, line, "%s is '%s', expected '%s'", what, hf_err_name(got), hf_err_name(want));
}

static void show(hf_bytes b) {
    bool text = true;
    for (size_t i = 0; i < b.len; i++)
        if (b.ptr[i] < 0x20 && b.ptr[i] != '\n') text = false;
    if (text) printf("\"%.*s\"", (int)b.len, (const char *)b.ptr);
    else
        for (size_t i = 0; i < b.len; i++) printf("%02x", b.ptr[i]);
}

void hf_check_bytes(hf_bytes got, hf_bytes want, const char *what, const char *file, int line) {
    if (hf_eq(got, want)) {
        n_checks++;
        return;
    }
    printf("  got      ");
    show(got);
    printf("\n  expected ");
    show(want);
    printf("\n");
    hf_check(false, file, line, "%s differs (%zu and %zu bytes)", what, got.len, want.len);
}

/* ---- memory ---- */
static size_t mem_out, fail_at;
static bool mem_failed;

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx;
    if (new_len == 0) {
        mem_out -= old_len;
        free(ptr);
        return NULL;
    }
    if (fail_at && (fail_at == 1 || --fail_at == 1)) {
        mem_failed = true;
        return NULL;
    }
    void *p = realloc(ptr, new_len);
    if (p) mem_out += new_len - old_len;
    return p;
}

hf_mem *hf_test_mem(void) {
    static hf_mem mem = {resize, NULL};
    return &mem;
}
size_t hf_test_mem_out(void) { return mem_out; }
void hf_test_mem_fail_at(size_t n) {
    fail_at = n ? n + 1 : 0;
    mem_failed = false;
}
bool hf_test_mem_failed(void) { return mem_failed; }

/* ---- things that live as long as a test: from plain malloc, so that failing memory does not reach them ---- */
static void *plain_resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}
static hf_mem plain = {plain_resize, NULL};
static hf_arena keep;

hf_arena *hf_test_arena(void) { return &keep; }

hf_bytes hf_test_file(const char *path) {
    char full[512];
    bool of_app = strncmp(path, "apps/", 5) == 0;
    snprintf(full, sizeof full, "%s%s", of_app ? "" : "tests/vectors/", path);
    FILE *f = fopen(full, "rb");
    CHECK_MSG(f != NULL, "cannot open %s", full);
    fseek(f, 0, SEEK_END);
    long len = ftell(f);
    rewind(f);
    uint8_t *p = hf_arena_alloc(&keep, (size_t)len + 1);
    size_t got = fread(p, 1, (size_t)len, f);
    fclose(f);
    CHECK_MSG(got == (size_t)len, "cannot read %s", full);
    return HF_BYTES(p, got);
}

const hf_value *hf_test_json(const char *path) {
    hf_value *v = hf_arena_alloc(&keep, sizeof *v);
    hf_fault fault = {"", 0};
    hf_err err = hf_json_decode(&keep, hf_test_file(path), v, &fault);
    CHECK_MSG(!err, "%s: %s at %zu", path, fault.what, fault.at);
    return v;
}

hf_bytes hf_test_hex(hf_bytes text) {
    CHECK_MSG(text.len % 2 == 0, "odd hex");
    uint8_t *p = hf_arena_alloc(&keep, text.len / 2 + 1);
    for (size_t i = 0; i < text.len; i++) {
        unsigned c = text.ptr[i], d = c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c - '0';
        CHECK_MSG(d < 16, "bad hex");
        p[i / 2] = (uint8_t)(p[i / 2] << 4 | d);
    }
    return HF_BYTES(p, text.len / 2);
}

static bool wanted(const hf_test *t, int argc, char **argv) {
    if (argc < 2) return true;
    for (int i = 1; i < argc; i++)
        if (strstr(t->name, argv[i]) || strstr(t->file, argv[i])) return true;
    return false;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    size_t n_passed = 0, n_failed = 0;
    for (hf_test *t = tests; t; t = t->next) {
        if (!wanted(t, argc, argv)) continue;
        size_t checks_before = n_checks;
        test_failed = false;
        mem_out = 0;
        hf_test_mem_fail_at(0);
        hf_arena_init(&keep, &plain);
        run_guarded(t->run);
        hf_test_mem_fail_at(0);
        if (!test_failed && n_checks == checks_before) {
            printf("  %s checked nothing\n", t->name);
            test_failed = true;
        }
        if (!test_failed && mem_out) {
            printf("  %s left %zu bytes behind\n", t->name, mem_out);
            test_failed = true;
        }
        hf_arena_deinit(&keep);
        if (test_failed) {
            printf("FAILED %s (%s)\n", t->name, t->file);
            n_failed++;
        } else n_passed++;
    }
    printf("%zu checks\n%zu passed, %zu failed\n", n_checks, n_passed, n_failed);
    return n_failed || !n_passed;
}
