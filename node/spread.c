/* spread: see spread.h. Each piece of work gives out as many tickets as there are threads. Who wakes takes one and helps; the asker helps too, and when
 * nothing is left to begin it takes back the tickets that nobody took: so it waits only for those who work, never for one who has not woken yet. */
#include "spread.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS_MAX = 3, AT_ONCE = 2 };

struct hf_threads {
    hf_spread face;
    uv_thread_t threads[THREADS_MAX];
    unsigned n_threads;
    uv_sem_t wake, done;
    atomic_bool over;
    atomic_uint tickets;
    /* the work at hand */
    size_t n;
    atomic_size_t next;
    void (*each)(void *arg, size_t i);
    void *arg;
};

static void help(hf_threads *t) {
    for (size_t i; (i = atomic_fetch_add(&t->next, AT_ONCE)) < t->n;)
        for (size_t k = i; k < i + AT_ONCE && k < t->n; k++) t->each(t->arg, k);
}

static bool take_ticket(hf_threads *t) {
    unsigned n = atomic_load(&t->tickets);
    while (n && !atomic_compare_exchange_weak(&t->tickets, &n, n - 1)) {}
    return n > 0;
}

static void work(void *arg) {
    hf_threads *t = arg;
    for (;;) {
        uv_sem_wait(&t->wake);
        if (atomic_load(&t->over)) return;
        if (!take_ticket(t)) continue;
        help(t);
        uv_sem_post(&t->done);
    }
}

static void run(void *ctx, size_t n, void (*each)(void *arg, size_t i), void *arg) {
    hf_threads *t = ctx;
    unsigned n_tickets = n / AT_ONCE < t->n_threads ? (unsigned)(n / AT_ONCE) : t->n_threads;
    t->n = n;
    t->each = each;
    t->arg = arg;
    atomic_store(&t->next, 0);
    atomic_store(&t->tickets, n_tickets);
    for (unsigned i = 0; i < n_tickets; i++) uv_sem_post(&t->wake);
    help(t);
    unsigned n_left = atomic_exchange(&t->tickets, 0);
    for (unsigned i = n_left; i < n_tickets; i++) uv_sem_wait(&t->done);
}

hf_threads *hf_threads_open(void) {
    unsigned n = uv_available_parallelism();
    hf_threads *t = n > 1 ? calloc(1, sizeof *t) : NULL;
    if (!t) return NULL;
    t->face = (hf_spread){run, t};
    if (uv_sem_init(&t->wake, 0) || uv_sem_init(&t->done, 0)) abort();
    while (t->n_threads < n - 1 && t->n_threads < THREADS_MAX && !uv_thread_create(&t->threads[t->n_threads], work, t)) t->n_threads++;
    return t;
}

void hf_threads_close(hf_threads *t) {
    if (!t) return;
    atomic_store(&t->over, true);
    for (unsigned i = 0; i < t->n_threads; i++) uv_sem_post(&t->wake);
    for (unsigned i = 0; i < t->n_threads; i++) uv_thread_join(&t->threads[i]);
    uv_sem_destroy(&t->wake);
    uv_sem_destroy(&t->done);
    free(t);
}

/* ---- libuv's own ---- */

static void end_politely(int number) {
    static const char TEXT[] = "holdfast: no memory for threads\n";
    (void)number;
    (void)!write(STDERR_FILENO, TEXT, sizeof TEXT - 1);
    _exit(1);
}

static void nothing(uv_work_t *work) { (void)work; }

void hf_threads_make_pool(uv_loop_t *loop) {
    uv_work_t work;
    void (*before)(int) = signal(SIGABRT, end_politely);
    if (!uv_queue_work(loop, &work, nothing, NULL)) uv_run(loop, UV_RUN_DEFAULT);
    signal(SIGABRT, before);
}

const hf_spread *hf_threads_spread(const hf_threads *t) { return t ? &t->face : NULL; }
