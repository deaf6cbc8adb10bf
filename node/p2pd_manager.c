/* p2pd_manager: which connections are worth keeping: see p2pd_private.h. Peers have tags with weights; when more than connHi are connected
 * (with -connManager), those of the least weight go until connLo are left, but none younger than connGrace. */
#include "p2pd_private.h"

#include <stdlib.h>
#include <string.h>

enum { TAGS_MAX = 16, TAG_LEN_MAX = 64, PEERS_MAX = 4096 };

typedef struct tag { char name[TAG_LEN_MAX]; size_t len; int64_t weight; } tag;

typedef struct valued {
    struct valued *next;
    hf_peer_id peer;
    uint64_t since_ms; /* connected; UINT64_MAX: not */
    tag *tags;         /* TAGS_MAX of them; NULL: none */
    size_t n_tags;
} valued;

struct hf_p2pd_manager {
    hf_p2pd *d;
    valued *first;
    size_t n, n_connected;
};

hf_p2pd_manager *hf_p2pd_manager_new(hf_p2pd *d) {
    hf_p2pd_manager *m = calloc(1, sizeof *m);
    if (m) m->d = d;
    return m;
}

static void drop(hf_p2pd_manager *m, valued *v) {
    valued **at = &m->first;
    while (*at != v) at = &(*at)->next;
    *at = v->next;
    m->n--;
    free(v->tags);
    free(v);
}

void hf_p2pd_manager_free(hf_p2pd_manager *m) {
    if (!m) return;
    while (m->first) drop(m, m->first);
    free(m);
}

static valued *value_of(hf_p2pd_manager *m, const hf_peer_id *peer, bool make) {
    valued *v = m->first;
    while (v && !hf_peer_id_eq(&v->peer, peer)) v = v->next;
    if (v || !make || m->n == PEERS_MAX || !(v = calloc(1, sizeof *v))) return v;
    v->peer = *peer;
    v->since_ms = UINT64_MAX;
    v->next = m->first;
    m->first = v;
    m->n++;
    return v;
}

static tag *find_tag(valued *v, hf_bytes name) {
    for (size_t i = 0; v && i < v->n_tags; i++)
        if (hf_eq(HF_BYTES(v->tags[i].name, v->tags[i].len), name)) return &v->tags[i];
    return NULL;
}

hf_err hf_p2pd_manager_tag(hf_p2pd_manager *m, const hf_peer_id *peer, hf_bytes name, int64_t weight) {
    valued *v = value_of(m, peer, true);
    if (!v || name.len > TAG_LEN_MAX) return HF_LIMIT;
    if (!v->tags && !(v->tags = calloc(TAGS_MAX, sizeof *v->tags))) return HF_NOMEM;
    tag *t = find_tag(v, name);
    if (!t && v->n_tags == TAGS_MAX) return HF_LIMIT;
    if (!t) {
        t = &v->tags[v->n_tags++];
        memcpy(t->name, name.ptr, name.len);
        t->len = name.len;
    }
    t->weight = weight;
    return HF_OK;
}

void hf_p2pd_manager_untag(hf_p2pd_manager *m, const hf_peer_id *peer, hf_bytes name) {
    valued *v = value_of(m, peer, false);
    tag *t = find_tag(v, name);
    if (t) *t = v->tags[--v->n_tags];
    if (v && !v->n_tags && v->since_ms == UINT64_MAX) drop(m, v);
}

/* Saturates: weights are a program's choice. */
static int64_t weight(const valued *v) {
    int64_t sum = 0;
    for (size_t i = 0; i < v->n_tags; i++)
        if (__builtin_add_overflow(sum, v->tags[i].weight, &sum)) sum = v->tags[i].weight > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

static bool is_worse(const valued *a, const valued *b) {
    int64_t wa = weight(a), wb = weight(b);
    return wa != wb ? wa < wb : a->since_ms > b->since_ms;
}

static valued *least(hf_p2pd_manager *m) {
    uint64_t now = hf_p2pd_now(m->d), grace = (uint64_t)m->d->flags->conn_grace_ms;
    valued *worst = NULL;
    for (valued *v = m->first; v; v = v->next)
        if (v->since_ms <= now && now - v->since_ms >= grace && (!worst || is_worse(v, worst))) worst = v;
    return worst;
}

static void leave(hf_p2pd_manager *m, valued *v) {
    v->since_ms = UINT64_MAX;
    m->n_connected--;
    if (!v->n_tags) drop(m, v);
}

void hf_p2pd_manager_trim(hf_p2pd_manager *m) {
    valued *v;
    while (m->n_connected > (size_t)m->d->flags->conn_lo && (v = least(m))) {
        hf_peer_id peer = v->peer;
        leave(m, v);
        hf_host_disconnect(m->d->host, hf_p2pd_now(m->d), &peer);
    }
}

void hf_p2pd_manager_event(hf_p2pd_manager *m, const hf_swarm_out *e) {
    valued *v = value_of(m, &e->peer, e->kind == HF_SWARM_CONN_UP);
    if (e->kind == HF_SWARM_CONN_DOWN && e->last && v && v->since_ms != UINT64_MAX) leave(m, v);
    if (e->kind != HF_SWARM_CONN_UP || !v || v->since_ms != UINT64_MAX) return;
    v->since_ms = hf_p2pd_now(m->d);
    m->n_connected++;
    if (m->d->flags->conn_manager && m->n_connected > (size_t)m->d->flags->conn_hi) hf_p2pd_manager_trim(m);
}
