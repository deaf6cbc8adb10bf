/* gossip_node: gossip over real connections, for tests against other libp2p programs. What every such program does stands in shell.h. Reads:
 *
 *      gossip_node SEED_BYTE [OPTION...]    plain: messages need no verdict; px: names peers; quiet: no flood publishing; specid: ids by the
 *                                           specification; d=N: a mesh of that many
 *      subscribe TOPIC, unsubscribe TOPIC
 *      publish TOPIC TEXT                   TEXT may be "LENGTH:TEXT": filled up with dots to that length
 *      mesh TOPIC                           prints "mesh N of SUBSCRIBERS"
 *      mute TOPIC, unmute TOPIC             our verdict: messages are ignored, so they go no further
 *      score PEER_ID
 *      stats
 * and prints "message TOPIC FROM TEXT" (long TEXTs as LENGTH:TEXT), "subscribed PEER_ID TOPIC", "unsubscribed …", "px PEER_ID ADDRESSES",
 * "abuse PEER_ID WHY".
 */
#include "../../core/p2p/gossip.h"
#include "shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAG = 10, TEXT_SHOWN = 100 };
static hf_gossip *gossip;
static uint8_t seed[32];
static hf_gossip_config config;
static bool plain, muted;

static void add_text(hf_buf *line, hf_bytes data) {
    while (data.len && data.ptr[data.len - 1] == '.') data.len--;
    hf_buf_add(line, hf_sub(data, 0, TEXT_SHOWN));
}

static void on_message(const hf_gossip_out *o) {
    hf_buf line;
    hf_buf_init(&line, &shell_mem);
    hf_buf_add(&line, o->topic);
    hf_buf_add_byte(&line, ' ');
    hf_peer_id_add_text(&line, &o->from);
    hf_buf_add_byte(&line, ' ');
    if (o->data.len > TEXT_SHOWN) {
        hf_buf_add_u64(&line, o->data.len);
        hf_buf_add_byte(&line, ':');
    }
    add_text(&line, o->data);
    printf("message %.*s\n", (int)line.len, (const char *)line.ptr);
    hf_buf_deinit(&line);
    hf_gossip_id id = {.len = (uint8_t)o->id.len};
    memcpy(id.bytes, o->id.ptr, o->id.len);
    if (o->needs_verdict)
        hf_gossip_validated(gossip, shell_now(), HF_BYTES(id.bytes, id.len), muted ? HF_GOSSIP_IGNORE : HF_GOSSIP_ACCEPT);
}

static void on_px(const hf_gossip_out *o) {
    char count[32];
    hf_arena arena;
    hf_peer_record record = {.n_addresses = 0};
    hf_arena_init(&arena, &shell_mem);
    if (o->record.len && hf_peer_record_open(&arena, o->record, &record)) abort(); /* it was verified */
    snprintf(count, sizeof count, "%zu", record.n_addresses);
    shell_print_peer("px", &o->other, count);
    hf_arena_deinit(&arena);
}

static void print_topic(const char *what, const hf_gossip_out *o) {
    char topic[HF_GOSSIP_TOPIC_MAX + 1];
    snprintf(topic, sizeof topic, "%.*s", (int)o->topic.len, (const char *)o->topic.ptr);
    shell_print_peer(what, &o->peer, topic);
}

static bool drain(void) {
    bool any = false;
    for (hf_gossip_out o; hf_gossip_next(gossip, &o); any = true) switch (o.kind) {
        case HF_GOSSIP_MESSAGE: on_message(&o); break;
        case HF_GOSSIP_SUBSCRIBED: print_topic("subscribed", &o); break;
        case HF_GOSSIP_UNSUBSCRIBED: print_topic("unsubscribed", &o); break;
        case HF_GOSSIP_PEER: on_px(&o); break;
        default: shell_print_peer("abuse", &o.peer, o.reason);
        }
    return any;
}

