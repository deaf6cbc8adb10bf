/* options: what `holdfast serve` was asked to do: flag over environment over default. */
#ifndef HF_OPTIONS_H
#define HF_OPTIONS_H
#include "say.h"

#include <stdbool.h>
#include <stddef.h>

#define HF_DEFAULT_DIR "./holdfast_data"

enum { HF_JOINS_MAX = 64, HF_RELAYS_MAX = 8 };

typedef struct hf_options {
    const char *app;           /* folder; NULL: a pure peer */
    const char *dir;           /* data */
    const char *name;
    const char *http_host;
    int http_port, p2p_port;   /* 0: a free one; p2p -1: none */
    const char *p2p_host;
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
} hf_options;

/* Fills *ret from the environment and argv (after the verb). False: *ret_problem says what is wrong. */
bool hf_options_read(hf_options *ret, int argc, char **argv, const char **ret_problem);
const char *hf_options_help(void);
/* For verbs about a data folder: --dir DIR (or HOLDFAST_DIR) and --json, nothing else. */
bool hf_options_read_dir(int argc, char **argv, const char **ret_dir, bool *ret_json, const char **ret_problem);
#endif
