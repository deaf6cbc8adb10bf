/* path: from a CID and a path of names to a CID, through plain directories and shards.
 *
 *     hf_path_init(&path, root, HF_TEXT("a/b/c.txt")); while (hf_path_next(&path, &source, &out)) ...
 * Every block on the way comes out once, which is what proves the answer; the last one's does not, it is only named.
 */
#ifndef HF_FILES_PATH_H
#define HF_FILES_PATH_H
#include "node.h"

enum { HF_PATH_MAX = 4096, HF_PATH_NAMES_MAX = 128 }; /* bytes; names */

typedef struct hf_path {
    uint8_t cid[HF_CID_BYTES_MAX], shown[HF_CID_BYTES_MAX]; /* shown: of the output */
    size_t cid_len, n_names;
    hf_bytes rest;           /* borrowed */
    uint64_t hash;
    unsigned depth;          /* within shards */
    uint32_t fanout;
    const char *failed;
    bool not_found, shard;   /* shard: of the directory that we are in, below its root */
} hf_path;

typedef enum hf_path_kind {
    HF_PATH_FOUND = 0, /* cid: what the path names */
    HF_PATH_BLOCK,     /* cid, block: a step; views until the next call */
    HF_PATH_NEED,      /* cid: not in the source; put it there and call again */
    HF_PATH_NOT_FOUND, /* reason: no such name, or a file in the middle */
    HF_PATH_FAILED,    /* reason: a broken block, a path that is too long */
} hf_path_kind;
typedef struct hf_path_out { hf_path_kind kind; hf_bytes cid, block; const char *reason; } hf_path_out;

/* `names`: separated by '/', empty ones skipped; not percent-encoded; borrowed until the end. HF_MALFORMED: not a CID. HF_LIMIT. */
HF_MUST_USE hf_err hf_path_init(hf_path *path, hf_bytes root, hf_bytes names);
hf_path_kind hf_path_next(hf_path *path, const hf_block_source *source, hf_path_out *ret);
#endif
