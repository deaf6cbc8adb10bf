/* multiaddr: self-describing addresses (multiformats/multiaddr). Known: ip4 ip6 ip6zone dns dns4 dns6 dnsaddr tcp
 * udp sni ws wss tls quic quic-v1 webtransport webrtc webrtc-direct certhash p2p p2p-circuit http http-path unix
 * memory. Refuses: other protocols (their length is not known), values that are not what the protocol says, names
 * that would not survive being written as text (empty, with '/', control characters or broken UTF-8), more than
 * HF_MULTIADDR_PARTS_MAX parts or HF_MULTIADDR_BYTES_MAX bytes. */
#ifndef HF_MULTIADDR_H
#define HF_MULTIADDR_H
#include "../base/base.h"

enum {
    HF_MA_IP4 = 4,
    HF_MA_TCP = 6,
    HF_MA_IP6 = 41,
    HF_MA_IP6ZONE = 42,
    HF_MA_DNS = 53,
    HF_MA_DNS4 = 54,
    HF_MA_DNS6 = 55,
    HF_MA_DNSADDR = 56,
    HF_MA_UDP = 273,
    HF_MA_WEBRTC_DIRECT = 280,
    HF_MA_WEBRTC = 281,
    HF_MA_P2P_CIRCUIT = 290,
    HF_MA_UNIX = 400,
    HF_MA_P2P = 421,
    HF_MA_TLS = 448,
    HF_MA_SNI = 449,
    HF_MA_QUIC = 460,
    HF_MA_QUIC_V1 = 461,
    HF_MA_WEBTRANSPORT = 465,
    HF_MA_CERTHASH = 466,
    HF_MA_WS = 477,
    HF_MA_WSS = 478,
    HF_MA_HTTP = 480,
    HF_MA_HTTP_PATH = 481,
    HF_MA_MEMORY = 777
};
enum { HF_MULTIADDR_BYTES_MAX = 1024, HF_MULTIADDR_PARTS_MAX = 16 };

typedef struct hf_multiaddr_part {
    uint32_t code;
    hf_bytes value;
} hf_multiaddr_part; /* value: binary, view into the input */
typedef struct hf_multiaddr { hf_multiaddr_part parts[HF_MULTIADDR_PARTS_MAX]; size_t n; } hf_multiaddr;

/* Binary -> parts. HF_MALFORMED, HF_LIMIT. */
HF_MUST_USE hf_err hf_multiaddr_read(hf_bytes bytes, hf_multiaddr *ret, hf_fault *fault);
/* Text -> binary appended to buf; on failure nothing is appended. "/ipfs/…" is read as "/p2p/…". */
HF_MUST_USE hf_err hf_multiaddr_parse(hf_bytes text, hf_buf *ret_binary, hf_fault *fault);
/* Binary -> text appended to buf; on failure nothing is appended. HF_MALFORMED or HF_LIMIT when it does not read. */
HF_MUST_USE hf_err hf_multiaddr_text(hf_bytes bytes, hf_buf *buf);
/* The first part with this code, or NULL. */
const hf_multiaddr_part *hf_multiaddr_find(const hf_multiaddr *addr, uint32_t code);
#endif
