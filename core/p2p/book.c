/* book: see book.h. A page a peer; pages in order of their last use, the oldest first. */
#include "book.h"

#include "../codec/multiaddr.h"
#include "kad_address.h"

#include <string.h>

enum { PROTOCOL_BYTES_MAX = 8192, REST_BASE_MS = 5000, REST_MAX_MS = 300 * 1000 };

typedef struct entry {
    uint8_t bytes[HF_BOOK_ADDRESS_BYTES_MAX];
    uint16_t len;
    uint8_t source, failures;
    bool worked;
    uint64_t until_ms, rest_ms;
} entry;

typedef struct page {
    struct page *next, *prev;
    hf_peer_id peer;
    bool kept;
    entry *entries; /* HF_BOOK_ADDRESSES_MAX of them; NULL: none yet */
    size_t n;
    uint64_t seq; /* of the record that its signed ones are from */
    hf_buf protocols; /* names, each with a 0 byte after it */
} page;

struct hf_book {
    hf_mem *mem;
    hf_map pages;
    page *first, *last;
};

/* ---- pages ---- */

static void unlink_page(hf_book *book, page *p) {
    if (p->prev) p->prev->next = p->next;
    else book->first = p->next;
    if (p->next) p->next->prev = p->prev;
    else book->last = p->prev;
    p->next = p->prev = NULL;
}

static void append_page(hf_book *book, page *p) {
    p->prev = book->last;
    if (book->last) book->last->next = p;
    else book->first = p;
    book->last = p;
}

static void free_page(hf_book *book, page *p) {
    unlink_page(book, p);
    hf_map_remove(&book->pages, hf_peer_id_bytes(&p->peer));
    hf_release(book->mem, p->entries, HF_BOOK_ADDRESSES_MAX * sizeof *p->entries);
    hf_buf_deinit(&p->protocols);
    hf_release(book->mem, p, sizeof *p);
}

static page *page_of(const hf_book *book, const hf_peer_id *peer) { return hf_map_get(&book->pages, hf_peer_id_bytes(peer)); }

/* The page used least lately goes when there is no room. */
static bool make_room(hf_book *book) {
    if (book->pages.n < HF_BOOK_PEERS_MAX) return true;
    page *p = book->first;
    while (p && p->kept) p = p->next;
    if (!p) return false;
    free_page(book, p);
    return true;
}

static hf_err turn_to(hf_book *book, const hf_peer_id *peer, page **ret) {
    page *p = page_of(book, peer);
    if (p) {
        unlink_page(book, p);
        append_page(book, p);
        *ret = p;
        return HF_OK;
    }
    if (!make_room(book)) return HF_LIMIT;
    p = hf_alloc(book->mem, sizeof *p);
    if (!p) return HF_NOMEM;
    p->peer = *peer;
    hf_buf_init(&p->protocols, book->mem);
    if (hf_map_put(&book->pages, hf_peer_id_bytes(&p->peer), p)) {
        hf_release(book->mem, p, sizeof *p);
        return HF_NOMEM;
    }
    append_page(book, p);
    *ret = p;
    return HF_OK;
}

hf_book *hf_book_new(hf_mem *mem, uint64_t seed) {
    hf_book *book = hf_alloc(mem, sizeof *book);
    if (!book) return NULL;
    book->mem = mem;
    hf_map_init(&book->pages, mem, seed);
    return book;
}

void hf_book_free(hf_book *book) {
    if (!book) return;
    while (book->first) free_page(book, book->first);
    hf_map_deinit(&book->pages);
    hf_release(book->mem, book, sizeof *book);
}

size_t hf_book_n_peers(const hf_book *book) { return book->pages.n; }

/* ---- addresses ---- */

static bool is_alive(const page *p, const entry *e, uint64_t now_ms) { return p->kept || e->until_ms > now_ms; }

