/* glue: what the files of the core's face for script share. */
#ifndef HF_WASM_GLUE_H
#define HF_WASM_GLUE_H
#include "../../core/core.h"

#define EXPORT(name) __attribute__((export_name(#name), visibility("default"))) name

hf_core *hf_w_core(void);
hf_buf *hf_w_answer(void);               /* the result, emptied */
hf_arena *hf_w_scratch(void);            /* for one call, cleared */
hf_bytes hf_w_take(size_t *at);          /* the next length-prefixed piece of the input */
hf_bytes hf_w_given(uint32_t len);       /* the input as it is */
hf_err hf_w_keep_block(const uint8_t cid[HF_CID_LEN], hf_bytes block);
#endif
