/* Fuzz: sync of one log, with bitswap below it, and a stranger who speaks sync, heads and bitswap in any way. He has good entries (by two writers, the second
 * of whom may not write) and sends them, or bent ones. Steps: core/p2p/stranger_fuzz.h; from 8 on: a block as a bitswap message, append, durable, retry.
 * Entries come out once each, in index order. */
#include "sync.h"

#include "../p2p/stranger_fuzz.h"

#include <string.h>

enum { GOOD = 6, TAG_SYNC = HF_STRANGER_TAG_OURS + 1 };
#define ADDRESS "/orbitdb/zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTdu9kQ3"

static hf_mem forever = {hf_fuzz_resize, NULL};

/* Made once: signing is slow. */
static struct {
    hf_writer writers[2];
    hf_identity identity;
    hf_buf blocks[GOOD];
    uint8_t digests[GOOD][32];
} world;

static void make_world(void) {
    uint8_t seed[32] = {1};
    static hf_arena keep;
    hf_secp *secp = hf_secp_new(&forever, seed);
    hf_arena_init(&keep, &forever);
    for (uint8_t i = 0; i < 2; i++) {
        uint8_t root[32] = {1, i}, signing[32] = {2, i};
        HF_ASSERT(!hf_writer_init(&world.writers[i], &forever, secp, root, signing));
    }
    HF_ASSERT(!hf_identity_read(hf_buf_bytes(&world.writers[0].block), &keep, &world.identity, NULL));
    for (size_t i = 0; i < GOOD; i++) {
        hf_buf_init(&world.blocks[i], &forever);
        HF_ASSERT(!hf_entry_create(&world.writers[i == GOOD - 1], HF_TEXT(ADDRESS), i ? (const uint8_t(*)[32])world.digests + i - 1 : NULL, i > 0, NULL, 0, i + 1, HF_TEXT("\xf6"),
                                   &world.blocks[i], world.digests[i]));
    }
}

/* What a shell keeps. */
typedef struct user {
    hf_log *log;
    hf_bitswap *bitswap;
    hf_sync *sync;
    hf_arena store;
    hf_map blocks;              /* CID -> hf_bytes */
    size_t n_out;
} user;

static hf_err get(void *ctx, hf_bytes cid, hf_bytes *ret) {
    user *u = ctx;
    const hf_bytes *found = u->blocks.mem ? hf_map_get(&u->blocks, cid) : NULL;
    if (!found) return HF_NOT_FOUND;
    *ret = *found;
    return HF_OK;
}

static void keep(user *u, hf_bytes block) {
    uint8_t cid[HF_CID_LEN];
    hf_bytes *kept = hf_arena_alloc(&u->store, sizeof *kept);
    hf_cid_of(block, cid);
    *kept = hf_arena_copy(&u->store, block);
    HF_ASSERT(!hf_map_put(&u->blocks, hf_arena_copy(&u->store, HF_BYTES(cid, sizeof cid)), kept));
}

static void *make(hf_stranger *s) {
    static user u;
    u = (user){.n_out = 0};
    hf_arena_init(&u.store, &s->mem);
    hf_map_init(&u.blocks, &s->mem, 1);
    hf_bytes may = HF_BYTES(world.identity.id, sizeof world.identity.id);
    hf_log_config config = {HF_TEXT(ADDRESS), &may, 1, 5, NULL, NULL};
    u.log = hf_log_new(&s->mem, &config);
    u.bitswap = hf_bitswap_new(&s->mem, s->us, HF_STRANGER_TAG_OURS, (hf_block_source){get, &u});
    u.sync = hf_sync_new(&s->mem, s->us, u.bitswap, (hf_block_source){get, &u}, TAG_SYNC);
    HF_ASSERT(u.log && u.bitswap && u.sync && !hf_log_identity(u.log, &world.identity));
    HF_ASSERT(!hf_sync_add(u.sync, s->now_ms, u.log, 7));
    return &u;
}