/* /p2p/PEER at the end says what the page says. False: not an address of this peer. */
static bool trim(const hf_peer_id *peer, hf_bytes *address) {
    hf_multiaddr parts;
    if (hf_multiaddr_read(*address, &parts, NULL) || parts.n == 0) return false;
    const hf_multiaddr_part *last = &parts.parts[parts.n - 1];
    if (last->code == HF_MA_P2P) {
        if (!hf_eq(last->value, hf_peer_id_bytes(peer))) return false;
        enum { CODE_LEN = 2, LENGTH_LEN = 1 }; /* a peer ID is under 128 bytes */
        address->len -= last->value.len + CODE_LEN + LENGTH_LEN;
    }
    return address->len > 0 && address->len <= HF_BOOK_ADDRESS_BYTES_MAX;
}

static entry *find(const page *p, hf_bytes address) {
    for (size_t i = 0; p && i < p->n; i++)
        if (hf_eq(HF_BYTES(p->entries[i].bytes, p->entries[i].len), address)) return &p->entries[i];
    return NULL;
}

static void drop(page *p, size_t i) {
    memmove(&p->entries[i], &p->entries[i + 1], (p->n - i - 1) * sizeof *p->entries);
    p->n--;
}

static void drop_dead(page *p, uint64_t now_ms) {
    for (size_t i = p->n; i-- > 0;)
        if (!is_alive(p, &p->entries[i], now_ms)) drop(p, i);
}

static void drop_source(page *p, hf_book_source up_to, hf_book_source from) {
    for (size_t i = p->n; i-- > 0;)
        if (p->entries[i].source >= from && p->entries[i].source <= up_to) drop(p, i);
}

static bool has_signed(const page *p) {
    for (size_t i = 0; i < p->n; i++)
        if (p->entries[i].source == HF_BOOK_SIGNED) return true;
    return false;
}

/* Lower is better. */
static unsigned rank(const entry *e) {
    unsigned source = e->source == HF_BOOK_USER ? 0 : e->source == HF_BOOK_SIGNED ? 1 : e->source == HF_BOOK_SELF ? 2 : 3;
    return (e->failures ? 16 : 0) + (e->worked ? 0 : 8) + source;
}

/* Where the new one goes in a full page: over the worst, if that is not better. */
static entry *worst(page *p, hf_book_source source) {
    entry *worst = &p->entries[0];
    for (size_t i = 1; i < p->n; i++)
        if (rank(&p->entries[i]) >= rank(worst)) worst = &p->entries[i];
    return worst->source <= source || worst->failures ? worst : NULL;
}

static void put(page *p, hf_bytes address, hf_book_source source, uint64_t until_ms) {
    entry *e = find(p, address);
    if (e) {
        if (e->source < source) e->source = (uint8_t)source;
        if (e->until_ms < until_ms) e->until_ms = until_ms;
        return;
    }
    e = p->n < HF_BOOK_ADDRESSES_MAX ? &p->entries[p->n++] : worst(p, source);
    if (!e) return;
    *e = (entry){.len = (uint16_t)address.len, .source = (uint8_t)source, .until_ms = until_ms};
    memcpy(e->bytes, address.ptr, address.len);
}

hf_err hf_book_add(hf_book *book, uint64_t now_ms, const hf_peer_id *peer, hf_book_source source, const hf_bytes *addrs, size_t n_addrs,
                   uint64_t for_ms) {
    page *p = NULL;
    hf_err err = turn_to(book, peer, &p);
    if (err) return err;
    if (!p->entries) p->entries = hf_alloc(book->mem, HF_BOOK_ADDRESSES_MAX * sizeof *p->entries);
    if (!p->entries) return HF_NOMEM;
    drop_dead(p, now_ms);
    if (source == HF_BOOK_SELF) drop_source(p, HF_BOOK_SELF, HF_BOOK_SELF);
    if (source == HF_BOOK_SIGNED) drop_source(p, HF_BOOK_SIGNED, HF_BOOK_NAMED);
    for (size_t i = 0; i < n_addrs; i++) {
        hf_bytes address = addrs[i];
        if (trim(peer, &address)) put(p, address, source, now_ms + for_ms);
    }
    return HF_OK;
}

