/* mdns_message: the bytes of libp2p's multicast DNS messages (libp2p/specs discovery/mdns.md; DNS layout RFC 1035 section 4, its use over
 * multicast RFC 6762 section 18). Written the way js-libp2p does: the PTR and one TXT "dnsaddr=MULTIADDR" per address all stand in the answer
 * section, names uncompressed. Read wherever others put them: TXT in the answer and additional sections, names compressed or not.
 *
 * Refuses: packets over HF_MDNS_PACKET_MAX bytes, more than HF_MDNS_RECORDS_MAX questions and records or as many addresses, names over
 * HF_MDNS_NAME_MAX bytes, names whose pointers do not go backwards, opcodes and response codes other than 0 (RFC 6762 sections 18.3, 18.11).
 * Ignores: records of other names and types, and those with TTL 0 (their owner says goodbye).
 * Does not say whether an address may be dialled; mdns_address does. */
#ifndef HF_MDNS_MESSAGE_H
#define HF_MDNS_MESSAGE_H
#include "../base/base.h"

enum {
    HF_MDNS_PACKET_MAX = 9000,     /* RFC 6762 section 17 */
    HF_MDNS_RECORDS_MAX = 64,      /* far more than a peer has addresses; a stranger's packet costs no more than this */
    HF_MDNS_NAME_MAX = 255,        /* RFC 1035 section 2.3.4, as are the next two */
    HF_MDNS_LABEL_MAX = 63,
    HF_MDNS_TEXT_MAX = 255,
    HF_MDNS_PEER_NAME_MIN = 32,    /* "a random, lower-case alphanumeric string of least 32 characters" */
    HF_MDNS_PEER_NAME_MAX = HF_MDNS_LABEL_MAX,
    HF_MDNS_ADDRESSES_MAX = HF_MDNS_RECORDS_MAX - 1,
    HF_MDNS_TTL_SECONDS = 120,
};

/* `service`: dotted text such as "_p2p._udp.local". HF_MALFORMED when a label is empty or over 63 bytes, or when there is no room for a peer name
 * below it; on failure nothing is appended. */
HF_MUST_USE hf_err hf_mdns_add_query(hf_buf *buf, hf_bytes service);
/* `peer_name`: random, 32 to 63 bytes, not the peer ID. `addresses`: multiaddr texts with /p2p/ID. Besides: HF_LIMIT when the peer name, an
 * address, their number or the packet is too long (or the name too short). */
HF_MUST_USE hf_err hf_mdns_add_answer(hf_buf *buf, hf_bytes service, hf_bytes peer_name, const hf_bytes *addresses, size_t n_addresses);

typedef struct hf_mdns_found {
    hf_bytes peer_name, multiaddr; /* views into the packet; the multiaddr is a stranger's text, not looked at */
} hf_mdns_found;

typedef struct hf_mdns_message {
    bool asks;                     /* it wants to know who offers the service */
    hf_mdns_found found[HF_MDNS_ADDRESSES_MAX];
    size_t n_found;
} hf_mdns_message;

/* Reads one whole packet. HF_MALFORMED, HF_LIMIT (*fault says what and where; NULL allowed). A good packet about something else reads as one
 * that neither asks nor tells. */
HF_MUST_USE hf_err hf_mdns_read(hf_bytes packet, hf_bytes service, hf_mdns_message *ret, hf_fault *fault);
#endif