static bool event(hf_stranger *s, const hf_swarm_out *o) {
    user *u = s->self;
    bool stream = o->kind >= HF_SWARM_STREAM_OPEN;
    if ((stream && o->tag == HF_STRANGER_TAG_OURS) || (o->kind == HF_SWARM_CONN_DOWN && o->last)) hf_bitswap_event(u->bitswap, s->now_ms, o);
    if ((stream && hf_sync_owns_tag(u->sync, o->tag)) || o->kind == HF_SWARM_IDENTIFIED || o->kind == HF_SWARM_CONN_DOWN) hf_sync_event(u->sync, s->now_ms, o);
    return false;
}

static bool next(hf_stranger *s) {
    user *u = s->self;
    hf_bitswap_out b;
    hf_sync_out out;
    if (hf_bitswap_next(u->bitswap, &b)) {
        if (b.context & HF_SYNC_CONTEXT) hf_sync_bitswap(u->sync, s->now_ms, &b);
        return true;
    }
    if (!hf_sync_next(u->sync, s->now_ms, &out)) return false;
    if (out.kind == HF_SYNC_IDENTITY) keep(u, out.block);
    if (out.kind == HF_SYNC_ENTRY) {
        HF_ASSERT(out.context == 7 && out.index == u->n_out++);
        keep(u, out.entry->block);
    }
    if (out.kind == HF_SYNC_REFUSED || out.kind == HF_SYNC_ABUSE) HF_ASSERT(out.reason != NULL);
    return true;
}

/* Message { payload 3: Block { prefix 1, data 2 } }, the block bent where the input says so. */
static void send_block(hf_stranger *s, hf_bytes bytes) {
    static const uint8_t prefix[] = {0x01, 0x71, 0x12, 0x20};
    uint8_t arg = hf_stranger_arg(bytes);
    const hf_buf *from = arg % 8 < GOOD ? &world.blocks[arg % 8] : &world.writers[arg % 2].block;
    hf_buf block, payload, message;
    hf_buf_init(&block, &forever), hf_buf_init(&payload, &forever), hf_buf_init(&message, &forever);
    hf_buf_add(&block, hf_buf_bytes(from));
    if (bytes.len > 3) block.ptr[(bytes.ptr[1] << 8 | bytes.ptr[2]) % block.len] ^= bytes.ptr[3];
    hf_pb_add_bytes(&payload, 1, HF_BYTES(prefix, sizeof prefix));
    hf_pb_add_bytes(&payload, 2, hf_buf_bytes(&block));
    hf_pb_add_bytes(&message, 3, hf_buf_bytes(&payload));
    hf_stranger_say(s, hf_buf_bytes(&message), true);
    hf_buf_deinit(&block), hf_buf_deinit(&payload), hf_buf_deinit(&message);
}

static void append(user *u) {
    hf_buf block;
    uint32_t index;
    if (u->n_out != hf_log_n(u->log)) return; /* what came must come out first */
    hf_buf_init(&block, &forever);
    HF_ASSERT(!hf_log_append(u->log, &world.writers[0], HF_TEXT("\xf5"), &block, &index) && index == u->n_out);
    keep(u, hf_buf_bytes(&block));
    u->n_out++;
    hf_buf_deinit(&block);
}

static void own(hf_stranger *s, uint8_t what, hf_bytes bytes) {
    user *u = s->self;
    if (what < 12) send_block(s, bytes);
    else if (what == 12) append(u);
    else if (what == 13) hf_sync_retry(u->sync, s->now_ms, u->log);
    else hf_sync_durable(u->sync, s->now_ms, u->log, u->n_out);
    (void)hf_sync_behind(u->sync, hf_stranger_id(s, 0));
}

static void tick(hf_stranger *s) {
    user *u = s->self;
    hf_bitswap_tick(u->bitswap, s->now_ms);
    hf_sync_tick(u->sync, s->now_ms);
}

static void end(hf_stranger *s) {
    user *u = s->self;
    hf_sync_free(u->sync);
    hf_bitswap_free(u->bitswap);
    hf_log_free(u->log);
    hf_map_deinit(&u->blocks);
    hf_arena_deinit(&u->store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const char *const protocols[] = {HF_SYNC_PROTOCOL ADDRESS, HF_HEADS_PROTOCOL ADDRESS, HF_BITSWAP_PROTOCOL, NULL};
    static const hf_stranger_part part = {protocols, 1, false, make, event, next, own, tick, end};
    if (!world.blocks[0].len) make_world();
    hf_stranger_play(&part, HF_BYTES(data, len));
    return 0;
}
