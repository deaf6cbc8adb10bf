/* verbs_why: `holdfast why ENTRY|PEER`: where an entry or a peer stands, and what it waits for. */
#include "verbs.h"

#include "../core/codec/cid.h"
#include "../core/codec/json.h"
#include "p2p.h"
#include "tcp.h"

#include <stdio.h>
#include <string.h>

/* "name: value" lines, or the members of one JSON object. */
typedef struct facts { hf_ask *ask; size_t n; } facts;

static void begin_fact(facts *f, const char *name) {
    hf_buf *out = &f->ask->out;
    if (f->ask->json) {
        hf_buf_add_byte(out, f->n ? ',' : '{');
        hf_json_add_text(out, hf_str(name));
        hf_buf_add_byte(out, ':');
    } else {
        hf_buf_add_str(out, name);
        hf_buf_add_str(out, ": ");
    }
    f->n++;
}

static void end_fact(facts *f) {
    if (!f->ask->json) hf_buf_add_byte(&f->ask->out, '\n');
}

static void add_text(facts *f, const char *name, hf_bytes text) {
    begin_fact(f, name);
    if (f->ask->json) hf_json_add_text(&f->ask->out, text);
    else hf_buf_add(&f->ask->out, text);
    end_fact(f);
}

static void add_number(facts *f, const char *name, uint64_t number) {
    begin_fact(f, name);
    hf_buf_add_u64(&f->ask->out, number);
    end_fact(f);
}

static void end_facts(facts *f) {
    if (f->ask->json) hf_buf_add_str(&f->ask->out, "}\n");
}

/* ---- an entry ---- */

static void add_hash(hf_buf *out, const uint8_t digest[32]) {
    uint8_t cid[HF_CID_LEN];
    char text[HF_CID_TEXT_LEN];
    hf_cid_from_digest(digest, cid);
    hf_cid_text(cid, text);
    hf_buf_add(out, HF_BYTES(text, sizeof text));
}

static void add_missing(facts *f, const hf_core_entry_about *about) {
    size_t n = about->n_missing < HF_CORE_MISSING_MAX ? about->n_missing : HF_CORE_MISSING_MAX;
    if (!n) return;
    begin_fact(f, "missing");
    if (f->ask->json) hf_buf_add_byte(&f->ask->out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i) hf_buf_add_byte(&f->ask->out, f->ask->json ? ',' : ' ');
        if (f->ask->json) hf_buf_add_byte(&f->ask->out, '"');
        add_hash(&f->ask->out, about->missing[i].digest);
        if (f->ask->json) hf_buf_add_byte(&f->ask->out, '"');
    }
    if (f->ask->json) hf_buf_add_byte(&f->ask->out, ']');
    end_fact(f);
    add_number(f, "missingInAll", about->n_missing);
}

static const hf_refused *refusal_of(const hf_node *node, const uint8_t digest[32]) {
    for (size_t i = 0; i < HF_REFUSED_KEPT; i++) { /* the newest first */
        const hf_refused *r = &node->refused[(node->n_refused + HF_REFUSED_KEPT - 1 - i) % HF_REFUSED_KEPT];
        if (r->reason && !memcmp(r->digest, digest, 32)) return r;
    }
    return NULL;
}

static const char *standing_of(const hf_core_entry_about *about, const hf_refused *refused) {
    switch (about->standing) {
    case HF_CORE_KEPT: return "joined and durable: connected peers are told of it";
    case HF_CORE_JOINED: return "joined, being stored: peers are told of it when that is done";
    case HF_CORE_WAITS: return about->waits_for_grant ? "waits for its writer to be granted access" : "waits for what is missing below it; connected peers are asked for that";
    case HF_CORE_UNKNOWN: break;
    }
    return refused ? "refused" : "unknown here: no peer has told of it, or it was refused long ago";
}

