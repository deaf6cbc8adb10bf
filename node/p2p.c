/* p2p: see p2p.h; p2p_private.h says which file holds what. */
#include "p2p_private.h"

#include "../core/codec/json.h"
#include "../core/codec/multiaddr.h"
#include "../core/crypto/crypto.h"
#include "../core/p2p/host_named.h"
#include "../core/p2p/reach.h"
#include "describe.h"
#include "interfaces.h"
#include "say.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    ANNOUNCE_MS = 5000,               /* addresses are looked at anew: interfaces come and go */
    SAVE_MS = 60000, SAVED_PEERS_MAX = 128, REDIALLED_MAX = 8,
    REFUSED_MS = 600000,
    RELAYED_BYTES_PER_S = 2 << 20,    /* of one relayed connection; those of the app have no other limit */
    CONTEXT_NAMED = 1, CONTEXT_KNOWN,
};
#define BOOK "book"

static void random_fill(void *ctx, uint8_t *out, size_t len) {
    (void)ctx;
    for (ssize_t n; len; out += n, len -= (size_t)n) {
        n = getrandom(out, len < 256 ? len : 256, 0);
        if (n < 0) n = 0; /* interrupted */
    }
}

/* ---- the parts ---- */

/* Peers that keep our databases may talk through us as if they were connected directly; strangers may say hello and punch a hole. */
static hf_relay_verdict allow(void *ctx, hf_relay_ask ask, const hf_peer_id *peer, const hf_peer_id *target) {
    const hf_p2p *p = ctx;
    bool ours = hf_p2p_is_of_app(p, peer) && (ask == HF_RELAY_ASK_RESERVE || hf_p2p_is_of_app(p, target));
    if (ours) return HF_RELAY_UNLIMITED;
    return p->node->options->relay_for == HF_RELAY_FOR_APP ? HF_RELAY_DENY : HF_RELAY_LIMITED;
}

static hf_err add_relay(hf_p2p *p) {
    hf_relay_config config = {.unix_offset_ms = (int64_t)(hf_node_wall() - hf_node_now(p->node)), .serve = p->node->options->relay_for != HF_RELAY_FOR_NOBODY,
                              .allow = allow, .allow_ctx = p, .bytes_per_s = RELAYED_BYTES_PER_S};
    return hf_host_add_relay(p->host, &p->node->mem, HF_P2P_TAG_RELAY, &config, &p->relay);
}

static hf_err add_kad(hf_p2p *p) {
    const hf_options *o = p->node->options;
    hf_kad_config config = {.protocol = hf_str(o->dht_protocol), .server = o->dht == HF_DHT_SERVER || (o->dht == HF_DHT_AUTO && o->reach == HF_REACH_PUBLIC),
                            .network = o->private_network ? HF_KAD_ANY_NETWORK : HF_KAD_WAN, .random = random_fill};
    if (o->private_network) config.per_group_max = UINT32_MAX;
    p->serves = config.server;
    hf_err err = hf_host_add_kad(p->host, &p->node->mem, HF_P2P_TAG_KAD, &config, &p->kad);
    if (!err) hf_kad_clock(p->kad, hf_node_now(p->node), hf_node_wall());
    return err;
}

static bool has_ip6(void) {
    uv_interface_address_t *all;
    int n;
    bool found = false;
    if (hf_interfaces(&all, &n)) return false;
    for (int i = 0; i < n; i++)
        found |= all[i].address.address6.sin6_family == AF_INET6 && hf_reach_is_public_ip(HF_BYTES(&all[i].address.address6.sin6_addr, 16));
    free(all);
    return found;
}

static hf_err add_autonat(hf_p2p *p) {
    bool any = p->node->options->private_network;
    hf_autonat2_config config = {.serve = true, .any_address = any, .no_ip6 = !any && !has_ip6(), .random = random_fill};
    return hf_host_add_autonat(p->host, &p->node->mem, HF_P2P_TAG_AUTONAT, &config, &p->autonat);
}

