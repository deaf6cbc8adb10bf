/* multistream-select 1.0: two sides agree on the name of the protocol that follows. Spec: libp2p/specs
 * connections/README.md.
 *
 * A line is: unsigned varint length (newline included), text, '\n'. The dialer sends header and proposal in one write;
 * the listener answers header, then the same name, or `na`. Refuses: lines over 1,024 bytes, text without a newline at
 * its end or with one inside, another header, more than HF_MULTISTREAM_PROPOSALS_MAX proposals. `ls` is just a name
 * nobody has: `na`.
 */
#ifndef HF_MULTISTREAM_H
#define HF_MULTISTREAM_H
#include "../base/base.h"

#define HF_MULTISTREAM_HEADER "/multistream/1.0.0"
/* 1,024 is what js reads at most; 32 proposals: the longest list seen (gossipsub) has four. */
enum { HF_MULTISTREAM_LINE_MAX = 1024, HF_MULTISTREAM_PROPOSALS_MAX = 32 };

/* ---- bytes ---- */
void hf_multistream_add(hf_buf *out, hf_bytes text);
/* Reads one line from the front. *ret_text is a view without the newline. HF_TRUNCATED: more bytes needed. HF_MALFORMED
 * with fault. */
HF_MUST_USE hf_err hf_multistream_read(hf_bytes bytes, hf_bytes *ret_text, size_t *ret_len, hf_fault *fault);

/* ---- one side of a negotiation ---- */
typedef enum hf_multistream_kind {
    HF_MULTISTREAM_MORE = 0, /* all bytes taken, nothing decided */
    HF_MULTISTREAM_PROPOSED, /* listener: `text` is proposed, valid until the next recv; call answer */
    HF_MULTISTREAM_AGREED,   /* dialer: what follows belongs to the protocol */
    HF_MULTISTREAM_REFUSED,  /* dialer: `na` */
    HF_MULTISTREAM_BROKEN,   /* not multistream; `fault` says why */
} hf_multistream_kind;

typedef struct hf_multistream {
    hf_buf line;     /* the start of a line that is not whole yet */
    hf_buf proposal; /* dialer: what was proposed */
    bool dialer, header_seen, line_done;
    unsigned n_proposals;
    hf_bytes text;
    hf_fault fault;
} hf_multistream;

void hf_multistream_listen(hf_multistream *ms, hf_mem *mem);
/* Also writes header and proposal to `out`. HF_MALFORMED: not a possible name. */
HF_MUST_USE hf_err hf_multistream_dial(hf_multistream *ms, hf_mem *mem, hf_bytes protocol, hf_buf *out);
void hf_multistream_deinit(hf_multistream *ms); /* zeroed allowed */
/* Takes from the front of *bytes up to the end of one line. A listener's header goes to `out`. HF_NOMEM: ms is dead. */
HF_MUST_USE hf_err hf_multistream_recv(hf_multistream *ms, hf_bytes *bytes, hf_buf *out, hf_multistream_kind *ret_kind);
/* Listener, after PROPOSED: echoes the name or says `na`. */
void hf_multistream_answer(hf_multistream *ms, bool accept, hf_buf *out);
#endif