static void why_entry(hf_ask *ask, const uint8_t digest[32]) {
    facts f = {.ask = ask};
    hf_core_entry_about about;
    hf_core_entry_info(ask->node->core, digest, &about);
    const hf_refused *refused = about.standing ? NULL : refusal_of(ask->node, digest);
    add_text(&f, "state", hf_str(standing_of(&about, refused)));
    if (refused) add_text(&f, "reason", hf_str(refused->reason));
    if (about.database) add_text(&f, "database", hf_core_address(ask->node->core, about.database));
    if (about.standing >= HF_CORE_JOINED) {
        add_number(&f, "time", about.time);
        add_text(&f, "writer", about.writer);
        add_text(&f, "head", about.head ? HF_TEXT("yes") : HF_TEXT("no"));
    }
    add_missing(&f, &about);
    end_facts(&f);
}

/* ---- a peer ---- */

static void add_connections(facts *f, const hf_peer_id *peer) {
    for (const hf_channel *c = f->ask->node->channels; c; c = c->next) {
        if (!hf_peer_id_eq(&c->peer, peer)) continue;
        add_text(f, "via", hf_str(c->via));
        add_text(f, "direction", c->dialer ? HF_TEXT("out") : HF_TEXT("in"));
        if (c->busy) add_text(f, "slow", HF_TEXT("its connection does not take what it is sent"));
        return;
    }
    add_text(f, "via", HF_TEXT("relay"));
}

/* What peers made out about us. */
static void why_self(facts *f) {
    hf_p2p_about a;
    hf_p2p_look(f->ask->node->p2p, &a);
    add_text(f, "state", HF_TEXT("this node itself"));
    if (!f->ask->node->p2p) return;
    add_text(f, "reachability", hf_str(hf_p2p_reach_name(a.reach)));
    if (a.told) add_text(f, "because", HF_TEXT("it was told so"));
    add_text(f, "dht", hf_str(!a.dht ? "off" : a.dht_server ? "server" : "client"));
    add_number(f, "dhtTable", a.dht_table);
    add_number(f, "databasesProvided", a.n_provided);
    add_number(f, "reservationsGiven", a.n_reservations);
    add_number(f, "connectionsRelayed", a.n_circuits);
    add_number(f, "reservationsHeld", a.n_relay);
    add_number(f, "knownPeers", a.n_book);
}

static void why_not_connected(facts *f, const hf_peer_id *peer) {
    hf_tcp_standing s;
    if (!hf_tcp_standing_of(f->ask->node->tcp, peer, &s)) return add_text(f, "state", HF_TEXT("not connected, and no address of it is known"));
    add_text(f, "state", s.dialling ? HF_TEXT("being dialled") : HF_TEXT("not connected; it is dialled again later"));
    add_text(f, "address", hf_str(s.address));
    add_number(f, "failures", s.failures);
    if (!s.dialling) add_number(f, "nextDialMs", s.next_ms);
}

static void why_peer(hf_ask *ask, const hf_peer_id *peer) {
    facts f = {.ask = ask};
    hf_core_peer_about about;
    hf_core_peer_info(ask->node->core, peer, &about);
    if (hf_peer_id_eq(peer, hf_core_self(ask->node->core))) why_self(&f);
    else if (!about.connected) why_not_connected(&f, peer);
    else {
        bool level = about.n_behind == 0;
        add_text(&f, "state", hf_str(level ? "connected, and has all that we have" : "connected"));
        add_connections(&f, peer);
        add_text(&f, "sync", hf_str(about.speaks_sync ? "Holdfast's own" : "OrbitDB's, or none"));
        if (about.n_behind != SIZE_MAX) add_number(&f, "entriesNotConfirmed", about.n_behind);
        if (about.rtt_ms != UINT32_MAX) add_number(&f, "roundTripMs", about.rtt_ms);
    }
    end_facts(&f);
}

void hf_verb_why(hf_ask *ask) {
    uint8_t digest[32];
    hf_peer_id peer;
    if (ask->n_words != 2) return hf_ask_fail(ask, 2, "usage: holdfast why ENTRY|PEER");
    hf_bytes word = hf_str(ask->words[1]);
    if (!hf_cid_digest(word, digest)) return why_entry(ask, digest);
    if (!hf_peer_id_parse(word, &peer)) return why_peer(ask, &peer);
    hf_ask_fail(ask, 2, "%s: neither the hash of an entry (zdpu…) nor a peer ID", ask->words[1]);
}
