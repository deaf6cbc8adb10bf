/* dag_cbor: the strict form of CBOR that IPLD and OrbitDB use (ipld.io/specs/codecs/dag-cbor; interop notes section
 * 2).
 *
 * Reading takes what js takes, because an entry that js accepts must be accepted here: keys in any order, half and
 * single floats, `undefined` (as null), and broken UTF-8, each broken part replaced by U+FFFD as JavaScript's
 * TextDecoder does (strict IPLD would refuse these). It refuses non-shortest integers and lengths, indefinite
 * lengths, duplicate keys (compared after replacing), non-text keys, trailing bytes, NaN and infinities, other
 * simple values, and tags but 42 over a well-formed CID. Differences from js: nesting beyond HF_VALUE_DEPTH_MAX is
 * refused (js goes until its stack ends), and the key "__proto__" is an ordinary key (cborg 5 loses it, later
 * versions keep it).
 *
 * Writing is canonical: keys by (length, bytes), shortest integers, 64-bit floats, integral floats within ±(2^53-1)
 * as integers. Since what was read may not have been canonical, signatures are checked over what hf_cbor_encode
 * makes of it, CIDs over the bytes. */
#ifndef HF_DAG_CBOR_H
#define HF_DAG_CBOR_H
#include "value.h"

/* Decodes the whole input. Memory taken from the arena is at most ~40x the input, and no announced count is believed
 * before it is held against the bytes that are left. HF_MALFORMED / HF_TRUNCATED / HF_LIMIT (depth) / HF_NOMEM with
 * fault. */
HF_MUST_USE hf_err hf_cbor_decode(hf_arena *arena, hf_bytes bytes, hf_value *ret, hf_fault *fault);
/* Decodes one item from the front; *ret_len: bytes taken. */
HF_MUST_USE hf_err hf_cbor_decode_prefix(hf_arena *arena, hf_bytes bytes, hf_value *ret, size_t *ret_len,
                                         hf_fault *fault);
/* Appends canonical bytes; on failure nothing is appended. HF_MALFORMED: NaN or infinity, broken UTF-8, a key twice
 * or a broken CID within, none of which could be read back. HF_LIMIT: depth. HF_NOMEM. */
HF_MUST_USE hf_err hf_cbor_encode(const hf_value *value, hf_buf *buf);

/* Straight writing where the order of keys is known (entries): heads then contents. Text must be UTF-8. */
void hf_cbor_add_head(hf_buf *buf, unsigned major, uint64_t argument);
void hf_cbor_add_text(hf_buf *buf, hf_bytes text);
void hf_cbor_add_bytes(hf_buf *buf, hf_bytes bytes);
void hf_cbor_add_u64(hf_buf *buf, uint64_t value);
#endif
