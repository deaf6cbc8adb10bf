/* node_once: one verb of the command line, answered from a data folder by a node without network. */
#include "ask.h"
#include "control.h"
#include "node_private.h"
#include "say.h"
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { READ_LEN = 65536 };

/* The file that a verb takes. */
static void read_file(hf_ask *ask, int fd) {
    uint8_t *room = ask->in.len < HF_ASK_IN_MAX ? hf_buf_extend(&ask->in, READ_LEN) : NULL;
    if (!room) return;
    ssize_t n = read(fd, room, READ_LEN);
    ask->in.len -= READ_LEN - (size_t)(n > 0 ? n : 0);
    ask->in_over = n == 0;
    if (n < 0 && errno != EINTR) hf_ask_fail(ask, 1, "the file cannot be read: %s", strerror(errno));
}

static void say(hf_ask *ask, FILE *out) {
    if (ask->out.len && fwrite(ask->out.ptr, 1, ask->out.len, out) != ask->out.len) hf_ask_fail(ask, 1, "cannot be written: %s", strerror(errno));
    hf_buf_clear(&ask->out);
}

static int answer_one(hf_node *node, bool json, size_t n_words, const char *const *words, const hf_ask_files *files) {
    hf_ask *ask = hf_ask_new(node, json, n_words, words);
    if (!ask) return hf_node_fail("cannot ask", "no memory"), 1;
    if (!hf_verb_run(ask)) hf_ask_fail(ask, 2, "no verb '%s'", words[0]);
    hf_node_pump(node);
    while (!hf_ask_turn(ask) && !node->failed) {
        say(ask, files->out);
        if (ask->wants_in && !ask->in_over) read_file(ask, files->in);
        hf_node_pump(node);
        uv_run(node->loop, ask->hurry || (ask->wants_in && !ask->in_over) ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    }
    say(ask, files->out);
    int status = node->failed ? 1 : ask->status;
    if (ask->problem.len) fprintf(stderr, "holdfast: %.*s\n", (int)ask->problem.len, (const char *)ask->problem.ptr);
    hf_ask_free(ask);
    return status;
}

int hf_node_run_once(const char *dir, bool json, size_t n_words, const char *const *words, const hf_ask_files *files) {
    uv_loop_t loop;
    hf_node node;
    hf_options options = {.dir = dir, .name = "holdfast", .p2p_host = "127.0.0.1", .p2p_port = -1, .webrtc_port = -1, .assets = "", .log_level = HF_LEVEL_WARN};
    if (access(dir, F_OK)) return fprintf(stderr, "holdfast: %s: no node has run here; `holdfast serve --dir` makes it\n", dir), 1;
    hf_say_setup(options.log_level, false);
    hf_node_prepare(&node, &options, &loop);
    int status = hf_node_open_inside(&node) && hf_node_load(&node) ? answer_one(&node, json, n_words, words, files) : 1;
    hf_node_close(&node);
    return status;
}
