/* dialer: which addresses are dialled, when, and what becomes of it. Wishes for connections go in; dials, cancellations and answers come out.
 * Sans-IO; part of the host (host.h), which connects it with the swarm and the shell.
 *
 * One task a peer, however many wish for it. Its addresses are tried best first and one after the other, the next after 250 ms or as soon as one
 * has failed, IPv6 and IPv4 in turns (happy eyeballs, RFC 8305 sections 4 and 5), relayed ones last. The first that is authenticated wins, the
 * others are called off. A dial takes at most 10 s, a task 60 s. The address book's rests are kept, but for addresses that came with the wish.
 *
 * Bounds: tasks [256], addresses a task [24], dials under way [32] and of one task [4], wishes a task [16].
 */
#ifndef HF_DIALER_H
#define HF_DIALER_H
#include "book.h"

enum {
    HF_DIAL_TASKS_MAX = 256,
    HF_DIAL_ADDRESSES_MAX = 24,
    HF_DIAL_AT_ONCE_MAX = 32,
    HF_DIAL_AT_ONCE_PEER_MAX = 4,
    HF_DIAL_WISHES_MAX = 16,
    HF_DIAL_STAGGER_MS = 250,
    HF_DIAL_ATTEMPT_MS = 10000,
    HF_DIAL_TASK_MS = 60000,
};

typedef struct hf_dialer hf_dialer;
/* `can` says whether the shell can dial an address at all (which transports it has). The book is borrowed. NULL: no memory. */
hf_dialer *hf_dialer_new(hf_mem *mem, hf_book *book, bool (*can)(void *ctx, hf_bytes address), void *ctx);
void hf_dialer_free(hf_dialer *dialer); /* NULL allowed */

/* Somebody wishes for a connection to `peer` (NULL: to whoever answers at these addresses). `addrs` (binary multiaddrs, copied) are tried besides
 * what the book knows. `context` comes back in DONE. timeout_ms 0: HF_DIAL_TASK_MS. HF_LIMIT: too much is under way; HF_NOMEM. */
HF_MUST_USE hf_err hf_dialer_wish(hf_dialer *dialer, uint64_t now_ms, const hf_peer_id *peer, const hf_bytes *addrs, size_t n_addrs, uint32_t timeout_ms,
                                  uint64_t context);
/* Nobody waits for it any more; no DONE comes. A task that nobody wishes for ends. */
void hf_dialer_forget(hf_dialer *dialer, uint64_t context);

/* The dial has a byte channel, conn `conn`, and is being authenticated. False: the dial was called off meanwhile; close the channel. */
bool hf_dialer_opened(hf_dialer *dialer, uint64_t dial, uint64_t conn, hf_peer_id *ret_expected);
/* The dial failed, for the reason (static text). */
void hf_dialer_failed(hf_dialer *dialer, uint64_t now_ms, uint64_t dial, const char *reason);
/* A conn ended before it was up. */
void hf_dialer_conn_failed(hf_dialer *dialer, uint64_t now_ms, uint64_t conn, const char *reason);
/* A connection to the peer is up, whoever dialled. */
void hf_dialer_up(hf_dialer *dialer, uint64_t now_ms, uint64_t conn, const hf_peer_id *peer);

typedef enum hf_dialer_kind {
    HF_DIALER_NONE = 0,
    HF_DIALER_DIAL,   /* dial, peer (len 0: anybody), address: open a channel; answer with opened or failed */
    HF_DIALER_CANCEL, /* dial, conn (0: not opened yet): it is not wanted any more; no answer is needed */
    HF_DIALER_DONE,   /* context, peer (who answered); reason: NULL when the connection is up, else why not */
} hf_dialer_kind;

typedef struct hf_dialer_out {
    hf_dialer_kind kind;
    uint64_t dial, conn, context;
    hf_peer_id peer;
    hf_bytes address; /* valid until the next call */
    const char *reason;
} hf_dialer_out;

hf_dialer_kind hf_dialer_next(hf_dialer *dialer, uint64_t now_ms, hf_dialer_out *ret_out);
uint64_t hf_dialer_deadline(const hf_dialer *dialer); /* UINT64_MAX: none */
void hf_dialer_tick(hf_dialer *dialer, uint64_t now_ms);
#endif
