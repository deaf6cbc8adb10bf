/* options: see options.h. One table of flags; the original deployment's environment names are honoured. */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char problem[512];
static char exe_dir[4096], assets_dir[4200], app_dir[4200];

typedef enum kind { TEXT, HOST_PORT, P2P, WEBRTC, JOIN, SIBLING, ANNOUNCE, DHT, RELAY, RELAY_FOR, REACH, LEVEL, FORMAT, SIZE, OFF, ON } kind;

static const struct flag {
    const char *name, *env, *help;
    kind kind;
    size_t offset;
} FLAGS[] = {
    {"--http", "HOLDFAST_HTTP", "HOST:PORT   where pages are served (127.0.0.1:3000; port 0: a free one)", HOST_PORT, 0},
    {"--p2p", "HOLDFAST_P2P", "[HOST:]PORT where peers connect over TCP (0: a free one; off: none)", P2P, 0},
    {"--webrtc", "HOLDFAST_WEBRTC", "[HOST:]PORT where pages of others connect over UDP, by WebRTC (off; 0: a free one)", WEBRTC, 0},
    {"--dir", "HOLDFAST_DIR", "DIR         data (./holdfast_data)", TEXT, offsetof(hf_options, dir)},
    {"--name", "HOLDFAST_NAME", "NAME        of this node, for logs and people", TEXT, offsetof(hf_options, name)},
    {"--join", "HOLDFAST_JOIN", "MULTIADDR   a peer to stay connected to; may be given again", JOIN, 0},
    {"--announce", "HOLDFAST_ANNOUNCE", "MULTIADDR   where peers reach this node, told instead of its interfaces; may be given again", ANNOUNCE, 0},
    {"--dht", "HOLDFAST_DHT", "MODE        auto, server, client or off (auto: a server when others reach this node)", DHT, 0},
    {"--dht-protocol", "HOLDFAST_DHT_PROTOCOL", "NAME        of the DHT (/holdfast/kad/1.0.0; the public one is /ipfs/kad/1.0.0)", TEXT, offsetof(hf_options, dht_protocol)},
    {"--relay-for", "HOLDFAST_RELAY_FOR", "WHO         any, app or nobody: for whom to be a relay (any; strangers with limits)", RELAY_FOR, 0},
    {"--reachability", "HOLDFAST_REACHABILITY", "HOW         auto, public or private: whether others can dial this node (auto: peers are asked)", REACH, 0},
    {"--no-autonat", NULL, "            do not ask peers to dial this node, nor dial them for that", OFF, offsetof(hf_options, autonat)},
    {"--private-network", NULL, "            private addresses count as everybody's: a network without the Internet", ON, offsetof(hf_options, private_network)},
    {"--max-store", "HOLDFAST_MAX_STORE", "SIZE        of the store on the disk (off; 64M, 10G); others' entries are taken up to 7/8 of it", SIZE, offsetof(hf_options, store_bytes)},
    {"--max-writer", "HOLDFAST_MAX_WRITER", "SIZE        of what one other writer may have in a database here (off)", SIZE, offsetof(hf_options, writer_bytes)},
    {"--max-writer-day", "HOLDFAST_MAX_WRITER_DAY", "SIZE        of what one other writer may add to a database in a day (1G; off)", SIZE, offsetof(hf_options, writer_day_bytes)},
    {"--sibling", "HOLDFAST_SIBLING", "URL         another node of this app, told to browsers; may be given again", SIBLING, 0},
    {"--relay", "HOLDFAST_RELAY", "ADDR        a circuit relay where browsers are reached by WebRTC (/dns4/HOST/tcp/PORT/wss/p2p/ID); may be given again", RELAY, 0},
    {"--origin", "HOLDFAST_ORIGIN", "URL         the address that users see (from the Host header)", TEXT, offsetof(hf_options, origin)},
    {"--tls-cert", "HOLDFAST_TLS_CERT", "FILE        serve https with this certificate chain", TEXT, offsetof(hf_options, tls_cert)},
    {"--tls-key", "HOLDFAST_TLS_KEY", "FILE        and this key", TEXT, offsetof(hf_options, tls_key)},
    {"--assets", "HOLDFAST_ASSETS", "DIR         the browser's files (browser/ beside the program)", TEXT, offsetof(hf_options, assets)},
    {"--mdns-service", "MDNS_SERVICE_NAME", "NAME        service name on the LAN (_p2p._udp.local)", TEXT, offsetof(hf_options, mdns_service)},
    {"--no-mdns", NULL, "            do not look for peers on the LAN", OFF, offsetof(hf_options, mdns)},
    {"--no-worker", NULL, "            kill switch: browsers drop their worker at the next visit", OFF, offsetof(hf_options, worker)},
    {"--no-app", NULL, "            a pure peer: serve no pages", TEXT, 0},
    {"--log-level", "HOLDFAST_LOG_LEVEL", "LEVEL       error, warn, info or debug (info)", LEVEL, 0},
    {"--log-format", "HOLDFAST_LOG_FORMAT", "FORMAT      text or json (text)", FORMAT, 0},
};

