/* p2pd_control: requests and answers: see p2pd_private.h. One request of a program at a time; the next is read when the answer is on its way. */
#include "p2pd_private.h"

#include <stdio.h>
#include <string.h>

enum { PEERS_MAX = 1024, CONNS_MAX = 8, ADDRESSES_MAX = 64, DHT_ITEMS_MAX = 64 };

/* ---- answers ---- */

void hf_p2pd_answer(hf_p2pd_sock *s, hf_buf *out) {
    if (out->err) hf_p2pd_sock_close(s);
    else hf_p2pd_sock_send(s, hf_buf_bytes(out));
    hf_buf_deinit(out);
    if (s->closing || s->mode != HF_P2PD_WAITS) return;
    s->mode = HF_P2PD_REQUESTS;
    hf_p2pd_control_read(s);
}

void hf_p2pd_refuse(hf_p2pd_sock *s, const char *why) {
    hf_buf out;
    hf_buf_init(&out, &s->d->mem);
    hf_daemon_add_error(&out, hf_str(why));
    hf_p2pd_answer(s, &out);
}

static void agree(hf_p2pd_sock *s) {
    hf_buf out;
    hf_buf_init(&out, &s->d->mem);
    hf_daemon_add_ok(&out);
    hf_p2pd_answer(s, &out);
}

static const char *text_of(hf_err err) {
    switch (err) {
    case HF_LIMIT: return "too much is under way";
    case HF_NOMEM: return "out of memory";
    case HF_DENIED: return "that is this peer itself";
    case HF_EXISTS: return "the protocol is the daemon's own";
    default: return hf_err_name(err);
    }
}

/* ---- who we are, whom we know ---- */

static void identify(hf_p2pd_sock *s) {
    hf_p2pd *d = s->d;
    hf_arena arena;
    hf_bytes addresses[ADDRESSES_MAX];
    hf_buf out;
    hf_arena_init(&arena, &d->mem);
    hf_buf_init(&out, &d->mem);
    hf_daemon_peer self = {hf_peer_id_bytes(hf_host_self(d->host)), addresses, 0};
    self.n_addrs = hf_p2pd_net_addresses(d->net, &arena, addresses, ADDRESSES_MAX);
    hf_daemon_add_identify(&out, &self);
    hf_arena_deinit(&arena);
    hf_p2pd_answer(s, &out);
}

static void list_peers(hf_p2pd_sock *s) {
    hf_swarm *swarm = s->d->swarm;
    static hf_daemon_peer peers[PEERS_MAX];
    static hf_bytes addresses[PEERS_MAX][CONNS_MAX];
    size_t n = 0;
    uint64_t conn;
    for (const hf_peer_id *id; n < PEERS_MAX && (id = hf_swarm_peer(swarm, n)); n++) {
        peers[n] = (hf_daemon_peer){hf_peer_id_bytes(id), addresses[n], 0};
        for (size_t i = 0; i < CONNS_MAX && hf_swarm_peer_conn(swarm, id, i, &conn); i++)
            addresses[n][peers[n].n_addrs++] = hf_swarm_conn_remote(swarm, conn);
    }
    hf_buf out;
    hf_buf_init(&out, &s->d->mem);
    hf_daemon_add_peers(&out, peers, n);
    hf_p2pd_answer(s, &out);
}

static void peerstore(hf_p2pd_sock *s, const hf_daemon_request *r, const hf_peer_id *peer) {
    hf_book *book = hf_host_book(s->d->host);
    hf_bytes names[512], addresses[HF_BOOK_ADDRESSES_MAX];
    size_t n = 0, n_addresses = 0;
    while (n < HF_COUNT(names) && hf_book_protocol(book, peer, n, &names[n])) n++;
    while (n_addresses < HF_BOOK_ADDRESSES_MAX && hf_book_address(book, hf_p2pd_now(s->d), peer, n_addresses, &addresses[n_addresses])) n_addresses++;
    if (!n && !n_addresses) return hf_p2pd_refuse(s, "the peer is not known");
    const hf_daemon_peer info = {hf_peer_id_bytes(peer), addresses, n_addresses};
    bool wants_info = r->kind == HF_DAEMON_PEER_INFO;
    hf_buf out;
    hf_buf_init(&out, &s->d->mem);
    hf_daemon_add_peerstore(&out, wants_info ? &info : NULL, names, wants_info ? 0 : n);
    hf_p2pd_answer(s, &out);
}

/* ---- connections ---- */

static uint32_t timeout_ms(const hf_daemon_request *r) {
    return r->timeout_s > 0 && r->timeout_s < 86400 ? (uint32_t)r->timeout_s * 1000 : 0;
}

