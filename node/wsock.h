/* wsock: one connection's WebSocket (RFC 6455) as a plain byte channel, either end of it: binary frames carry a stream, and where they begin and end means
 * nothing. Bytes only: whoever has the socket moves them. Frames are wslay's work, the request's head llhttp's.
 *
 * What is sent before the two ends have agreed waits. Refuses: text frames, subprotocols, other paths than / (a js peer dials nothing else), heads over
 * 16 KiB. One who pings without reading is the socket owner's to bound: pongs go where everything goes. */
#ifndef HF_NODE_WSOCK_H
#define HF_NODE_WSOCK_H
#include "../core/base/base.h"

typedef struct hf_wsock hf_wsock;

/* `host`: we ask, and this is whom ("localhost:4001"); NULL: the other side does. NULL: no memory. */
hf_wsock *hf_wsock_new(hf_mem *mem, const char *host);
void hf_wsock_free(hf_wsock *ws); /* NULL allowed */
/* What the dialling end says first. */
void hf_wsock_begin(hf_wsock *ws, hf_buf *out);
/* From the socket, any cut: the peer's bytes are appended to `in`, what is to be sent because of them to `out`. False: it is over, when what is in `out`
 * has gone. */
bool hf_wsock_recv(hf_wsock *ws, hf_bytes bytes, hf_buf *in, hf_buf *out);
/* Appends a frame to `out`, once the ends have agreed. False: no memory; the stream is torn. */
bool hf_wsock_send(hf_wsock *ws, hf_bytes bytes, hf_buf *out);
void hf_wsock_close(hf_wsock *ws, hf_buf *out); /* says goodbye */
#endif
