/* control: see control.h. */
#include "control.h"

#include "say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { ASKERS_MAX = 64, HEAD_LEN = 5, TICK_MS = 250, HURRY_MS = 1 /* at 0 the loop would come to nothing else */, SOCKET_PATH_MAX = sizeof((struct sockaddr_un *)0)->sun_path };

typedef struct asker {
    hf_control *control;
    struct asker *next;
    uv_pipe_t pipe;
    hf_buf in;                          /* the question; its words stay here */
    hf_buf more;                        /* of a file, behind it: a frame that is not whole yet */
    bool paused;
    const char *words[HF_ASK_WORDS_MAX];
    hf_ask *ask;                        /* NULL: not asked yet, or over */
    size_t n_writing;
    bool closing, over;
} asker;

struct hf_control {
    hf_node *node;
    uv_pipe_t listener;
    uv_timer_t tick;                    /* deadlines of asks */
    asker *askers;
    size_t n_askers;
    int n_handles;
    bool closing, one_waits;            /* one_waits: a connection that there was no place for; libuv calls again only when it is taken */
    char read_buffer[65536];
};

typedef struct reply { uv_write_t request; asker *asker; char bytes[]; } reply;

/* ---- the end of an asker ---- */

static void take(hf_control *c);

static void on_asker_closed(uv_handle_t *handle) {
    asker *a = handle->data;
    hf_control *c = a->control;
    asker **at = &a->control->askers;
    while (*at != a) at = &(*at)->next;
    *at = a->next;
    a->control->n_askers--;
    hf_ask_free(a->ask);
    hf_buf_deinit(&a->in);
    hf_buf_deinit(&a->more);
    free(a);
    if (c->one_waits && !c->closing) take(c);
}

static void shut(asker *a) {
    if (a->closing) return;
    a->closing = true;
    uv_close((uv_handle_t *)&a->pipe, on_asker_closed);
}

/* ---- answering ---- */

static void on_written(uv_write_t *request, int status) {
    reply *r = (reply *)request;
    asker *a = r->asker;
    free(r);
    a->n_writing--;
    if (a->closing) return;
    if (status < 0 || (a->over && !a->n_writing)) shut(a);
    else if (!a->n_writing) hf_node_pump(a->control->node); /* it may say more */
}

static void answer(asker *a, char kind, hf_bytes first, hf_bytes second) {
    size_t len = first.len + second.len;
    reply *r = malloc(sizeof *r + HEAD_LEN + len);
    if (!r) return shut(a);
    r->asker = a;
    const char head[HEAD_LEN] = {kind, (char)(len >> 24), (char)(len >> 16), (char)(len >> 8), (char)len};
    memcpy(r->bytes, head, HEAD_LEN);
    if (first.len) memcpy(r->bytes + HEAD_LEN, first.ptr, first.len);
    if (second.len) memcpy(r->bytes + HEAD_LEN + first.len, second.ptr, second.len);
    uv_buf_t buf = uv_buf_init(r->bytes, (unsigned)(HEAD_LEN + len));
    if (uv_write(&r->request, (uv_stream_t *)&a->pipe, &buf, 1, on_written)) {
        free(r);
        return shut(a);
    }
    a->n_writing++;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret);
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);
static void on_tick(uv_timer_t *timer);

/* The rest of a file stays with the asker while enough of it is here. */
static void read_or_pause(asker *a) {
    bool pause = a->ask->in.len >= HF_ASK_IN_MAX;
    if (pause == a->paused) return;
    a->paused = pause;
    if (pause) uv_read_stop((uv_stream_t *)&a->pipe);
    else if (uv_read_start((uv_stream_t *)&a->pipe, on_alloc, on_read)) shut(a);
}

static void go_on(asker *a) {
    if (!a->ask || a->closing || a->over) return;
    a->ask->is_said = !a->n_writing;
    bool over = hf_ask_turn(a->ask);
    if (a->ask->out.len) answer(a, 'o', hf_buf_bytes(&a->ask->out), HF_BYTES(NULL, 0));
    hf_buf_clear(&a->ask->out);
    if (!a->closing) read_or_pause(a);
    if (a->ask->hurry) uv_timer_start(&a->control->tick, on_tick, HURRY_MS, TICK_MS);
    if (!over || a->closing) return;
    a->over = true;
    uint8_t status = (uint8_t)a->ask->status;
    answer(a, 'e', HF_BYTES(&status, 1), hf_buf_bytes(&a->ask->problem));
}

/* ---- asking ---- */

/* The words, cut out of the frame: each must end in a NUL. */
static size_t cut_words(asker *a, char *text, size_t len) {
    size_t n = 0;
    if (!len || text[len - 1]) return 0;
    for (size_t at = 0; at < len; at += strlen(text + at) + 1) {
        if (n == HF_ASK_WORDS_MAX) return 0;
        a->words[n++] = text + at;
    }
    return n;
}

