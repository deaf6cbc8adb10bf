/* kad_node: the DHT on real sockets, for tests against other libp2p programs. Besides the shell's lines (shell.h):
 *
 *      kad_node SEED_BYTE PROTOCOL server|client K
 *
 *      listen PORT                        tells others that we are at 127.0.0.1:PORT
 *      find_peer PEER_ID                  each of these prints "op N"
 *      closest HEX
 *      provide HEX, unprovide HEX         a multihash
 *      providers HEX COUNT
 *      put KEY VALUE, get KEY QUORUM      text
 *      table, stored                      print their sizes
 *
 *      peer N PEER_ID ADDRESSES, provider N PEER_ID ADDRESSES, value N TEXT, done N ERROR COUNT ASKED HOPS
 *
 * "/test/…" holds any text that does not begin with '!'; the bytewise greater is better.
 */
#include "../../core/codec/multiaddr.h"
#include "../../core/p2p/kad.h"
#include "shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TAG_KAD = 9 };

static hf_kad *kad;
/* A machine under load is slow, not gone. */
static hf_kad_config config = {.network = HF_KAD_LAN, .random = shell_random, .request_ms = 30000, .lookup_ms = 120000};

static hf_err validate(void *ctx, uint64_t unix_ms, hf_bytes key, hf_bytes value) {
    (void)ctx, (void)key;
    return value.len && value.ptr[0] != '!' && unix_ms > 1700000000000 ? HF_OK : HF_DENIED;
}

static bool better(void *ctx, hf_bytes key, hf_bytes a, hf_bytes b) {
    (void)ctx, (void)key;
    return hf_cmp(a, b) > 0;
}

static const hf_kad_validator rules[] = {{"test", validate, better, NULL}};

static bool start(void) {
    config.validators = rules;
    config.n_validators = HF_COUNT(rules);
    kad = hf_kad_new(&shell_mem, shell_swarm, TAG_KAD, &config);
    if (kad) hf_kad_clock(kad, shell_now(), (uint64_t)time(NULL) * 1000);
    return kad != NULL;
}

static void event(const hf_swarm_out *o) {
    hf_kad_event(kad, shell_now(), o);
}

/* ---- what comes out ---- */

/* One word. */
static const char *name_of(hf_err err) {
    return err == HF_OK ? "OK" : err == HF_NOT_FOUND ? "NOT_FOUND" : err == HF_DENIED ? "DENIED" : hf_err_name(err);
}

/* /ip4/127.0.0.1/tcp/PORT only. */
static void dial(const hf_kad_out *o) {
    for (size_t i = 0; i < o->n_addresses; i++) {
        hf_multiaddr a;
        if (hf_multiaddr_read(o->addresses[i], &a, NULL) || a.n < 2 || a.parts[0].code != HF_MA_IP4 ||
            a.parts[1].code != HF_MA_TCP)
            continue;
        if (a.n > 2 && a.parts[2].code != HF_MA_P2P) continue;
        const uint8_t *port = a.parts[1].value.ptr;
        if (shell_dial((uint16_t)(port[0] << 8 | port[1]), &o->peer)) return;
    }
    hf_kad_dial_failed(kad, shell_now(), &o->peer);
}

static void print_found(const hf_kad_out *o) {
    char what[64], n[16];
    snprintf(what, sizeof what, "%s %llu", o->kind == HF_KAD_PEER ? "peer" : "provider", (unsigned long long)o->op);
    snprintf(n, sizeof n, "%zu", o->n_addresses);
    shell_print_peer(what, &o->peer, n);
}

static void on_out(const hf_kad_out *o) {
    unsigned long long op = o->op;
    switch (o->kind) {
    case HF_KAD_DIAL:
        return dial(o);
    case HF_KAD_PEER:
    case HF_KAD_PROVIDER:
        return print_found(o);
    case HF_KAD_VALUE:
        printf("value %llu %.*s\n", op, (int)o->value.len, (const char *)o->value.ptr);
        return;
    case HF_KAD_DONE:
        printf("done %llu %s %zu %zu %zu\n", op, name_of(o->err), o->n, o->n_asked, o->n_hops);
        return;
    default:
        return;
    }
}

static bool drain(void) {
    hf_kad_out out;
    bool any = false;
    while (hf_kad_next(kad, &out)) {
        on_out(&out);
        any = true;
    }
    return any;
}

/* ---- commands ---- */

static hf_bytes unhex(const char *text) {
    static uint8_t bytes[512];
    size_t n = strlen(text) / 2;
    for (size_t i = 0; i < n && i < sizeof bytes; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], 0};
        bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return HF_BYTES(bytes, n);
}

static void listen_at(unsigned port) {
    uint8_t bytes[8] = {4, 127, 0, 0, 1, 6, (uint8_t)(port >> 8), (uint8_t)port};
    hf_bytes address = HF_BYTES(bytes, sizeof bytes);
    if (hf_swarm_addresses(shell_swarm, &address, 1)) abort();
}

static bool started(hf_err err, uint64_t op) {
    if (err)
        printf("refused %s\n", name_of(err));
    else
        printf("op %llu\n", (unsigned long long)op);
    return true;
}

static bool command(const char *line) {
    static char a[1024], b[32768];
    uint64_t op = 0, now = shell_now();
    unsigned n = 0;
    hf_peer_id id;
    if (sscanf(line, "listen %u", &n) == 1) return listen_at(n), true;
    if (sscanf(line, "find_peer %1023s", a) == 1 && !hf_peer_id_parse(hf_str(a), &id))
        return started(hf_kad_find_peer(kad, now, &id, &op), op);
    if (sscanf(line, "closest %1023s", a) == 1) return started(hf_kad_closest_peers(kad, now, unhex(a), &op), op);
    if (sscanf(line, "unprovide %1023s", a) == 1) return hf_kad_unprovide(kad, unhex(a)), true;
    if (sscanf(line, "providers %1023s %u", a, &n) == 2)
        return started(hf_kad_find_providers(kad, now, unhex(a), n, &op), op);
    if (sscanf(line, "provide %1023s", a) == 1) return started(hf_kad_provide(kad, now, unhex(a), &op), op);
    if (sscanf(line, "put %1023s %32767s", a, b) == 2)
        return started(hf_kad_put_value(kad, now, hf_str(a), hf_str(b), &op), op);
    if (sscanf(line, "get %1023s %u", a, &n) == 2) return started(hf_kad_get_value(kad, now, hf_str(a), n, &op), op);
    if (strcmp(line, "table") == 0) return printf("table %zu\n", hf_kad_table_size(kad)), true;
    if (strcmp(line, "stored") == 0)
        return printf("stored %zu %zu\n", hf_kad_n_values(kad), hf_kad_n_providers(kad)), true;
    return false;
}

static uint64_t deadline(void) {
    return hf_kad_deadline(kad);
}
static void tick(void) {
    hf_kad_tick(kad, shell_now());
}
static void stop(void) {
    hf_kad_free(kad);
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    uint8_t seed[32] = {(uint8_t)atoi(argv[1]), 9};
    config.protocol = hf_str(argv[2]);
    config.server = strcmp(argv[3], "server") == 0;
    config.k = (uint32_t)atoi(argv[4]);
    hf_swarm_config swarm = {.ed25519_seed = seed, .agent = HF_TEXT("holdfast/kad-node")};
    return shell_run(&swarm, &(shell_program){.start = start,
                                              .event = event,
                                              .command = command,
                                              .drain = drain,
                                              .deadline = deadline,
                                              .tick = tick,
                                              .stop = stop});
}
