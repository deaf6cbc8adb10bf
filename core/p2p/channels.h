/* channels: the muxer of a WebRTC connection: every stream is a data channel. Spec: libp2p/specs webrtc/README.md, "Multiplexing".
 *
 * On a channel go messages, each a varint length and a protobuf { flag 1: FIN 0, STOP_SENDING 1, RESET 2, FIN_ACK 3; message 2 }, at most
 * 16 KiB in all. A FIN is answered by FIN_ACK at once; a channel whose both sides are done closes when our FIN is acknowledged, or
 * HF_CHANNELS_FIN_ACK_MS later. After STOP_SENDING what we write is thrown away, and our FIN still goes out. A message longer than that,
 * one that does not read, or data after FIN breaks its stream.
 *
 * Life:    new -> (opened | recv | closed | busy | hf_mux's calls)* -> free; after each call take hf_mux_table.next until HF_MUX_NONE.
 * Out:     records for the shell, one after another: channel u32 BE, op u8 (1 OPEN, 2 MESSAGE, 3 CLOSE), length u32 BE, bytes. The numbers of
 *          channels that we open have the top bit set; those of the peer's are the shell's.
 * Memory:  a stream's unsent bytes, at most send_buffer_bytes_max. Data channels have no window: what comes for a stream that does not read is
 *          kept, up to HF_CHANNELS_HELD_BYTES_MAX a stream and HF_CHANNELS_ALL_HELD_BYTES_MAX in all; one more byte breaks the stream.
 * Limits:  inbound streams; channels refused or reset by the peer come from a budget, as in yamux.
 */
#ifndef HF_CHANNELS_H
#define HF_CHANNELS_H
#include "mux.h"

enum {
    HF_CHANNEL_NOISE = 0,                             /* webrtc-direct: negotiated beforehand, carries the Noise handshake */
    HF_CHANNELS_MESSAGE_BYTES_MAX = 16 * 1024,        /* "Encoded messages including their length prefix MUST NOT exceed 16kiB" */
    HF_CHANNELS_PAYLOAD_BYTES_MAX = 16 * 1024 - 7,    /* of data that we send in one message, as js does */
    HF_CHANNELS_FIN_ACK_MS = 5000,
    HF_CHANNELS_LINGER_MAX = 256,                     /* channels that wait for a FIN_ACK; one more is closed at once */
    HF_CHANNELS_HELD_BYTES_MAX = 1024 * 1024,
    HF_CHANNELS_ALL_HELD_BYTES_MAX = 4 * 1024 * 1024,
    HF_CHANNELS_EARLY_BYTES_MAX = 64 * 1024,          /* in all, before hf_channels_release: the peer is a stranger */
    HF_CHANNELS_OUT_BYTES_MAX = 1024 * 1024,          /* data waits in its stream while so much is in the output */
    HF_CHANNELS_STALL_MS = 45000,                     /* a stream that could send nothing for so long */
};

typedef enum hf_channel_op { HF_CHANNEL_OPEN = 1, HF_CHANNEL_MESSAGE = 2, HF_CHANNEL_CLOSE = 3 } hf_channel_op;
enum { HF_CHANNEL_RECORD_LEN = 9, HF_CHANNEL_OURS = 0x80000000u };

/* ---- the framing ---- */
typedef enum hf_channel_flag {
    HF_CHANNEL_NO_FLAG = -1,
    HF_CHANNEL_FIN = 0,
    HF_CHANNEL_STOP_SENDING = 1,
    HF_CHANNEL_RESET = 2,
    HF_CHANNEL_FIN_ACK = 3,
} hf_channel_flag;

typedef struct hf_channel_message {
    hf_channel_flag flag; /* NO_FLAG as well for one that is not known */
    hf_bytes payload;     /* a view into the input */
} hf_channel_message;

/* One from the front of *bytes. HF_MALFORMED: also when it is not whole. */
HF_MUST_USE hf_err hf_channel_message_read(hf_bytes *bytes, hf_channel_message *ret);
/* Adds one with its length; a failure sticks in the buffer. */
void hf_channel_message_add(hf_buf *buf, const hf_channel_message *message);

/* ---- the session ---- */
typedef struct hf_channels hf_channels;

typedef struct hf_channels_config {
    uint32_t streams_in_max, streams_out_max;
    uint32_t send_buffer_bytes_max; /* a stream */
    uint64_t seed;                  /* for the channel table */
} hf_channels_config;

/* Nothing of streams is told before hf_channels_release: the peer is not known yet. NULL: no memory. */
hf_channels *hf_channels_new(hf_mem *mem, const hf_channels_config *config, uint64_t now_ms);
hf_mux hf_channels_mux(hf_channels *c); /* frees it too */
void hf_channels_release(hf_channels *c);

/* What the shell tells; numbers as in the records. HF_EXISTS: there is such a channel. HF_NOMEM. */
HF_MUST_USE hf_err hf_channels_opened(hf_channels *c, uint64_t now_ms, uint32_t channel);
/* One whole message; the view is used until `next` says HF_MUX_NONE. A channel that is not known is passed over. */
HF_MUST_USE hf_err hf_channels_recv(hf_channels *c, uint64_t now_ms, uint32_t channel, hf_bytes message);
void hf_channels_closed(hf_channels *c, uint64_t now_ms, uint32_t channel);
void hf_channels_busy(hf_channels *c, uint64_t now_ms, uint32_t channel, bool busy);
/* Bytes that are kept for streams that do not read. */
size_t hf_channels_held(const hf_channels *c);
/* A framed message and the end of a channel that is no stream (HF_CHANNEL_NOISE). */
void hf_channels_say(hf_channels *c, uint32_t channel, hf_bytes payload);
void hf_channels_shut(hf_channels *c, uint32_t channel);
#endif
