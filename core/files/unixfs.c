/* unixfs: see unixfs.h.
 *
 *     1 Type   2 Data   3 filesize   4 blocksizes (repeated)   5 hashType   6 fanout   7 mode   8 mtime {1 seconds  2 nanoseconds}
 */
#include "unixfs.h"

enum { TYPE = 1, DATA, FILE_SIZE, BLOCK_SIZES, HASH_TYPE, FANOUT, MODE, MTIME };
enum { WIRE_VARINT = 0, WIRE_BYTES = 2, MTIME_SECONDS = 1, FANOUT_MIN = 8 };
static const uint64_t SIZE_LIMIT = (uint64_t)1 << 62; /* sums of sizes stay below: no overflow anywhere */

bool hf_unixfs_next_size(const hf_unixfs *u, hf_unixfs_sizes *at, uint64_t *ret) {
    if (!at->begun) *at = (hf_unixfs_sizes){.message = hf_pb_read(u->message), .begun = true};
    for (;;) {
        if (at->in_packed && at->packed.at < at->packed.in.len) {
            uint64_t value = 0;
            for (unsigned shift = 0; at->packed.at < at->packed.in.len && shift < 64; shift += 7) {
                uint8_t byte = at->packed.in.ptr[at->packed.at++];
                value |= (uint64_t)(byte & 0x7f) << shift;
                if (byte < 0x80) return *ret = value, true;
            }
            return false; /* breaks off: hf_unixfs_read has refused it */
        }
        at->in_packed = false;
        hf_pb_field f;
        if (!hf_pb_next(&at->message, &f)) return false;
        if (f.number != BLOCK_SIZES) continue;
        if (f.wire == WIRE_VARINT) return *ret = f.u, true;
        at->packed = hf_pb_read(f.bytes);
        at->in_packed = true;
    }
}

static bool packed_is_whole(hf_bytes packed) {
    size_t n = 0;
    for (size_t i = 0; i < packed.len; i++) {
        if (++n > 9) return false;
        if (packed.ptr[i] < 0x80) n = 0;
    }
    return n == 0;
}

static void read_mtime(hf_bytes message, hf_unixfs *u) {
    hf_pb_reader r = hf_pb_read(message);
    u->has_mtime = true;
    for (hf_pb_field f; hf_pb_next(&r, &f);)
        if (f.number == MTIME_SECONDS && f.wire == WIRE_VARINT) u->mtime_s = (int64_t)f.u;
}

typedef struct raw { uint64_t type, file_size, hash_type, fanout; bool has_type, has_file_size; } raw;

static const char *take_field(const hf_pb_field *f, hf_unixfs *u, raw *raw) {
    bool is_bytes = f->number == DATA || f->number == MTIME;
    bool either = f->number == BLOCK_SIZES && f->wire == WIRE_BYTES;
    if (f->number < TYPE || f->number > MTIME) return NULL;
    if (!either && f->wire != (is_bytes ? WIRE_BYTES : WIRE_VARINT)) return "UnixFS: a field of the wrong type";
    switch (f->number) {
    case TYPE: raw->type = f->u, raw->has_type = true; break;
    case DATA: u->data = f->bytes; break;
    case FILE_SIZE: raw->file_size = f->u, raw->has_file_size = true; break;
    case BLOCK_SIZES: return either && !packed_is_whole(f->bytes) ? "UnixFS: broken sizes" : NULL;
    case HASH_TYPE: raw->hash_type = f->u; break;
    case FANOUT: raw->fanout = f->u; break;
    case MODE: u->mode = (uint32_t)f->u & 07777; break;
    default: read_mtime(f->bytes, u); break;
    }
    return NULL;
}

static const char *check_sizes(hf_unixfs *u, const raw *raw) {
    hf_unixfs_sizes at = {.begun = false};
    u->file_size = u->data.len;
    for (uint64_t size; hf_unixfs_next_size(u, &at, &size); u->n_sizes++) {
        if (size > SIZE_LIMIT || u->file_size > SIZE_LIMIT - size) return "UnixFS: sizes beyond 2^62";
        u->file_size += size;
    }
    return raw->has_file_size && raw->file_size != u->file_size ? "UnixFS: the file's size is not the sum of its parts'" : NULL;
}

static const char *check_shard(hf_unixfs *u, const raw *raw) {
    if (raw->hash_type != HF_UNIXFS_HASH) return "UnixFS: a shard with an unknown hash";
    if (raw->fanout < FANOUT_MIN || raw->fanout > HF_UNIXFS_FANOUT_MAX || (raw->fanout & (raw->fanout - 1)))
        return "UnixFS: a shard of an odd number of slots";
    if (u->data.len > raw->fanout / 8) return "UnixFS: a shard with more bits than slots";
    u->fanout = (uint32_t)raw->fanout;
    return NULL;
}

