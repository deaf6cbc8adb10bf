/* cid: content identifiers (multiformats/cid) and multihash. Refuses: varints that are not shortest, other versions
 * than 0 and 1, version 0 other than sha2-256, and in an hf_cid digests over 64 bytes (HF_LIMIT; hf_cid_valid takes
 * them). Holdfast's own blocks are CIDv1, dag-cbor, sha2-256, shown in base58btc ("zdpu…", 49 characters); other
 * versions, codecs and bases are read and kept. */
#ifndef HF_CID_H
#define HF_CID_H
#include "../base/base.h"

enum { HF_CODEC_RAW = 0x55, HF_CODEC_DAG_PB = 0x70, HF_CODEC_DAG_CBOR = 0x71, HF_CODEC_LIBP2P_KEY = 0x72 };
enum { HF_HASH_IDENTITY = 0x00, HF_HASH_SHA256 = 0x12 };
/* LEN: of our own binary form; TEXT_LEN: of our text */
enum { HF_CID_BYTES_MAX = 76, HF_CID_LEN = 36, HF_CID_TEXT_LEN = 49 };

typedef struct hf_cid {
    uint64_t version, codec, hash; /* codec of a multihash: HF_HASH_* */
    uint8_t digest[64];
    size_t digest_len;
} hf_cid;

/* Is the whole input one CID, with a digest of any length? */
bool hf_cid_valid(hf_bytes bytes);
/* The whole input must be one CID (v0: 34 bytes 12 20 …; v1). HF_MALFORMED, HF_TRUNCATED, HF_LIMIT. */
HF_MUST_USE hf_err hf_cid_read(hf_bytes bytes, hf_cid *ret_cid);
/* The front of the input is a CID; *ret_len: bytes taken. */
HF_MUST_USE hf_err hf_cid_read_prefix(hf_bytes bytes, hf_cid *ret_cid, size_t *ret_len);
void hf_cid_add(hf_buf *buf, const hf_cid *cid); /* binary */
/* v0 "Qm…" (base58btc without prefix), or multibase text of a v1. */
HF_MUST_USE hf_err hf_cid_parse(hf_bytes text, hf_cid *ret_cid);
/* A multihash alone: code, length, digest; the whole input. */
bool hf_multihash_valid(hf_bytes bytes);
bool hf_cid_eq(const hf_cid *a, const hf_cid *b);
/* Does sha2-256 (or identity) of `block` match? HF_DENIED: no. HF_LIMIT: a hash function we do not have. */
HF_MUST_USE hf_err hf_cid_check(const hf_cid *cid, hf_bytes block);

/* v0 as "Qm…", v1 in base32 ("bafy…"), the way IPFS shows them. */
void hf_cid_add_text(hf_buf *buf, const hf_cid *cid);
/* The multihash within a binary CID, by which blocks are kept: the same for every version and codec. Empty: not a CID. */
hf_bytes hf_cid_multihash(hf_bytes cid);
/* v1 and sha2-256 of any codec below 128: 01 codec 12 20 digest. */
void hf_cid_of_codec(uint8_t codec, hf_bytes block, uint8_t ret_cid[HF_CID_LEN]);

/* Our own kind (v1, dag-cbor, sha2-256): 01 71 12 20 digest. */
void hf_cid_of(hf_bytes block, uint8_t ret_cid[HF_CID_LEN]);
void hf_cid_from_digest(const uint8_t digest[32], uint8_t ret_cid[HF_CID_LEN]);
/* "zdpu…", 49 characters, no NUL. */
void hf_cid_text(const uint8_t cid[HF_CID_LEN], char ret_text[HF_CID_TEXT_LEN]);
/* Text of exactly our own kind, in any multibase -> the 32-byte digest. HF_MALFORMED otherwise. */
HF_MUST_USE hf_err hf_cid_digest(hf_bytes text, uint8_t ret_digest[32]);
#endif
