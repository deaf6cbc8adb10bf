/* ws_frame: WebSocket frames as a server reads and writes them (RFC 6455 section 5). Bytes only. Where messages begin and end means nothing to us: the
 * bytes of binary frames are one stream, given out as they come.
 *
 * Refuses (with the close code to say): frames without mask, text, reserved bits and opcodes, fragments out of order, control frames that are
 * long or in pieces, frames beyond HF_WS_FRAME_MAX. */
#ifndef HF_NODE_WS_FRAME_H
#define HF_NODE_WS_FRAME_H
#include "../core/base/base.h"

enum { HF_WS_FRAME_MAX = 16 << 20, HF_WS_CONTROL_MAX = 125, HF_WS_HEAD_MAX = 10 };
enum { HF_WS_CONTINUATION = 0, HF_WS_TEXT = 1, HF_WS_BINARY = 2, HF_WS_CLOSE = 8, HF_WS_PING = 9, HF_WS_PONG = 10 };

typedef struct hf_ws_reader {
    uint8_t head[14], n_head;
    uint8_t opcode, mask[4], mask_at;
    uint64_t left;                    /* of the payload */
    bool in_payload, in_message;
    uint8_t control[HF_WS_CONTROL_MAX], n_control;
} hf_ws_reader;

typedef enum hf_ws_event {
    HF_WS_MORE,       /* all bytes are used up */
    HF_WS_DATA,       /* *ret: a piece of the stream, unmasked in place */
    HF_WS_PINGED,     /* *ret: to be answered with a pong */
    HF_WS_CLOSED,     /* they say goodbye */
    HF_WS_REFUSED,    /* *ret_code */
} hf_ws_event;

/* The next event in bytes[*at..len); *at moves on. Call until HF_WS_MORE; nothing after CLOSED or REFUSED. */
hf_ws_event hf_ws_read(hf_ws_reader *reader, uint8_t *bytes, size_t len, size_t *at, hf_bytes *ret, unsigned *ret_code);
/* The head of a frame of ours; the payload follows. */
void hf_ws_add_head(hf_buf *buf, unsigned opcode, size_t payload_len);
#endif
