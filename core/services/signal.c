/* signal: see signal.h. The logic; signal_message.c has the bytes, the swarm carries. */
#include "signal.h"

#include "../codec/varint.h"
#include "signal_message.h"

#include <string.h>

enum {
    NAMED_MAX = 16,                          /* in a crowd; else all, HF_SIGNAL_PEERS_MAX at most */
    RATE_PER_S = 100, RATE_BURST = 200,      /* setting up one direct way takes about 10 messages a side */
    QUEUE_MAX = 512,                         /* outputs nobody has drained: more are dropped and the sender is told nothing */
    LISTS_MS = 250,                          /* everybody is told who is here at most so often: a thousand who come at once are a few changes */
};

typedef struct link {
    struct link *next;
    hf_peer_id peer;
    uint64_t stream;
    bool open, wants;                  /* open: negotiated; wants: the peer asked to be introduced */
    bool again;                        /* the peer came another way meanwhile: when this one is gone, there may be that */
    bool stale;                        /* what it was told of who is here is not true any more */
    uint64_t point, reach;             /* of its ID; how far from it those are that it was told of, see apart() */
    hf_buf in;                         /* of a message that is not complete yet */
    hf_peer_id *listed;                /* whom this peer can introduce us to */
    size_t n_listed, listed_cap;
    uint64_t budget_ms;                /* token bucket in ms of credit: one message costs 1000 / RATE_PER_S */
    uint64_t budget_at_ms;
} link;

typedef struct news {
    struct news *next;
    hf_signal_kind kind;
    hf_peer_id peer;
    const char *reason;
    size_t len;                        /* of data[], bytes of data or of hf_peer_id items */
    _Alignas(8) uint8_t data[];
} news;

struct hf_signal {
    hf_mem *mem;
    hf_swarm *swarm;
    uint32_t tag;
    bool wants;
    uint64_t seed;
    link *links;
    size_t n_wanting;
    news *first, **last, *shown;       /* shown: what the last next() gave out */
    size_t n_news;
    uint64_t lists_ms, lists_due_ms;   /* when all were told last; UINT64_MAX, or when they are to be */
};

hf_signal *hf_signal_new(hf_mem *mem, hf_swarm *swarm, uint32_t tag, bool wants, uint64_t seed) {
    hf_signal *s = hf_alloc(mem, sizeof *s);
    if (!s) return NULL;
    *s = (hf_signal){.mem = mem, .swarm = swarm, .tag = tag, .wants = wants, .seed = seed, .lists_due_ms = UINT64_MAX};
    s->last = &s->first;
    if (hf_swarm_protocol(swarm, HF_TEXT(HF_SIGNAL_PROTOCOL), tag)) {
        hf_release(mem, s, sizeof *s);
        return NULL;
    }
    return s;
}

static void news_free(hf_signal *s, news *n) {
    if (n) hf_release(s->mem, n, sizeof *n + n->len);
}

static void link_free(hf_signal *s, link *l) {
    hf_buf_deinit(&l->in);
    hf_release(s->mem, l->listed, l->listed_cap * sizeof *l->listed);
    hf_release(s->mem, l, sizeof *l);
}

void hf_signal_free(hf_signal *s) {
    if (!s) return;
    while (s->links) {
        link *l = s->links;
        s->links = l->next;
        link_free(s, l);
    }
    while (s->first) {
        news *n = s->first;
        s->first = n->next;
        news_free(s, n);
    }
    news_free(s, s->shown);
    hf_release(s->mem, s, sizeof *s);
}

/* ---- sending ---- */

/* A link whose buffer is full loses the message: signals are retried by those who need them. */
static void message_send(hf_signal *s, uint64_t now_ms, link *l, const hf_signal_message *m) {
    hf_buf frame;
    hf_buf_init(&frame, s->mem);
    hf_signal_message_add(&frame, m);
    if (!frame.err) (void)!hf_swarm_stream_write(s->swarm, now_ms, l->stream, hf_buf_bytes(&frame));
    hf_buf_deinit(&frame);
}

static void send_hello(hf_signal *s, uint64_t now_ms, link *l) {
    hf_signal_message m = {.kind = HF_SIGNAL_HELLO, .wants = s->wants};
    message_send(s, now_ms, l, &m);
}

