/* sync_clock: what a peer has, by writer: the highest clock time. Our log knows its writers by number, the wire by key;
 * what a peer claims of writers that our log has not met yet is kept, so that entries of theirs which come from
 * elsewhere are not sent to it again. */
#include "sync_private.h"

#include <string.h>

static unsigned hex_digit(uint8_t c) { return c <= '9' ? c - (unsigned)'0' : c - (unsigned)'a' + 10; }

void hf_sync_key(hf_bytes hex, uint8_t ret[HF_SYNC_KEY_LEN]) {
    HF_ASSERT(hex.len == 2 * HF_SYNC_KEY_LEN); /* the log takes no other keys, and only lower case */
    for (size_t i = 0; i < HF_SYNC_KEY_LEN; i++)
        ret[i] = (uint8_t)(hex_digit(hex.ptr[2 * i]) << 4 | hex_digit(hex.ptr[2 * i + 1]));
}

hf_err hf_sync_writers_reserve(hf_sync *s, hf_sync_db *db) {
    size_t before = db->writers_cap;
    hf_err err =
        hf_grow(s->mem, (void **)&db->writers, &db->writers_cap, sizeof *db->writers, hf_log_n_writers(db->log));
    if (!err && db->writers_cap > before)
        memset(db->writers + before, 0, (db->writers_cap - before) * sizeof *db->writers);
    return err;
}

/* ---- claims, sorted by key ---- */

static int compare(const hf_sync_clock *a, const hf_sync_clock *b) { return memcmp(a->key, b->key, HF_SYNC_KEY_LEN); }

static void sift_down(hf_sync_clock *c, size_t at, size_t n) {
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && compare(&c[child], &c[child + 1]) < 0) child++;
        if (compare(&c[at], &c[child]) >= 0) return;
        hf_sync_clock t = c[at];
        c[at] = c[child];
        c[child] = t;
    }
}

/* Heapsort: the order in which a stranger names writers must not make this slow. */
static void sort(hf_sync_clock *c, size_t n) {
    for (size_t i = n / 2; i-- > 0;) sift_down(c, i, n);
    while (n-- > 1) {
        hf_sync_clock t = c[0];
        c[0] = c[n];
        c[n] = t;
        sift_down(c, 0, n);
    }
}

/* Of claims of one writer the highest stays; those of time 0 go. */
static void squeeze(hf_sync_link *link) {
    hf_sync_clock *c = link->claims;
    size_t n = 0;
    for (size_t i = 0; i < link->n_claims; i++) {
        if (!c[i].time) continue;
        if (!n || compare(&c[n - 1], &c[i])) c[n++] = c[i];
        else if (c[n - 1].time < c[i].time) c[n - 1].time = c[i].time;
    }
    link->n_claims = n;
}

static hf_sync_clock *find(hf_sync_link *link, hf_bytes hex) {
    hf_sync_clock want;
    hf_sync_key(hex, want.key);
    size_t from = 0, to = link->n_claims;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        int order = compare(&link->claims[mid], &want);
        if (order == 0) return &link->claims[mid];
        if (order < 0) from = mid + 1;
        else to = mid;
    }
    return NULL;
}

static void apply(hf_sync_link *link, size_t writer) {
    hf_sync_clock *claim = find(link, hf_log_writer_key(link->db->log, (uint32_t)writer));
    if (!claim) return;
    hf_sync_times *t = &link->times[writer];
    if (t->sent < claim->time) t->sent = claim->time;
    if (t->confirmed < claim->time) t->confirmed = claim->time;
    claim->time = 0;
}

hf_err hf_sync_times_reserve(hf_sync *s, hf_sync_link *link) {
    size_t n = hf_log_n_writers(link->db->log);
    hf_err err = hf_grow(s->mem, (void **)&link->times, &link->times_cap, sizeof *link->times, n);
    for (; !err && link->n_times < n; link->n_times++) {
        link->times[link->n_times] = (hf_sync_times){0, 0};
        apply(link, link->n_times);
    }
    return err;
}

/* One Have's clocks at once. Beyond the limits claims are dropped: the price is that the peer gets entries which it
 * has. */
void hf_sync_take_clocks(hf_sync *s, hf_sync_link *link, hf_bytes have) {
    if (hf_sync_times_reserve(s, link)) return;
    hf_pb_reader r = hf_pb_read(have);
    size_t n_before = link->n_claims;
    for (hf_sync_clock clock; hf_sync_clock_next(&r, &clock);) {
        if (hf_grow(s->mem, (void **)&link->claims, &link->claims_cap, sizeof *link->claims, link->n_claims + 1)) break;
        link->claims[link->n_claims++] = clock;
    }
    if (link->n_claims == n_before) return;
    sort(link->claims, link->n_claims);
    squeeze(link);
    for (size_t i = 0; i < link->n_times; i++) apply(link, i);
    squeeze(link);
    if (link->n_claims > HF_SYNC_CLAIMS_MAX) link->n_claims = HF_SYNC_CLAIMS_MAX;
}
