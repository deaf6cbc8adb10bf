/* part: partitions, in the shapes in which Jepsen deals them. What is stopped is not lost: it comes when the partition is over, as TCP would send it again. */
#ifndef HF_SIM_PART_H
#define HF_SIM_PART_H
#include "../core/core.h"

struct hf_world;

typedef enum hf_part {
    HF_PART_SPLIT,      /* a tenth to six tenths of the peers, and the rest */
    HF_PART_HALVES,
    HF_PART_RING,       /* everybody sees a majority, no two the same one */
    HF_PART_BRIDGE,     /* halves, and one peer that sees both */
    HF_PART_ONE_WAY,    /* halves; one hears the other and is not heard */
    HF_PART_FLAP,       /* halves, parted and joined in turns of up to 4 s */
    HF_PARTS,
} hf_part;
const char *hf_part_name(hf_part part);

typedef struct hf_parting { uint64_t salt, from_ms, until_ms; hf_part shape; } hf_parting;

void hf_part_begin(struct hf_world *w);     /* unless one is on */
/* Until when nothing that `from` sends reaches `to`; 0: it does. */
uint64_t hf_part_stops(const struct hf_world *w, uint32_t from, uint32_t to);
/* They cannot talk with each other, in one direction or in both. */
bool hf_part_apart(const struct hf_world *w, uint32_t a, uint32_t b);
#endif