static void send_data(hf_signal *s, uint64_t now_ms, link *l, uint64_t kind, const hf_peer_id *peer, hf_bytes data) {
    hf_signal_message m = {.kind = kind, .peer = *peer, .data = data};
    message_send(s, now_ms, l, &m);
}

/* ---- who is told of whom: everybody of all; in a crowd each of a few, drawn by chance but the same ones as long as they are here. So a newcomer is news to
 * a few only, and those who are told of each other make one network without this carrier. ---- */

static uint64_t scatter(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t point_of(const hf_signal *s, const hf_peer_id *peer) {
    uint64_t point = s->seed;
    for (size_t i = 0; i < peer->len; i++) point = scatter(point + peer->bytes[i] + 1);
    return point;
}

/* The same for both, and different for every pair. */
static uint64_t apart(const link *a, const link *b) { return scatter(a->point ^ b->point); }

/* Those that are nearest to `to`, into m. */
static void choose(const hf_signal *s, link *to, hf_signal_message *m) {
    uint64_t far[HF_SIGNAL_PEERS_MAX];
    bool crowd = s->n_wanting > HF_SIGNAL_PEERS_MAX;
    size_t max = crowd ? NAMED_MAX : HF_SIGNAL_PEERS_MAX;
    for (const link *l = s->links; l; l = l->next) {
        uint64_t f = apart(l, to);
        if (!l->wants || l == to || hf_peer_id_eq(&l->peer, &to->peer) || (m->n_peers == max && f >= far[max - 1])) continue;
        size_t at = m->n_peers < max ? m->n_peers++ : max - 1;
        for (; at && far[at - 1] > f; at--) far[at] = far[at - 1], m->peers[at] = m->peers[at - 1];
        far[at] = f;
        m->peers[at] = l->peer;
    }
    to->reach = crowd && m->n_peers == max ? far[max - 1] : UINT64_MAX;
}

static void send_list(hf_signal *s, uint64_t now_ms, link *to) {
    hf_signal_message m = {.kind = HF_SIGNAL_LIST};
    choose(s, to, &m);
    message_send(s, now_ms, to, &m);
}

static void send_lists(hf_signal *s, uint64_t now_ms) {
    s->lists_ms = now_ms;
    s->lists_due_ms = UINT64_MAX;
    for (link *to = s->links; to; to = to->next) {
        if (to->stale && to->open && to->wants) send_list(s, now_ms, to);
        to->stale = false;
    }
}

static void lists_changed(hf_signal *s, uint64_t now_ms) {
    if (s->lists_due_ms != UINT64_MAX) return;
    if (!s->lists_ms || now_ms >= s->lists_ms + LISTS_MS) send_lists(s, now_ms);
    else s->lists_due_ms = s->lists_ms + LISTS_MS;
}

/* This one came (and is told, too), or is about to go: news to those that are told of it. */
static void wants_now(hf_signal *s, uint64_t now_ms, link *l, bool wants) {
    if (l->wants == wants) return;
    l->wants = wants;
    if (wants) s->n_wanting++;
    else s->n_wanting--;
    for (link *to = s->links; to; to = to->next) to->stale |= to == l || apart(to, l) <= to->reach;
    lists_changed(s, now_ms);
}

uint64_t hf_signal_deadline(const hf_signal *s) { return s->lists_due_ms; }

void hf_signal_tick(hf_signal *s, uint64_t now_ms) {
    if (s->lists_due_ms <= now_ms) send_lists(s, now_ms);
}

/* ---- links ---- */

static link *link_of_stream(hf_signal *s, uint64_t stream) {
    link *l = s->links;
    while (l && l->stream != stream) l = l->next;
    return l;
}

static link *link_of_peer(hf_signal *s, const hf_peer_id *peer) {
    link *l = s->links;
    while (l && !(l->open && hf_peer_id_eq(&l->peer, peer))) l = l->next;
    return l;
}

static link *link_add(hf_signal *s, const hf_peer_id *peer, uint64_t stream, uint64_t now_ms) {
    link *l = hf_alloc(s->mem, sizeof *l);
    if (!l) return NULL;
    *l = (link){.next = s->links, .peer = *peer, .point = point_of(s, peer), .reach = UINT64_MAX, .stream = stream, .budget_ms = RATE_BURST * 1000 / RATE_PER_S, .budget_at_ms = now_ms};
    hf_buf_init(&l->in, s->mem);
    s->links = l;
    return l;
}

static void link_drop(hf_signal *s, link *gone) {
    for (link **at = &s->links; *at; at = &(*at)->next)
        if (*at == gone) {
            *at = gone->next;
            link_free(s, gone);
            return;
        }
}

static void report(hf_signal *s, hf_signal_kind kind, const hf_peer_id *peer, hf_bytes data, const char *reason) {
    if (s->n_news >= QUEUE_MAX) return;
    news *n = hf_alloc(s->mem, sizeof *n + data.len);
    if (!n) return;
    n->kind = kind;
    n->peer = *peer;
    n->reason = reason;
    n->len = data.len;
    if (data.len) memcpy(n->data, data.ptr, data.len);
    *s->last = n;
    s->last = &n->next;
    s->n_news++;
}

static void abuse(hf_signal *s, uint64_t now_ms, link *l, const char *reason) {
    report(s, HF_SIGNAL_ABUSE, &l->peer, HF_BYTES(NULL, 0), reason);
    hf_swarm_stream_reset(s->swarm, now_ms, l->stream);
}

static bool within_budget(link *l, uint64_t now_ms) {
    uint64_t full = RATE_BURST * 1000 / RATE_PER_S, gained = now_ms - l->budget_at_ms;
    l->budget_ms = gained > full - l->budget_ms ? full : l->budget_ms + gained;
    l->budget_at_ms = now_ms;
    if (l->budget_ms < 1000 / RATE_PER_S) return false;
    l->budget_ms -= 1000 / RATE_PER_S;
    return true;
}

static void got_list(hf_signal *s, link *l, const hf_signal_message *m) {
    if (hf_grow(s->mem, (void **)&l->listed, &l->listed_cap, sizeof *l->listed, m->n_peers ? m->n_peers : 1)) return;
    memcpy(l->listed, m->peers, m->n_peers * sizeof *m->peers);
    l->n_listed = m->n_peers;
    report(s, HF_SIGNAL_PEERS, &l->peer, HF_BYTES(m->peers, m->n_peers * sizeof *m->peers), NULL);
}

/* We are the carrier: on to the receiver, under the name that its sender proved to us. */
static void got_carry(hf_signal *s, uint64_t now_ms, link *l, const hf_signal_message *m) {
    link *to = link_of_peer(s, &m->peer);
    if (to && to != l) send_data(s, now_ms, to, HF_SIGNAL_DELIVER, &l->peer, m->data);
}

static bool got_message(hf_signal *s, uint64_t now_ms, link *l, hf_bytes bytes) {
    hf_signal_message m;
    if (!within_budget(l, now_ms)) return abuse(s, now_ms, l, "signals faster than 100 a second"), false;
    if (hf_signal_message_read(bytes, &m)) return abuse(s, now_ms, l, "malformed signal"), false;
    if (m.kind == HF_SIGNAL_HELLO) wants_now(s, now_ms, l, m.wants);
    else if (m.kind == HF_SIGNAL_LIST) got_list(s, l, &m);
    else if (m.kind == HF_SIGNAL_CARRY) got_carry(s, now_ms, l, &m);
    else report(s, HF_SIGNAL_RECEIVED, &m.peer, m.data, NULL);
    return true;
}

static void got_bytes(hf_signal *s, uint64_t now_ms, link *l, hf_bytes bytes) {
    hf_buf_add(&l->in, bytes);
    if (l->in.err) return abuse(s, now_ms, l, "no memory for a signal");
    for (;;) {
        uint64_t len;
        size_t head;
        hf_err err = hf_varint_read(hf_buf_bytes(&l->in), &len, &head);
        if (err == HF_TRUNCATED) return;
        if (err || len > HF_SIGNAL_MESSAGE_MAX) return abuse(s, now_ms, l, "a signal longer than allowed");
        if (l->in.len - head < len) return;
        if (!got_message(s, now_ms, l, HF_BYTES(l->in.ptr + head, len))) return;
        hf_buf_consume(&l->in, head + (size_t)len);
    }
}

/* ---- the swarm's news ---- */

static void open_to(hf_signal *s, uint64_t now_ms, const hf_peer_id *peer) {
    if (!hf_swarm_peer_speaks(s->swarm, peer, HF_TEXT(HF_SIGNAL_PROTOCOL))) return;
    /* Both sides learn of each other at about the same time; the one with the lower ID opens. */
    if (hf_cmp(hf_peer_id_bytes(hf_swarm_self(s->swarm)), hf_peer_id_bytes(peer)) > 0) return;
    uint64_t stream;
    if (hf_swarm_stream_open(s->swarm, now_ms, peer, HF_TEXT(HF_SIGNAL_PROTOCOL), s->tag, &stream)) return;
    link *l = link_add(s, peer, stream, now_ms);
    if (!l) hf_swarm_stream_reset(s->swarm, now_ms, stream);
}

static void identified(hf_signal *s, uint64_t now_ms, const hf_swarm_out *e) {
    for (link *l = s->links; l; l = l->next)
        if (hf_peer_id_eq(&l->peer, &e->peer)) {
            l->again = true;
            return;
        }
    open_to(s, now_ms, &e->peer);
}

static void gone(hf_signal *s, uint64_t now_ms, link *l) {
    bool again = l->again;
    hf_peer_id peer = l->peer;
    wants_now(s, now_ms, l, false);
    report(s, HF_SIGNAL_PEERS, &peer, HF_BYTES(NULL, 0), NULL); /* it introduces us to nobody now */
    link_drop(s, l);
    if (again) open_to(s, now_ms, &peer);
}

/* A peer has one stream: with a new one it came back before its old one was missed here. What it may say does not grow by that. */
static link *link_take_over(hf_signal *s, uint64_t now_ms, const hf_swarm_out *e) {
    link *l = s->links;
    while (l && !hf_peer_id_eq(&l->peer, &e->peer)) l = l->next;
    if (!l) return link_add(s, &e->peer, e->stream, now_ms);
    uint64_t old = l->stream;
    l->stream = e->stream;
    hf_buf_clear(&l->in);
    hf_swarm_stream_reset(s->swarm, now_ms, old);
    return l;
}

static void opened(hf_signal *s, uint64_t now_ms, const hf_swarm_out *e) {
    link *l = link_of_stream(s, e->stream);
    if (!l) l = link_take_over(s, now_ms, e);
    if (!l) return hf_swarm_stream_reset(s->swarm, now_ms, e->stream);
    l->open = true;
    send_hello(s, now_ms, l);
}

void hf_signal_event(hf_signal *s, uint64_t now_ms, const hf_swarm_out *e) {
    if (e->kind == HF_SWARM_IDENTIFIED) return identified(s, now_ms, e);
    if (e->kind == HF_SWARM_STREAM_OPEN) return opened(s, now_ms, e);
    link *l = link_of_stream(s, e->stream);
    if (!l) return;
    if (e->kind == HF_SWARM_STREAM_DATA) got_bytes(s, now_ms, l, e->bytes);
    else if (e->kind == HF_SWARM_STREAM_FIN) hf_swarm_stream_finish(s->swarm, now_ms, e->stream);
    else if (e->kind == HF_SWARM_STREAM_GONE) gone(s, now_ms, l);
}

hf_err hf_signal_send(hf_signal *s, uint64_t now_ms, const hf_peer_id *to, hf_bytes data) {
    if (data.len > HF_SIGNAL_DATA_MAX) return HF_LIMIT;
    bool sent = false;
    link *direct = link_of_peer(s, to);
    if (direct) {
        send_data(s, now_ms, direct, HF_SIGNAL_DELIVER, hf_swarm_self(s->swarm), data);
        return HF_OK;
    }
    for (link *l = s->links; l; l = l->next)
        for (size_t i = 0; l->open && i < l->n_listed; i++)
            if (hf_peer_id_eq(&l->listed[i], to)) {
                send_data(s, now_ms, l, HF_SIGNAL_CARRY, to, data);
                sent = true;
            }
    return sent ? HF_OK : HF_NOT_FOUND;
}

hf_signal_kind hf_signal_next(hf_signal *s, hf_signal_out *ret) {
    news_free(s, s->shown);
    news *n = s->shown = s->first;
    memset(ret, 0, sizeof *ret);
    if (!n) return HF_SIGNAL_NONE;
    s->first = n->next;
    if (!s->first) s->last = &s->first;
    s->n_news--;
    ret->kind = n->kind;
    ret->peer = n->peer;
    ret->reason = n->reason;
    if (n->kind == HF_SIGNAL_PEERS) {
        ret->peers = (const hf_peer_id *)(const void *)n->data;
        ret->n_peers = n->len / sizeof(hf_peer_id);
    } else ret->data = HF_BYTES(n->data, n->len);
    return n->kind;
}
