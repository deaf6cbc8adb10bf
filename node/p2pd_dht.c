/* p2pd_dht: requests to the DHT: see p2pd_private.h. Spec: libp2p/go-libp2p-daemon specs/DHT.md. A single answer is one response; a sequence is a BEGIN,
 * bare VALUEs and an END. */
#include "p2pd_private.h"

#include <stdio.h>
#include <string.h>

enum { BEGIN = 0, VALUE = 1, END = 2, PROVIDERS = 20 };

static void say(hf_p2pd_sock *s, bool response, uint32_t kind, const hf_daemon_peer *peer, const hf_bytes *value) {
    hf_buf out;
    hf_buf_init(&out, &s->d->mem);
    hf_daemon_add_dht(&out, response, kind, peer, value);
    if (s->sequence && kind != END) {
        if (out.err) hf_p2pd_sock_close(s);
        else hf_p2pd_sock_send(s, hf_buf_bytes(&out));
        hf_buf_deinit(&out);
        return;
    }
    s->op = 0;
    s->sequence = false;
    hf_p2pd_answer(s, &out);
}

/* ---- asking ---- */

/* Short keys stand in the ID itself: "/pk/" is asked for the others. */
static hf_err public_key(hf_p2pd_sock *s, uint64_t now_ms, const hf_peer_id *peer) {
    hf_bytes id = hf_peer_id_bytes(peer);
    if (id.ptr[0] == 0) {
        hf_bytes key = hf_sub(id, 2, id.len);
        say(s, true, VALUE, NULL, &key);
        return HF_OK;
    }
    uint8_t name[4 + HF_PEER_ID_BYTES_MAX] = "/pk/";
    memcpy(name + 4, id.ptr, id.len);
    return hf_kad_get_value(s->d->kad, now_ms, HF_BYTES(name, 4 + id.len), 0, &s->op);
}

static hf_err find_peer(hf_p2pd_sock *s, uint64_t now_ms, const hf_peer_id *peer) {
    hf_bytes addresses[HF_BOOK_ADDRESSES_MAX];
    hf_daemon_peer known = {hf_peer_id_bytes(peer), addresses, 0};
    hf_book *book = hf_host_book(s->d->host);
    if (hf_swarm_connected(s->d->swarm, peer))
        while (known.n_addrs < HF_BOOK_ADDRESSES_MAX && hf_book_address(book, now_ms, peer, known.n_addrs, &addresses[known.n_addrs])) known.n_addrs++;
    if (!known.n_addrs) return hf_kad_find_peer(s->d->kad, now_ms, peer, &s->op);
    say(s, true, VALUE, &known, NULL);
    return HF_OK;
}

static hf_err ask(hf_p2pd_sock *s, const hf_daemon_request *r, const hf_peer_id *peer) {
    hf_kad *kad = s->d->kad;
    uint64_t now = hf_p2pd_now(s->d);
    switch (r->kind) {
    case HF_DAEMON_FIND_PEER: return find_peer(s, now, peer);
    case HF_DAEMON_FIND_PROVIDERS: return hf_kad_find_providers(kad, now, r->cid, r->count > 0 && r->count < 4096 ? (size_t)r->count : PROVIDERS, &s->op);
    case HF_DAEMON_CLOSEST_PEERS: return hf_kad_closest_peers(kad, now, r->key, &s->op);
    case HF_DAEMON_PUBLIC_KEY: return public_key(s, now, peer);
    case HF_DAEMON_GET_VALUE:
    case HF_DAEMON_SEARCH_VALUE: return hf_kad_get_value(kad, now, r->key, 0, &s->op);
    case HF_DAEMON_PUT_VALUE: return hf_kad_put_value(kad, now, r->key, r->value, &s->op);
    default: return hf_kad_provide(kad, now, r->cid, &s->op);
    }
}

