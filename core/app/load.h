/* load: an app folder's files -> hf_app. What is wrong is said with the file, the line or key, and the thing itself. */
#ifndef HF_LOAD_H
#define HF_LOAD_H
#include "inside.h"

/* Fills a zeroed app whose mem, arena, templates and cache are initialised. HF_MALFORMED with *ret_problem in
 * `problems`, or HF_NOMEM. */
HF_MUST_USE hf_err hf_app_load(hf_app *app, const hf_file *files, size_t n_files, hf_arena *problems,
                               hf_bytes *ret_problem);
#endif
