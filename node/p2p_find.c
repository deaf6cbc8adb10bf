/* p2p_find: the DHT for the databases that are kept here: saying that we keep them, finding who else does. One operation of each kind at a time. */
#include "p2p_private.h"

#include "../core/codec/cid.h"
#include "../core/log/sync.h"

#include <string.h>

enum {
    PROVIDE_LATER_MS = 5000,           /* while nobody could dial us: until there is a reservation, or an address that others reach */
    PROVIDE_AGAIN_MS = 60000,          /* after it did not work; the DHT itself repeats what did */
    SEARCH_LONELY_MS = 20000,          /* while nobody is connected who keeps it; else twice as long each time, up to: */
    SEARCH_MAX_MS = 600000,
    FOUND_MAX = 16, PEERS_ENOUGH = 200,
    CONTEXT_FOUND = 3,
};

/* ---- databases ---- */

/* Empty: none to be told of: a collection's siblings stand and fall with the first, a closed one is not kept. */
static hf_bytes address_of(const hf_p2p *p, uint32_t db) {
    hf_core_db_about about;
    const hf_core *core = p->node->core;
    if (db > hf_core_n_collections(core) && (hf_core_db_info(core, db, &about) || about.phase != HF_CORE_OPEN)) return HF_BYTES(NULL, 0);
    return hf_core_address(core, db);
}

/* Of "/orbitdb/zdpu…". */
static bool cid_of(hf_bytes address, uint8_t ret[HF_CID_LEN]) {
    uint8_t digest[32];
    enum { PREFIX_LEN = sizeof "/orbitdb/" - 1 };
    if (address.len <= PREFIX_LEN || hf_cid_digest(hf_sub(address, PREFIX_LEN, address.len), digest)) return false;
    hf_cid_from_digest(digest, ret);
    return true;
}

static bool speaks(const hf_p2p *p, const hf_peer_id *peer, const char *protocol, hf_bytes address) {
    char name[160];
    size_t len = strlen(protocol);
    if (len + address.len > sizeof name) return false;
    memcpy(name, protocol, len);
    memcpy(name + len, address.ptr, address.len);
    return hf_swarm_peer_speaks(p->swarm, peer, HF_BYTES(name, len + address.len));
}

static bool keeps(const hf_p2p *p, const hf_peer_id *peer, uint32_t db) {
    hf_bytes address = hf_core_address(p->node->core, db);
    return address.len && (speaks(p, peer, HF_SYNC_PROTOCOL, address) || speaks(p, peer, HF_HEADS_PROTOCOL, address));
}

bool hf_p2p_is_of_app(const hf_p2p *p, const hf_peer_id *peer) {
    for (uint32_t db = 1; db <= hf_core_n_databases(p->node->core); db++)
        if (keeps(p, peer, db)) return true;
    return false;
}

static bool is_lonely(const hf_p2p *p, uint32_t db) {
    const hf_peer_id *peer;
    for (size_t i = 0; (peer = hf_swarm_peer(p->swarm, i)); i++)
        if (keeps(p, peer, db)) return false;
    return true;
}

static uint32_t n_dbs(const hf_p2p *p) {
    size_t n = hf_core_n_databases(p->node->core);
    return (uint32_t)(n < HF_P2P_DBS_MAX ? n : HF_P2P_DBS_MAX);
}

size_t hf_p2p_n_provided(const hf_p2p *p) {
    size_t n = 0;
    for (uint32_t db = 1; db <= n_dbs(p); db++) n += p->dbs[db - 1].provided_version || p->dbs[db - 1].kept;
    return n;
}

/* ---- providing ---- */

/* Said anew once our addresses have changed. */
static void provide(hf_p2p *p, uint64_t now) {
    uint8_t cid[HF_CID_LEN];
    for (uint32_t db = 1; db <= n_dbs(p) && !p->provide_op; db++) {
        hf_p2p_db *d = &p->dbs[db - 1];
        hf_bytes address = address_of(p, db);
        if (!address.len && d->provided_version && cid_of(hf_core_address(p->node->core, db), cid)) hf_kad_unprovide(p->kad, HF_BYTES(cid, sizeof cid));
        if (!address.len) d->provided_version = 0, d->kept = false;
        if (!address.len || d->provided_version == p->addrs_version || d->provide_ms > now || !cid_of(address, cid)) continue;
        d->provide_ms = now + PROVIDE_AGAIN_MS;
        p->provide_db = db;
        if (hf_kad_provide(p->kad, now, HF_BYTES(cid, sizeof cid), &p->provide_op)) p->provide_op = 0, d->provide_ms = now + PROVIDE_LATER_MS;
        else d->kept = p->serves;
    }
}

