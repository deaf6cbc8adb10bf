/* host_private: what the files of the host share.
 *
 *      host.c          the swarm's events, the parts
 *      host_dial.c     the book and the dialer: linked where hf_host_dialling is named
 *      host_*.c        parts
 */
#ifndef HF_HOST_PRIVATE_H
#define HF_HOST_PRIVATE_H
#include "host.h"

enum { HF_HOST_ANSWERS_MAX = 64, HF_HOST_PART_SHIFT = 48 };
#define HF_HOST_OF_PART ((uint64_t)1 << 63) /* contexts and dials: this bit, the part's number, the part's own number */

struct hf_host {
    hf_mem *mem;
    hf_host_config config;
    hf_swarm *swarm;
    hf_book *book;     /* NULL, as the dialer: it dials nothing */
    hf_dialer *dialer;
    hf_host_part parts[HF_HOST_PARTS_MAX];
    size_t n_parts;
    hf_swarm_out event;
    /* Wishes that were granted before they were made. */
    struct hf_host_answer { uint64_t context; hf_peer_id peer; } answers[HF_HOST_ANSWERS_MAX];
    size_t n_answers;
};

/* What host.c calls of host_dial.c. */
struct hf_host_dialling {
    hf_err (*start)(hf_host *host);
    void (*stop)(hf_host *host);
    void (*event)(hf_host *host, uint64_t now_ms, const hf_swarm_out *event);
    void (*lost)(hf_host *host, uint64_t now_ms, uint64_t conn, const char *reason);
    bool (*answer)(hf_host *host, uint64_t now_ms, hf_host_out *out);
    bool (*next)(hf_host *host, uint64_t now_ms, hf_host_out *out, bool *ret_shell); /* false: nothing is due; *ret_shell: it is for the shell */
    uint64_t (*deadline)(const hf_host *host);
    void (*tick)(hf_host *host, uint64_t now_ms);
};

static inline const hf_host_part *hf_host_part_of(const hf_host *host, uint64_t number) {
    return &host->parts[(number & ~HF_HOST_OF_PART) >> HF_HOST_PART_SHIFT];
}
static inline uint64_t hf_host_own_number(uint64_t number) { return number & (((uint64_t)1 << HF_HOST_PART_SHIFT) - 1); }
#endif
