/* app: what the simulated people use: notes that are edited, ticked and deleted, tallies that are counted up, and a board that one alone may write to. */
#ifndef HF_SIM_APP_H
#define HF_SIM_APP_H
#include "../core/core.h"

enum { HF_SIM_FILES = 3, HF_SIM_COLLECTIONS = 3, HF_SIM_NOTES = 1, HF_SIM_TALLIES = 2, HF_SIM_BOARD = 3 }; /* numbers of databases */
/* The manifest for this owner of the board (an identity's id). loose: the same databases without rules, for peers that break them. */
void hf_sim_app_json(hf_buf *buf, hf_bytes owner, bool loose);
void hf_sim_app_files(hf_bytes app_json, hf_file ret[HF_SIM_FILES]);
#endif
