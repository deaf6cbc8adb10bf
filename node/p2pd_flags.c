/* p2pd_flags: see p2pd_flags.h. */
#include "p2pd_flags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind { BOOL, TEXT, NUMBER, DURATION, LIST } kind;

static const struct flag { const char *name, *help; kind kind; size_t offset; } FLAGS[] = {
#define AT(member) offsetof(hf_p2pd_flags, member)
    {"listen", "where programs connect: a multiaddr, /unix/PATH or /ip4/HOST/tcp/PORT (/unix/tmp/p2pd.sock)", TEXT, AT(listen)},
    {"hostAddrs", "where peers connect: multiaddrs with commas between, TCP, …/ws for WebSockets, and …/udp/PORT/webrtc-direct (/ip4/0.0.0.0/tcp/0,/ip6/::/tcp/0)", LIST, AT(host_addrs)},
    {"announceAddrs", "what peers are told instead", LIST, AT(announce_addrs)},
    {"noListenAddrs", "listen for no peers", BOOL, AT(no_listen)},
    {"id", "file with the private key, as libp2p writes it (a fresh key)", TEXT, AT(id)},
    {"q", "print nothing at the start", BOOL, AT(quiet)},
    {"quiet", "the same", BOOL, AT(quiet)},
    {"b", "connect to the bootstrap peers", BOOL, AT(bootstrap)},
    {"bootstrap", "the same", BOOL, AT(bootstrap)},
    {"bootstrapPeers", "multiaddrs with /p2p/ID, commas between", LIST, AT(bootstrap_peers)},
    {"dht", "the DHT, as a server when others can reach us", BOOL, AT(dht)},
    {"dhtClient", "the DHT, as a client", BOOL, AT(dht_client)},
    {"dhtServer", "the DHT, as a server", BOOL, AT(dht_server)},
    {"connManager", "close connections when there are too many", BOOL, AT(conn_manager)},
    {"connLo", "down to so many peers (256)", NUMBER, AT(conn_lo)},
    {"connHi", "when there are more than this (512)", NUMBER, AT(conn_hi)},
    {"connGrace", "but none younger than this (120s)", DURATION, AT(conn_grace_ms)},
    {"pubsub", "publish and subscribe", BOOL, AT(pubsub)},
    {"pubsubRouter", "gossipsub or floodsub (gossipsub)", TEXT, AT(router)},
    {"pubsubSign", "sign messages (true; nothing else can be)", BOOL, AT(pubsub_sign)},
    {"pubsubSignStrict", "refuse messages without a good signature (true; nothing else can be)", BOOL, AT(pubsub_strict)},
    {"gossipsubHeartbeatInterval", "such as 1s or 500ms (1s)", DURATION, AT(heartbeat_ms)},
    {"gossipsubMessagesPerSecond", "new messages from one peer; what is beyond is dropped unseen, and counts against it (5000)", NUMBER, AT(messages_a_second)},
    {"gossipsubHeartbeatInitialDelay", "has no effect", DURATION, AT(heartbeat_delay_ms)},
    {"relay", "be a relay, and reach peers through relays (true)", BOOL, AT(relay)},
    {"relayHop", "has no effect: -relay does it", BOOL, AT(relay_hop)},
    {"relayHopLimit", "has no effect", NUMBER, AT(relay_hop_limit)},
    {"relayActive", "has no effect", BOOL, AT(relay_active)},
    {"relayDiscovery", "has no effect", BOOL, AT(relay_discovery)},
    {"autoRelay", "has no effect", BOOL, AT(auto_relay)},
    {"autonat", "dial peers that ask whether they can be reached, and ask them", BOOL, AT(autonat)},
    {"natPortMap", "has no effect", BOOL, AT(nat_port_map)},
    {"noise", "must be true", BOOL, AT(noise)},
    {"tls", "has no effect: connections are secured by Noise only", BOOL, AT(tls)},
    {"plaintext", "has no effect: connections are secured by Noise only", BOOL, AT(plaintext)},
    {"muxer", "yamux; there is no other", TEXT, AT(muxer)},
    {"echo", "answer on /echo/1.0.0 (true)", BOOL, AT(echo)},
    {"forceReachabilityPublic", "others can reach us: -dht serves", BOOL, AT(public)},
    {"forceReachabilityPrivate", "others cannot reach us, whatever they say", BOOL, AT(private)},
    {"help", "print this", BOOL, AT(help)},
    {"h", "print this", BOOL, AT(help)},
#undef AT
};

static char problem[512];

static bool complain(const char *flag, const char *value, const char *what) {
    snprintf(problem, sizeof problem, "-%s%s%s: %s", flag, *value ? " " : "", value, what);
    return false;
}

