/* p2pd_protocols: the host's parts, as the flags want them: see p2pd_private.h. */
#include "p2pd_private.h"
#include "spread.h"

#include <string.h>
#include <time.h>

enum { TAG_RELAY = 0x100, TAG_GOSSIP = 0x200, TAG_KAD = 0x300, TAG_AUTONAT = 0x400 };

uint64_t hf_p2pd_unix_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A program may have made a reservation itself, by a stream of its own: whoever calls through a relay is let in. Vouchers are signed by Ed25519. */
static hf_err add_relay(hf_p2pd *d) {
    hf_relay_config config = {.unix_offset_ms = (int64_t)(hf_p2pd_unix_ms() - hf_p2pd_now(d)), .serve = d->key.is_seed, .called_by_any = true};
    config.reservations_per_ip_max = UINT32_MAX;
    if (d->program->relay) d->program->relay(d->program->ctx, &config);
    return hf_host_add_relay(d->host, &d->mem, TAG_RELAY, &config, &d->relay);
}

static hf_err add_gossip(hf_p2pd *d) {
    hf_gossip_config config = {.ed25519_seed = d->key.seed, .random = hf_p2pd_random, .flood_only = !strcmp(d->flags->router, "floodsub")};
    config.heartbeat_ms = (uint32_t)d->flags->heartbeat_ms;
    config.messages_a_second = d->flags->messages_a_second < UINT32_MAX ? (uint32_t)d->flags->messages_a_second : UINT32_MAX;
    config.spread = hf_threads_spread(d->threads = hf_threads_open());
    return hf_host_add_gossip(d->host, &d->mem, TAG_GOSSIP, &config, &d->gossip);
}

static hf_err add_kad(hf_p2pd *d) {
    const hf_p2pd_flags *f = d->flags;
    hf_kad_config config = {.server = f->dht_server || (f->dht && f->public), .network = HF_KAD_ANY_NETWORK, .random = hf_p2pd_random,
                            .per_group_max = UINT32_MAX};
    hf_err err = hf_host_add_kad(d->host, &d->mem, TAG_KAD, &config, &d->kad);
    if (!err) hf_kad_clock(d->kad, hf_p2pd_now(d), hf_p2pd_unix_ms());
    return err;
}

/* Private addresses are dialled for nobody. */
static hf_err add_autonat(hf_p2pd *d) {
    hf_host_autonat *autonat;
    hf_autonat2_config config = {.serve = true, .random = hf_p2pd_random};
    return hf_host_add_autonat(d->host, &d->mem, TAG_AUTONAT, &config, &autonat);
}

const char *hf_p2pd_add_protocols(hf_p2pd *d) {
    const hf_p2pd_flags *f = d->flags;
    if (f->pubsub && !d->key.is_seed) return "publishing needs an Ed25519 key";
    hf_err err = f->relay ? add_relay(d) : HF_OK;
    if (!err && f->pubsub) err = add_gossip(d);
    if (!err && (f->dht || f->dht_client || f->dht_server)) err = add_kad(d);
    if (!err && f->autonat) err = add_autonat(d);
    return err ? "out of memory" : NULL;
}

/* -dht serves while others reach us; what is not known changes nothing. */
static void on_reach(hf_p2pd *d, const hf_host_reach *said) {
    const hf_p2pd_flags *f = d->flags;
    if (!d->kad || !f->dht || f->dht_server || f->private || f->public) return;
    if (said->reach == HF_AUTONAT_PUBLIC) (void)!hf_kad_serve(d->kad);
    if (said->reach == HF_AUTONAT_PRIVATE) hf_kad_serve_no_more(d->kad, hf_p2pd_now(d));
}

void hf_p2pd_said(hf_p2pd *d, const hf_host_out *out) {
    if (!strcmp(out->part, HF_HOST_KAD)) hf_p2pd_dht_said(d, out->said);
    if (!strcmp(out->part, HF_HOST_GOSSIP)) hf_p2pd_pubsub_said(d, out->said);
    if (!strcmp(out->part, HF_HOST_AUTONAT)) on_reach(d, out->said);
}
