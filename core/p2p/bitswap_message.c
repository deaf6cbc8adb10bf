/* bitswap_message: see bitswap_message.h. */
#include "bitswap_message.h"

#include "../codec/varint.h"
#include "../crypto/crypto.h"

#include <string.h>

enum { ENTRY_BLOCK = 1, ENTRY_PRIORITY, ENTRY_CANCEL, ENTRY_WANT_TYPE, ENTRY_SEND_DONT_HAVE };
enum { WANTLIST_ENTRY = 1, WANTLIST_FULL };
enum { MESSAGE_WANTLIST = 1, MESSAGE_BLOCK = 3, MESSAGE_PRESENCE };
enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

/* ---- reading ---- */

hf_bitswap_reader hf_bitswap_read(hf_bytes message) { return (hf_bitswap_reader){.message = hf_pb_read(message)}; }

static bool is_bytes(const hf_pb_field *f, uint32_t number) { return f->number == number && f->wire == WIRE_BYTES; }
static bool is_number(const hf_pb_field *f, uint32_t number) { return f->number == number && f->wire == WIRE_VARINT; }

static bool cid_is_sound(hf_bytes cid) { return cid.len > 0 && cid.len <= HF_CID_BYTES_MAX; }

static hf_err read_want(hf_bytes entry, hf_bitswap_item *ret) {
    *ret = (hf_bitswap_item){.kind = HF_BITSWAP_ITEM_WANT};
    hf_pb_reader r = hf_pb_read(entry);
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        if (is_bytes(&f, ENTRY_BLOCK)) ret->cid = f.bytes;
        else if (is_number(&f, ENTRY_CANCEL)) ret->cancel = f.u != 0;
        else if (is_number(&f, ENTRY_WANT_TYPE)) ret->have_only = f.u == 1;
        else if (is_number(&f, ENTRY_SEND_DONT_HAVE)) ret->dont_have = f.u != 0;
    }
    return r.err ? r.err : cid_is_sound(ret->cid) ? HF_OK : HF_MALFORMED;
}

static hf_err read_block(hf_bytes block, hf_bitswap_item *ret) {
    *ret = (hf_bitswap_item){.kind = HF_BITSWAP_ITEM_BLOCK};
    hf_pb_reader r = hf_pb_read(block);
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        if (is_bytes(&f, 1)) ret->prefix = f.bytes;
        else if (is_bytes(&f, 2)) ret->block = f.bytes;
    }
    if (r.err) return r.err;
    return ret->block.len > HF_BITSWAP_BLOCK_MAX ? HF_LIMIT : ret->prefix.len ? HF_OK : HF_MALFORMED;
}

static hf_err read_presence(hf_bytes presence, hf_bitswap_item *ret) {
    *ret = (hf_bitswap_item){.kind = HF_BITSWAP_ITEM_HAVE};
    hf_pb_reader r = hf_pb_read(presence);
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        if (is_bytes(&f, 1)) ret->cid = f.bytes;
        else if (is_number(&f, 2)) ret->kind = f.u == 0 ? HF_BITSWAP_ITEM_HAVE : HF_BITSWAP_ITEM_DONT_HAVE;
    }
    return r.err ? r.err : cid_is_sound(ret->cid) ? HF_OK : HF_MALFORMED;
}

static bool list_is_full(hf_bytes wantlist) {
    bool full = false;
    hf_pb_reader r = hf_pb_read(wantlist);
    for (hf_pb_field f; hf_pb_next(&r, &f);)
        if (is_number(&f, WANTLIST_FULL)) full = f.u != 0;
    return full;
}

/* The next want of the list being read; false: the list is over. */
static bool next_want(hf_bitswap_reader *reader, hf_bitswap_item *ret) {
    for (hf_pb_field f; hf_pb_next(&reader->wants, &f);)
        if (is_bytes(&f, WANTLIST_ENTRY)) {
            reader->err = read_want(f.bytes, ret);
            return true;
        }
    reader->err = reader->wants.err;
    return reader->in_wants = false;
}

static bool next_part(hf_bitswap_reader *reader, hf_bitswap_item *ret) {
    for (hf_pb_field f; hf_pb_next(&reader->message, &f);) {
        if (is_bytes(&f, MESSAGE_BLOCK)) reader->err = read_block(f.bytes, ret);
        else if (is_bytes(&f, MESSAGE_PRESENCE)) reader->err = read_presence(f.bytes, ret);
        else if (is_bytes(&f, MESSAGE_WANTLIST)) {
            reader->wants = hf_pb_read(f.bytes);
            reader->in_wants = true;
            if (list_is_full(f.bytes)) ret->kind = HF_BITSWAP_ITEM_FULL;
            else if (!next_want(reader, ret) && !reader->err) continue;
        } else continue;
        return true;
    }
    reader->err = reader->message.err;
    return false;
}