hf_p2p *hf_p2p_open(hf_node *node) {
    const hf_options *o = node->options;
    hf_p2p *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    *p = (hf_p2p){.node = node, .host = hf_core_host(node->core)};
    p->swarm = hf_host_swarm(p->host);
    p->reach = o->reach == HF_REACH_PUBLIC ? HF_AUTONAT_PUBLIC : o->reach == HF_REACH_PRIVATE ? HF_AUTONAT_PRIVATE : HF_AUTONAT_UNKNOWN;
    hf_buf_init(&p->saved, &node->mem);
    hf_err err = add_relay(p);
    if (!err) err = hf_host_add_dcutr(p->host, &node->mem, HF_P2P_TAG_DCUTR, o->private_network);
    if (!err && o->dht != HF_DHT_OFF) err = add_kad(p);
    if (!err && o->autonat) err = add_autonat(p);
    if (!err) return p;
    free(p);
    return NULL;
}

/* ---- addresses ---- */

static void add_addr(hf_p2p_addrs *list, hf_bytes addr) {
    if (list->n == HF_P2P_ADDRS_MAX || !addr.len || addr.len > HF_P2P_ADDR_MAX) return;
    for (size_t i = 0; i < list->n; i++)
        if (hf_eq(list->items[i], addr)) return;
    memcpy(list->bytes[list->n], addr.ptr, addr.len);
    list->items[list->n] = HF_BYTES(list->bytes[list->n], addr.len);
    list->n++;
}

static void add_text(hf_p2p *p, hf_p2p_addrs *list, const char *text) {
    hf_buf binary;
    hf_buf_init(&binary, &p->node->mem);
    if (!hf_multiaddr_parse(hf_str(text), &binary, NULL)) add_addr(list, hf_buf_bytes(&binary));
    hf_buf_deinit(&binary);
}

static void on_own_address(void *ctx, const char *text) {
    void **both = ctx;
    add_text(both[0], both[1], text);
}

/* Where we listen, or what the operator says instead; where AutoNAT found us; where relays take calls for us. */
static void list_ours(hf_p2p *p, hf_p2p_addrs *ret) {
    const hf_options *o = p->node->options;
    void *both[] = {p, ret};
    ret->n = 0;
    for (size_t i = 0; i < o->n_announce; i++) add_text(p, ret, o->announce[i]);
    if (!o->n_announce) hf_describe_each_address(p->node, on_own_address, both);
    for (size_t i = 0; p->reach == HF_AUTONAT_PUBLIC && i < p->reached_at.n; i++) add_addr(ret, p->reached_at.items[i]);
    for (size_t i = 0; i < HF_P2P_RELAYS_MAX; i++)
        for (size_t k = 0; p->holds[i].reserved && k < p->holds[i].addrs.n; k++) add_addr(ret, p->holds[i].addrs.items[k]);
}

/* Told to peers when it is not what was told before. */
static void announce(hf_p2p *p) {
    hf_p2p_addrs ours;
    uint8_t hash[32];
    hf_buf all;
    p->announced_ms = hf_node_now(p->node);
    list_ours(p, &ours);
    hf_buf_init(&all, &p->node->mem);
    for (size_t i = 0; i < ours.n; i++) hf_buf_add(&all, ours.items[i]), hf_buf_add_byte(&all, 0);
    hf_sha256_of(hf_buf_bytes(&all), hash);
    bool same = all.err || !memcmp(hash, p->announced, sizeof hash);
    hf_buf_deinit(&all);
    while (!same && ours.n && hf_core_addresses(p->node->core, ours.items, ours.n) == HF_LIMIT) ours.n--; /* the last are the least */
    if (same) return;
    memcpy(p->announced, hash, sizeof hash);
    p->addrs_version++;
}

/* ---- reservations ---- */

static bool wants_relays(const hf_p2p *p) { return p->reach == HF_AUTONAT_PRIVATE || (p->reach == HF_AUTONAT_UNKNOWN && p->leans_private); }

