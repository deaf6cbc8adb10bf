/* car: see car.h.
 *
 *     v1:  varint length, dag-cbor {roots: [CID …], version: 1};  then (varint length, CID, block)*
 *     v2:  0a a1 67 "version" 02, 40 bytes (16 characteristics, then little-endian: data offset, data length, index offset), …, v1, …
 */
#include "car.h"

#include "../codec/dag_cbor.h"
#include "../codec/varint.h"

#include <string.h>

static const uint8_t PRAGMA[] = {0x0a, 0xa1, 0x67, 'v', 'e', 'r', 's', 'i', 'o', 'n', 0x02};
enum { V2_HEADER_LEN = 40, SECTION_MAX = HF_BLOCK_MAX + HF_CID_BYTES_MAX };

typedef enum phase { START, V2_HEADER, V2_GAP, HEADER, ROOTS, SECTIONS, OVER } phase;

struct hf_car {
    hf_mem *mem;
    phase phase;
    hf_buf held;           /* an item that is not whole yet, or was told and is dropped at the next call */
    bool told;
    uint64_t gap, left;    /* v2: bytes before the v1 part; bytes of it that are still to come (UINT64_MAX: to the end) */
    hf_arena arena;
    const hf_value *roots;
    uint32_t n_told;
    const char *failed;
};

hf_car *hf_car_new(hf_mem *mem) {
    hf_car *c = hf_alloc(mem, sizeof *c);
    if (!c) return NULL;
    *c = (hf_car){.mem = mem, .left = UINT64_MAX};
    hf_buf_init(&c->held, mem);
    hf_arena_init(&c->arena, mem);
    return c;
}

void hf_car_free(hf_car *c) {
    if (!c) return;
    hf_buf_deinit(&c->held);
    hf_arena_deinit(&c->arena);
    hf_release(c->mem, c, sizeof *c);
}

/* Moves bytes into `held` until it has `len`; false: there are not so many yet. */
static bool hold(hf_car *c, hf_bytes *bytes, size_t len) {
    size_t n = len > c->held.len ? len - c->held.len : 0;
    if (n > c->left) {
        c->failed = "CAR: the archive ends within a section";
        return false;
    }
    hf_bytes piece = hf_sub(*bytes, 0, n);
    hf_buf_add(&c->held, piece);
    if (c->held.err) c->failed = "no memory";
    *bytes = hf_sub(*bytes, piece.len, bytes->len);
    if (c->left != UINT64_MAX) c->left -= piece.len;
    return !c->failed && piece.len == n;
}

/* Holds one length and what it is the length of. */
static bool hold_item(hf_car *c, hf_bytes *bytes, size_t len_max, hf_bytes *ret) {
    uint64_t len = 0;
    size_t head = 0;
    hf_err err;
    while ((err = hf_varint_read(hf_buf_bytes(&c->held), &len, &head)) == HF_TRUNCATED)
        if (!hold(c, bytes, c->held.len + 1)) return false;
    if (err || len == 0 || len > len_max) c->failed = "CAR: a section without a length, or a block over 2 MiB";
    if (c->failed || !hold(c, bytes, head + (size_t)len)) return false;
    *ret = hf_sub(hf_buf_bytes(&c->held), head, (size_t)len);
    return true;
}

static void drop_held(hf_car *c) {
    hf_buf_clear(&c->held);
    c->told = false;
}

static bool take_v2_header(hf_car *c, hf_bytes *bytes) {
    if (!hold(c, bytes, V2_HEADER_LEN)) return false;
    uint64_t field[3] = {0};
    for (size_t i = 0; i < 24; i++) field[i / 8] |= (uint64_t)c->held.ptr[16 + i] << i % 8 * 8;
    drop_held(c);
    if (field[0] < sizeof PRAGMA + V2_HEADER_LEN || field[0] > 1 << 20 || !field[1] || field[1] == UINT64_MAX) {
        c->failed = "CAR: a broken header of version 2";
        return false;
    }
    c->gap = field[0] - sizeof PRAGMA - V2_HEADER_LEN;
    c->left = field[1];
    c->phase = V2_GAP;
    return true;
}

static bool take_gap(hf_car *c, hf_bytes *bytes) {
    size_t n = c->gap < bytes->len ? (size_t)c->gap : bytes->len;
    *bytes = hf_sub(*bytes, n, bytes->len);
    c->gap -= n;
    if (!c->gap) c->phase = HEADER;
    return !c->gap;
}

static const char *check_header(const hf_value *header, const hf_value **ret_roots) {
    const hf_value *roots = hf_value_get(header, "roots");
    if (hf_value_as_i64(hf_value_get(header, "version"), 0) != 1) return "CAR: not version 1";
    if (!roots || roots->kind != HF_LIST || roots->as.list.n > HF_CAR_ROOTS_MAX) return "CAR: a header without roots, or with too many";
    for (uint32_t i = 0; i < roots->as.list.n; i++)
        if (roots->as.list.items[i].kind != HF_LINK || roots->as.list.items[i].as.s.len > HF_CID_BYTES_MAX) return "CAR: a root that is no CID";
    *ret_roots = roots;
    return NULL;
}