/* Frames of a file. False: it says something else. */
static bool take_file(asker *a) {
    const hf_buf *more = &a->more;
    while (more->len >= HEAD_LEN) {
        const uint8_t *h = more->ptr;
        size_t len = (size_t)h[1] << 24 | (size_t)h[2] << 16 | (size_t)h[3] << 8 | h[4];
        if (h[0] != 'd' || len > HF_ASK_IN_MAX || !a->ask->wants_in || a->ask->in_over) return false;
        if (more->len < HEAD_LEN + len) return true;
        hf_buf_add(&a->ask->in, HF_BYTES(more->ptr + HEAD_LEN, len));
        a->ask->in_over = len == 0;
        hf_buf_consume(&a->more, HEAD_LEN + len);
    }
    return !more->err;
}

static void begin(asker *a, size_t len) {
    size_t n = cut_words(a, (char *)a->in.ptr + HEAD_LEN, len);
    hf_node *node = a->control->node;
    if (n < 2) return shut(a);
    a->ask = hf_ask_new(node, !strcmp(a->words[0], "json"), n - 1, a->words + 1);
    if (!a->ask) return shut(a);
    if (!hf_verb_run(a->ask)) hf_ask_fail(a->ask, 2, "this node knows no verb '%s'", a->words[1]);
    if (a->more.len && a->ask->step && !take_file(a)) return shut(a);
    hf_node_pump(node);
    go_on(a);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret) {
    (void)suggested;
    asker *a = handle->data;
    *ret = uv_buf_init(a->control->read_buffer, sizeof a->control->read_buffer);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    asker *a = stream->data;
    if (a->closing || n == 0) return;
    if (n < 0) return shut(a); /* gone */
    if (a->over) return;       /* of a file, whose rest nobody wants any more */
    hf_buf_add(a->ask ? &a->more : &a->in, HF_BYTES(buf->base, (size_t)n));
    if (a->ask) return take_file(a) ? hf_node_pump(a->control->node) : shut(a);
    if (a->in.err || a->in.len > HF_ASK_BYTES_MAX) return shut(a);
    if (a->in.len < HEAD_LEN) return;
    const uint8_t *h = a->in.ptr;
    size_t len = (size_t)h[1] << 24 | (size_t)h[2] << 16 | (size_t)h[3] << 8 | h[4];
    if (h[0] != 'q' || len > HF_ASK_BYTES_MAX - HEAD_LEN) return shut(a);
    if (a->in.len < HEAD_LEN + len) return;
    hf_buf_add(&a->more, hf_sub(hf_buf_bytes(&a->in), HEAD_LEN + len, a->in.len));
    begin(a, len);
}

static void take(hf_control *c) {
    uv_stream_t *listener = (uv_stream_t *)&c->listener;
    asker *a = c->n_askers == ASKERS_MAX ? NULL : calloc(1, sizeof *a);
    c->one_waits = !a;
    if (!a) return;
    a->control = c;
    a->next = c->askers;
    c->askers = a;
    c->n_askers++;
    hf_buf_init(&a->in, &c->node->mem);
    hf_buf_init(&a->more, &c->node->mem);
    uv_pipe_init(c->node->loop, &a->pipe, 0);
    a->pipe.data = a;
    if (uv_accept(listener, (uv_stream_t *)&a->pipe) || uv_read_start((uv_stream_t *)&a->pipe, on_alloc, on_read)) shut(a);
}

static void on_connection(uv_stream_t *listener, int status) {
    if (!status) take(listener->data);
}

/* ---- life ---- */

void hf_control_turn(hf_control *control) {
    for (asker *a = control ? control->askers : NULL, *next; a; a = next) {
        next = a->next;
        go_on(a);
    }
}

static void on_tick(uv_timer_t *timer) {
    hf_control *c = timer->data;
    if (c->askers) hf_node_pump(c->node);
}

static void on_closed(uv_handle_t *handle) {
    hf_control *c = handle->data;
    c->n_handles--;
}

void hf_control_close(hf_control *control) {
    if (!control) return;
    uv_close((uv_handle_t *)&control->listener, on_closed); /* takes the socket's file away */
    uv_close((uv_handle_t *)&control->tick, on_closed);
    for (asker *a = control->askers; a; a = a->next) shut(a);
    while (control->n_handles || control->askers) uv_run(control->node->loop, UV_RUN_ONCE);
    free(control);
}

hf_control *hf_control_open(hf_node *node, const char **ret_problem) {
    hf_control *c = calloc(1, sizeof *c);
    char path[4096];
    if (!c) return *ret_problem = "out of memory", NULL;
    if (snprintf(path, sizeof path, "%s/control", node->options->dir) >= (int)SOCKET_PATH_MAX) { /* libuv would cut it short */
        free(c);
        return *ret_problem = "the data folder's path is too long for a socket", NULL;
    }
    unlink(path); /* of a node that was killed; the folder is locked, so nobody listens */
    c->node = node;
    c->n_handles = 2;
    uv_pipe_init(node->loop, &c->listener, 0);
    uv_timer_init(node->loop, &c->tick);
    c->listener.data = c->tick.data = c;
    int err = uv_pipe_bind(&c->listener, path);
    if (!err) err = uv_listen((uv_stream_t *)&c->listener, 16, on_connection);
    if (!err) err = uv_timer_start(&c->tick, on_tick, TICK_MS, TICK_MS);
    if (!err) return c;
    *ret_problem = uv_strerror(err);
    hf_control_close(c);
    return NULL;
}