static hf_p2p_hold *hold_of(hf_p2p *p, const hf_peer_id *at) {
    for (size_t i = 0; i < HF_P2P_RELAYS_MAX; i++)
        if (p->holds[i].used && hf_peer_id_eq(&p->holds[i].at, at)) return &p->holds[i];
    return NULL;
}

static bool was_refused(const hf_p2p *p, const hf_peer_id *at) {
    for (size_t i = 0; i < HF_COUNT(p->refused); i++)
        if (p->refused[i].until_ms > hf_node_now(p->node) && hf_peer_id_eq(&p->refused[i].at, at)) return true;
    return false;
}

static void let_go(hf_p2p *p, hf_p2p_hold *hold) {
    hf_relay_unreserve(p->relay, &hold->at);
    hold->used = hold->reserved = false;
    announce(p);
}

static void reserve(hf_p2p *p) {
    const hf_peer_id *peer;
    uint64_t conn;
    for (size_t i = 0; (peer = hf_swarm_peer(p->swarm, i)); i++) {
        hf_p2p_hold *hold = p->holds;
        while (hold < p->holds + HF_P2P_RELAYS_MAX && hold->used) hold++;
        if (hold == p->holds + HF_P2P_RELAYS_MAX) return;
        if (hold_of(p, peer) || was_refused(p, peer) || hf_swarm_direct(p->swarm, peer, &conn)) continue;
        if (!hf_swarm_peer_speaks(p->swarm, peer, HF_TEXT(HF_RELAY_HOP_PROTOCOL)) || hf_relay_reserve(p->relay, hf_node_now(p->node), peer)) continue;
        *hold = (hf_p2p_hold){.at = *peer, .used = true};
    }
}

static void tend_relays(hf_p2p *p) {
    if (wants_relays(p)) return reserve(p);
    for (size_t i = 0; p->reach == HF_AUTONAT_PUBLIC && i < HF_P2P_RELAYS_MAX; i++)
        if (p->holds[i].used) let_go(p, &p->holds[i]);
}

static void say_of_peer(hf_p2p *p, const char *event, const hf_peer_id *peer, const char *reason) {
    hf_buf id;
    hf_buf_init(&id, &p->node->mem);
    hf_peer_id_add_text(&id, peer);
    hf_buf_add_byte(&id, 0);
    if (!id.err) hf_say(HF_LEVEL_INFO, event, "peer", (const char *)id.ptr, "reason", reason ? reason : "-", NULL);
    hf_buf_deinit(&id);
}

static void on_relay(hf_p2p *p, const hf_relay_out *said) {
    hf_p2p_hold *hold = hold_of(p, &said->via);
    if (!hold || (said->kind != HF_RELAY_RESERVED && said->kind != HF_RELAY_LOST)) return;
    if (said->kind == HF_RELAY_RESERVED) {
        if (!hold->reserved) say_of_peer(p, "reserved at a relay", &said->via, NULL);
        hold->reserved = true;
        hold->addrs.n = 0;
        for (size_t i = 0; i < said->n_addrs; i++) add_addr(&hold->addrs, said->addrs[i]);
        return announce(p);
    }
    say_of_peer(p, "no reservation at a relay", &said->via, said->reason);
    hold->reserved = false;
    size_t at = p->next_refused++ % HF_COUNT(p->refused);
    p->refused[at].at = said->via;
    p->refused[at].until_ms = hf_node_now(p->node) + (said->status ? REFUSED_MS : 0); /* status 0: it is only away */
    if (said->status) let_go(p, hold);
    else announce(p);
}

/* ---- what the parts say ---- */

const char *hf_p2p_reach_name(hf_autonat_reach reach) { return reach == HF_AUTONAT_PUBLIC ? "public" : reach == HF_AUTONAT_PRIVATE ? "private" : "unknown"; }