static bool take_header(hf_car *c, hf_bytes *bytes) {
    hf_bytes item;
    hf_value *header = hf_arena_alloc(&c->arena, sizeof *header);
    if (!header) c->failed = "no memory";
    if (c->failed || !hold_item(c, bytes, HF_CAR_HEADER_MAX, &item)) return false;
    item = hf_arena_copy(&c->arena, item);
    if (!item.ptr || hf_cbor_decode(&c->arena, item, header, NULL)) c->failed = "CAR: a header that is not dag-cbor";
    else c->failed = check_header(header, &c->roots);
    drop_held(c);
    c->phase = ROOTS;
    return !c->failed;
}

/* The first 11 bytes tell version 2; what is held of them is otherwise the start of a header. */
static bool take_start(hf_car *c, hf_bytes *bytes) {
    size_t n = 0;
    while (n < c->held.len && n < sizeof PRAGMA && c->held.ptr[n] == PRAGMA[n]) n++;
    if (n < c->held.len) c->phase = HEADER;
    else if (n == sizeof PRAGMA) {
        drop_held(c);
        c->phase = V2_HEADER;
    } else return hold(c, bytes, n + 1);
    return true;
}

static bool take_section(hf_car *c, hf_bytes *bytes, hf_car_out *ret) {
    hf_bytes item;
    hf_cid cid;
    size_t len;
    if (c->left == 0 && !c->held.len) {
        c->phase = OVER;
        return true;
    }
    if (!hold_item(c, bytes, SECTION_MAX, &item)) return false;
    if (hf_cid_read_prefix(item, &cid, &len) || len > HF_CID_BYTES_MAX) c->failed = "CAR: a section without a CID";
    else if (item.len - len > HF_BLOCK_MAX) c->failed = "CAR: a block over 2 MiB";
    ret->cid = hf_sub(item, 0, c->failed ? 0 : len);
    ret->block = hf_sub(item, ret->cid.len, item.len);
    hf_err err = c->failed ? HF_OK : hf_cid_check(&cid, ret->block);
    if (err) c->failed = err == HF_LIMIT ? "CAR: a block of an unknown hash" : "CAR: a block that is not what its CID says";
    c->told = !c->failed;
    if (c->told) ret->kind = HF_CAR_BLOCK;
    return false;
}

/* One phase; false: nothing more can be done now. */
static bool advance(hf_car *c, hf_bytes *bytes, hf_car_out *ret) {
    switch (c->phase) {
    case START: return take_start(c, bytes);
    case V2_HEADER: return take_v2_header(c, bytes);
    case V2_GAP: return take_gap(c, bytes);
    case HEADER: return take_header(c, bytes);
    case ROOTS:
        if (c->n_told == c->roots->as.list.n) {
            c->phase = SECTIONS;
            return true;
        }
        ret->kind = HF_CAR_ROOT;
        ret->cid = c->roots->as.list.items[c->n_told++].as.s;
        return false;
    case SECTIONS: return take_section(c, bytes, ret);
    default: *bytes = hf_sub(*bytes, bytes->len, 0); return false; /* the index of a version 2 */
    }
}

hf_car_kind hf_car_recv(hf_car *c, hf_bytes *bytes, hf_car_out *ret) {
    *ret = (hf_car_out){.kind = HF_CAR_NONE};
    if (c->told) drop_held(c);
    while (!c->failed && advance(c, bytes, ret)) continue;
    if (!c->failed) return ret->kind;
    *ret = (hf_car_out){.kind = HF_CAR_FAILED, .reason = c->failed};
    return HF_CAR_FAILED;
}

hf_err hf_car_end(const hf_car *c) {
    if (c->failed) return HF_MALFORMED;
    bool between = c->phase == SECTIONS && (c->told || !c->held.len) && (c->left == UINT64_MAX || c->left == 0);
    return between || c->phase == OVER ? HF_OK : HF_TRUNCATED;
}

/* ---- writing ---- */

void hf_car_add_header(hf_buf *buf, const hf_bytes *roots, size_t n_roots) {
    enum { BYTES = 2, LIST = 4, MAP = 5, TAG = 6, LINK_TAG = 42 };
    hf_buf header;
    hf_buf_init(&header, buf->mem);
    hf_cbor_add_head(&header, MAP, 2);
    hf_cbor_add_text(&header, HF_TEXT("roots"));
    hf_cbor_add_head(&header, LIST, n_roots);
    for (size_t i = 0; i < n_roots; i++) {
        hf_cbor_add_head(&header, TAG, LINK_TAG);
        hf_cbor_add_head(&header, BYTES, roots[i].len + 1);
        hf_buf_add_byte(&header, 0);
        hf_buf_add(&header, roots[i]);
    }
    hf_cbor_add_text(&header, HF_TEXT("version"));
    hf_cbor_add_u64(&header, 1);
    hf_varint_add(buf, header.len);
    hf_buf_add(buf, hf_buf_bytes(&header));
    if (header.err) buf->err = header.err;
    hf_buf_deinit(&header);
}

void hf_car_add_section(hf_buf *buf, hf_bytes cid, size_t block_len) {
    hf_varint_add(buf, cid.len + block_len);
    hf_buf_add(buf, cid);
}
