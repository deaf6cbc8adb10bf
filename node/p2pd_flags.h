/* p2pd_flags: the flags of go-libp2p-daemon, as Go reads them: -name, --name, -name=value, -name value; a boolean takes =true or =false only. */
#ifndef HF_NODE_P2PD_FLAGS_H
#define HF_NODE_P2PD_FLAGS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HF_P2PD_LIST_MAX = 32 };
typedef struct hf_p2pd_list { char *text, *items[HF_P2PD_LIST_MAX]; size_t n; } hf_p2pd_list; /* multiaddr texts, cut out of `text` */

typedef struct hf_p2pd_flags {
    const char *listen, *id, *router, *muxer;
    hf_p2pd_list host_addrs, announce_addrs, bootstrap_peers;
    bool quiet, help, bootstrap, no_listen, echo;
    bool dht, dht_client, dht_server;
    bool pubsub, pubsub_sign, pubsub_strict;
    bool relay, relay_hop, autonat, conn_manager, noise;
    int64_t conn_lo, conn_hi, conn_grace_ms, heartbeat_ms, messages_a_second;
    /* Of go's, taken and without effect here: see the reference. */
    bool tls, plaintext, nat_port_map, relay_active, relay_discovery, auto_relay, public, private;
    int64_t relay_hop_limit, heartbeat_delay_ms;
} hf_p2pd_flags;

/* False: *ret_problem says what is wrong. Lists are cut out of copies that live as long as the process. */
bool hf_p2pd_flags_read(hf_p2pd_flags *ret, int argc, char **argv, const char **ret_problem);
void hf_p2pd_flags_help(void);
#endif
