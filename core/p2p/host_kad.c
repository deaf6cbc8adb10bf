/* host_kad: see host_kad.h. */
#include "host_kad.h"

#include "host_named.h"

typedef struct kad_part {
    hf_mem *mem;
    hf_host *host;
    hf_kad *kad;
    hf_kad_out said;
} kad_part;

static uint64_t deadline(void *ctx) { return hf_kad_deadline(((kad_part *)ctx)->kad); }
static void tick(void *ctx, uint64_t now_ms) { hf_kad_tick(((kad_part *)ctx)->kad, now_ms); }

static bool on_event(void *ctx, uint64_t now_ms, const hf_swarm_out *event) {
    hf_kad_event(((kad_part *)ctx)->kad, now_ms, event);
    return false;
}

static void free_part(void *ctx) {
    kad_part *p = ctx;
    hf_kad_free(p->kad);
    hf_release(p->mem, p, sizeof *p);
}

static void connected(void *ctx, uint64_t now_ms, const hf_peer_id *peer, uint64_t context, const char *reason) {
    (void)context;
    if (reason) hf_kad_dial_failed(((kad_part *)ctx)->kad, now_ms, peer);
}

/* Others' word. Which networks count, the DHT knows (kad.h); on the Internet no doors below 1024 are knocked at for it. */
static size_t believed_of(const hf_kad_out *said, hf_bytes ret[HF_BOOK_ADDRESSES_MAX]) {
    size_t n = 0;
    for (size_t i = 0; i < said->n_addresses && n < HF_BOOK_ADDRESSES_MAX; i++) n += hf_host_believed(&said->addresses[i], 1, said->addresses[i], ret + n);
    return n;
}

/* The book takes it if nobody better spoke. */
static void note(kad_part *p, uint64_t now_ms) {
    hf_bytes believed[HF_BOOK_ADDRESSES_MAX];
    size_t n = believed_of(&p->said, believed);
    if (n) (void)!hf_book_add(hf_host_book(p->host), now_ms, &p->said.peer, HF_BOOK_NAMED, believed, n, HF_BOOK_NAMED_MS);
}

static bool next(void *ctx, uint64_t now_ms, hf_host_out *out) {
    kad_part *p = ctx;
    const hf_kad_out *said = &p->said;
    if (!hf_kad_next(p->kad, &p->said)) return false;
    if (said->kind == HF_KAD_DIAL || said->kind == HF_KAD_PEER || said->kind == HF_KAD_PROVIDER) note(p, now_ms);
    if (said->kind != HF_KAD_DIAL) {
        *out = (hf_host_out){.kind = HF_HOST_SAID, .part = HF_HOST_KAD, .said = said};
        return true;
    }
    hf_peer_id peer = said->peer;
    hf_bytes believed[HF_BOOK_ADDRESSES_MAX];
    if (hf_host_part_connect(p->host, now_ms, p, &peer, believed, believed_of(said, believed), 0)) hf_kad_dial_failed(p->kad, now_ms, &peer);
    return true;
}

hf_err hf_host_add_kad(hf_host *host, hf_mem *mem, uint32_t tag, const hf_kad_config *config, hf_kad **ret_kad) {
    kad_part *p = hf_alloc(mem, sizeof *p);
    if (!p) return HF_NOMEM;
    *p = (kad_part){.mem = mem, .host = host, .kad = hf_kad_new(mem, hf_host_swarm(host), tag, config)};
    hf_host_part part = {.name = HF_HOST_KAD, .ctx = p, .tag = tag, .n_tags = 1, .event = on_event, .next = next, .deadline = deadline, .tick = tick,
                         .free = free_part, .connected = connected};
    hf_err err = p->kad ? hf_host_add(host, &part) : HF_NOMEM;
    if (err) free_part(p);
    else *ret_kad = p->kad;
    return err;
}
