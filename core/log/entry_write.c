/* entry_write: makes and signs entries. See entry.h; section 6 of the interop notes.
 *
 * One buffer: the signed message (a6, v, id, next … payload) is written first, then opened up in the middle for key and sig and closed with
 * identity, which makes it the block (a9 …). */
#include "../codec/dag_cbor.h"
#include "canonical.h"
#include "entry_read.h"
#include "link_text.h"

#include <string.h>

enum { LINK_LEN = 2 + HF_CID_TEXT_LEN, FRAME_LEN = 512 /* all but links and payload, with a usual log id */ };

static void add_links(hf_buf *buf, const char *name, hf_entry_links links) {
    hf_cbor_add_text(buf, hf_str(name));
    hf_cbor_add_head(buf, 4, links.n);
    uint8_t *p = hf_buf_extend(buf, links.n * LINK_LEN);
    for (size_t i = 0; p && i < links.n; i++, p += LINK_LEN) {
        p[0] = 0x78; /* text with a one-byte length */
        p[1] = HF_CID_TEXT_LEN;
        if (links.texts) memcpy(p + 2, links.texts[i], HF_CID_TEXT_LEN);
        else hf_link_text_write(links.digests[i], (char *)p + 2);
    }
}

static void add_clock(hf_buf *buf, const hf_writer *writer, uint64_t time) {
    hf_cbor_add_text(buf, HF_TEXT("clock"));
    hf_cbor_add_head(buf, 5, 2);
    hf_cbor_add_text(buf, HF_TEXT("id"));
    hf_cbor_add_text(buf, HF_BYTES(writer->public_key, HF_PUBLIC_KEY_HEX_LEN));
    hf_cbor_add_text(buf, HF_TEXT("time"));
    hf_cbor_add_u64(buf, time);
}

/* v and id: the part before the gap. Returns where the gap will be. */
static size_t add_front(hf_buf *buf, hf_bytes log_id) {
    hf_cbor_add_head(buf, 5, 6);
    hf_cbor_add_text(buf, HF_TEXT("v"));
    hf_cbor_add_u64(buf, 2);
    hf_cbor_add_text(buf, HF_TEXT("id"));
    hf_cbor_add_text(buf, log_id);
    return buf->len;
}

static size_t add_hex_field(uint8_t *p, const char *name, hf_bytes hex) {
    p[0] = 0x63;
    memcpy(p + 1, name, 3);
    p[4] = 0x78;
    p[5] = (uint8_t)hex.len;
    memcpy(p + 6, hex.ptr, hex.len);
    return 6 + hex.len;
}

static hf_bytes sig_hex(const uint8_t *der, size_t der_len, char ret[2 * HF_DER_MAX]) {
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < der_len; i++) {
        ret[2 * i] = hex[der[i] >> 4];
        ret[2 * i + 1] = hex[der[i] & 15];
    }
    return HF_BYTES(ret, 2 * der_len);
}

static hf_err close_block(hf_buf *buf, size_t gap_at, const hf_writer *writer, hf_bytes sig) {
    size_t gap = 6 + HF_PUBLIC_KEY_HEX_LEN + 6 + sig.len, tail = buf->len - gap_at;
    if (!hf_buf_extend(buf, gap)) return HF_NOMEM;
    uint8_t *p = buf->ptr + gap_at;
    memmove(p + gap, p, tail);
    p += add_hex_field(p, "key", HF_BYTES(writer->public_key, HF_PUBLIC_KEY_HEX_LEN));
    add_hex_field(p, "sig", sig);
    hf_cbor_add_text(buf, HF_TEXT("identity"));
    hf_cbor_add_text(buf, HF_BYTES(writer->hash, HF_CID_TEXT_LEN));
    if (buf->err) return buf->err;
    buf->ptr[0] = 0xa9;
    return buf->len <= HF_ENTRY_BYTES_MAX ? HF_OK : HF_LIMIT;
}

static hf_err write_entry(const hf_writer *writer, size_t gap_at, hf_buf *block) {
    if (block->err) return block->err;
    uint8_t der[HF_DER_MAX];
    char hex[2 * HF_DER_MAX];
    size_t der_len;
    hf_err err = hf_secp_sign(writer->secp, writer->signing_secret, hf_buf_bytes(block), der, &der_len);
    return err ? err : close_block(block, gap_at, writer, sig_hex(der, der_len, hex));
}

/* One allocation instead of ten: the size is known well enough. */
static void reserve(hf_buf *block, size_t n_links, size_t payload_len) {
    if (hf_buf_extend(block, FRAME_LEN + n_links * LINK_LEN + payload_len)) block->len = 0;
}

hf_err hf_entry_write(const hf_writer *writer, hf_bytes log_id, hf_entry_links next, hf_entry_links refs, uint64_t time,
                      hf_bytes payload_cbor, hf_buf *block, uint8_t ret_digest[32]) {
    HF_ASSERT(block->len == 0);
    size_t payload_len;
    if (next.n > HF_ENTRY_LINKS_MAX || refs.n > HF_ENTRY_LINKS_MAX || payload_cbor.len > HF_ENTRY_BYTES_MAX) return HF_LIMIT;
    if (!hf_canonical_item(payload_cbor, &payload_len) || payload_len != payload_cbor.len) return HF_MALFORMED;
    reserve(block, next.n + refs.n, payload_cbor.len);
    size_t gap_at = add_front(block, log_id);
    add_links(block, "next", next);
    add_links(block, "refs", refs);
    add_clock(block, writer, time);
    hf_cbor_add_text(block, HF_TEXT("payload"));
    hf_buf_add(block, payload_cbor);
    hf_err err = write_entry(writer, gap_at, block);
    if (err) hf_buf_clear(block);
    else hf_sha256_of(hf_buf_bytes(block), ret_digest);
    return err;
}

hf_err hf_entry_create(const hf_writer *writer, hf_bytes log_id, const uint8_t (*next)[32], size_t n_next, const uint8_t (*refs)[32],
                       size_t n_refs, uint64_t time, hf_bytes payload_cbor, hf_buf *block, uint8_t ret_digest[32]) {
    return hf_entry_write(writer, log_id, (hf_entry_links){next, NULL, n_next}, (hf_entry_links){refs, NULL, n_refs}, time, payload_cbor,
                          block, ret_digest);
}