/* "1h2m3.5s", "500ms" */
static bool read_duration(const char *text, int64_t *ret_ms) {
    static const struct { const char *name; double ms; } units[] = {{"ms", 1}, {"h", 3600000}, {"m", 60000}, {"s", 1000}};
    double total = 0;
    if (!*text) return false;
    while (*text) {
        char *end;
        double value = strtod(text, &end);
        size_t u = 0;
        while (u < 4 && strncmp(end, units[u].name, strlen(units[u].name)) != 0) u++;
        if (end == text || value < 0 || value > 1e9 || u == 4) return false;
        total += value * units[u].ms;
        text = end + strlen(units[u].name);
    }
    if (total > 1e12) return false;
    *ret_ms = (int64_t)total;
    return true;
}

static bool read_list(const struct flag *f, const char *text, hf_p2pd_list *ret) {
    free(ret->text);
    ret->text = strdup(text);
    char *rest = ret->text, *item;
    if (!rest) return complain(f->name, text, "out of memory");
    ret->n = 0;
    while ((item = strsep(&rest, ","))) {
        if (!*item) continue;
        if (ret->n == HF_P2PD_LIST_MAX) return complain(f->name, text, "more than 32 of them");
        ret->items[ret->n++] = item;
    }
    return true;
}

static bool read_bool(const char *text, bool *ret) {
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"}, *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    for (size_t i = 0; i < 6; i++) {
        if (!strcmp(text, yes[i])) return *ret = true, true;
        if (!strcmp(text, no[i])) return *ret = false, true;
    }
    return false;
}

static bool apply(hf_p2pd_flags *o, const struct flag *f, const char *value) {
    void *at = (char *)o + f->offset;
    char *end;
    switch (f->kind) {
    case BOOL: return read_bool(value, at) || complain(f->name, value, "expected true or false");
    case TEXT: *(const char **)at = value; return true;
    case LIST: return read_list(f, value, at);
    case DURATION: return read_duration(value, at) || complain(f->name, value, "expected a duration such as 1s or 500ms");
    case NUMBER:
        *(int64_t *)at = strtoll(value, &end, 10);
        return (*value && !*end && *(int64_t *)at >= 0) || complain(f->name, value, "expected a number");
    }
    return false;
}

static const struct flag *find(const char *word, size_t len) {
    for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++)
        if (strlen(FLAGS[i].name) == len && !strncmp(FLAGS[i].name, word, len)) return &FLAGS[i];
    return NULL;
}

/* What would leave a program with less than it asked for. */
static bool check(const hf_p2pd_flags *o) {
    if (strcmp(o->router, "gossipsub") != 0 && strcmp(o->router, "floodsub") != 0) return complain("pubsubRouter", o->router, "expected gossipsub or floodsub");
    if (strcmp(o->muxer, "yamux") != 0) return complain("muxer", o->muxer, "only yamux is there");
    if (!o->noise) return complain("noise", "false", "there is no other way to secure a connection");
    if (o->public && o->private) return complain("forceReachabilityPublic", "", "not together with -forceReachabilityPrivate");
    if (o->pubsub && !(o->pubsub_sign && o->pubsub_strict)) return complain("pubsubSign", "", "messages are always signed, and signatures checked");
    return true;
}

bool hf_p2pd_flags_read(hf_p2pd_flags *o, int argc, char **argv, const char **ret_problem) {
    *ret_problem = problem;
    *o = (hf_p2pd_flags){.listen = "/unix/tmp/p2pd.sock", .router = "gossipsub", .muxer = "yamux", .echo = true, .pubsub_sign = true,
                         .pubsub_strict = true, .relay = true, .noise = true, .conn_lo = 256, .conn_hi = 512, .conn_grace_ms = 120000};
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (word[0] != '-' || !word[1]) return complain(word, "", "not a flag");
        word += word[1] == '-' ? 2 : 1;
        const char *equals = strchr(word, '=');
        const struct flag *f = find(word, equals ? (size_t)(equals - word) : strlen(word));
        if (!f) return complain(word, "", "no such flag; see holdfast p2pd -help");
        const char *value = equals ? equals + 1 : f->kind == BOOL ? "true" : ++i < argc ? argv[i] : NULL;
        if (!value) return complain(word, "", "needs a value");
        if (!apply(o, f, value)) return false;
    }
    return o->help || check(o);
}

void hf_p2pd_flags_help(void) {
    puts("holdfast p2pd [FLAG]...\n\nA libp2p peer that other programs drive over a local socket, as go-libp2p-daemon. Flags, as -name=value:\n");
    for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++) printf("  -%-31s %s\n", FLAGS[i].name, FLAGS[i].help);
}
