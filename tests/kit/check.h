/* check: the test kit. A test is HF_TEST(name) { ... }; it registers itself, and tests/kit/main.c runs all of them, natively and in
 * WebAssembly. A failed check prints where and what and ends that test. A test that made no check has failed.
 *
 *     HF_TEST(varint_reads_what_it_writes) { CHECK(hf_varint_read(...) == HF_OK); CHECK_U64(value, 300); }
 */
#ifndef HF_CHECK_H
#define HF_CHECK_H

#include "../../core/base/base.h"
#include "../../core/codec/value.h"

typedef struct hf_test {
    const char *name, *file;
    void (*run)(void);
    struct hf_test *next;
} hf_test;

void hf_test_register(hf_test *test);
/* Counts a check; when !ok prints file:line and the text and leaves the test (does not return). */
void hf_check(bool ok, const char *file, int line, const char *format, ...) __attribute__((format(printf, 4, 5)));

#define HF_TEST(test_name)                                                                             \
    static void test_##test_name(void);                                                                \
    __attribute__((constructor)) static void register_##test_name(void) {                             \
        static hf_test t = {#test_name, __FILE__, test_##test_name, NULL};                             \
        hf_test_register(&t);                                                                          \
    }                                                                                                  \
    static void test_##test_name(void)

#ifdef __clang_analyzer__ /* which sees one file at a time: a failed check does not return */
#define CHECK(cond) ((cond) ? (void)0 : __builtin_unreachable())
#define CHECK_MSG(cond, ...) ((cond) ? (void)0 : __builtin_unreachable())
#define CHECK_U64(got, want) ((uint64_t)(got) == (uint64_t)(want) ? (void)0 : __builtin_unreachable())
#define CHECK_ERR(got, want) ((got) == (want) ? (void)0 : __builtin_unreachable())
#else
#define CHECK(cond) hf_check((cond), __FILE__, __LINE__, "%s", #cond)
#define CHECK_MSG(cond, ...) hf_check((cond), __FILE__, __LINE__, __VA_ARGS__)
#define CHECK_U64(got, want) hf_check_u64((uint64_t)(got), (uint64_t)(want), #got, __FILE__, __LINE__)
#define CHECK_ERR(got, want) hf_check_err((got), (want), #got, __FILE__, __LINE__)
#endif
#define CHECK_BYTES(got, want) hf_check_bytes((got), (want), #got, __FILE__, __LINE__)
void hf_check_u64(uint64_t got, uint64_t want, const char *what, const char *file, int line);
void hf_check_err(hf_err got, hf_err want, const char *what, const char *file, int line);
void hf_check_bytes(hf_bytes got, hf_bytes want, const char *what, const char *file, int line); /* prints text or hex */

/* The kit's memory: counts what is out, and can be told to fail. Every test starts with nothing out and must end so (leak = failure). */
hf_mem *hf_test_mem(void);
size_t hf_test_mem_out(void);                  /* bytes handed out now */
/* The n-th allocation from now fails (1 = the next one), and all after it; 0 turns failing off. */
void hf_test_mem_fail_at(size_t n);
bool hf_test_mem_failed(void);                 /* did a failure happen since fail_at? */

/* A file of tests/vectors ("orbitdb/noise.json") or of an app ("apps/todo/app.json"); freed when the test ends. Fails the test when it is not there. */
hf_bytes hf_test_file(const char *path);
/* The same, parsed as JSON into memory that is freed when the test ends (needs core/codec/json.c). */
const hf_value *hf_test_json(const char *path);
/* Hex text -> bytes; freed when the test ends. Fails the test on bad hex. */
hf_bytes hf_test_hex(hf_bytes text);
hf_arena *hf_test_arena(void);                 /* an arena for this test, freed when it ends */

/* Deterministic pseudo-random numbers for property tests (splitmix64). */
uint64_t hf_test_random(uint64_t *state);
/* `host->random`-shaped filler: ctx is a uint64_t seed that advances. */
void hf_test_random_fill(void *ctx, uint8_t *out, size_t len);

#endif
