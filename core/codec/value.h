/* value: one tree for dag-cbor and JSON. Values live in the arena they were decoded into; text, bytes and keys of a
 * decoded tree are views into the *input* where no unescaping was needed, so keep the input alive or copy with
 * hf_value_copy. */
#ifndef HF_VALUE_H
#define HF_VALUE_H
#include "../base/base.h"

typedef enum hf_kind {
    HF_NULL, HF_BOOL, HF_INT, HF_FLOAT, HF_BYTES_VALUE, HF_TEXT_VALUE, HF_LIST, HF_MAP, HF_LINK
} hf_kind;

typedef struct hf_value {
    hf_kind kind;
    bool negative;      /* HF_INT: the number is -1 - u (CBOR major 1) */
    union {
        bool b;
        uint64_t u;     /* HF_INT: magnitude as CBOR has it */
        double f;
        hf_bytes s;     /* BYTES, TEXT; LINK: the binary CID without CBOR's leading 00 */
        struct { struct hf_value *items; uint32_t n, n_room; } list;
        struct { struct hf_pair *pairs; uint32_t n, n_room; } map; /* in the order read; unique keys */
    } as;
} hf_value;

typedef struct hf_pair { hf_bytes key; hf_value value; } hf_pair;

/* How deep lists and maps may nest in both decoders and the dag-cbor writer, so that a stranger's bytes cost bounded
 * stack: 128 frames fit the smallest stack we run on (64 KiB in WebAssembly) several times. Deeper is HF_LIMIT. */
enum { HF_VALUE_DEPTH_MAX = 128 };

hf_value hf_value_null(void);
hf_value hf_value_bool(bool b);
hf_value hf_value_u64(uint64_t u);
hf_value hf_value_i64(int64_t i);
hf_value hf_value_float(double f);
hf_value hf_value_text(hf_bytes s);      /* borrowed */
hf_value hf_value_bytes(hf_bytes s);     /* borrowed */
/* Empty containers with room for n in the arena; add with hf_list_add / hf_map_add. Without memory the container is
 * spoiled: adding to it does nothing, adding it to another spoils that one too, and every writer answers HF_NOMEM.
 * So build first, check once. */
hf_value hf_value_list(hf_arena *arena, size_t n_room);
hf_value hf_value_map(hf_arena *arena, size_t n_room);
bool hf_value_spoiled(const hf_value *v);
void hf_list_add(hf_value *list, hf_value item); /* asserts that there is room; the item is copied, so fill it first */
void hf_map_add(hf_value *map, const char *key, hf_value v);  /* likewise; key: static string */
void hf_map_add_bytes(hf_value *map, hf_bytes key, hf_value v);
/* Deep, text and bytes too. HF_LIMIT: deeper than HF_VALUE_DEPTH_MAX. */
HF_MUST_USE hf_err hf_value_copy(hf_arena *arena, const hf_value *from, hf_value *ret);
/* Deep; map order does not matter (linear when it is the same, quadratic at worst); 1 and 1.0 are equal. */
bool hf_value_eq(const hf_value *a, const hf_value *b);

/* Getters never fail: a missing or differently typed thing gives NULL / empty / the fallback. */
const hf_value *hf_value_get(const hf_value *map, const char *key);
const hf_value *hf_value_get_bytes(const hf_value *map, hf_bytes key);
hf_bytes hf_value_as_text(const hf_value *v);                 /* empty unless TEXT */
bool hf_value_as_bool(const hf_value *v, bool fallback);
/* HF_INT within int64, or HF_FLOAT with an integral value within ±2^53; else fallback. */
int64_t hf_value_as_i64(const hf_value *v, int64_t fallback);

/* ---- for codecs ---- */
/* dag-cbor's order of keys: by length, then bytewise. <0, 0, >0. */
int hf_key_cmp(hf_bytes a, hf_bytes b);
/* Sorts pointers to pairs by that order, in place, n log n at worst. */
void hf_pairs_sort(const hf_pair **pairs, size_t n);
/* HF_MALFORMED: a key stands twice. Linear when the keys are in order, else n log n with n pointers from `mem` (then
 * HF_NOMEM may be). */
HF_MUST_USE hf_err hf_pairs_check_unique(hf_mem *mem, const hf_pair *pairs, size_t n);
#endif
