/* p2p_private: what the files of the node's libp2p peer share.
 *
 *      p2p.c          life, what the parts say, addresses, reservations, looking in
 *      p2p_join.c     peers to stay connected to by webrtc-direct
 *      p2p_find.c     the DHT: providing what is kept here, finding who else keeps it
 */
#ifndef HF_NODE_P2P_PRIVATE_H
#define HF_NODE_P2P_PRIVATE_H
#include "p2p.h"

#include "../core/p2p/host_autonat.h"
#include "../core/p2p/host_dcutr.h"
#include "../core/p2p/host_kad.h"
#include "../core/p2p/host_relay.h"

enum { HF_P2P_TAG_RELAY = HF_CORE_TAG_PARTS, HF_P2P_TAG_KAD = HF_P2P_TAG_RELAY + 16, HF_P2P_TAG_AUTONAT = HF_P2P_TAG_KAD + 16,
       HF_P2P_TAG_DCUTR = HF_P2P_TAG_AUTONAT + 16 };
enum { HF_P2P_ADDRS_MAX = 16, HF_P2P_ADDR_MAX = 200, HF_P2P_DBS_MAX = 256 };

typedef struct hf_p2p_addrs { hf_bytes items[HF_P2P_ADDRS_MAX]; size_t n; uint8_t bytes[HF_P2P_ADDRS_MAX][HF_P2P_ADDR_MAX]; } hf_p2p_addrs;

/* A relay of which we want, or have, a reservation. */
typedef struct hf_p2p_hold { hf_peer_id at; bool used, reserved; hf_p2p_addrs addrs; } hf_p2p_hold;
/* What the DHT knows of a database: by its number. */
typedef struct hf_p2p_db { uint64_t provided_version, provide_ms, search_ms; unsigned n_searches; bool kept; } hf_p2p_db; /* kept: our own record stands here */

typedef struct hf_p2p_joined { hf_peer_id peer; uint8_t address[HF_P2P_ADDR_MAX]; size_t len; unsigned n_failures; uint64_t next_ms; } hf_p2p_joined;

struct hf_p2p {
    hf_node *node;
    hf_host *host;
    hf_swarm *swarm;
    hf_relay *relay;
    hf_kad *kad;               /* NULL: off, as autonat */
    hf_host_autonat *autonat;
    hf_autonat_reach reach;    /* told, or found out */
    bool leans_private, serves;
    hf_p2p_addrs reached_at;   /* by AutoNAT */
    hf_p2p_hold holds[HF_P2P_RELAYS_MAX];
    struct { hf_peer_id at; uint64_t until_ms; } refused[8]; /* relays that would not have us */
    size_t next_refused;
    uint64_t addrs_version, announced_ms, saved_ms;
    uint8_t announced[32];     /* hash of what was announced last */
    hf_buf saved;              /* the book, as it was kept last */

    hf_p2p_joined joined[16];
    size_t n_joined;

    hf_p2p_db dbs[HF_P2P_DBS_MAX];
    uint64_t provide_op, search_op, peer_op; /* 0: none is under way */
    uint32_t provide_db, search_db;
    hf_peer_id sought;         /* of peer_op */
    uint64_t n_found, n_direct;
};

/* ---- p2p_join.c ---- */
void hf_p2p_join_turn(hf_p2p *p);

/* ---- p2p_find.c ---- */
void hf_p2p_find_turn(hf_p2p *p);
void hf_p2p_find_said(hf_p2p *p, const hf_kad_out *said);
size_t hf_p2p_n_provided(const hf_p2p *p);
/* Does the peer keep one of our databases, by its identify? */
bool hf_p2p_is_of_app(const hf_p2p *p, const hf_peer_id *peer);
#endif
