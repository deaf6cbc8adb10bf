/* base: the words every other module is written in: bytes, errors, memory, growable buffers.
 *
 * Refuses: sockets, files, clocks, randomness, logging. Nothing here is global.
 * Laws:    0 is success everywhere; inputs are borrowed for the call; what a function returns through
 *          `ret_x` is written only on HF_OK unless its header says otherwise.
 */
#ifndef HF_BASE_H
#define HF_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HF_MUST_USE __attribute__((warn_unused_result))
#define HF_ASSERT(cond) ((cond) ? (void)0 : __builtin_trap())
#define HF_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* One error enum for the whole core; no module translates another's codes. */
typedef enum hf_err {
    HF_OK = 0,
    HF_NOMEM,     /* the host has no memory; the object may be dead, see its header */
    HF_MALFORMED, /* a stranger's bytes do not follow their format */
    HF_TRUNCATED, /* the bytes end before the item does; more may come */
    HF_LIMIT,     /* a documented bound was reached; nothing was changed */
    HF_DENIED,    /* signature, authority or rule refuses it */
    HF_NOT_FOUND, /* no such key, block, stream, peer, document */
    HF_MISSING,   /* cannot be decided yet: something it refers to has not arrived */
    HF_EXISTS,    /* already there; nothing was changed */
    HF_STATE,     /* called at a moment when it makes no sense (closed, dead, not ready) */
} hf_err;

/* A short English name of the code, static. */
const char *hf_err_name(hf_err err);

/* Where a decoder gave up and why: `what` is a static string, `at` a byte offset into the input. */
typedef struct hf_fault {
    const char *what;
    size_t at;
} hf_fault;

/* Sets *fault (NULL allowed) and returns `err`, so that a decoder can `return hf_fail(...)`. */
hf_err hf_fail(hf_fault *fault, hf_err err, const char *what, size_t at);

/* ---- bytes: a borrowed view ------------------------------------------------------------- */

typedef struct hf_bytes {
    const uint8_t *ptr;
    size_t len;
} hf_bytes;

#define HF_BYTES(p, n) ((hf_bytes){(const uint8_t *)(p), (n)})
#define HF_TEXT(literal) ((hf_bytes){(const uint8_t *)("" literal), sizeof(literal) - 1})

hf_bytes hf_str(const char *z);               /* view of a NUL-terminated string; NULL gives empty */
bool hf_eq(hf_bytes a, hf_bytes b);           /* same length and bytes; not constant time */
int hf_cmp(hf_bytes a, hf_bytes b);           /* bytewise, shorter first on a tie; <0, 0, >0 */
bool hf_starts(hf_bytes s, hf_bytes prefix);
hf_bytes hf_sub(hf_bytes s, size_t from, size_t len); /* clamped to s */
/* Index of the first `c` at or after `from`, or s.len. */
size_t hf_find(hf_bytes s, uint8_t c, size_t from);
bool hf_utf8_valid(hf_bytes s);               /* well-formed UTF-8, no surrogates, no overlongs */
/* Decimal, no sign, no leading '+', fits uint64; HF_MALFORMED otherwise. */
HF_MUST_USE hf_err hf_parse_u64(hf_bytes s, uint64_t *ret_value);

/* ---- memory: handed in, never global ---------------------------------------------------- */

/* `resize(ctx, NULL, 0, n)` allocates, `resize(ctx, p, old, 0)` frees and returns NULL, else resizes.
 * NULL for a non-zero size means no memory. */
typedef struct hf_mem {
    void *(*resize)(void *ctx, void *ptr, size_t old_len, size_t new_len);
    void *ctx;
} hf_mem;

/* How work is spread over processors: run() calls each(arg, i) once for every i < n, in any order, perhaps several at a time, and returns when all are
 * done. each() touches nothing but what belongs to its i. */
typedef struct hf_spread {
    void (*run)(void *ctx, size_t n, void (*each)(void *arg, size_t i), void *arg);
    void *ctx;
} hf_spread;

