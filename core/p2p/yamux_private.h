/* yamux_private: what yamux.c (what the peer says) and yamux_send.c (what we say) share. */
#ifndef HF_YAMUX_PRIVATE_H
#define HF_YAMUX_PRIVATE_H
#include "yamux.h"
#include "yamux_frame.h"

struct hf_yamux_stream {
    hf_yamux_stream *next, *prev; /* all streams of the session, oldest first */
    hf_yamux_stream *next_ready, *next_notice;
    void *owner;
    uint8_t key[4]; /* the id, as the key of the table */
    uint32_t id;
    uint32_t send_window; /* what the peer still takes */
    uint32_t recv_window, recv_max,
        uncredited;                 /* what we still take; its full size; bytes read and not yet given back */
    uint64_t progress_ms, epoch_ms; /* last time something could be sent; last window update */
    bool inbound, fin_wanted, fin_sent, fin_received, over, not_reading, limited, ready, noticed;
    hf_buf queue;            /* chunks: 4-byte length (native order), bytes; each is one DATA frame */
    size_t queue_at, queued; /* consumed offset; bytes of data left */
};

struct hf_yamux {
    hf_mem *mem;
    hf_yamux_config config;
    hf_map streams; /* id -> stream, those that are not over */
    hf_yamux_stream *first, *last;
    hf_yamux_stream *ready_first, *ready_last;
    hf_yamux_stream *notice_first, *notice_last;
    uint32_t next_id, n_in, n_out;
    uint64_t extra_bytes; /* windows above the first 256 KiB */
    bool dead, blocked;
    size_t blocked_bytes; /* answers written while blocked */
    hf_buf out, spare; /* spare: empty, for the next queue */

    /* the frame being read */
    uint8_t header[HF_YAMUX_HEADER_LEN];
    uint8_t header_len;
    enum { HF_YAMUX_AT_HEADER, HF_YAMUX_AT_BODY, HF_YAMUX_AT_END } at;
    hf_yamux_frame frame;
    hf_yamux_stream *current; /* NULL: the body is thrown away */
    uint32_t left;

    hf_mux_budget pings, aborts;
    bool ping_out;
    uint32_t ping_id, rtt_ms;
    uint64_t ping_ms;
};

void hf_yamux_send_frame(hf_yamux *y, uint8_t type, uint16_t flags, uint32_t stream, uint32_t length);
void hf_yamux_pump(hf_yamux *y, uint64_t now_ms); /* sends what windows allow */
void hf_yamux_make_ready(hf_yamux *y, hf_yamux_stream *stream);
void hf_yamux_grant(hf_yamux *y, uint64_t now_ms, hf_yamux_stream *stream);
void hf_yamux_add_notice(hf_yamux *y, hf_yamux_stream *stream);
hf_yamux_stream *hf_yamux_stream_new(hf_yamux *y, uint32_t id, bool inbound);
void hf_yamux_end(hf_yamux *y, hf_yamux_stream *stream); /* over: out of the table, nothing more is sent */
#endif
