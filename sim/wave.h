/* wave: one node with many browsers. It dies while they write: they go on among themselves. It comes back, and all become equal. See hf_sim_wave. */
#ifndef HF_SIM_WAVE_H
#define HF_SIM_WAVE_H
#include "sim.h"

struct hf_world;
struct hf_sim_peer;

typedef enum hf_wave_phase { HF_WAVE_BEFORE, HF_WAVE_ALONE, HF_WAVE_BACK } hf_wave_phase;
typedef struct hf_wave {
    hf_wave_phase phase;
    uint64_t died_ms, back_ms;
} hf_wave;

void hf_wave_begin(struct hf_world *w);
void hf_wave_step(struct hf_world *w);
void hf_wave_dialled(struct hf_world *w, struct hf_sim_peer *p, bool asked);
void hf_wave_figures(struct hf_world *w);       /* at the end */
void hf_wave_check(struct hf_world *w);         /* after that */
#endif
