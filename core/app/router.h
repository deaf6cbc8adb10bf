/* router: paths of the manifest ("/todos/:id") against paths of requests. A request's path is cut at '/' first and
 * percent-decoded after, so that %2F is a character of a segment and never a separator.
 * Refuses (nothing matches): empty segments, "." and ".." however encoded, more than HF_PATH_PARTS_MAX segments.
 */
#ifndef HF_ROUTER_H
#define HF_ROUTER_H
#include "../base/base.h"

enum { HF_PATH_PARTS_MAX = 8, HF_PATH_BYTES_MAX = 2048 };

typedef struct hf_path_part {
    hf_bytes text; /* the segment, or the parameter's name without ':' */
    bool is_param;
} hf_path_part;

/* A path as the manifest has it. */
typedef struct hf_path {
    hf_bytes text;
    hf_path_part parts[HF_PATH_PARTS_MAX];
    size_t n;
    unsigned
        rank; /* of two paths that both match, the higher one wins: a literal counts more the further left it stands */
} hf_path;

/* A path as a request has it: decoded segments. */
typedef struct hf_segments {
    hf_bytes parts[HF_PATH_PARTS_MAX];
    size_t n;
    bool trailing_slash; /* "/todos/": the segments are those of "/todos" */
    bool odd;            /* can match nothing: empty or dot segments, too many of them */
} hf_segments;

/* Literal segments are made of A-Z a-z 0-9 - _ . ~, parameters of names. NULL: fine; else what is wrong. `text` is
 * borrowed. */
const char *hf_path_read(hf_bytes text, hf_path *ret);
/* HF_MALFORMED with fault: no '/' at the start, wrong percent-encoding, not UTF-8 (answer 400). HF_LIMIT: too long
 * (414). */
HF_MUST_USE hf_err hf_segments_read(hf_arena *arena, hf_bytes path, hf_segments *ret, hf_fault *fault);

bool hf_path_matches(const hf_path *path, const hf_segments *segments);
/* Index of the parameter among the parts, or SIZE_MAX. */
size_t hf_path_param(const hf_path *path, hf_bytes name);
/* The path with every parameter replaced by `id` (encoded). */
void hf_path_add(hf_buf *buf, const hf_path *path, hf_bytes id);
#endif