static void publish(const char *topic, const char *text) {
    static uint8_t data[1 << 20];
    size_t len = strlen(text), n_peers = 0;
    const char *colon = strchr(text, ':');
    size_t padded = colon ? strtoul(text, NULL, 10) : 0;
    if (padded && padded <= sizeof data) {
        memset(data, '.', padded);
        memcpy(data, colon + 1, strlen(colon + 1));
        len = padded;
    } else memcpy(data, text, len);
    hf_err err = hf_gossip_publish(gossip, shell_now(), hf_str(topic), HF_BYTES(data, len), NULL, &n_peers);
    printf("published %s to %zu\n", hf_err_name(err), n_peers);
}

static void print_stats(void) {
    hf_gossip_stats s;
    hf_gossip_stats_of(gossip, &s);
    printf("stats delivered %llu forwarded %llu duplicates %llu invalid %llu dropped %llu iwant %llu served %llu\n",
           (unsigned long long)s.n_delivered, (unsigned long long)s.n_forwarded, (unsigned long long)s.n_duplicates,
           (unsigned long long)s.n_invalid, (unsigned long long)s.n_dropped, (unsigned long long)s.n_iwant_sent,
           (unsigned long long)s.n_iwant_served);
}

static void topic_command(const char *what, const char *topic) {
    hf_gossip_subscription options = {.auto_accept = plain};
    if (strcmp(what, "subscribe") == 0) (void)!hf_gossip_subscribe(gossip, shell_now(), hf_str(topic), &options);
    else if (strcmp(what, "unsubscribe") == 0) hf_gossip_unsubscribe(gossip, shell_now(), hf_str(topic));
    else if (strcmp(what, "mute") == 0) muted = true;
    else if (strcmp(what, "unmute") == 0) muted = false;
    else if (strcmp(what, "mesh") == 0)
        printf("mesh %zu of %zu\n", hf_gossip_n_mesh(gossip, hf_str(topic)), hf_gossip_n_subscribers(gossip, hf_str(topic)));
    else printf("what? %s\n", what);
}

static bool command(const char *line) {
    char what[32] = "", name[HF_GOSSIP_TOPIC_MAX + 1] = "", text[512] = "";
    hf_peer_id peer;
    int n = sscanf(line, "%31s %256s %511s", what, name, text);
    if (strcmp(what, "stats") == 0) print_stats();
    else if (n == 3 && strcmp(what, "publish") == 0) publish(name, text);
    else if (n == 2 && strcmp(what, "score") == 0 && !hf_peer_id_parse(hf_str(name), &peer))
        printf("score %f\n", hf_gossip_score(gossip, &peer));
    else if (n == 2) topic_command(what, name);
    else return false;
    return true;
}

static bool start(void) {
    config.ed25519_seed = seed;
    config.random = shell_random;
    gossip = hf_gossip_new(&shell_mem, shell_swarm, TAG, &config);
    return gossip != NULL;
}

static void event(const hf_swarm_out *o) { hf_gossip_event(gossip, shell_now(), o); }
static uint64_t deadline(void) { return hf_gossip_deadline(gossip); }
static void tick(void) { hf_gossip_tick(gossip, shell_now()); }
static void stop(void) { hf_gossip_free(gossip); }

static void take_option(const char *option) {
    plain |= strcmp(option, "plain") == 0;
    config.px |= strcmp(option, "px") == 0;
    config.ids_by_specification |= strcmp(option, "specid") == 0;
    config.no_flood_publish |= strcmp(option, "quiet") == 0;
    if (strncmp(option, "d=", 2) == 0) {
        config.d = config.d_hi = (uint32_t)strtoul(option + 2, NULL, 10);
        config.d_lo = config.d_out = config.d_score = UINT32_MAX;
        if (!config.d) config.d = config.d_hi = UINT32_MAX;
    }
}

int main(int argc, char **argv) {
    seed[0] = argc > 1 ? (uint8_t)strtoul(argv[1], NULL, 10) : 1;
    for (int i = 2; i < argc; i++) take_option(argv[i]);
    hf_swarm_config swarm = {.ed25519_seed = seed, .agent = HF_TEXT("holdfast/gossip-node")};
    return shell_run(&swarm, &(shell_program){.start = start, .event = event, .command = command, .drain = drain, .deadline = deadline, .tick = tick, .stop = stop});
}
