/* disk: what a peer stored. Blocks go in in order and are synced in order; a crash keeps what was synced and, when it tears, a part of what follows. */
#ifndef HF_SIM_DISK_H
#define HF_SIM_DISK_H
#include "../core/core.h"

struct hf_world;

/* One copy in the world of what thousands keep. */
typedef struct hf_sim_block { uint32_t refs; uint8_t cid[HF_CID_LEN]; size_t len; uint8_t bytes[]; } hf_sim_block;
typedef struct hf_sim_blocks { hf_map map; size_t n_bytes; } hf_sim_blocks;

typedef struct hf_disk_record { uint64_t seq; hf_sim_block *block; uint32_t database; } hf_disk_record;

typedef struct hf_disk {
    hf_disk_record *records;
    size_t n, cap;
    size_t n_synced;            /* what the core was told */
    size_t n_safe;              /* what is; less only on a disk that lies */
    size_t n_syncing;           /* up to where the sync under way goes; 0: none runs */
    hf_map index;               /* synced ones by CID */
    uint64_t slow_until_ms;
    bool full;
    uint32_t generation;        /* rises when all is lost */
    hf_buf snapshot[3];         /* of the app's databases, of the first snapshot_n records */
    size_t snapshot_n;
} hf_disk;

void hf_disk_init(struct hf_world *w, uint32_t peer);
void hf_disk_deinit(struct hf_world *w, uint32_t peer);
void hf_disk_put(struct hf_world *w, uint32_t peer, uint64_t seq, uint32_t database, const uint8_t cid[HF_CID_LEN], hf_bytes block);
/* Starts a sync when there is something to sync and none runs. */
void hf_disk_sync(struct hf_world *w, uint32_t peer);
/* The sync under way is done. False: the disk is full. *ret_seq: durable up to here. */
bool hf_disk_synced(struct hf_world *w, uint32_t peer, uint64_t *ret_seq);
void hf_disk_crash(struct hf_world *w, uint32_t peer);      /* forgets what a crash takes */
void hf_disk_wipe(struct hf_world *w, uint32_t peer);
hf_err hf_disk_get(void *disk, hf_bytes cid, hf_bytes *ret);
#endif