/* ---- finding ---- */

static void search(hf_p2p *p, uint64_t now) {
    uint8_t cid[HF_CID_LEN];
    size_t n_collections = hf_core_n_collections(p->node->core);
    for (uint32_t db = 1; db <= n_dbs(p); db++) {
        hf_p2p_db *d = &p->dbs[db - 1];
        if (d->search_ms > now || (db > 1 && db <= n_collections)) continue; /* who keeps one collection keeps all */
        hf_bytes address = address_of(p, db);
        uint64_t pause = (uint64_t)SEARCH_LONELY_MS << (is_lonely(p, db) || d->n_searches > 5 ? 0 : d->n_searches);
        d->search_ms = now + (d->n_searches++ > 5 ? SEARCH_MAX_MS : pause);
        if (!address.len || !cid_of(address, cid) || hf_kad_find_providers(p->kad, now, HF_BYTES(cid, sizeof cid), FOUND_MAX, &p->search_op)) continue;
        p->search_db = db;
        return;
    }
}

/* One that lost its last peer does not wait for the end of its pause. */
static void hurry(hf_p2p *p, uint64_t now) {
    for (uint32_t db = 1; db <= n_dbs(p); db++)
        if (p->dbs[db - 1].search_ms > now + SEARCH_LONELY_MS && is_lonely(p, db)) p->dbs[db - 1].search_ms = now + SEARCH_LONELY_MS, p->dbs[db - 1].n_searches = 0;
}

void hf_p2p_find_turn(hf_p2p *p) {
    uint64_t now = hf_node_now(p->node);
    if (!hf_kad_table_size(p->kad) && !p->serves) return; /* nobody to ask */
    if (!p->provide_op) provide(p, now);
    hurry(p, now);
    if (!p->search_op && hf_swarm_n_peers(p->swarm) < PEERS_ENOUGH) search(p, now);
}

static bool is_known(hf_p2p *p, uint64_t now, const hf_peer_id *peer) {
    hf_bytes address;
    return hf_book_address(hf_host_book(p->host), now, peer, 0, &address);
}

/* A provider whose address nobody tells is looked for by its ID. */
static void found(hf_p2p *p, uint64_t now, const hf_kad_out *said) {
    hf_peer_id peer = said->peer;
    if (hf_peer_id_eq(&peer, hf_core_self(p->node->core)) || hf_swarm_connected(p->swarm, &peer)) return;
    p->n_found++;
    if (is_known(p, now, &peer)) (void)!hf_host_connect(p->host, now, &peer, NULL, 0, 0, CONTEXT_FOUND);
    else if (!p->peer_op && !hf_kad_find_peer(p->kad, now, &peer, &p->peer_op)) p->sought = peer;
}

static void done(hf_p2p *p, const hf_kad_out *said) {
    if (said->op == p->search_op) p->search_op = 0;
    if (said->op == p->peer_op) p->peer_op = 0;
    if (said->op != p->provide_op) return;
    p->provide_op = 0;
    if (said->err || !said->n) return;
    p->dbs[p->provide_db - 1].provided_version = p->addrs_version;
}

void hf_p2p_find_said(hf_p2p *p, const hf_kad_out *said) {
    uint64_t now = hf_node_now(p->node);
    if (said->kind == HF_KAD_DONE) return done(p, said);
    if (said->kind == HF_KAD_PROVIDER && said->op == p->search_op) found(p, now, said);
    if (said->kind == HF_KAD_PEER && said->op == p->peer_op && is_known(p, now, &p->sought))
        (void)!hf_host_connect(p->host, now, &p->sought, NULL, 0, 0, CONTEXT_FOUND);
}
