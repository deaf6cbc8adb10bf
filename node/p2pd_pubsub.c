/* p2pd_pubsub: topics: see p2pd_private.h. Spec: libp2p/go-libp2p-daemon specs/PUBSUB.md. A topic is wanted as long as a program's socket subscribes. */
#include "p2pd_private.h"

#include <stdlib.h>
#include <string.h>

enum { LISTED_MAX = 1024, KNOWN_MAX = 16384, QUEUE_MAX = 4 << 20, SEQNO_LEN = 8 };

/* A connected peer that wants a topic. */
typedef struct wanter {
    struct wanter *next;
    hf_peer_id peer;
    hf_bytes topic;
    uint8_t bytes[];
} wanter;

struct hf_p2pd_pubsub { wanter *first; size_t n; };

/* ---- who wants what ---- */

static wanter **find(hf_p2pd *d, const hf_peer_id *peer, hf_bytes topic) {
    wanter **at = &d->pubsub->first;
    while (*at && !(hf_peer_id_eq(&(*at)->peer, peer) && (!topic.ptr || hf_eq((*at)->topic, topic)))) at = &(*at)->next;
    return at;
}

static void drop(hf_p2pd *d, wanter **at) {
    wanter *w = *at;
    *at = w->next;
    d->pubsub->n--;
    free(w);
}

static void add(hf_p2pd *d, const hf_peer_id *peer, hf_bytes topic) {
    wanter **at = find(d, peer, topic), *w = *at || d->pubsub->n == KNOWN_MAX ? NULL : malloc(sizeof *w + topic.len);
    if (!w) return;
    *w = (wanter){.peer = *peer, .topic = {w->bytes, topic.len}};
    memcpy(w->bytes, topic.ptr, topic.len);
    *at = w;
    d->pubsub->n++;
}

void hf_p2pd_pubsub_peer_gone(hf_p2pd *d, const hf_peer_id *peer) {
    for (wanter **at; d->pubsub && *(at = find(d, peer, HF_BYTES(NULL, 0)));) drop(d, at);
}

bool hf_p2pd_pubsub_open(hf_p2pd *d) { return (d->pubsub = calloc(1, sizeof *d->pubsub)) != NULL; }

void hf_p2pd_pubsub_free(hf_p2pd *d) {
    while (d->pubsub && d->pubsub->first) drop(d, &d->pubsub->first);
    free(d->pubsub);
}

/* ---- requests ---- */

static bool is_subscribed(const hf_p2pd_sock *s, hf_bytes topic) {
    return !s->closing && s->mode == HF_P2PD_SUBSCRIBED && hf_eq(hf_buf_bytes(&s->topic), topic);
}

static bool anyone(hf_p2pd *d, const hf_p2pd_sock *before, hf_bytes topic) {
    for (const hf_p2pd_sock *s = d->socks; s != before; s = s->next)
        if (is_subscribed(s, topic)) return true;
    return false;
}

static void answer_list(hf_p2pd_sock *s, const hf_bytes *topics, size_t n_topics, const hf_bytes *peers, size_t n_peers) {
    hf_buf out;
    hf_buf_init(&out, &s->d->mem);
    hf_daemon_add_topics(&out, topics, n_topics, peers, n_peers);
    hf_p2pd_answer(s, &out);
}

static void list_topics(hf_p2pd_sock *s) {
    hf_bytes topics[LISTED_MAX];
    size_t n = 0;
    for (const hf_p2pd_sock *i = s->d->socks; i && n < LISTED_MAX; i = i->next)
        if (is_subscribed(i, hf_buf_bytes(&i->topic)) && !anyone(s->d, i, hf_buf_bytes(&i->topic))) topics[n++] = hf_buf_bytes(&i->topic);
    answer_list(s, topics, n, NULL, 0);
}

static void list_peers(hf_p2pd_sock *s, hf_bytes topic) {
    hf_bytes peers[LISTED_MAX];
    size_t n = 0;
    for (const wanter *w = s->d->pubsub->first; w && n < LISTED_MAX; w = w->next)
        if (hf_eq(w->topic, topic)) peers[n++] = hf_peer_id_bytes(&w->peer);
    answer_list(s, NULL, 0, peers, n);
}

