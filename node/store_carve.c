/* store_carve: see store_carve.h. SQLite's file format: https://www.sqlite.org/fileformat2.html (1.6 cells, 2.1 records, 4 the WAL). */
#include "store_carve.h"

#include "../core/log/manifest.h"
#include "store_private.h"

#include <string.h>

enum { LOCAL_MAX = HF_CARVE_PAGE - 35, LOCAL_MIN = (HF_CARVE_PAGE - 12) * 32 / 255 - 23, OVERFLOW_BYTES = HF_CARVE_PAGE - 4, ROW_BYTES_MAX = 4 << 20, VARINT_MAX = 9 };

/* ---- the files ---- */

typedef struct files { hf_bytes db, wal; } files;

static uint32_t read_u32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

static size_t n_frames(hf_bytes wal) { return wal.len < HF_CARVE_WAL_HEAD ? 0 : (wal.len - HF_CARVE_WAL_HEAD) / HF_CARVE_FRAME; }
static const uint8_t *frame_at(hf_bytes wal, size_t i) { return wal.ptr + HF_CARVE_WAL_HEAD + i * HF_CARVE_FRAME; }

/* The page of that number: the last one in the WAL up to frame `before`, or the database's. NULL: there is none. */
static const uint8_t *page_of(const files *f, uint32_t number, size_t before) {
    for (size_t i = before; i-- > 0;)
        if (read_u32(frame_at(f->wal, i)) == number) return frame_at(f->wal, i) + 24;
    return number && (size_t)number * HF_CARVE_PAGE <= f->db.len ? f->db.ptr + (size_t)(number - 1) * HF_CARVE_PAGE : NULL;
}

/* ---- records ---- */

/* SQLite's varint: big end first, seven bits a byte, eight in the ninth. 0: it does not end here. */
static size_t read_varint(const uint8_t *p, size_t len, uint64_t *ret) {
    uint64_t value = 0;
    for (size_t i = 0; i < len && i < VARINT_MAX; i++) {
        if (i == VARINT_MAX - 1) return *ret = value << 8 | p[i], i + 1;
        value = value << 7 | (p[i] & 127);
        if (!(p[i] & 128)) return *ret = value, i + 1;
    }
    return 0;
}

/* A row of blocks: its record's head is: length, NULL (the row's number stands before it), a blob of a CID's length, a text, a blob. */
typedef struct row { size_t head_len, address_len, block_len, len; } row;

static bool read_row_head(const uint8_t *p, size_t len, row *ret) {
    uint64_t address, block;
    if (len < 3 || p[1] != 0 || p[2] != 12 + 2 * HF_CID_LEN) return false;
    size_t at = 3, n = read_varint(p + at, len - at, &address);
    if (!n || address < 13 || address % 2 == 0) return false;
    at += n;
    n = read_varint(p + at, len - at, &block);
    if (!n || block < 12 || block % 2 || at + n != p[0]) return false;
    *ret = (row){at + n, (size_t)(address - 13) / 2, (size_t)(block - 12) / 2, 0};
    if (ret->address_len > HF_ADDRESS_LEN || ret->block_len > ROW_BYTES_MAX) return false;
    ret->len = ret->head_len + HF_CID_LEN + ret->address_len + ret->block_len;
    return true;
}

/* The row's number stands before the record, and the record's length before that. 0: they do not. */
static int64_t read_seq(const uint8_t *page, size_t at, size_t record_len) {
    for (size_t n = 1; n <= VARINT_MAX && n < at; n++) {
        uint64_t seq, len;
        if (read_varint(page + at - n, n, &seq) != n) continue;
        for (size_t m = 1; m <= 4 && m + n <= at; m++)
            if (read_varint(page + at - n - m, m, &len) == m && len == record_len) return seq <= INT64_MAX ? (int64_t)seq : 0;
    }
    return 0;
}

static size_t local_len(size_t len) {
    if (len <= LOCAL_MAX) return len;
    size_t k = LOCAL_MIN + (len - LOCAL_MIN) % OVERFLOW_BYTES;
    return k <= LOCAL_MAX ? k : LOCAL_MIN;
}

/* The record that begins at `at` of the page, put together in room if it goes on elsewhere. Empty: it is not all there. */
static hf_bytes gather(const files *f, const uint8_t *page, size_t at, size_t len, size_t before, hf_buf *room) {
    size_t local = local_len(len);
    if (at + local + (local < len ? 4 : 0) > HF_CARVE_PAGE) return HF_BYTES(NULL, 0);
    if (local == len) return HF_BYTES(page + at, len);
    hf_buf_clear(room);
    hf_buf_add(room, HF_BYTES(page + at, local));
    uint32_t next = read_u32(page + at + local);
    while (room->len < len && !room->err) {
        const uint8_t *more = page_of(f, next, before);
        if (!more) return HF_BYTES(NULL, 0);
        size_t n = len - room->len < OVERFLOW_BYTES ? len - room->len : OVERFLOW_BYTES;
        hf_buf_add(room, HF_BYTES(more + 4, n));
        next = read_u32(more);
    }
    return room->err ? HF_BYTES(NULL, 0) : hf_buf_bytes(room);
}

