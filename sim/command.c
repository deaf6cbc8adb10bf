/* command: the verb `sim`. The real clock is read here only, to say how fast it went. */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SHRINK_TRIES = 60 };

typedef struct options {
    hf_sim_config config;
    const char *svg;
    bool json, shrink, writes_given, peers_given;
} options;

static const char HELP[] =
    "holdfast sim [FLAG]...   a network of real peers under virtual time, with faults\n"
    "  --seed N         [1] same seed, same run, bit for bit\n"
    "  --peers N        [20]\n"
    "  --minutes M      [2] of virtual time with writes and faults; then the network has two more to become equal\n"
    "  --faults LIST    [all] none, all, or of: delay cut partition nat crash torn slow-disk full-disk evict sleep clock memory hostile twice lie\n"
    "  --writes N       [60 a minute]\n"
    "  --degree N       [5] connections a peer, about\n"
    "  --churn PERCENT  [0] of the peers leave or crash, and come back, each minute\n"
    "  --scene NAME     bare libp2p peers instead: kad, gossip, relay, eclipse, censor, lies, takeover\n"
    "  --wave           one node, all others browsers; it dies after a third of the time and comes back after two\n"
    "  --svg FILE       a picture of the network and of how it converged\n"
    "  --json           figures as JSON\n"
    "  --shrink         when it fails: look for a smaller run that fails in the same way\n"
    "Exit status: 0 all held, 1 something did not, 2 wrong usage.\n";

static bool read_harms(const char *text, uint32_t *ret) {
    *ret = 0;
    if (!strcmp(text, "all")) return *ret = HF_HARM_ALL, true;
    if (!strcmp(text, "none")) return true;
    while (*text) {
        size_t len = strcspn(text, ",");
        unsigned i = 0;
        while (i < HF_HARMS && !(strlen(hf_harm_name((hf_harm)i)) == len && !strncmp(hf_harm_name((hf_harm)i), text, len))) i++;
        if (i == HF_HARMS) return false;
        *ret |= 1u << i;
        text += len + (text[len] == ',');
    }
    return true;
}

static bool read_scene(const char *text, hf_scene *ret) {
    unsigned i = 1;
    while (i < HF_SCENES && strcmp(text, hf_scene_name((hf_scene)i)) != 0) i++;
    *ret = (hf_scene)i;
    return i < HF_SCENES;
}

static bool read_number(const char *text, uint64_t least, uint64_t most, uint64_t *ret) {
    return hf_parse_u64(hf_str(text), ret) == HF_OK && *ret >= least && *ret <= most;
}

static bool read_value(options *o, const char *flag, const char *value) {
    static const struct { const char *name; uint64_t least, most; size_t at; } numbers[] = {
        {"--peers", 2, 100000, offsetof(hf_sim_config, n_peers)},   {"--minutes", 1, 10000, offsetof(hf_sim_config, minutes)},
        {"--churn", 0, 1000, offsetof(hf_sim_config, churn)},
        {"--writes", 1, 1000000, offsetof(hf_sim_config, n_writes)}, {"--degree", 1, 50, offsetof(hf_sim_config, degree)},
    };
    uint64_t n;
    if (!strcmp(flag, "--svg")) return o->svg = value, true;
    if (!strcmp(flag, "--scene")) return read_scene(value, &o->config.scene);
    if (!strcmp(flag, "--faults")) return read_harms(value, &o->config.harms);
    if (!strcmp(flag, "--seed")) return read_number(value, 0, UINT64_MAX, &o->config.seed);
    for (size_t i = 0; i < HF_COUNT(numbers); i++) {
        if (strcmp(flag, numbers[i].name) != 0) continue;
        if (!read_number(value, numbers[i].least, numbers[i].most, &n)) return false;
        uint32_t small = (uint32_t)n;
        memcpy((uint8_t *)&o->config + numbers[i].at, &small, sizeof small);
        if (!strcmp(flag, "--writes")) o->writes_given = true;
        if (!strcmp(flag, "--peers")) o->peers_given = true;
        return true;
    }
    return false;
}

static bool read_options(options *o, int argc, char **argv) {
    *o = (options){.config = {.seed = 1, .n_peers = 20, .minutes = 2, .harms = HF_HARM_ALL, .degree = 5, .hops = true}};
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--json")) o->json = true;
        else if (!strcmp(argv[i], "--shrink")) o->shrink = true;
        else if (!strcmp(argv[i], "--wave")) o->config.wave = true;
        else if (i + 1 == argc || !read_value(o, argv[i], argv[i + 1])) return fprintf(stderr, "holdfast: sim: what is %s?\n", argv[i]), false;
        else i++;
    }
    if (o->config.scene) {
        o->config.harms = 0;
        o->config.loss = o->config.scene == HF_SCENE_GOSSIP ? 100 : 0;
        if (!o->peers_given) o->config.n_peers = hf_scene_peers(o->config.scene);
    }
    if (!o->writes_given) o->config.n_writes = 60 * o->config.minutes;
    return true;
}

static double seconds(void) {
    struct timespec t;
    return timespec_get(&t, TIME_UTC) ? (double)t.tv_sec + (double)t.tv_nsec / 1e9 : 0;
}

static void *plain_resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len == 0) return free(ptr), NULL;
    return realloc(ptr, new_len);
}

static void tell(const hf_sim_config *config) {
    hf_mem mem = {plain_resize, NULL};
    hf_buf buf;
    hf_buf_init(&buf, &mem);
    hf_report_command(&buf, config);
    printf("  still fails: %.*s\n", (int)buf.len, (const char *)buf.ptr);
    fflush(stdout);
    hf_buf_deinit(&buf);
}

static bool write_picture(const char *path, const hf_buf *picture) {
    FILE *file = fopen(path, "wb");
    bool ok = file && fwrite(picture->ptr, 1, picture->len, file) == picture->len;
    if (file && fclose(file)) ok = false;
    if (!ok) perror(path);
    return ok;
}

static int print(options *o, hf_mem *mem, const hf_sim_result *result, double real_s) {
    hf_buf text;
    hf_buf_init(&text, mem);
    if (o->json) hf_report_json(&text, &o->config, result, real_s);
    else hf_report_text(&text, &o->config, result, real_s);
    fwrite(text.ptr, 1, text.len, stdout);
    if (!result->ok && o->shrink) hf_sim_shrink(&o->config, result->property, SHRINK_TRIES, tell);
    if (!result->ok) {
        hf_buf_clear(&text);
        hf_report_command(&text, &o->config);
        fprintf(o->json ? stderr : stdout, "%.*s\n", (int)text.len, (const char *)text.ptr);
    }
    hf_buf_deinit(&text);
    return result->ok ? 0 : 1;
}

int hf_sim_command(int argc, char **argv) {
    static hf_sim_result result;
    options o;
    if (argc == 1 && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))) return fputs(HELP, stdout), 0;
    if (!read_options(&o, argc, argv)) return 2;
    hf_mem mem = {plain_resize, NULL};
    hf_buf picture;
    hf_buf_init(&picture, &mem);
    double from = seconds();
    hf_sim_run(&o.config, &result, o.svg ? &picture : NULL);
    int status = print(&o, &mem, &result, seconds() - from);
    if (o.svg && !write_picture(o.svg, &picture)) status = 1;
    hf_buf_deinit(&picture);
    return status;
}