hf_err hf_unixfs_read(hf_bytes message, hf_unixfs *ret, hf_fault *fault) {
    hf_unixfs u = {.message = message};
    raw raw = {.type = 0};
    const char *why = NULL;
    hf_pb_reader r = hf_pb_read(message);
    for (hf_pb_field f; !why && hf_pb_next(&r, &f);) why = take_field(&f, &u, &raw);
    if (!why && r.err) why = "UnixFS: not protobuf, or it breaks off";
    if (!why && (!raw.has_type || raw.type > HF_UNIXFS_SHARD)) why = "UnixFS: an unknown type";
    u.type = why ? HF_UNIXFS_RAW : (hf_unixfs_type)raw.type;
    if (!why && (u.type == HF_UNIXFS_FILE || u.type == HF_UNIXFS_RAW)) why = check_sizes(&u, &raw);
    if (!why && u.type == HF_UNIXFS_SHARD) why = check_shard(&u, &raw);
    if (why) return hf_fail(fault, HF_MALFORMED, why, r.at);
    *ret = u;
    return HF_OK;
}

/* ---- writing ---- */

void hf_unixfs_add_file(hf_buf *buf, uint64_t file_size) {
    hf_pb_add_u64(buf, TYPE, HF_UNIXFS_FILE);
    hf_pb_add_u64(buf, FILE_SIZE, file_size);
}

void hf_unixfs_add_size(hf_buf *buf, uint64_t size) { hf_pb_add_u64(buf, BLOCK_SIZES, size); }

void hf_unixfs_add_directory(hf_buf *buf) { hf_pb_add_u64(buf, TYPE, HF_UNIXFS_DIRECTORY); }

void hf_unixfs_add_shard(hf_buf *buf, hf_bytes bits) {
    hf_pb_add_u64(buf, TYPE, HF_UNIXFS_SHARD);
    hf_pb_add_bytes(buf, DATA, bits);
    hf_pb_add_u64(buf, HASH_TYPE, HF_UNIXFS_HASH);
    hf_pb_add_u64(buf, FANOUT, HF_UNIXFS_FANOUT);
}

/* ---- shards ---- */

static uint64_t rotate(uint64_t v, unsigned by) { return v << by | v >> (64 - by); }

static uint64_t mix(uint64_t v) {
    v = (v ^ v >> 33) * 0xff51afd7ed558ccdu;
    v = (v ^ v >> 33) * 0xc4ceb9fe1a85ec53u;
    return v ^ v >> 33;
}

static uint64_t little(hf_bytes bytes, size_t at) {
    uint64_t v = 0;
    for (size_t i = 8; i-- > 0;) v = v << 8 | (at + i < bytes.len ? bytes.ptr[at + i] : 0);
    return v;
}

/* Austin Appleby's MurmurHash3 (public domain), x64, 128 bits. */
uint64_t hf_unixfs_hash(hf_bytes name) {
    const uint64_t c1 = 0x87c37b91114253d5u, c2 = 0x4cf5ad432745937fu;
    uint64_t h1 = 0, h2 = 0;
    size_t at = 0;
    for (; name.len - at >= 16; at += 16) {
        h1 ^= rotate(little(name, at) * c1, 31) * c2;
        h1 = (rotate(h1, 27) + h2) * 5 + 0x52dce729;
        h2 ^= rotate(little(name, at + 8) * c2, 33) * c1;
        h2 = (rotate(h2, 31) + h1) * 5 + 0x38495ab5;
    }
    h2 ^= rotate(little(name, at + 8) * c2, 33) * c1;
    h1 ^= rotate(little(name, at) * c1, 31) * c2;
    h1 ^= name.len;
    h2 ^= name.len;
    h1 += h2;
    h2 += h1;
    return mix(h1) + mix(h2);
}

size_t hf_unixfs_slot_digits(uint32_t fanout) { return fanout <= 16 ? 1 : fanout <= 256 ? 2 : 3; }

uint32_t hf_unixfs_slot(uint64_t hash, uint32_t fanout, unsigned depth) {
    unsigned bits = 0;
    while (1u << bits < fanout) bits++;
    if ((depth + 1) * bits > 64) return UINT32_MAX;
    return (uint32_t)(hash >> (64 - (depth + 1) * bits)) & (fanout - 1);
}

bool hf_unixfs_split_name(hf_bytes name, uint32_t fanout, uint32_t *ret_slot, hf_bytes *ret_rest) {
    size_t n = hf_unixfs_slot_digits(fanout);
    uint32_t slot = 0;
    if (name.len < n) return false;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = name.ptr[i];
        bool digit = c >= '0' && c <= '9', letter = c >= 'A' && c <= 'F';
        if (!digit && !letter) return false;
        slot = slot << 4 | (uint32_t)(digit ? c - '0' : c - 'A' + 10);
    }
    *ret_slot = slot;
    *ret_rest = hf_sub(name, n, name.len);
    return slot < fanout;
}
