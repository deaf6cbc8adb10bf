/* peer_id: see peer_id.h. A key message is accepted in its one deterministic form only (peer-ids.md, "Note on
 * deterministic encoding"): two encodings of one key would be two names for one peer. */
#include "peer_id.h"

#include "../codec/cid.h"
#include "../codec/multibase.h"
#include "../codec/varint.h"
#include "../crypto/crypto.h"

#include <string.h>

/* PublicKey { Type 1: varint, Data 2: bytes } */
static const uint8_t ed25519_head[] = {0x08, 0x01, 0x12, 0x20};
static const uint8_t secp256k1_head[] = {0x08, 0x02, 0x12, 0x21};
enum { ED25519_LEN = 32, SECP256K1_LEN = 33, KEY_INLINE_MAX = HF_PEER_ID_BYTES_MAX - 2, SHA256_ID_LEN = 34 };

hf_bytes hf_peer_id_bytes(const hf_peer_id *id) { return HF_BYTES(id->bytes, id->len); }

bool hf_peer_id_eq(const hf_peer_id *a, const hf_peer_id *b) { return hf_eq(hf_peer_id_bytes(a), hf_peer_id_bytes(b)); }

hf_err hf_peer_id_read(hf_bytes binary, hf_peer_id *ret) {
    if (binary.len < 3 || binary.len > HF_PEER_ID_BYTES_MAX || binary.ptr[1] != binary.len - 2) return HF_MALFORMED;
    bool is_sha256 = binary.ptr[0] == HF_HASH_SHA256 && binary.len == SHA256_ID_LEN;
    if (!is_sha256 && binary.ptr[0] != HF_HASH_IDENTITY) return HF_MALFORMED;
    memcpy(ret->bytes, binary.ptr, binary.len);
    ret->len = (uint8_t)binary.len;
    return HF_OK;
}

/* The decoders below want memory; an id is small, so they get a piece of the stack that only grows. */
typedef struct scratch {
    _Alignas(16) uint8_t bytes[1024];
    size_t used;
} scratch;

static void *scratch_resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    scratch *s = ctx;
    size_t room = (new_len + 15) & ~(size_t)15;
    if (new_len == 0 || room > sizeof s->bytes - s->used) return NULL;
    uint8_t *fresh = s->bytes + s->used;
    s->used += room;
    if (ptr) memcpy(fresh, ptr, old_len < new_len ? old_len : new_len);
    return fresh;
}

static hf_err parse_base58(hf_bytes text, hf_peer_id *ret) {
    scratch s = {.used = 0};
    hf_mem mem = {scratch_resize, &s};
    hf_buf buf;
    hf_buf_init(&buf, &mem);
    hf_err err = hf_base_decode(HF_BASE58BTC, text, &buf);
    return err ? HF_MALFORMED : hf_peer_id_read(hf_buf_bytes(&buf), ret);
}

static hf_err parse_cid(hf_bytes text, hf_peer_id *ret) {
    hf_cid cid;
    if (hf_cid_parse(text, &cid) || cid.version != 1 || cid.codec != HF_CODEC_LIBP2P_KEY) return HF_MALFORMED;
    if (cid.hash > 0x7f || cid.digest_len > KEY_INLINE_MAX) return HF_MALFORMED;
    uint8_t multihash[HF_PEER_ID_BYTES_MAX] = {(uint8_t)cid.hash, (uint8_t)cid.digest_len};
    memcpy(multihash + 2, cid.digest, cid.digest_len);
    return hf_peer_id_read(HF_BYTES(multihash, cid.digest_len + 2), ret);
}

/* peer-ids.md, "Decoding": "If it starts with `1` or `Qm`, it's a bare base58btc encoded multihash", else a CID. */
hf_err hf_peer_id_parse(hf_bytes text, hf_peer_id *ret) {
    enum { TEXT_MAX = 128 }; /* base16 of the longest, with room */
    if (text.len < 2 || text.len > TEXT_MAX) return HF_MALFORMED;
    bool bare = text.ptr[0] == '1' || hf_starts(text, HF_TEXT("Qm"));
    return bare ? parse_base58(text, ret) : parse_cid(text, ret);
}

void hf_peer_id_add_text(hf_buf *buf, const hf_peer_id *id) { hf_base_add(buf, HF_BASE58BTC, hf_peer_id_bytes(id)); }

void hf_public_key_add(hf_buf *buf, const uint8_t ed25519_public[32]) {
    hf_buf_add(buf, HF_BYTES(ed25519_head, sizeof ed25519_head));
    hf_buf_add(buf, HF_BYTES(ed25519_public, ED25519_LEN));
}

static bool is_key(hf_bytes message, const uint8_t head[4], size_t key_len) {
    return message.len == 4 + key_len && memcmp(message.ptr, head, 4) == 0;
}

/* Type RSA (0) or ECDSA (3), and so long that its SHA-256 is the name. The length is a varint in its shortest form. */
static bool is_hashed(hf_bytes message) {
    if (message.len <= HF_PEER_ID_BYTES_MAX || message.ptr[0] != 0x08 || (message.ptr[1] != 0 && message.ptr[1] != 3) || message.ptr[2] != 0x12) return false;
    uint64_t len;
    size_t head;
    return !hf_varint_read(hf_sub(message, 3, message.len), &len, &head) && message.len == 3 + head + len;
}

static bool is_ed25519(hf_bytes message) { return is_key(message, ed25519_head, ED25519_LEN); }
static bool is_secp256k1(hf_bytes message) { return is_key(message, secp256k1_head, SECP256K1_LEN); }

/* "If the length of the serialized bytes is less than or equal to 42, then we compute the "identity" multihash";
 * Ed25519 and secp256k1 are that short. */
hf_err hf_peer_id_of_key(hf_bytes public_key_message, hf_peer_id *ret) {
    if (is_hashed(public_key_message)) {
        ret->bytes[0] = HF_HASH_SHA256;
        ret->bytes[1] = SHA256_ID_LEN - 2;
        hf_sha256_of(public_key_message, ret->bytes + 2);
        ret->len = SHA256_ID_LEN;
        return HF_OK;
    }
    if (!is_ed25519(public_key_message) && !is_secp256k1(public_key_message)) return HF_MALFORMED;
    ret->bytes[0] = HF_HASH_IDENTITY;
    ret->bytes[1] = (uint8_t)public_key_message.len;
    memcpy(ret->bytes + 2, public_key_message.ptr, public_key_message.len);
    ret->len = (uint8_t)(public_key_message.len + 2);
    return HF_OK;
}

hf_err hf_public_key_verify(hf_bytes public_key_message, hf_bytes message, hf_bytes signature) {
    hf_bytes key = hf_sub(public_key_message, 4, public_key_message.len);
    if (is_ed25519(public_key_message)) return hf_ed25519_verify(key.ptr, message, signature) ? HF_DENIED : HF_OK;
    hf_secp_key secp;
    if (!is_secp256k1(public_key_message) || hf_secp_parse(key, &secp)) return HF_MALFORMED;
    return hf_secp_verify(&secp, message, signature) ? HF_DENIED : HF_OK;
}