hf_err hf_book_certify(hf_book *book, uint64_t now_ms, const hf_peer_record *record, bool firsthand, uint64_t for_ms) {
    page *p = page_of(book, &record->peer);
    if (p) drop_dead(p, now_ms);
    if (p && !firsthand && has_signed(p) && record->seq < p->seq) return HF_DENIED;
    hf_err err = hf_book_add(book, now_ms, &record->peer, HF_BOOK_SIGNED, record->addresses, record->n_addresses, for_ms);
    if (!err && (p = page_of(book, &record->peer))) p->seq = record->seq;
    return err;
}

void hf_book_keep(hf_book *book, uint64_t now_ms, const hf_peer_id *peer, bool keep) {
    page *p = NULL;
    if (keep ? turn_to(book, peer, &p) != HF_OK : !(p = page_of(book, peer))) return;
    for (size_t i = 0; p->kept && !keep && i < p->n; i++) p->entries[i].until_ms = now_ms + HF_BOOK_KNOWN_MS;
    p->kept = keep;
}

bool hf_book_address(hf_book *book, uint64_t now_ms, const hf_peer_id *peer, size_t i, hf_bytes *ret_address) {
    const page *p = page_of(book, peer);
    for (unsigned want = 0; p && want < 32; want++)
        for (size_t k = 0; k < p->n; k++) {
            const entry *e = &p->entries[k];
            if (rank(e) != want || !is_alive(p, e, now_ms) || i-- > 0) continue;
            *ret_address = HF_BYTES(e->bytes, e->len);
            return true;
        }
    return false;
}

/* ---- protocols ---- */

hf_err hf_book_speaks(hf_book *book, uint64_t now_ms, const hf_peer_id *peer, const hf_bytes *protocols, size_t n_protocols) {
    page *p = NULL;
    (void)now_ms;
    hf_err err = turn_to(book, peer, &p);
    if (err) return err;
    hf_buf_clear(&p->protocols);
    for (size_t i = 0; i < n_protocols && p->protocols.len + protocols[i].len < PROTOCOL_BYTES_MAX; i++) {
        hf_buf_add(&p->protocols, protocols[i]);
        hf_buf_add_byte(&p->protocols, 0);
    }
    if (!p->protocols.err) return HF_OK;
    hf_buf_clear(&p->protocols);
    return HF_NOMEM;
}

bool hf_book_protocol(const hf_book *book, const hf_peer_id *peer, size_t i, hf_bytes *ret_name) {
    const page *p = page_of(book, peer);
    hf_bytes rest = p ? hf_buf_bytes(&p->protocols) : HF_BYTES(NULL, 0);
    for (; rest.len; i--) {
        size_t end = hf_find(rest, 0, 0);
        *ret_name = hf_sub(rest, 0, end);
        if (i == 0) return true;
        rest = hf_sub(rest, end + 1, rest.len);
    }
    return false;
}

/* ---- over a restart: a peer: its length, ID, number of addresses; each: 2-byte length (big-endian), bytes ---- */

static size_t n_worth_keeping(const page *p) {
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) n += p->entries[i].source != HF_BOOK_NAMED || p->entries[i].worked;
    return n;
}

/* The user named it, or a dial of ours reached it. */
static const entry *proved(const page *p) {
    for (size_t i = 0; i < p->n; i++)
        if (p->entries[i].source == HF_BOOK_USER || p->entries[i].worked) return &p->entries[i];
    return NULL;
}

static void save_page(const page *p, hf_buf *buf) {
    hf_buf_add_byte(buf, p->peer.len);
    hf_buf_add(buf, hf_peer_id_bytes(&p->peer));
    hf_buf_add_byte(buf, (uint8_t)n_worth_keeping(p));
    for (size_t i = 0; i < p->n; i++) {
        const entry *e = &p->entries[i];
        if (e->source == HF_BOOK_NAMED && !e->worked) continue;
        hf_buf_add_byte(buf, (uint8_t)(e->len >> 8));
        hf_buf_add_byte(buf, (uint8_t)e->len);
        hf_buf_add(buf, HF_BYTES(e->bytes, e->len));
    }
}

