/* report: what happened, for people, programs and eyes. */
#ifndef HF_SIM_REPORT_H
#define HF_SIM_REPORT_H
#include "sim.h"

struct hf_world;
void hf_report_text(hf_buf *buf, const hf_sim_config *config, const hf_sim_result *result, double real_s);
void hf_report_json(hf_buf *buf, const hf_sim_config *config, const hf_sim_result *result, double real_s);
/* The command line that repeats it. */
void hf_report_command(hf_buf *buf, const hf_sim_config *config);
void hf_report_picture(hf_buf *buf, const struct hf_world *w);
#endif
