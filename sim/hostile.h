/* hostile: peers that do what they should not. See hf_sim_role. */
#ifndef HF_SIM_HOSTILE_H
#define HF_SIM_HOSTILE_H
#include "peer.h"

#define HF_FORBIDDEN "FORBIDDEN" /* stands in everything that must not show */

void hf_hostile_start(struct hf_world *w, hf_sim_peer *p);
void hf_hostile_stop(hf_sim_peer *p);
void hf_hostile_attack(struct hf_world *w, hf_sim_peer *p);
void hf_hostile_opened(struct hf_world *w, hf_sim_peer *p, uint64_t conn, bool dialer);
void hf_hostile_received(struct hf_world *w, hf_sim_peer *p, uint64_t conn, hf_bytes bytes);
void hf_hostile_lost(struct hf_world *w, hf_sim_peer *p, uint64_t conn);
#endif
