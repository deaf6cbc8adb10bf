/* sim: the simulator itself: it repeats, its checks can fail, and it makes failures small. */
#include "sim.h"

#include "../tests/kit/check.h"

#include <string.h>

static hf_sim_result result, other; /* too big for a stack */
static unsigned n_told;

static hf_sim_config small(uint64_t seed, uint32_t harms) {
    return (hf_sim_config){.seed = seed, .n_peers = 8, .minutes = 1, .harms = harms, .n_writes = 40, .degree = 4, .hops = true};
}

HF_TEST(sim_repeats_a_run_bit_for_bit) {
    hf_sim_config config = small(5, HF_HARM_ALL);
    hf_sim_run(&config, &result, NULL);
    CHECK_MSG(result.ok, "%s: %s", result.property, result.detail);
    CHECK(result.n_acked > 10 && result.n_entries > 10 && result.n_harms[HF_HARM_HOSTILE] > 0);
    hf_sim_run(&config, &other, NULL);
    CHECK(!memcmp(result.digest, other.digest, sizeof result.digest) && result.n_events == other.n_events && result.n_bytes == other.n_bytes);
    config.seed = 6;
    hf_sim_run(&config, &other, NULL);
    CHECK(memcmp(result.digest, other.digest, sizeof result.digest) != 0);
}

HF_TEST(sim_without_faults_spreads_everything) {
    hf_sim_config config = small(1, 0);
    hf_buf picture;
    hf_buf_init(&picture, hf_test_mem());
    hf_sim_run(&config, &result, &picture);
    CHECK_MSG(result.ok, "%s: %s", result.property, result.detail);
    for (int i = 0; i < HF_HARMS; i++) CHECK_U64(result.n_harms[i], 0);
    CHECK(result.spread_ms[0] > 0 && result.spread_ms[0] <= result.spread_ms[2] && result.spread_ms[2] < 5000);
    CHECK(hf_starts(hf_buf_bytes(&picture), HF_TEXT("<svg")));
    hf_buf_deinit(&picture);
}

static void tell(const hf_sim_config *config) { n_told += config->n_peers > 0; }

/* The checks can fail: a disk that says it synced, and did not, loses what was acknowledged. */
HF_TEST(sim_finds_a_disk_that_lies) {
    hf_sim_config config = small(0, 1u << HF_HARM_LIE | 1u << HF_HARM_CRASH | 1u << HF_HARM_SLEEP);
    do {
        config.seed++;
        hf_sim_run(&config, &result, NULL);
    } while (result.ok && config.seed < 8);
    CHECK(!result.ok);
    CHECK(!strcmp(result.property, "what was acknowledged is there after a start") || !strcmp(result.property, "no acknowledged write is lost"));

    char property[HF_SIM_PROPERTY_LEN];
    memcpy(property, result.property, sizeof property);
    hf_sim_config smaller = config;
    n_told = 0;
    hf_sim_shrink(&smaller, property, 12, tell);
    CHECK(n_told > 0 && (smaller.n_peers < config.n_peers || smaller.n_writes < config.n_writes || smaller.harms != config.harms));
    CHECK(smaller.harms >> HF_HARM_LIE & 1);
    hf_sim_run(&smaller, &other, NULL);
    CHECK(!other.ok && !strcmp(other.property, property));
}
