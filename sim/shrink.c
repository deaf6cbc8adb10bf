/* shrink: a failing run made smaller, step by step, as long as the same property fails. */
#include "sim.h"

#include <string.h>

typedef struct shrinking {
    hf_sim_config *config;
    const char *property;
    unsigned tries;
    void (*tell)(const hf_sim_config *config);
    hf_sim_result result;
} shrinking;

/* Keeps the smaller one when it fails in the same way. */
static bool keep(shrinking *s, hf_sim_config smaller) {
    if (!s->tries || smaller.n_peers < 2 || !smaller.minutes || !smaller.n_writes) return false;
    s->tries--;
    hf_sim_run(&smaller, &s->result, NULL);
    if (s->result.ok || strcmp(s->result.property, s->property) != 0) return false;
    *s->config = smaller;
    s->tell(&smaller);
    return true;
}

static bool fewer_harms(shrinking *s) {
    bool any = false;
    for (unsigned i = 0; i < HF_HARMS; i++) {
        hf_sim_config c = *s->config;
        if (!(c.harms >> i & 1)) continue;
        c.harms &= ~(1u << i);
        any |= keep(s, c);
    }
    return any;
}

static bool fewer(shrinking *s, uint32_t *which) {
    size_t at = (size_t)((const uint8_t *)which - (const uint8_t *)s->config);
    bool any = false;
    for (unsigned eighths = 4; eighths < 8; eighths += 3) { /* half of it, then seven eighths */
        for (;;) {
            hf_sim_config c = *s->config;
            uint32_t n;
            memcpy(&n, (const uint8_t *)&c + at, sizeof n);
            uint32_t less = (uint32_t)((uint64_t)n * eighths / 8);
            memcpy((uint8_t *)&c + at, &less, sizeof less);
            if (less == n || !keep(s, c)) break;
            any = true;
        }
    }
    return any;
}

void hf_sim_shrink(hf_sim_config *config, const char *property, unsigned tries, void (*tell)(const hf_sim_config *config)) {
    shrinking s = {.config = config, .property = property, .tries = tries, .tell = tell};
    bool any = true;
    while (any && s.tries) {
        any = fewer(&s, &config->n_peers);
        any |= fewer_harms(&s);
        any |= fewer(&s, &config->minutes);
        any |= fewer(&s, &config->n_writes);
        any |= fewer(&s, &config->degree);
    }
}