hf_bitswap_item_kind hf_bitswap_read_next(hf_bitswap_reader *reader, hf_bitswap_item *ret) {
    *ret = (hf_bitswap_item){.kind = HF_BITSWAP_ITEM_END};
    if (reader->err) return HF_BITSWAP_ITEM_END;
    bool found = reader->in_wants && next_want(reader, ret);
    if (!found && !reader->err) found = next_part(reader, ret);
    return found && !reader->err ? ret->kind : (ret->kind = HF_BITSWAP_ITEM_END);
}

hf_err hf_bitswap_check(hf_bytes message) {
    hf_bitswap_reader reader = hf_bitswap_read(message);
    for (hf_bitswap_item item; hf_bitswap_read_next(&reader, &item);) {}
    return reader.err;
}

/* A CIDv1 is its prefix followed by the digest, a CIDv0 is 12 20 and the digest (its prefix is written 00 70 12 20). */
hf_err hf_bitswap_block_cid(hf_bytes prefix, hf_bytes block, uint8_t ret_cid[HF_CID_BYTES_MAX], size_t *ret_len) {
    uint64_t part[4];
    size_t at = 0, len;
    for (size_t i = 0; i < 4; i++, at += len)
        if (hf_varint_read(hf_sub(prefix, at, prefix.len), &part[i], &len)) return HF_MALFORMED;
    if (at != prefix.len || part[0] > 1) return HF_MALFORMED;
    if (part[2] != HF_HASH_SHA256 || part[3] != 32) return HF_LIMIT;
    if (part[0] == 0) prefix = hf_sub(prefix, at - 2, 2);
    HF_ASSERT(prefix.len + 32 <= HF_CID_BYTES_MAX);
    memcpy(ret_cid, prefix.ptr, prefix.len);
    hf_sha256_of(block, ret_cid + prefix.len);
    *ret_len = prefix.len + 32;
    return HF_OK;
}

/* ---- writing ---- */

void hf_bitswap_writer_init(hf_bitswap_writer *writer, hf_mem *mem) {
    hf_buf_init(&writer->wants, mem);
    hf_buf_init(&writer->rest, mem);
}

void hf_bitswap_writer_deinit(hf_bitswap_writer *writer) {
    hf_buf_deinit(&writer->wants);
    hf_buf_deinit(&writer->rest);
}

/* Length of what hf_pb_add_bytes writes for a field below 16. */
static size_t field_len(size_t len) {
    uint8_t ignored[HF_VARINT_MAX];
    return 1 + hf_varint_write(len, ignored) + len;
}

static void open_field(hf_buf *buf, uint32_t number, size_t len) {
    hf_buf_add_byte(buf, (uint8_t)(number << 3 | WIRE_BYTES));
    hf_varint_add(buf, len);
}

void hf_bitswap_write_want(hf_bitswap_writer *writer, hf_bytes cid, bool cancel) {
    open_field(&writer->wants, WANTLIST_ENTRY, field_len(cid.len) + 4 * 2);
    hf_pb_add_bytes(&writer->wants, ENTRY_BLOCK, cid);
    hf_pb_add_u64(&writer->wants, ENTRY_PRIORITY, 1);
    hf_pb_add_u64(&writer->wants, ENTRY_CANCEL, cancel);
    hf_pb_add_u64(&writer->wants, ENTRY_WANT_TYPE, 0);
    hf_pb_add_u64(&writer->wants, ENTRY_SEND_DONT_HAVE, 1);
}

void hf_bitswap_write_block(hf_bitswap_writer *writer, const hf_cid *cid, hf_bytes block) {
    uint8_t prefix[4 * HF_VARINT_MAX];
    size_t len = hf_varint_write(cid->version, prefix);
    len += hf_varint_write(cid->codec, prefix + len);
    len += hf_varint_write(cid->hash, prefix + len);
    len += hf_varint_write(cid->digest_len, prefix + len);
    open_field(&writer->rest, MESSAGE_BLOCK, field_len(len) + field_len(block.len));
    hf_pb_add_bytes(&writer->rest, 1, HF_BYTES(prefix, len));
    hf_pb_add_bytes(&writer->rest, 2, block);
}

void hf_bitswap_write_presence(hf_bitswap_writer *writer, hf_bytes cid, bool have) {
    open_field(&writer->rest, MESSAGE_PRESENCE, field_len(cid.len) + (have ? 0 : 2));
    hf_pb_add_bytes(&writer->rest, 1, cid);
    if (!have) hf_pb_add_u64(&writer->rest, 2, 1);
}

hf_err hf_bitswap_write_end(hf_bitswap_writer *writer, bool full, hf_buf *ret) {
    hf_pb_add_u64(&writer->wants, WANTLIST_FULL, full);
    hf_varint_add(ret, field_len(writer->wants.len) + writer->rest.len);
    hf_pb_add_bytes(ret, MESSAGE_WANTLIST, hf_buf_bytes(&writer->wants));
    hf_buf_add(ret, hf_buf_bytes(&writer->rest));
    hf_err err = writer->wants.err ? writer->wants.err : writer->rest.err ? writer->rest.err : ret->err;
    hf_buf_clear(&writer->wants);
    hf_buf_clear(&writer->rest);
    return err;
}