/* A server while others reach us; what is not known changes nothing. */
static void switch_dht(hf_p2p *p) {
    const char *protocol = p->node->options->dht_protocol;
    if (p->reach == HF_AUTONAT_PUBLIC && !p->serves) {
        p->serves = !hf_kad_serve(p->kad);
        if (p->serves) hf_say(HF_LEVEL_INFO, "serves the DHT", "protocol", protocol, NULL);
    } else if (p->reach == HF_AUTONAT_PRIVATE && p->serves) {
        hf_kad_serve_no_more(p->kad, hf_node_now(p->node));
        p->serves = false;
        hf_say(HF_LEVEL_INFO, "serves the DHT no more", "protocol", protocol, NULL);
    }
}

static void on_reach(hf_p2p *p, const hf_host_reach *said) {
    const hf_options *o = p->node->options;
    if (o->reach != HF_REACH_AUTO) return;
    if (said->reach != p->reach) hf_say(HF_LEVEL_INFO, "reachability", "is", hf_p2p_reach_name(said->reach), NULL);
    p->reach = said->reach;
    p->leans_private = said->leans_private;
    p->reached_at.n = 0;
    for (size_t i = 0; i < said->n_addrs; i++) add_addr(&p->reached_at, said->addrs[i]);
    announce(p);
    if (p->kad && o->dht == HF_DHT_AUTO) switch_dht(p);
}

static void on_named(hf_p2p *p, const hf_out *out) {
    hf_peer_id peer = out->peer;
    (void)hf_host_named(p->host, &p->node->mem, hf_node_now(p->node), out->conn, &peer, out->bytes);
    (void)!hf_host_connect(p->host, hf_node_now(p->node), &peer, NULL, 0, 0, CONTEXT_NAMED);
}

void hf_p2p_said(hf_p2p *p, const hf_out *out) {
    if (!p) return;
    if (out->kind == HF_OUT_NAMED) return on_named(p, out);
    if (out->kind != HF_OUT_SAID) return; /* how a wish went shows in the peers */
    if (!strcmp(out->part, HF_HOST_RELAY)) on_relay(p, out->said);
    if (!strcmp(out->part, HF_HOST_AUTONAT)) on_reach(p, out->said);
    if (!strcmp(out->part, HF_HOST_KAD)) hf_p2p_find_said(p, out->said);
    if (strcmp(out->part, HF_HOST_DCUTR)) return;
    const hf_dcutr_out *said = out->said;
    p->n_direct += said->kind == HF_DCUTR_UPGRADED;
    say_of_peer(p, said->kind == HF_DCUTR_UPGRADED ? "direct instead of relayed" : "stays relayed", &said->peer, said->reason);
}

/* ---- the book over restarts ---- */

static void save(hf_p2p *p) {
    hf_buf book;
    p->saved_ms = hf_node_now(p->node);
    if (!hf_store_idle(p->node->store)) return;
    hf_buf_init(&book, &p->node->mem);
    hf_book_save(hf_host_book(p->host), SAVED_PEERS_MAX, &book);
    bool news = !book.err && !hf_eq(hf_buf_bytes(&book), hf_buf_bytes(&p->saved));
    if (news && !hf_store_meta_set(p->node->store, BOOK, hf_buf_bytes(&book))) hf_say(HF_LEVEL_WARN, "the address book is not kept", NULL);
    hf_buf_deinit(&p->saved);
    p->saved = book;
}

typedef struct redial { hf_p2p *p; size_t n; } redial;

static void dial_known(void *ctx, const hf_peer_id *peer) {
    redial *r = ctx;
    if (r->n++ < REDIALLED_MAX) (void)!hf_host_connect(r->p->host, hf_node_now(r->p->node), peer, NULL, 0, 0, CONTEXT_KNOWN);
}

void hf_p2p_start(hf_p2p *p) {
    redial r = {p, 0};
    announce(p);
    p->saved_ms = hf_node_now(p->node);
    if (hf_store_meta_get(p->node->store, BOOK, &p->saved) &&
        hf_book_restore(hf_host_book(p->host), p->saved_ms, hf_buf_bytes(&p->saved), HF_BOOK_KNOWN_MS, dial_known, &r))
        hf_say(HF_LEVEL_WARN, "no memory for the address book", NULL);
}

