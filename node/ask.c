/* ask: see ask.h. */
#include "control.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

hf_ask *hf_ask_new(hf_node *node, bool json, size_t n_words, const char *const *words) {
    hf_ask *ask = hf_alloc(&node->mem, sizeof *ask);
    if (!ask) return NULL;
    *ask = (hf_ask){.node = node, .words = words, .n_words = n_words, .json = json, .deadline_ms = UINT64_MAX};
    hf_arena_init(&ask->arena, &node->mem);
    hf_buf_init(&ask->out, &node->mem);
    hf_buf_init(&ask->problem, &node->mem);
    hf_buf_init(&ask->in, &node->mem);
    ask->is_said = true;
    return ask;
}

void hf_ask_free(hf_ask *ask) {
    if (!ask) return;
    if (ask->drop) ask->drop(ask);
    hf_buf_deinit(&ask->out);
    hf_buf_deinit(&ask->problem);
    hf_buf_deinit(&ask->in);
    hf_arena_deinit(&ask->arena);
    hf_release(&ask->node->mem, ask, sizeof *ask);
}

void hf_ask_fail(hf_ask *ask, int status, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ask->status = status;
    ask->step = NULL;
    hf_buf_add_str(&ask->problem, text);
}

static void wait_for_store(hf_ask *ask) {
    if (hf_core_seq_stored(ask->node->core) >= ask->seq) ask->step = NULL;
    else if (ask->node->refuses) hf_ask_fail(ask, 1, "the store cannot write: see the node's log");
}

void hf_ask_end_stored(hf_ask *ask, uint64_t seq) {
    ask->seq = seq;
    ask->step = wait_for_store;
    ask->deadline_ms = UINT64_MAX;
    wait_for_store(ask);
}

void hf_ask_wait(hf_ask *ask, void (*step)(hf_ask *), uint64_t ms) {
    ask->step = step;
    ask->deadline_ms = ms == UINT64_MAX ? ms : hf_node_now(ask->node) + ms;
}

bool hf_ask_turn(hf_ask *ask) {
    ask->hurry = false;
    if (ask->step && hf_node_now(ask->node) >= ask->deadline_ms) hf_ask_fail(ask, 1, "no answer in time");
    if (ask->step) ask->step(ask);
    if (ask->in.err) hf_ask_fail(ask, 1, "out of memory");
    if (ask->out.err) { /* whoever hands it over clears it: a piece would be missing */
        hf_buf_clear(&ask->out);
        hf_ask_fail(ask, 1, "out of memory");
    }
    return !ask->step;
}
