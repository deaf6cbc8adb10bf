/* entry_read: what the log and the tests need of entries beyond the public face. */
#ifndef HF_ENTRY_READ_H
#define HF_ENTRY_READ_H
#include "entry.h"

/* As hf_entry_read, where the block's digest is known already (it waited in the pool). */
HF_MUST_USE hf_err hf_entry_read_as(hf_bytes block, const uint8_t digest[32], hf_arena *arena, hf_entry *ret, hf_fault *fault);
/* Only the payload, of an entry that was read whole before (a log has it); as hf_entry_read_as would find it. */
HF_MUST_USE hf_err hf_entry_payload(hf_bytes block, const uint8_t digest[32], hf_arena *arena, hf_value *ret);
/* The bytes that the signature covers. */
HF_MUST_USE hf_err hf_entry_signed(const hf_entry *entry, hf_arena *scratch, hf_bytes *ret_message);
/* Lower-case hex -> hex.len / 2 bytes; false when it is not that. */
bool hf_hex_read(hf_bytes hex, uint8_t *ret);

/* Links to be written: as texts where these are at hand, else (texts NULL) from digests. */
typedef struct hf_entry_links {
    const uint8_t (*digests)[32];
    const char (*texts)[HF_CID_TEXT_LEN];
    size_t n;
} hf_entry_links;
/* As hf_entry_create. */
HF_MUST_USE hf_err hf_entry_write(const hf_writer *writer, hf_bytes log_id, hf_entry_links next, hf_entry_links refs, uint64_t time,
                                  hf_bytes payload_cbor, hf_buf *block, uint8_t ret_digest[32]);
#endif