static void connect_peer(hf_p2pd_sock *s, const hf_daemon_request *r, const hf_peer_id *peer) {
    hf_p2pd *d = s->d;
    s->mode = HF_P2PD_WAITS;
    hf_err err = hf_host_connect(d->host, hf_p2pd_now(d), peer, r->addrs, r->n_addrs, timeout_ms(r), s->number);
    if (err) hf_p2pd_refuse(s, text_of(err));
}

static void manage(hf_p2pd_sock *s, const hf_daemon_request *r, const hf_peer_id *peer) {
    hf_p2pd_manager *m = s->d->manager;
    hf_err err = HF_OK;
    if (r->kind == HF_DAEMON_TRIM) {
        hf_p2pd_manager_trim(m);
        return agree(s);
    }
    if (!r->tag.len) return hf_p2pd_refuse(s, "Malformed request; missing tag parameter");
    if (r->kind == HF_DAEMON_TAG) err = hf_p2pd_manager_tag(m, peer, r->tag, r->weight);
    else hf_p2pd_manager_untag(m, peer, r->tag);
    if (err) hf_p2pd_refuse(s, text_of(err));
    else agree(s);
}

/* ---- streams ---- */

static hf_err add_handler(hf_p2pd *d, hf_bytes protocol, hf_bytes address) {
    size_t i = 0;
    while (i < d->n_handlers && !hf_eq(hf_buf_bytes(&d->handlers[i].protocol), protocol)) i++;
    if (i == HF_P2PD_HANDLERS_MAX) return HF_LIMIT;
    hf_p2pd_handler *h = &d->handlers[i];
    if (i == d->n_handlers) {
        hf_buf_init(&h->protocol, &d->mem);
        hf_buf_init(&h->address, &d->mem);
        hf_buf_add(&h->protocol, protocol);
        hf_err err = h->protocol.err ? HF_NOMEM : hf_swarm_protocol(d->swarm, protocol, HF_HOST_TAG_USER + 1 + (uint32_t)i);
        if (err) return hf_buf_deinit(&h->protocol), err;
        d->n_handlers++;
        (void)!hf_swarm_allow_limited(d->swarm, protocol); /* past 32 of them, direct connections only */
    }
    hf_buf_clear(&h->address);
    hf_buf_add(&h->address, address);
    return h->address.err;
}

hf_err hf_p2pd_add_echo(hf_p2pd *d) { return add_handler(d, HF_TEXT("/echo/1.0.0"), HF_BYTES(NULL, 0)); }

static void handle_streams(hf_p2pd_sock *s, const hf_daemon_request *r) {
    hf_err err = r->addr.len && r->n_protocols ? HF_OK : HF_MALFORMED;
    for (size_t i = 0; i < r->n_protocols && !err; i++) err = add_handler(s->d, r->protocols[i], r->addr);
    if (err) hf_p2pd_refuse(s, text_of(err));
    else agree(s);
}

/* Tries the protocols in order, those that the peer said it speaks first if there is one. */
static void open_stream(hf_p2pd_sock *s) {
    hf_p2pd *d = s->d;
    const hf_daemon_request *r = &s->request;
    hf_peer_id peer;
    uint64_t stream;
    if (hf_peer_id_read(r->peer, &peer)) return hf_p2pd_refuse(s, "the peer ID is malformed");
    if (s->protocol == 0)
        for (size_t i = r->n_protocols; i-- > 0;)
            if (hf_swarm_peer_speaks(d->swarm, &peer, r->protocols[i])) s->protocol = i;
    (void)!hf_swarm_allow_limited(d->swarm, r->protocols[s->protocol]);
    hf_err err = hf_swarm_stream_open(d->swarm, hf_p2pd_now(d), &peer, r->protocols[s->protocol], HF_P2PD_TAG_OPENED, &stream);
    if (err == HF_NOT_FOUND) return hf_p2pd_refuse(s, "there is no connection to the peer");
    if (err) return hf_p2pd_refuse(s, text_of(err));
    if (!hf_p2pd_sock_bind(s, stream)) return;
    hf_swarm_stream_reset(d->swarm, hf_p2pd_now(d), stream);
    hf_p2pd_sock_close(s);
}

static void begin_stream(hf_p2pd_sock *s, const hf_daemon_request *r, const hf_peer_id *peer, hf_bytes message) {
    hf_p2pd *d = s->d;
    (void)r;
    hf_buf_clear(&s->asked);
    hf_buf_add(&s->asked, message);
    if (s->asked.err || hf_daemon_read(hf_buf_bytes(&s->asked), &s->request, NULL)) return hf_p2pd_refuse(s, "out of memory");
    if (!s->request.n_protocols) return hf_p2pd_refuse(s, "Malformed request; missing protocols");
    s->mode = HF_P2PD_WAITS;
    s->protocol = 0;
    hf_err err = hf_host_connect(d->host, hf_p2pd_now(d), peer, NULL, 0, timeout_ms(&s->request), s->number);
    if (err) hf_p2pd_refuse(s, text_of(err));
}

