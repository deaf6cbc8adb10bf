/* yamux_frame: the 12 bytes in front of everything that yamux says. Spec: libp2p/specs yamux/README.md, "Framing".
 *
 *      0         1         2         4               8               12
 *      | version | type    | flags   | stream        | length        |   big endian
 *
 * Refuses: another version, unknown types and flags, ping and go-away on a stream, data and window updates on stream 0,
 * a ping that is neither question nor answer. Whether a frame fits the session is the session's matter (yamux.h).
 */
#ifndef HF_YAMUX_FRAME_H
#define HF_YAMUX_FRAME_H
#include "../base/base.h"

enum { HF_YAMUX_HEADER_LEN = 12 };
enum { HF_YAMUX_TYPE_DATA = 0, HF_YAMUX_TYPE_WINDOW = 1, HF_YAMUX_TYPE_PING = 2, HF_YAMUX_TYPE_AWAY = 3 };
enum { HF_YAMUX_SYN = 1, HF_YAMUX_ACK = 2, HF_YAMUX_FIN_FLAG = 4, HF_YAMUX_RST = 8 };

typedef struct hf_yamux_frame {
    uint8_t type;
    uint16_t flags;
    uint32_t stream, length; /* length: of the data that follows, window delta, ping value or go-away code */
} hf_yamux_frame;

/* HF_MALFORMED with fault. */
HF_MUST_USE hf_err hf_yamux_frame_read(const uint8_t bytes[HF_YAMUX_HEADER_LEN], hf_yamux_frame *ret, hf_fault *fault);
void hf_yamux_frame_write(hf_yamux_frame frame, uint8_t ret[HF_YAMUX_HEADER_LEN]);
#endif