/* ---- blocks ---- */

typedef struct carving { files files; hf_buf *room; hf_carve_visit *visit; void *ctx; } carving;

static bool try_row(const carving *c, const uint8_t *page, size_t at, const row *r, size_t before) {
    hf_bytes record = gather(&c->files, page, at, r->len, before, c->room);
    if (!record.len) return false;
    hf_bytes cid = hf_sub(record, r->head_len, HF_CID_LEN), address = hf_sub(record, r->head_len + HF_CID_LEN, r->address_len),
             block = hf_sub(record, r->head_len + HF_CID_LEN + r->address_len, r->block_len);
    if (!hf_store_block_fits(cid, address, block)) return false;
    c->visit(c->ctx, read_seq(page, at, r->len), cid, address, block);
    return true;
}

/* At every byte, because what points to the rows may be what is damaged. `before`: pages in the WAL up to there belong to this one. */
static void carve_page(const carving *c, const uint8_t *page, size_t before) {
    row r;
    for (size_t at = 1; at + 5 < HF_CARVE_PAGE; at++) {
        if (!read_row_head(page + at, HF_CARVE_PAGE - at, &r)) continue;
        if (!try_row(c, page, at, &r, before) && before) try_row(c, page, at, &r, 0);
    }
}

void hf_carve_blocks(hf_bytes db, hf_bytes wal, hf_buf *room, hf_carve_visit *visit, void *ctx) {
    carving c = {{db, wal}, room, visit, ctx};
    size_t n = n_frames(wal);
    for (size_t i = 0; i < db.len / HF_CARVE_PAGE; i++) carve_page(&c, db.ptr + i * HF_CARVE_PAGE, n);
    for (size_t i = 0; i < n; i++) carve_page(&c, frame_at(wal, i) + 24, n);
}

/* ---- keys ---- */

static bool find_secrets(const uint8_t *page, hf_secrets *ret) {
    hf_bytes name = HF_TEXT("secrets");
    for (size_t at = 0; at + name.len + HF_STORE_SECRETS_LEN <= HF_CARVE_PAGE; at++)
        if (!memcmp(page + at, name.ptr, name.len) && hf_store_secrets_read(HF_BYTES(page + at + name.len, HF_STORE_SECRETS_LEN), ret)) return true;
    return false;
}

bool hf_carve_secrets(hf_bytes db, hf_bytes wal, hf_secrets *ret) {
    for (size_t i = n_frames(wal); i-- > 0;)
        if (find_secrets(frame_at(wal, i) + 24, ret)) return true;
    for (size_t i = 0; i < db.len / HF_CARVE_PAGE; i++)
        if (find_secrets(db.ptr + i * HF_CARVE_PAGE, ret)) return true;
    return false;
}

/* ---- the WAL ---- */

typedef struct sum { uint32_t a, b; bool big; } sum;

static void add_to_sum(sum *s, const uint8_t *p, size_t len) {
    for (size_t i = 0; i < len; i += 8) {
        uint32_t x = read_u32(p + i), y = read_u32(p + i + 4);
        s->a += (s->big ? x : __builtin_bswap32(x)) + s->b;
        s->b += (s->big ? y : __builtin_bswap32(y)) + s->a;
    }
}

static bool sum_is(const sum *s, const uint8_t *p) { return s->a == read_u32(p) && s->b == read_u32(p + 4); }

static bool frame_is_whole(const uint8_t *frame, const uint8_t *salt, sum *s) {
    add_to_sum(s, frame, 8);
    add_to_sum(s, frame + 24, HF_CARVE_PAGE);
    return !memcmp(frame + 8, salt, 8) && sum_is(s, frame + 16);
}

bool hf_carve_wal_is_damaged(hf_bytes wal) {
    static const uint8_t NO_SALT[8];
    size_t n = n_frames(wal), i = 0;
    if (!n) return false;
    sum s = {0, 0, wal.ptr[3] & 1};
    add_to_sum(&s, wal.ptr, 24);
    bool head = read_u32(wal.ptr) >> 1 == 0x377f0682 >> 1 && sum_is(&s, wal.ptr + 24);
    /* Without its head none of its frames count. A WAL that was only made longer ahead of its use has no frame at all. */
    if (!head) return memcmp(frame_at(wal, 0) + 8, NO_SALT, 8) != 0;
    const uint8_t *salt = wal.ptr + 16;
    while (i < n && frame_is_whole(frame_at(wal, i), salt, &s)) i++;
    bool ended = false;
    for (; i < n; i++) {
        const uint8_t *frame = frame_at(wal, i);
        if (memcmp(frame + 8, salt, 8)) continue;
        if (ended) return true;
        ended = read_u32(frame + 4) != 0;
    }
    return false;
}
