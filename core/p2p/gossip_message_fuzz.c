/* Fuzz: an RPC; when it reads, what it says written again reads the same, and is written the same a second time. */
#include "gossip_message.h"

#include "../../tests/kit/fuzz.h"

enum { LISTED_MAX = 64 };

static void add_ids(hf_buf *control, const hf_gossip_item *item) {
    hf_bytes ids[LISTED_MAX];
    size_t n = 0;
    hf_pb_reader body = hf_pb_read(item->body);
    while (n < LISTED_MAX && hf_gossip_next_id(&body, item->kind, &ids[n])) n++;
    hf_gossip_add_ids(control, item->kind, item->topic, ids, n);
}

static void add_prune(hf_buf *control, const hf_gossip_item *item) {
    hf_gossip_px px[LISTED_MAX];
    size_t n = 0;
    hf_pb_reader body = hf_pb_read(item->body);
    while (n < LISTED_MAX && hf_gossip_next_peer(&body, &px[n].peer_id, &px[n].record)) n++;
    hf_gossip_add_prune(control, item->topic, px, n, item->backoff_s);
}

static void write_again(hf_mem *mem, hf_bytes rpc, hf_buf *ret) {
    hf_buf control;
    hf_buf_init(&control, mem);
    hf_gossip_reader r = hf_gossip_read(rpc);
    for (hf_gossip_item item; hf_gossip_read_next(&r, &item);) {
        hf_buf_clear(&control);
        switch (item.kind) {
        case HF_GOSSIP_ITEM_SUBSCRIPTION: hf_gossip_add_subscription(ret, item.topic, item.subscribe); break;
        case HF_GOSSIP_ITEM_PUBLISH: hf_gossip_add_publish(ret, &item.message); break;
        case HF_GOSSIP_ITEM_GRAFT: hf_gossip_add_graft(&control, item.topic); break;
        case HF_GOSSIP_ITEM_PRUNE: add_prune(&control, &item); break;
        default: add_ids(&control, &item);
        }
        if (control.len) hf_gossip_add_control(ret, hf_buf_bytes(&control));
    }
    HF_ASSERT(!r.err);
    hf_buf_deinit(&control);
}

static void look_at_authors(hf_bytes rpc) {
    hf_gossip_reader r = hf_gossip_read(rpc);
    for (hf_gossip_item item; hf_gossip_read_next(&r, &item);) {
        hf_gossip_verified author;
        const char *reason;
        uint8_t id[HF_GOSSIP_ID_MAX];
        if (item.kind != HF_GOSSIP_ITEM_PUBLISH || hf_gossip_author(&item.message, &author, &reason)) continue;
        HF_ASSERT(hf_gossip_id_of(&author, item.message.seqno, false, id) <= HF_GOSSIP_ID_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_bytes rpc = HF_BYTES(data, len);
    if (hf_gossip_check(rpc)) return 0;
    look_at_authors(rpc);
    hf_buf once, twice;
    hf_buf_init(&once, &mem);
    hf_buf_init(&twice, &mem);
    write_again(&mem, rpc, &once);
    HF_ASSERT(!once.err && !hf_gossip_check(hf_buf_bytes(&once)));
    write_again(&mem, hf_buf_bytes(&once), &twice);
    HF_ASSERT(hf_eq(hf_buf_bytes(&once), hf_buf_bytes(&twice)));
    hf_buf_deinit(&once);
    hf_buf_deinit(&twice);
    return 0;
}