typedef struct saved { hf_kad_group groups[HF_BOOK_SAVED_MAX]; size_t n, n_max; } saved;

/* One more of this network? */
static bool has_room(const saved *s, const hf_kad_group *group) {
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) n += group->scope == HF_KAD_PUBLIC && hf_kad_group_eq(&s->groups[i], group);
    return s->n < s->n_max && n < HF_BOOK_SAVED_OF_A_NETWORK;
}

static void save_pages(const hf_book *book, saved *s, bool of_proved, hf_buf *buf) {
    for (const page *p = book->last; p && s->n < s->n_max; p = p->prev) {
        const entry *e = proved(p);
        if (!n_worth_keeping(p) || of_proved != (e != NULL)) continue;
        if (!e) e = p->entries;
        hf_kad_group group = hf_kad_group_of(HF_BYTES(e->bytes, e->len));
        if (!has_room(s, &group)) continue;
        s->groups[s->n++] = group;
        save_page(p, buf);
    }
}

void hf_book_save(const hf_book *book, size_t n_max, hf_buf *buf) {
    saved s = {.n_max = n_max < HF_BOOK_SAVED_MAX ? n_max : HF_BOOK_SAVED_MAX};
    save_pages(book, &s, true, buf);
    save_pages(book, &s, false, buf);
}

/* The next `len` bytes; false: there are not so many. */
static bool take(hf_bytes *rest, size_t len, hf_bytes *ret) {
    if (rest->len < len) return false;
    *ret = hf_sub(*rest, 0, len);
    *rest = hf_sub(*rest, len, rest->len);
    return true;
}

static bool take_peer(hf_bytes *rest, hf_peer_id *ret_peer, hf_bytes addrs[HF_BOOK_ADDRESSES_MAX], size_t *ret_n) {
    hf_bytes part;
    if (!take(rest, 1, &part) || !take(rest, part.ptr[0], &part) || hf_peer_id_read(part, ret_peer)) return false;
    if (!take(rest, 1, &part) || part.ptr[0] > HF_BOOK_ADDRESSES_MAX) return false;
    *ret_n = part.ptr[0];
    for (size_t i = 0; i < *ret_n; i++)
        if (!take(rest, 2, &part) || !take(rest, (size_t)part.ptr[0] << 8 | part.ptr[1], &addrs[i])) return false;
    return true;
}

hf_err hf_book_restore(hf_book *book, uint64_t now_ms, hf_bytes saved, uint64_t for_ms, void (*each)(void *ctx, const hf_peer_id *peer), void *ctx) {
    hf_peer_id peer;
    hf_bytes addrs[HF_BOOK_ADDRESSES_MAX];
    for (size_t n; take_peer(&saved, &peer, addrs, &n);) {
        if (hf_book_add(book, now_ms, &peer, HF_BOOK_NAMED, addrs, n, for_ms) == HF_NOMEM) return HF_NOMEM;
        if (each) each(ctx, &peer);
    }
    return HF_OK;
}

/* ---- how dials went ---- */

void hf_book_dialled(hf_book *book, uint64_t now_ms, const hf_peer_id *peer, hf_bytes address, bool worked) {
    entry *e = find(page_of(book, peer), address);
    if (!e) return;
    e->worked = worked || e->worked;
    if (worked) {
        e->failures = 0;
        e->rest_ms = 0;
        return;
    }
    uint64_t rest = (uint64_t)REST_BASE_MS << (e->failures < 6 ? e->failures : 6);
    e->rest_ms = now_ms + (rest < REST_MAX_MS ? rest : REST_MAX_MS);
    if (e->failures < UINT8_MAX) e->failures++;
}

uint64_t hf_book_rests_until(const hf_book *book, const hf_peer_id *peer, hf_bytes address) {
    const entry *e = find(page_of(book, peer), address);
    return e ? e->rest_ms : 0;
}