void hf_p2pd_control_connected(hf_p2pd *d, const hf_host_out *out) {
    hf_p2pd_sock *s = hf_p2pd_sock_numbered(d, out->context);
    char text[256];
    if (!s || s->mode != HF_P2PD_WAITS) return;
    if (!out->reason) {
        if (s->asked.len) open_stream(s);
        else agree(s);
        return;
    }
    snprintf(text, sizeof text, "cannot connect: %s", out->reason);
    hf_buf_clear(&s->asked);
    hf_p2pd_refuse(s, text);
}

static void stream_stands(hf_p2pd_sock *s, const hf_swarm_out *e) {
    hf_buf out;
    hf_buf_init(&out, &s->d->mem);
    hf_daemon_add_stream(&out, true, hf_peer_id_bytes(&e->peer), hf_swarm_conn_remote(s->d->swarm, e->conn), s->request.protocols[s->protocol]);
    s->mode = HF_P2PD_PIPES;
    hf_p2pd_answer(s, &out);
    hf_buf_clear(&s->asked);
    if (!s->closing) hf_p2pd_sock_feed(s); /* what came together with the request */
}

void hf_p2pd_control_stream(hf_p2pd_sock *s, const hf_swarm_out *e) {
    if (e->kind == HF_SWARM_STREAM_OPEN) return stream_stands(s, e);
    if (e->kind != HF_SWARM_STREAM_GONE) return;
    hf_map_remove(&s->d->streams, HF_BYTES(&s->stream, sizeof s->stream));
    s->stream = 0;
    if (++s->protocol < s->request.n_protocols) return open_stream(s);
    hf_buf_clear(&s->asked);
    hf_p2pd_refuse(s, e->reason ? e->reason : "the stream was reset");
}

void hf_p2pd_control_ended(hf_p2pd_sock *s) {
    hf_host_forget(s->d->host, s->number);
    hf_p2pd_dht_ended(s);
    hf_p2pd_pubsub_ended(s);
}

/* ---- requests ---- */

static bool names_peer(const hf_daemon_request *r) {
    switch (r->type) {
    case HF_DAEMON_CONNECT:
    case HF_DAEMON_STREAM_OPEN:
    case HF_DAEMON_DISCONNECT:
    case HF_DAEMON_PEERSTORE: return true;
    case HF_DAEMON_CONNMANAGER: return r->kind != HF_DAEMON_TRIM;
    default: return false;
    }
}

static void take(hf_p2pd_sock *s, hf_bytes message) {
    hf_daemon_request r;
    hf_peer_id peer = {.len = 0};
    if (hf_daemon_read(message, &r, NULL)) return hf_p2pd_sock_close(s);
    if (r.type == HF_DAEMON_IDENTIFY) return identify(s);
    if (r.type == HF_DAEMON_LIST_PEERS) return list_peers(s);
    if (r.type > HF_DAEMON_PEERSTORE) return hf_p2pd_refuse(s, "Unexpected request");
    if (!r.there) return hf_p2pd_refuse(s, "Malformed request; missing parameters");
    if (names_peer(&r) && hf_peer_id_read(r.peer, &peer)) return hf_p2pd_refuse(s, "the peer ID is malformed");
    switch (r.type) {
    case HF_DAEMON_CONNECT: return connect_peer(s, &r, &peer);
    case HF_DAEMON_STREAM_OPEN: return begin_stream(s, &r, &peer, message);
    case HF_DAEMON_STREAM_HANDLER: return handle_streams(s, &r);
    case HF_DAEMON_CONNMANAGER: return manage(s, &r, &peer);
    case HF_DAEMON_PEERSTORE: return peerstore(s, &r, &peer);
    case HF_DAEMON_DISCONNECT: hf_host_disconnect(s->d->host, hf_p2pd_now(s->d), &peer); return agree(s);
    case HF_DAEMON_DHT: return hf_p2pd_dht(s, &r);
    default: return hf_p2pd_pubsub(s, &r);
    }
}

/* Answers call this again; so it takes one request only, and goes round for those that were answered at once. */
void hf_p2pd_control_read(hf_p2pd_sock *s) {
    if (s->reading) return;
    s->reading = true;
    hf_err err = HF_OK;
    while (!err && !s->closing && s->mode == HF_P2PD_REQUESTS && s->in.len) {
        hf_bytes message;
        size_t len = 0;
        err = hf_daemon_unframe(hf_buf_bytes(&s->in), &message, &len);
        if (!err) take(s, message);
        if (!err) hf_buf_consume(&s->in, len);
    }
    s->reading = false;
    if (err && err != HF_TRUNCATED) hf_p2pd_sock_close(s);
}
