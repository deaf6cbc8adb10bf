/* options: what `holdfast serve` was asked to do: flag over environment over default. */
#ifndef HF_OPTIONS_H
#define HF_OPTIONS_H
#include "say.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HF_DEFAULT_DIR "./holdfast_data"
#define HF_DHT_PROTOCOL "/holdfast/kad/1.0.0"

enum { HF_STORE_BYTES_LEAST = 1 << 20, HF_JOINS_MAX = 64, HF_ANNOUNCE_MAX = 8, HF_RELAYS_MAX = 8 };

/* The words of --dht, --relay-for and --reachability, in the order of the tables in options.c; the first is the default. */
typedef enum hf_dht_mode { HF_DHT_AUTO, HF_DHT_SERVER, HF_DHT_CLIENT, HF_DHT_OFF } hf_dht_mode;
typedef enum hf_relay_for { HF_RELAY_FOR_ANY, HF_RELAY_FOR_APP, HF_RELAY_FOR_NOBODY } hf_relay_for;
typedef enum hf_reach_mode { HF_REACH_AUTO, HF_REACH_PUBLIC, HF_REACH_PRIVATE } hf_reach_mode;

typedef struct hf_options {
    const char *app;           /* folder; NULL: a pure peer */
    const char *dir;           /* data */
    const char *name;
    const char *http_host;
    int http_port, p2p_port, webrtc_port; /* 0: a free one; p2p, webrtc -1: none */
    const char *p2p_host, *webrtc_host;
    const char *join[HF_JOINS_MAX];
    size_t n_join;
    const char *sibling[HF_JOINS_MAX]; /* http://host:port of other nodes, told to browsers */
    size_t n_sibling;
    const char *relay[HF_RELAYS_MAX];  /* multiaddrs of circuit relays, told to browsers */
    size_t n_relay;
    const char *origin;        /* scheme://host the app is reached at, NULL: from the Host header */
    const char *tls_cert, *tls_key;
    const char *assets;        /* folder of the browser's files */
    const char *mdns_service;
    bool mdns, worker;         /* worker false: the kill switch */
    hf_level log_level;
    bool log_json;
    const char *announce[HF_ANNOUNCE_MAX]; /* multiaddrs told to peers instead of those of the interfaces */
    size_t n_announce;
    hf_dht_mode dht;
    const char *dht_protocol;
    hf_relay_for relay_for;    /* for whom to be a relay */
    hf_reach_mode reach;
    bool autonat, private_network;
    uint64_t store_bytes, writer_bytes, writer_day_bytes; /* at most; 0: no bound */
} hf_options;

/* Fills *ret from the environment and argv (after the verb). False: *ret_problem says what is wrong. */
bool hf_options_read(hf_options *ret, int argc, char **argv, const char **ret_problem);
const char *hf_options_help(void);
/* For verbs about a data folder: --dir DIR (or HOLDFAST_DIR) and --json, nothing else. */
bool hf_options_read_dir(int argc, char **argv, const char **ret_dir, bool *ret_json, const char **ret_problem);
#endif
