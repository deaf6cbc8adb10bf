/* sync_message: see sync_message.h. */
#include "sync_message.h"

#include "../codec/varint.h"
#include "sync.h"

#include <string.h>

enum { HAVE_CLOCK = 1, HAVE_HEAD, HAVE_ENTRIES, HAVE_MORE };
enum { CLOCK_WRITER = 1, CLOCK_TIME };
enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

/* ---- reading ---- */

hf_err hf_sync_frame(hf_bytes in, size_t *ret_at, size_t *ret_len) {
    uint64_t len;
    size_t at;
    hf_err err = hf_varint_read(in, &len, &at);
    if (err) return err;
    if (len > HF_SYNC_MESSAGE_MAX) return HF_LIMIT;
    if (in.len - at < len) return HF_TRUNCATED;
    *ret_at = at;
    *ret_len = (size_t)len;
    return HF_OK;
}

hf_err hf_sync_part_next(hf_bytes message, size_t *at, hf_sync_part *ret_part, hf_bytes *ret_bytes) {
    hf_pb_reader r = hf_pb_read(hf_sub(message, *at, message.len));
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        if (f.number < HF_SYNC_PART_HAVE || f.number > HF_SYNC_PART_MISSING) continue;
        bool digest = f.number == HF_SYNC_PART_WANT || f.number == HF_SYNC_PART_MISSING;
        if (f.wire != WIRE_BYTES || (digest && f.bytes.len != 32)) return HF_MALFORMED;
        *at += r.at;
        *ret_part = (hf_sync_part)f.number;
        *ret_bytes = f.bytes;
        return HF_OK;
    }
    return r.err ? r.err : HF_NOT_FOUND;
}

static hf_err clock_read(hf_bytes bytes, hf_sync_clock *ret) {
    bool has_key = false;
    *ret = (hf_sync_clock){.time = 0};
    hf_pb_reader r = hf_pb_read(bytes);
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        if (f.number == CLOCK_TIME && f.wire == WIRE_VARINT) ret->time = f.u;
        if (f.number != CLOCK_WRITER || f.wire != WIRE_BYTES || f.bytes.len != HF_SYNC_KEY_LEN) continue;
        memcpy(ret->key, f.bytes.ptr, HF_SYNC_KEY_LEN);
        has_key = true;
    }
    return r.err ? r.err : has_key ? HF_OK : HF_MALFORMED;
}

static hf_err have_field(const hf_pb_field *f, hf_sync_have *ret) {
    if (f->number < HAVE_CLOCK || f->number > HAVE_MORE) return HF_OK;
    if (f->wire != (f->number <= HAVE_HEAD ? WIRE_BYTES : WIRE_VARINT)) return HF_MALFORMED;
    hf_sync_clock clock;
    switch (f->number) {
    case HAVE_CLOCK: return ++ret->n_clocks > HF_SYNC_CLOCKS_MAX ? HF_LIMIT : clock_read(f->bytes, &clock);
    case HAVE_HEAD: return f->bytes.len != 32 ? HF_MALFORMED : ++ret->n_heads > HF_SYNC_HEADS_MAX ? HF_LIMIT : HF_OK;
    case HAVE_ENTRIES: ret->tells_heads = true, ret->n_entries = f->u; return HF_OK;
    default: ret->more = f->u != 0; return HF_OK;
    }
}

hf_err hf_sync_have_read(hf_bytes have, hf_sync_have *ret) {
    *ret = (hf_sync_have){.more = false};
    hf_pb_reader r = hf_pb_read(have);
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        hf_err err = have_field(&f, ret);
        if (err) return err;
    }
    return r.err ? r.err : ret->n_heads && !ret->tells_heads ? HF_MALFORMED : HF_OK;
}

bool hf_sync_clock_next(hf_pb_reader *reader, hf_sync_clock *ret) {
    for (hf_pb_field f; hf_pb_next(reader, &f);)
        if (f.number == HAVE_CLOCK && f.wire == WIRE_BYTES && !clock_read(f.bytes, ret)) return true;
    return false;
}

bool hf_sync_head_next(hf_pb_reader *reader, hf_bytes *ret_digest) {
    for (hf_pb_field f; hf_pb_next(reader, &f);)
        if (f.number == HAVE_HEAD && f.wire == WIRE_BYTES && f.bytes.len == 32) {
            *ret_digest = f.bytes;
            return true;
        }
    return false;
}

/* ---- writing ---- */

void hf_sync_begin(hf_buf *buf) {
    hf_buf_clear(buf);
    hf_buf_extend(buf, HF_SYNC_FRAME_HEAD_MAX);
}

void hf_sync_add_part(hf_buf *buf, hf_sync_part part, hf_bytes bytes) { hf_pb_add_bytes(buf, (uint32_t)part, bytes); }

void hf_sync_add_clock(hf_buf *have, const hf_sync_clock *clock) {
    uint8_t time[10];
    size_t n = 0;
    uint64_t t = clock->time;
    do time[n++] = (uint8_t)(t & 0x7f) | (t > 0x7f ? 0x80 : 0);
    while (t >>= 7);
    hf_buf_add_byte(have, HAVE_CLOCK << 3 | WIRE_BYTES);
    hf_buf_add_byte(have, (uint8_t)(2 + HF_SYNC_KEY_LEN + 1 + n));
    hf_pb_add_bytes(have, CLOCK_WRITER, HF_BYTES(clock->key, HF_SYNC_KEY_LEN));
    hf_buf_add_byte(have, CLOCK_TIME << 3 | WIRE_VARINT);
    hf_buf_add(have, HF_BYTES(time, n));
}

void hf_sync_add_head(hf_buf *have, const uint8_t digest[32]) {
    hf_pb_add_bytes(have, HAVE_HEAD, HF_BYTES(digest, 32));
}
void hf_sync_add_entries(hf_buf *have, uint64_t n_entries) { hf_pb_add_u64(have, HAVE_ENTRIES, n_entries); }
void hf_sync_add_more(hf_buf *have) { hf_pb_add_u64(have, HAVE_MORE, 1); }

hf_bytes hf_sync_end(hf_buf *buf) {
    if (buf->err) return HF_BYTES(NULL, 0);
    size_t len = buf->len - HF_SYNC_FRAME_HEAD_MAX;
    HF_ASSERT(len <= HF_SYNC_MESSAGE_MAX);
    uint8_t head[HF_VARINT_MAX];
    size_t n = hf_varint_write(len, head), from = HF_SYNC_FRAME_HEAD_MAX - n;
    memcpy(buf->ptr + from, head, n);
    return HF_BYTES(buf->ptr + from, len + n);
}