static bool complain(const char *flag, const char *value, const char *what) {
    snprintf(problem, sizeof problem, "%s%s%s: %s", flag, *value ? " " : "", value, what);
    return false;
}

static bool parse_port(const char *text, int *ret) {
    char *end;
    long port = strtol(text, &end, 10);
    if (end == text || *end || port < 0 || port > 65535) return false;
    *ret = (int)port;
    return true;
}

/* Bytes, or with K, M, G, T behind the number. */
static bool parse_size(const char *text, uint64_t *ret) {
    static const char UNITS[] = "KMGT";
    if (!strcmp(text, "off")) return *ret = 0, true;
    if (*text < '1' || *text > '9' || strlen(text) > 12) return false;
    char *end;
    uint64_t n = strtoull(text, &end, 10);
    const char *unit = *end ? strchr(UNITS, *end) : NULL;
    if (*end && (!unit || end[1])) return false;
    unsigned shift = unit ? 10 * (unsigned)(unit - UNITS + 1) : 0;
    *ret = n << shift;
    return *ret >> shift == n;
}

/* "HOST:PORT", "[v6]:PORT" or "PORT"; the host is cut out of a copy that lives as long as the process. */
static bool parse_host_port(const char *text, const char **ret_host, int *ret_port) {
    const char *colon = strrchr(text, ':');
    if (!colon) return parse_port(text, ret_port);
    if (!parse_port(colon + 1, ret_port)) return false;
    bool v6 = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
    char *host = v6 ? strndup(text + 1, (size_t)(colon - text) - 2) : strndup(text, (size_t)(colon - text));
    if (!host) return false;
    *ret_host = host;
    return true;
}

static const char *const DHT_MODES[] = {"auto", "server", "client", "off"}, *const RELAY_FOR_WHOM[] = {"any", "app", "nobody"},
                  *const REACH_MODES[] = {"auto", "public", "private"};

/* One of `n` words. -1: none of them. */
static int word_of(const char *const *words, int n, const char *value) {
    for (int i = 0; i < n; i++)
        if (!strcmp(words[i], value)) return i;
    return -1;
}

static bool apply_word(hf_options *o, const struct flag *f, const char *value) {
    int word = f->kind == DHT ? word_of(DHT_MODES, 4, value) : word_of(f->kind == RELAY_FOR ? RELAY_FOR_WHOM : REACH_MODES, 3, value);
    if (word < 0) return complain(f->name, value, f->kind == DHT ? "expected auto, server, client or off" : f->kind == RELAY_FOR ? "expected any, app or nobody" : "expected auto, public or private");
    if (f->kind == DHT) o->dht = (hf_dht_mode)word;
    else if (f->kind == RELAY_FOR) o->relay_for = (hf_relay_for)word;
    else o->reach = (hf_reach_mode)word;
    return true;
}

static bool apply(hf_options *o, const struct flag *f, const char *value) {
    switch (f->kind) {
    case TEXT: *(const char **)((char *)o + f->offset) = value; return true;
    case OFF:
    case ON: *(bool *)((char *)o + f->offset) = f->kind == ON; return true;
    case DHT:
    case RELAY_FOR:
    case REACH: return apply_word(o, f, value);
    case SIZE: return parse_size(value, (uint64_t *)((char *)o + f->offset)) || complain(f->name, value, "expected bytes, with K, M, G or T behind the number, or off");
    case ANNOUNCE:
        if (o->n_announce == HF_ANNOUNCE_MAX) return complain(f->name, value, "more than 8 addresses");
        return o->announce[o->n_announce++] = value, true;
    case HOST_PORT: return parse_host_port(value, &o->http_host, &o->http_port) || complain(f->name, value, "expected HOST:PORT");
    case P2P:
        if (!strcmp(value, "off")) return o->p2p_port = -1, true;
        return parse_host_port(value, &o->p2p_host, &o->p2p_port) || complain(f->name, value, "expected [HOST:]PORT or off");
    case WEBRTC:
        if (!strcmp(value, "off")) return o->webrtc_port = -1, true;
        return parse_host_port(value, &o->webrtc_host, &o->webrtc_port) || complain(f->name, value, "expected [HOST:]PORT or off");
    case JOIN:
        if (o->n_join == HF_JOINS_MAX) return complain(f->name, value, "more than 64 peers");
        return o->join[o->n_join++] = value, true;
    case SIBLING:
        if (strncmp(value, "http://", 7) && strncmp(value, "https://", 8)) return complain(f->name, value, "expected http://HOST or https://HOST");
        if (o->n_sibling == HF_JOINS_MAX) return complain(f->name, value, "more than 64 nodes");
        return o->sibling[o->n_sibling++] = value, true;
    case RELAY:
        if (value[0] != '/' || !strstr(value, "/p2p/")) return complain(f->name, value, "expected a multiaddr with /p2p/ID at its end");
        if (o->n_relay == HF_RELAYS_MAX) return complain(f->name, value, "more than 8 relays");
        return o->relay[o->n_relay++] = value, true;
    case LEVEL: return hf_level_parse(value, &o->log_level) || complain(f->name, value, "expected error, warn, info or debug");
    case FORMAT:
        o->log_json = !strcmp(value, "json");
        return o->log_json || !strcmp(value, "text") || complain(f->name, value, "expected text or json");
    }
    return false;
}

