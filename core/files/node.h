/* node: what a block of any codec is to files: its links, its kind, its size. */
#ifndef HF_FILES_NODE_H
#define HF_FILES_NODE_H
#include "unixfs.h"

typedef enum hf_node_kind {
    HF_NODE_FILE,      /* bytes: a raw block, or UnixFS file or raw */
    HF_NODE_DIRECTORY, /* UnixFS, plain or the root of shards */
    HF_NODE_SYMLINK,
    HF_NODE_OTHER,     /* of another codec, or a dag-pb node that is no UnixFS */
} hf_node_kind;

typedef struct hf_node {
    hf_node_kind kind;
    uint64_t codec, file_size; /* file_size: of FILE */
    hf_dag_node dag;           /* dag-pb only */
    hf_unixfs unixfs;          /* FILE of dag-pb, DIRECTORY, SYMLINK */
} hf_node;

/* HF_MALFORMED: not a CID, or a block that its codec (dag-pb) refuses. A view of the block. */
HF_MUST_USE hf_err hf_node_read(hf_bytes cid, hf_bytes block, hf_node *ret, hf_fault *fault);

/* An entry of a plain directory or of one shard. */
typedef struct hf_node_entry {
    hf_bytes name, cid; /* an empty name: a shard below */
    uint64_t dag_bytes;
} hf_node_entry;
/* The entries of this one node in its order: start with *at = 0. Links of a shard that are not sound are left out. */
bool hf_node_next_entry(const hf_node *node, size_t *at, hf_node_entry *ret);

/* ---- links, of dag-pb and dag-cbor; blocks of other codecs are leaves ---- */
typedef enum hf_links_scope {
    HF_LINKS_ALL,
    HF_LINKS_SHARDS, /* only the shards of a directory: all that listing it takes */
} hf_links_scope;
/* A list of CIDs, to be taken from its end: each CID, then its length in one byte. */
void hf_cids_push(hf_buf *cids, hf_bytes cid);
/* The last one, still there; false: none. */
bool hf_cids_last(const hf_buf *cids, hf_bytes *ret_cid);
void hf_cids_pop(hf_buf *cids);
/* The n-th from the end (0: the last), by stepping. */
bool hf_cids_step(const hf_buf *cids, size_t *end, hf_bytes *ret_cid);
/* Pushes the block's links so that the first one is on top. HF_MALFORMED: the codec refuses the block. HF_LIMIT: the list would be
 * longer than `bytes_max`. HF_NOMEM. On failure the list is as it was. */
HF_MUST_USE hf_err hf_cids_push_links(hf_buf *cids, hf_bytes cid, hf_bytes block, hf_links_scope scope, size_t bytes_max);
#endif
