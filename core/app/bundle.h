/* bundle: an app folder as one block of bytes, the form in which a node hands its app to browsers: dag-cbor {"files": {path: bytes}}. Being
 * canonical, equal folders make equal bundles, so the release ID can be its hash. */
#ifndef HF_BUNDLE_H
#define HF_BUNDLE_H
#include "app.h"

enum { HF_BUNDLE_BYTES_MAX = 16 << 20, HF_BUNDLE_FILES_MAX = 1024 };

HF_MUST_USE hf_err hf_bundle_encode(hf_arena *scratch, const hf_file *files, size_t n_files, hf_buf *buf);
/* Files in the arena, views into `bundle`. */
HF_MUST_USE hf_err hf_bundle_decode(hf_arena *arena, hf_bytes bundle, hf_file **ret_files, size_t *ret_n, hf_fault *fault);
#endif
