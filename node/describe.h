/* describe: what a node tells about itself: its peer ID, the addresses it listens at, /.well-known/holdfast.json. */
#ifndef HF_NODE_DESCRIBE_H
#define HF_NODE_DESCRIBE_H
#include "node.h"

/* Fills node->peer_id. */
void hf_describe_self(hf_node *node);
/* Multiaddr with /p2p/ID; nothing when it does not listen. */
void hf_describe_first_address(const hf_node *node, hf_buf *buf);
/* JSON of /.well-known/holdfast.json. */
void hf_describe_site(const hf_node *node, hf_buf *buf);
/* What stands in our WebRTC address behind the IP address; node->rtc is there. */
void hf_describe_rtc(const hf_node *node, char *ret, size_t cap);
/* Peers come to the HTTP port themselves, not through a proxy: where they come from is known, and the port is told as a WebSocket address. */
bool hf_describe_has_wsock(const hf_node *node);
/* Leaves {"peerId","addresses"} with the lock, for `holdfast id`. */
bool hf_describe_to_lock(const hf_node *node);
/* Calls each(ctx, text) with every address that peers can dial, /ip4|ip6/HOST/tcp/PORT/p2p/ID and those of WebRTC. */
void hf_describe_each_address(const hf_node *node, void (*each)(void *ctx, const char *text), void *ctx);
#endif