static const char *missing(const hf_daemon_request *r, hf_peer_id *ret_peer) {
    switch (r->kind) {
    case HF_DAEMON_FIND_PEER:
    case HF_DAEMON_PUBLIC_KEY: return hf_peer_id_read(r->peer, ret_peer) ? "Malformed request; missing peer parameter" : NULL;
    case HF_DAEMON_FIND_PROVIDERS:
    case HF_DAEMON_PROVIDE: return r->cid.ptr ? NULL : "Malformed request; missing cid parameter";
    case HF_DAEMON_PUT_VALUE:
        if (!r->value.ptr) return "Malformed request; missing value parameter";
        return r->key.ptr ? NULL : "Malformed request; missing key parameter";
    case HF_DAEMON_CLOSEST_PEERS:
    case HF_DAEMON_GET_VALUE:
    case HF_DAEMON_SEARCH_VALUE: return r->key.ptr ? NULL : "Malformed request; missing key parameter";
    case HF_DAEMON_FIND_CONNECTED: return "not supported";
    default: return "Unexpected request";
    }
}

static const char *text_of(hf_err err) {
    switch (err) {
    case HF_NOT_FOUND: return "not found";
    case HF_MISSING: return "no peer of the DHT is known";
    case HF_LIMIT: return "it took too long, or too much is under way";
    case HF_DENIED: return "the value is not valid, or not better than the one that is there";
    case HF_MALFORMED: return "the CID or key is malformed";
    case HF_STATE: return "there is no address that may be told";
    default: return hf_err_name(err);
    }
}

static bool is_sequence(uint32_t kind) {
    return kind == HF_DAEMON_FIND_PROVIDERS || kind == HF_DAEMON_CLOSEST_PEERS || kind == HF_DAEMON_SEARCH_VALUE;
}

void hf_p2pd_dht(hf_p2pd_sock *s, const hf_daemon_request *r) {
    hf_peer_id peer = {.len = 0};
    if (!s->d->kad) return hf_p2pd_refuse(s, "DHT not enabled");
    const char *bad = missing(r, &peer);
    if (bad) return hf_p2pd_refuse(s, bad);
    s->mode = HF_P2PD_WAITS;
    s->dht_kind = r->kind;
    s->sequence = false;
    hf_err err = ask(s, r, &peer);
    if (err) return hf_p2pd_refuse(s, text_of(err));
    if (!s->op || !is_sequence(r->kind)) return;
    s->sequence = true;
    say(s, true, BEGIN, NULL, NULL);
}

void hf_p2pd_dht_ended(hf_p2pd_sock *s) {
    if (s->op) hf_kad_cancel(s->d->kad, hf_p2pd_now(s->d), s->op);
    s->op = 0;
}

/* ---- what the DHT says ---- */

static void done(hf_p2pd_sock *s, const hf_kad_out *said) {
    bool writes = s->dht_kind == HF_DAEMON_PUT_VALUE || s->dht_kind == HF_DAEMON_PROVIDE;
    hf_buf out;
    if (s->sequence) return say(s, false, END, NULL, NULL);
    s->op = 0;
    if (!writes || said->err) return hf_p2pd_refuse(s, text_of(said->err ? said->err : HF_NOT_FOUND));
    hf_buf_init(&out, &s->d->mem);
    hf_daemon_add_ok(&out);
    hf_p2pd_answer(s, &out);
}

void hf_p2pd_dht_said(hf_p2pd *d, const hf_kad_out *said) {
    hf_p2pd_sock *s = d->socks;
    while (s && (s->closing || !s->op || s->op != said->op)) s = s->next;
    if (!s) return;
    const hf_daemon_peer peer = {hf_peer_id_bytes(&said->peer), said->addresses, said->n_addresses};
    const hf_bytes id = hf_peer_id_bytes(&said->peer);
    bool closest = s->dht_kind == HF_DAEMON_CLOSEST_PEERS; /* told by their IDs, as go does */
    if (said->kind == HF_KAD_VALUE) say(s, !s->sequence, VALUE, NULL, &said->value);
    if (said->kind == HF_KAD_PEER || said->kind == HF_KAD_PROVIDER) say(s, !s->sequence, VALUE, closest ? NULL : &peer, closest ? &id : NULL);
    if (said->kind == HF_KAD_DONE) done(s, said);
}
