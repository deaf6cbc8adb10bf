/* Fuzz: bitswap with a block to give, and a stranger who asks for, offers and sends anything. Steps: stranger_fuzz.h; from 8 on: want, cancel, flush, have. What
 * comes as a block is what was asked for. */
#include "bitswap.h"

#include "stranger_fuzz.h"

static const uint8_t OURS[] = "a block of ours", THEIRS[] = "a block of theirs";

static hf_err get(void *ctx, hf_bytes cid, hf_bytes *ret) {
    (void)ctx;
    uint8_t own[HF_CID_LEN];
    *ret = HF_BYTES(OURS, sizeof OURS - 1);
    hf_cid_of(*ret, own);
    return hf_eq(cid, HF_BYTES(own, sizeof own)) ? HF_OK : HF_NOT_FOUND;
}

static void *make(hf_stranger *s) { return hf_bitswap_new(&s->mem, s->us, HF_STRANGER_TAG_OURS, (hf_block_source){get, NULL}); }

static bool event(hf_stranger *s, const hf_swarm_out *o) {
    bool stream = o->kind >= HF_SWARM_STREAM_OPEN && o->tag == HF_STRANGER_TAG_OURS;
    if (stream || (o->kind == HF_SWARM_CONN_DOWN && o->last)) hf_bitswap_event(s->self, s->now_ms, o);
    return false;
}

static bool next(hf_stranger *s) {
    hf_bitswap_out out;
    hf_cid cid;
    if (!hf_bitswap_next(s->self, &out)) return false;
    if (out.kind == HF_BITSWAP_BLOCK) HF_ASSERT(!hf_cid_read(out.cid, &cid) && !hf_cid_check(&cid, out.block));
    if (out.kind == HF_BITSWAP_ABUSE) HF_ASSERT(out.reason != NULL);
    return true;
}

/* The CID of the stranger's block, or any (of the input). */
static void own(hf_stranger *s, uint8_t what, hf_bytes bytes) {
    uint8_t theirs[HF_CID_LEN];
    hf_cid_of(HF_BYTES(THEIRS, sizeof THEIRS - 1), theirs);
    hf_bytes cid = bytes.len > 1 ? bytes : HF_BYTES(theirs, sizeof theirs);
    hf_err err = HF_OK;
    if (!hf_cid_valid(cid)) return;
    switch (what % 4) {
    case 0: err = hf_bitswap_want(s->self, s->now_ms, hf_stranger_id(s, 0), cid, what); break;
    case 1: hf_bitswap_cancel(s->self, s->now_ms, cid); break;
    case 2: hf_bitswap_flush(s->self, s->now_ms); break;
    default: hf_bitswap_have(s->self, s->now_ms, cid);
    }
    HF_ASSERT(err != HF_NOMEM && err != HF_STATE);
}

static void tick(hf_stranger *s) { hf_bitswap_tick(s->self, s->now_ms); }
static void end(hf_stranger *s) { hf_bitswap_free(s->self); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const char *const protocols[] = {HF_BITSWAP_PROTOCOL, NULL};
    static const hf_stranger_part part = {protocols, 1, false, make, event, next, own, tick, end};
    hf_stranger_play(&part, HF_BYTES(data, len));
    return 0;
}