static void send_ok(hf_p2pd_sock *s) {
    hf_buf out;
    hf_buf_init(&out, &s->d->mem);
    hf_daemon_add_ok(&out);
    hf_p2pd_answer(s, &out);
}

static void deliver(hf_p2pd *d, const hf_gossip_out *said) {
    hf_buf out;
    hf_daemon_news news = {.from = hf_peer_id_bytes(&said->from), .data = said->data, .topic = said->topic};
    news.seqno = said->id.len > SEQNO_LEN ? hf_sub(said->id, said->id.len - SEQNO_LEN, SEQNO_LEN) : HF_BYTES(NULL, 0); /* it ends the id */
    hf_buf_init(&out, &d->mem);
    hf_daemon_add_news(&out, &news);
    for (hf_p2pd_sock *s = d->socks; s && !out.err; s = s->next)
        if (is_subscribed(s, said->topic) && uv_stream_get_write_queue_size(&s->h.stream) < QUEUE_MAX) hf_p2pd_sock_send(s, hf_buf_bytes(&out));
    hf_buf_deinit(&out);
}

/* Our own messages are news to our own subscribers, too. */
static void publish(hf_p2pd_sock *s, const hf_daemon_request *r) {
    hf_p2pd *d = s->d;
    hf_gossip_id id;
    hf_err err = hf_gossip_publish(d->gossip, hf_p2pd_now(d), r->topic, r->data, &id, NULL);
    if (err) return hf_p2pd_refuse(s, err == HF_LIMIT ? "the message or the topic's name is too long" : "out of memory");
    const hf_gossip_out own = {.from = *hf_host_self(d->host), .topic = r->topic, .data = r->data, .id = HF_BYTES(id.bytes, id.len)};
    deliver(d, &own);
    send_ok(s);
}

static void subscribe(hf_p2pd_sock *s, hf_bytes topic) {
    hf_p2pd *d = s->d;
    static const hf_gossip_subscription options = {.auto_accept = true};
    hf_buf_clear(&s->topic);
    hf_buf_add(&s->topic, topic);
    hf_err err = s->topic.err ? s->topic.err : hf_gossip_subscribe(d->gossip, hf_p2pd_now(d), topic, &options);
    if (err) return hf_p2pd_refuse(s, err == HF_LIMIT ? "the topic's name is too long, or there are too many topics" : "out of memory");
    s->mode = HF_P2PD_SUBSCRIBED;
    send_ok(s);
}

void hf_p2pd_pubsub(hf_p2pd_sock *s, const hf_daemon_request *r) {
    if (!s->d->gossip) return hf_p2pd_refuse(s, "PubSub not enabled");
    if (r->kind == HF_DAEMON_TOPICS) return list_topics(s);
    if (!r->topic.ptr) return hf_p2pd_refuse(s, "Malformed request; missing topic parameter");
    switch (r->kind) {
    case HF_DAEMON_TOPIC_PEERS: return list_peers(s, r->topic);
    case HF_DAEMON_PUBLISH: return publish(s, r);
    case HF_DAEMON_SUBSCRIBE: return subscribe(s, r->topic);
    default: return hf_p2pd_refuse(s, "Unexpected request");
    }
}

void hf_p2pd_pubsub_ended(hf_p2pd_sock *s) {
    if (s->mode != HF_P2PD_SUBSCRIBED || anyone(s->d, NULL, hf_buf_bytes(&s->topic))) return;
    hf_gossip_unsubscribe(s->d->gossip, hf_p2pd_now(s->d), hf_buf_bytes(&s->topic));
}

void hf_p2pd_pubsub_said(hf_p2pd *d, const hf_gossip_out *said) {
    if (said->kind == HF_GOSSIP_MESSAGE) deliver(d, said);
    if (said->kind == HF_GOSSIP_SUBSCRIBED) add(d, &said->peer, said->topic);
    wanter **at = said->kind == HF_GOSSIP_UNSUBSCRIBED ? find(d, &said->peer, said->topic) : NULL;
    if (at && *at) drop(d, at);
}
