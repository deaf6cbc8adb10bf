/* Every piece of work is done once, however many threads there are and however small it is. */
#include "spread.h"

#include "../tests/kit/check.h"

enum { N_MAX = 300 };

static void add_one(void *arg, size_t i) { ((unsigned *)arg)[i]++; }

HF_TEST(spread_does_each_once) {
    hf_threads *threads = hf_threads_open();
    const hf_spread *spread = hf_threads_spread(threads);
    if (!spread) return; /* one processor */
    for (size_t round = 0; round < 3000; round++) {
        unsigned done[N_MAX] = {0};
        size_t n = round % N_MAX;
        spread->run(spread->ctx, n, add_one, done);
        for (size_t i = 0; i < N_MAX; i++) CHECK_U64(done[i], i < n);
    }
    hf_threads_close(threads);
}
