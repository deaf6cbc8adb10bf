/* book: the address book: which multiaddrs a peer may be reached at, what it speaks, and how dialling them went. Sans-IO; used by the
 * host (host.h), which fills it from identify, from protocols that name peers, and from what its user says.
 *
 * Bounds:  HF_BOOK_PEERS_MAX peers, HF_BOOK_ADDRESSES_MAX addresses a peer, HF_BOOK_ADDRESS_BYTES_MAX bytes each, 8 KiB of protocol names a
 *          peer. What is over them replaces the oldest that is not kept: a stranger who names peers pushes out strangers' peers only.
 * Life:    an address lasts as long as it was given for; those of a connected peer stay (hf_book_keep).
 * Trust:   an address set that the peer itself signed (HF_BOOK_SIGNED) puts out what others said. What they add afterwards is tried after it, and never
 *          takes its room. What the user says (HF_BOOK_USER) always counts.
 */
#ifndef HF_BOOK_H
#define HF_BOOK_H
#include "peer_record.h"

enum { HF_BOOK_PEERS_MAX = 2048, HF_BOOK_ADDRESSES_MAX = 16, HF_BOOK_ADDRESS_BYTES_MAX = 256, HF_BOOK_SAVED_MAX = 128, HF_BOOK_SAVED_OF_A_NETWORK = 2 };
/* What an address is good for, in ms: named by others; said by a peer that was connected; said by the user. */
enum { HF_BOOK_NAMED_MS = 10 * 60 * 1000, HF_BOOK_KNOWN_MS = 30 * 60 * 1000, HF_BOOK_USER_MS = 60 * 60 * 1000 };

typedef enum hf_book_source { HF_BOOK_NAMED, HF_BOOK_SELF, HF_BOOK_SIGNED, HF_BOOK_USER } hf_book_source; /* SELF: the peer's unsigned word */

typedef struct hf_book hf_book;
hf_book *hf_book_new(hf_mem *mem, uint64_t seed); /* seed: random, for its map. NULL: no memory */
void hf_book_free(hf_book *book);                 /* NULL allowed */

/* Adds addresses (binary multiaddrs; a last /p2p/PEER of that peer is cut off). SELF and SIGNED replace what the same source said before.
 * Addresses that do not read, are too long, or name another peer are left out. HF_NOMEM;
 * HF_LIMIT: the book is full of peers that are kept. */
HF_MUST_USE hf_err hf_book_add(hf_book *book, uint64_t now_ms, const hf_peer_id *peer, hf_book_source source, const hf_bytes *addrs, size_t n_addrs,
                               uint64_t for_ms);
/* Signed addresses with the number of their record (peer_record.h). HF_DENIED: a later record's still count; those that the peer tells itself, over a
 * connection with it (`firsthand`), are its last word whatever their number. Else as above. */
HF_MUST_USE hf_err hf_book_certify(hf_book *book, uint64_t now_ms, const hf_peer_record *record, bool firsthand, uint64_t for_ms);
/* Names of protocols the peer said it speaks; replaces. */
HF_MUST_USE hf_err hf_book_speaks(hf_book *book, uint64_t now_ms, const hf_peer_id *peer, const hf_bytes *protocols, size_t n_protocols);
/* While kept (a connection to it is there) the peer's page stays; let go, its addresses last HF_BOOK_KNOWN_MS from then on. */
void hf_book_keep(hf_book *book, uint64_t now_ms, const hf_peer_id *peer, bool keep);

/* The i-th address of the peer that has not run out, best first: the user's and signed ones, those that worked, those that did not fail.
 * False: there is none. The view is valid until the next call that changes the book. */
bool hf_book_address(hf_book *book, uint64_t now_ms, const hf_peer_id *peer, size_t i, hf_bytes *ret_address);
bool hf_book_protocol(const hf_book *book, const hf_peer_id *peer, size_t i, hf_bytes *ret_name);
size_t hf_book_n_peers(const hf_book *book);

/* Over a restart: where peers were found that were connected or that the user named, `n_max` peers at most (and HF_BOOK_SAVED_MAX); bytes for
 * hf_book_restore only. First those that the user named or that we dialled with success, then those that came to us, each those used last first. Of one
 * public /24 or /48 two at most, so that who has a few addresses and many names cannot be all that is left of us. A failure sticks in the buffer. */
void hf_book_save(const hf_book *book, size_t n_max, hf_buf *buf);
/* What can be read of it comes in as HF_BOOK_NAMED for for_ms; each(ctx, peer) is called for every peer, in the order in which they were saved. HF_NOMEM. */
HF_MUST_USE hf_err hf_book_restore(hf_book *book, uint64_t now_ms, hf_bytes saved, uint64_t for_ms, void (*each)(void *ctx, const hf_peer_id *peer), void *ctx);

/* How a dial went: a failure keeps the address from being dialled for 5 s, doubled each time, 5 min at most. */
void hf_book_dialled(hf_book *book, uint64_t now_ms, const hf_peer_id *peer, hf_bytes address, bool worked);
/* Not before this time should the address be dialled; 0: at once. */
uint64_t hf_book_rests_until(const hf_book *book, const hf_peer_id *peer, hf_bytes address);
#endif