/* ---- life ---- */

void hf_p2p_turn(hf_p2p *p) {
    if (!p) return;
    uint64_t now = hf_node_now(p->node);
    if (now - p->announced_ms >= ANNOUNCE_MS) announce(p);
    hf_p2p_join_turn(p);
    tend_relays(p);
    if (p->kad) hf_p2p_find_turn(p);
    if (now - p->saved_ms >= SAVE_MS) save(p);
}

/* The parts are the host's, and go with the core. */
void hf_p2p_close(hf_p2p *p) {
    if (!p) return;
    save(p);
    hf_buf_deinit(&p->saved);
    free(p);
}

/* ---- looking in ---- */

void hf_p2p_look(const hf_p2p *p, hf_p2p_about *ret) {
    *ret = (hf_p2p_about){.reach = HF_AUTONAT_UNKNOWN};
    if (!p) return;
    hf_relay_stats relay = hf_relay_look(p->relay);
    *ret = (hf_p2p_about){.reach = p->reach, .told = p->node->options->reach != HF_REACH_AUTO, .dht = p->kad != NULL, .dht_server = p->serves,
                          .relays = p->node->options->relay_for != HF_RELAY_FOR_NOBODY, .n_reservations = relay.n_reservations, .n_circuits = relay.n_circuits,
                          .n_bytes_relayed = relay.n_bytes_relayed, .n_book = hf_book_n_peers(hf_host_book(p->host)), .n_found = p->n_found,
                          .n_direct = p->n_direct};
    if (p->kad) {
        ret->dht_table = hf_kad_table_size(p->kad);
        ret->dht_records = hf_kad_n_providers(p->kad) + hf_kad_n_values(p->kad);
        ret->n_provided = hf_p2p_n_provided(p);
    }
    for (size_t i = 0; i < HF_P2P_RELAYS_MAX; i++)
        if (p->holds[i].reserved) ret->relay[ret->n_relay++] = p->holds[i].at;
}

static void add_number(hf_buf *buf, const char *name, uint64_t number) {
    hf_buf_add_str(buf, name);
    hf_buf_add_u64(buf, number);
}

void hf_p2p_describe(const hf_p2p *p, hf_buf *buf) {
    hf_p2p_about a;
    hf_p2p_look(p, &a);
    hf_buf_add_str(buf, "{\"reachability\":\"");
    hf_buf_add_str(buf, hf_p2p_reach_name(a.reach));
    hf_buf_add_str(buf, a.told ? "\",\"told\":true" : "\",\"told\":false");
    hf_buf_add_str(buf, ",\"relays\":[");
    for (size_t i = 0; i < a.n_relay; i++) {
        hf_buf_add_str(buf, i ? ",\"" : "\"");
        hf_peer_id_add_text(buf, &a.relay[i]);
        hf_buf_add_byte(buf, '"');
    }
    hf_buf_add_str(buf, "],\"relay\":");
    if (a.relays) {
        add_number(buf, "{\"reservations\":", a.n_reservations);
        add_number(buf, ",\"circuits\":", a.n_circuits);
        hf_buf_add_byte(buf, '}');
    } else hf_buf_add_str(buf, "null");
    hf_buf_add_str(buf, ",\"dht\":");
    if (a.dht) {
        hf_buf_add_str(buf, a.dht_server ? "{\"mode\":\"server\",\"protocol\":" : "{\"mode\":\"client\",\"protocol\":");
        hf_json_add_text(buf, hf_str(p->node->options->dht_protocol));
        add_number(buf, ",\"table\":", a.dht_table);
        add_number(buf, ",\"provided\":", a.n_provided);
        hf_buf_add_byte(buf, '}');
    } else hf_buf_add_str(buf, "null");
    hf_buf_add_byte(buf, '}');
}
