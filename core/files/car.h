/* car: archives of blocks (ipld.io/specs/transport/car). Written: version 1. Read: version 1, and version 2 as what it wraps; its index is
 * passed over. Bytes come in any cut; every block is checked against its CID.
 *
 *     for (hf_bytes rest = input; hf_car_recv(car, &rest, &out);) ...      then hf_car_end(car)
 * Memory: one section. Limits: a header of 64 KiB with 1,024 roots, blocks of 2 MiB.
 */
#ifndef HF_CAR_H
#define HF_CAR_H
#include "../codec/block.h"

enum { HF_CAR_HEADER_MAX = 64 << 10, HF_CAR_ROOTS_MAX = 1024 };

typedef struct hf_car hf_car;
typedef enum hf_car_kind {
    HF_CAR_NONE = 0, /* all bytes are taken */
    HF_CAR_ROOT,     /* cid: a root, in the header's order */
    HF_CAR_BLOCK,    /* cid, block */
    HF_CAR_FAILED,   /* reason: not a CAR, or a block that is not what its CID says; the same again for ever */
} hf_car_kind;
typedef struct hf_car_out { hf_car_kind kind; hf_bytes cid, block; const char *reason; } hf_car_out; /* views until the next call */

hf_car *hf_car_new(hf_mem *mem);
void hf_car_free(hf_car *car); /* NULL allowed */
/* Takes from the front of *bytes until something is to be told. */
hf_car_kind hf_car_recv(hf_car *car, hf_bytes *bytes, hf_car_out *ret);
/* The input is over. HF_TRUNCATED: within something (or before a header). HF_MALFORMED: it had failed. */
HF_MUST_USE hf_err hf_car_end(const hf_car *car);

/* ---- writing ---- */
void hf_car_add_header(hf_buf *buf, const hf_bytes *roots, size_t n_roots);
/* The head of a section; the block's bytes follow it. */
void hf_car_add_section(hf_buf *buf, hf_bytes cid, size_t block_len);
#endif