void *hf_alloc(hf_mem *mem, size_t len);      /* zeroed; NULL when there is none */
void hf_release(hf_mem *mem, void *ptr, size_t len); /* NULL allowed */
/* Grows the array *ptr of `item_len`-byte items to hold at least `n_need`; doubles *n_cap. */
HF_MUST_USE hf_err hf_grow(hf_mem *mem, void **ptr, size_t *n_cap, size_t item_len, size_t n_need);

/* ---- buf: growable bytes. A failure sticks: later adds do nothing, `buf.err` says NOMEM. -------- */

typedef struct hf_buf {
    hf_mem *mem;
    uint8_t *ptr;
    size_t len, cap;
    hf_err err;
} hf_buf;

void hf_buf_init(hf_buf *buf, hf_mem *mem);
void hf_buf_deinit(hf_buf *buf);              /* zeroed buf allowed */
void hf_buf_clear(hf_buf *buf);               /* len 0, err OK, memory kept */
hf_bytes hf_buf_bytes(const hf_buf *buf);
void hf_buf_add(hf_buf *buf, hf_bytes bytes);
void hf_buf_add_str(hf_buf *buf, const char *z);
void hf_buf_add_byte(hf_buf *buf, uint8_t byte);
void hf_buf_add_u64(hf_buf *buf, uint64_t value);   /* decimal */
void hf_buf_add_i64(hf_buf *buf, int64_t value);    /* decimal */
void hf_buf_add_hex(hf_buf *buf, hf_bytes bytes);   /* lower case */
/* Room for `len` more bytes, uninitialised, already counted in buf->len; NULL on NOMEM. */
uint8_t *hf_buf_extend(hf_buf *buf, size_t len);
/* Removes `len` bytes from the front (len <= buf->len). */
void hf_buf_consume(hf_buf *buf, size_t len);

/* ---- arena: many small things that die together ------------------------------------------ */

typedef struct hf_arena {
    hf_mem *mem;
    struct hf_arena_chunk *chunk;
    size_t used_bytes;   /* of all chunks together */
} hf_arena;

void hf_arena_init(hf_arena *arena, hf_mem *mem);
void hf_arena_deinit(hf_arena *arena);        /* zeroed arena allowed */
void hf_arena_clear(hf_arena *arena);         /* everything gone, one chunk kept for the next use */
void *hf_arena_alloc(hf_arena *arena, size_t len); /* zeroed, 16-byte aligned, NULL on NOMEM */
/* A copy that lives in the arena; `ptr` is NULL on NOMEM (never for an empty input). */
hf_bytes hf_arena_copy(hf_arena *arena, hf_bytes bytes);

/* ---- map: bytes -> pointer, keys borrowed (they must outlive the pairing) ------------------------ */

typedef struct hf_map_slot {
    hf_bytes key;
    void *value;        /* NULL: empty */
    uint32_t hash;
} hf_map_slot;

typedef struct hf_map {
    hf_mem *mem;
    hf_map_slot *slots;
    size_t n, n_slots;  /* n_slots is 0 or a power of two */
    uint64_t seed;      /* from the host's randomness where keys are a stranger's choice */
} hf_map;

void hf_map_init(hf_map *map, hf_mem *mem, uint64_t seed);
void hf_map_deinit(hf_map *map);
void *hf_map_get(const hf_map *map, hf_bytes key);              /* NULL: not there */
/* Sets or replaces; value must not be NULL. On replacing, the new key view is kept. */
HF_MUST_USE hf_err hf_map_put(hf_map *map, hf_bytes key, void *value);
void *hf_map_remove(hf_map *map, hf_bytes key);                 /* the value that was there, or NULL */
/* Iteration in slot order: start with *cursor = 0; NULL at the end. No put or remove meanwhile. */
hf_map_slot *hf_map_next(const hf_map *map, size_t *cursor);

#endif
