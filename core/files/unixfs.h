/* unixfs: what a dag-pb node's data says: a file, a piece of one, a directory, a symlink, a shard of a big directory
 * (ipfs/specs unixfs.md). Reading is strict where the meaning would be in doubt; unknown fields are skipped. Nothing is copied. */
#ifndef HF_UNIXFS_H
#define HF_UNIXFS_H
#include "dag_pb.h"

typedef enum hf_unixfs_type {
    HF_UNIXFS_RAW, /* a leaf of old files */
    HF_UNIXFS_DIRECTORY,
    HF_UNIXFS_FILE,
    HF_UNIXFS_METADATA, /* never used; read and not followed */
    HF_UNIXFS_SYMLINK,  /* data: where it points */
    HF_UNIXFS_SHARD,    /* of a directory: a hash array mapped trie; data: bit field of the slots in use */
} hf_unixfs_type;

enum {
    HF_UNIXFS_HASH = 0x22,       /* murmur3-x64-64, the only one */
    HF_UNIXFS_FANOUT = 256,      /* slots of the shards that we write */
    HF_UNIXFS_FANOUT_MAX = 1024,
};

typedef struct hf_unixfs {
    hf_unixfs_type type;
    hf_bytes data;
    uint64_t file_size;      /* bytes of the file below this node: the data and all sizes together */
    size_t n_sizes;          /* files: one for each link */
    uint32_t fanout;         /* shards */
    uint32_t mode;           /* 0 when it is not said; permission bits */
    int64_t mtime_s;
    bool has_mtime;
    hf_bytes message;
} hf_unixfs;

/* HF_MALFORMED: not UnixFS, a file size that is not the sum, a shard of another hash or of slots that are no power of two (8 to 1,024). */
HF_MUST_USE hf_err hf_unixfs_read(hf_bytes message, hf_unixfs *ret, hf_fault *fault);
/* The sizes of a file's parts in order; start with *at zeroed. False at the end. */
typedef struct hf_unixfs_sizes { hf_pb_reader message, packed; bool begun, in_packed; } hf_unixfs_sizes;
bool hf_unixfs_next_size(const hf_unixfs *unixfs, hf_unixfs_sizes *at, uint64_t *ret_size);

/* Writing, as js and Kubo do: a file's node is begun with its size, and each part's size is added behind. */
void hf_unixfs_add_file(hf_buf *buf, uint64_t file_size);
void hf_unixfs_add_size(hf_buf *buf, uint64_t size);
void hf_unixfs_add_directory(hf_buf *buf);
void hf_unixfs_add_shard(hf_buf *buf, hf_bytes bits); /* HF_UNIXFS_FANOUT slots */

/* ---- shards: where a name lives ---- */
/* murmur3 x64 128 with seed 0, its first 64 bits. */
uint64_t hf_unixfs_hash(hf_bytes name);
/* Digits of a slot's number in the names of a shard's links (2 for 256 slots). */
size_t hf_unixfs_slot_digits(uint32_t fanout);
/* The slot of a hash at a depth (the root is 0), or UINT32_MAX when the hash has no more bits. */
uint32_t hf_unixfs_slot(uint64_t hash, uint32_t fanout, unsigned depth);
/* Slot and rest of a link's name; an empty rest: a shard below. False: no such name in a sound shard. */
bool hf_unixfs_split_name(hf_bytes name, uint32_t fanout, uint32_t *ret_slot, hf_bytes *ret_rest);
#endif