static bool from_environment(hf_options *o) {
    const char *value;
    if ((value = getenv("PORT")) && !parse_port(value, &o->http_port)) return complain("PORT", value, "expected a port");
    if ((value = getenv("ORBITDB_INSTANCE_NAME"))) o->name = value;
    if ((value = getenv("ENABLE_MDNS"))) o->mdns = strcmp(value, "false") && strcmp(value, "0");
    for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++)
        if (FLAGS[i].env && (value = getenv(FLAGS[i].env)) && *value && !apply(o, &FLAGS[i], value)) return false;
    return true;
}

static void defaults(hf_options *o) {
    ssize_t n = readlink("/proc/self/exe", exe_dir, sizeof exe_dir - 1);
    char *slash = n > 0 ? strrchr(exe_dir, '/') : NULL;
    if (slash) *slash = 0;
    else strcpy(exe_dir, ".");
    snprintf(assets_dir, sizeof assets_dir, "%s/browser", exe_dir);
    snprintf(app_dir, sizeof app_dir, "%s/../apps/todo", exe_dir);
    *o = (hf_options){
        .app = app_dir, .dir = HF_DEFAULT_DIR, .name = "holdfast", .http_host = "127.0.0.1", .http_port = 3000, .p2p_host = "0.0.0.0", .webrtc_host = "0.0.0.0", .webrtc_port = -1,
        .assets = assets_dir, .mdns_service = "_p2p._udp.local", .mdns = true, .worker = true, .log_level = HF_LEVEL_INFO,
        .dht_protocol = HF_DHT_PROTOCOL, .autonat = true, .writer_day_bytes = UINT64_C(1) << 30,
    };
}

static const struct flag *find(const char *word, size_t len) {
    for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++)
        if (strlen(FLAGS[i].name) == len && !strncmp(FLAGS[i].name, word, len)) return &FLAGS[i];
    return NULL;
}

bool hf_options_read(hf_options *o, int argc, char **argv, const char **ret_problem) {
    *ret_problem = problem;
    defaults(o);
    if (!from_environment(o)) return false;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i], *equals = strchr(word, '=');
        if (word[0] != '-') {
            o->app = word;
            continue;
        }
        const struct flag *f = find(word, equals ? (size_t)(equals - word) : strlen(word));
        if (!f) return complain(word, "", "no such flag; see holdfast serve --help");
        if (f->kind == OFF || f->kind == ON) apply(o, f, "");
        else if (!strcmp(f->name, "--no-app")) o->app = NULL;
        else if (equals) {
            if (!apply(o, f, equals + 1)) return false;
        } else if (++i == argc) return complain(word, "", "needs a value");
        else if (!apply(o, f, argv[i])) return false;
    }
    if (o->dht_protocol[0] != '/') return complain("--dht-protocol", o->dht_protocol, "expected a name that begins with /");
    if (o->store_bytes && o->store_bytes < HF_STORE_BYTES_LEAST) return complain("--max-store", "", "less than 1M holds nothing");
    if (!o->tls_cert != !o->tls_key) return complain("--tls-cert", "", "needs --tls-key too, and the other way round");
    return true;
}

bool hf_options_read_dir(int argc, char **argv, const char **ret_dir, bool *ret_json, const char **ret_problem) {
    *ret_problem = problem;
    const char *from_env = getenv("HOLDFAST_DIR");
    *ret_dir = from_env && *from_env ? from_env : HF_DEFAULT_DIR;
    *ret_json = false;
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--json")) *ret_json = true;
        else if (!strncmp(argv[i], "--dir=", 6)) *ret_dir = argv[i] + 6;
        else if (strcmp(argv[i], "--dir")) return complain(argv[i], "", "expected --dir DIR or --json");
        else if (++i == argc) return complain("--dir", "", "needs a value");
        else *ret_dir = argv[i];
    }
    return true;
}

const char *hf_options_help(void) {
    static char text[6144];
    size_t n = (size_t)snprintf(text, sizeof text, "holdfast serve [APP] [FLAG]...\n\nServes the app folder APP (the bundled todo app).\n\n");
    for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "  %-15s %s\n", FLAGS[i].name, FLAGS[i].help);
    snprintf(text + n, sizeof text - n, "\nEach flag has an environment variable HOLDFAST_NAME; PORT, ORBITDB_INSTANCE_NAME, MDNS_SERVICE_NAME and ENABLE_MDNS are honoured.\n");
    return text;
}
