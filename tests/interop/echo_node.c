/* echo_node: streams over a real connection, for tests against other libp2p programs. What every such program does stands in shell.h;
 * this one speaks /test/echo/1 (gives back what comes) and /test/sink/1 (swallows it and says how much), and reads:
 *
 *      echo_node SEED_BYTE
 *      open PROTOCOL BYTES      opens a stream to the first peer, writes BYTES bytes, finishes, and tells when the swarm said stop and what came back
 *      protocol NAME            makes another protocol known (identify push)
 */
#include "shell.h"

#include <stdio.h>
#include <stdlib.h>

enum { TAG_ECHO = 1, TAG_SINK = 2, TAG_CLIENT = 3, STREAMS = 64 };

/* What an own stream still has to write, and what has come back. */
static struct job {
    uint64_t stream;
    size_t to_write, written, got;
    bool wrong, told_full;
} jobs[STREAMS];

/* An echo that the peer does not take fast enough waits here. */
static struct echo {
    uint64_t stream;
    hf_buf waiting;
    bool fin, told_full;
} echoes[STREAMS];

static uint8_t pattern(size_t at) { return (uint8_t)(at * 7 + at / 251); }

/* ---- streams ---- */

static void write_job(struct job *j) {
    static uint8_t block[32768];
    while (j->written < j->to_write) {
        size_t len = j->to_write - j->written < sizeof block ? j->to_write - j->written : sizeof block;
        for (size_t i = 0; i < len; i++) block[i] = pattern(j->written + i);
        hf_err err = hf_swarm_stream_write(shell_swarm, shell_now(), j->stream, HF_BYTES(block, len));
        if (err == HF_LIMIT && !j->told_full) printf("full %zu\n", j->written), j->told_full = true;
        if (err) return;
        j->written += len;
    }
    hf_swarm_stream_finish(shell_swarm, shell_now(), j->stream);
}

static struct job *job_of(uint64_t stream) {
    for (size_t i = 0; i < STREAMS; i++)
        if (jobs[i].stream == stream) return &jobs[i];
    return NULL;
}

static struct echo *echo_of(uint64_t stream) {
    for (size_t i = 0; i < STREAMS; i++)
        if (echoes[i].stream == stream) return &echoes[i];
    return NULL;
}

static void flush_echo(struct echo *e) {
    while (e->waiting.len) {
        hf_bytes part = hf_sub(hf_buf_bytes(&e->waiting), 0, 65536);
        if (hf_swarm_stream_write(shell_swarm, shell_now(), e->stream, part)) return;
        hf_buf_consume(&e->waiting, part.len);
    }
    hf_swarm_stream_reading(shell_swarm, shell_now(), e->stream, true);
    if (e->fin) hf_swarm_stream_finish(shell_swarm, shell_now(), e->stream);
}

static void on_echo(const hf_swarm_out *o) {
    struct echo *e = echo_of(o->kind == HF_SWARM_STREAM_OPEN ? 0 : o->stream);
    if (!e) return;
    switch (o->kind) {
        case HF_SWARM_STREAM_OPEN:
            e->stream = o->stream;
            e->fin = e->told_full = false;
            hf_buf_init(&e->waiting, &shell_mem);
            break;
        case HF_SWARM_STREAM_DATA:
            if (!e->waiting.len && !hf_swarm_stream_write(shell_swarm, shell_now(), o->stream, o->bytes)) break;
            if (!e->told_full) printf("echo full\n"), e->told_full = true;
            hf_buf_add(&e->waiting, o->bytes);
            hf_swarm_stream_reading(shell_swarm, shell_now(), o->stream, false);
            break;
        case HF_SWARM_STREAM_FIN:
            e->fin = true;
            if (!e->waiting.len) hf_swarm_stream_finish(shell_swarm, shell_now(), o->stream);
            break;
        case HF_SWARM_STREAM_DRAINED: flush_echo(e); break;
        case HF_SWARM_STREAM_GONE:
            hf_buf_deinit(&e->waiting);
            e->stream = 0;
            break;
        default: break;
    }
}

static void on_client(const hf_swarm_out *o) {
    struct job *j = job_of(o->stream);
    if (!j) return;
    if (o->kind == HF_SWARM_STREAM_DATA) {
        for (size_t i = 0; i < o->bytes.len; i++) j->wrong |= o->bytes.ptr[i] != pattern(j->got + i);
        j->got += o->bytes.len;
    }
    if (o->kind == HF_SWARM_STREAM_DRAINED) write_job(j);
    if (o->kind != HF_SWARM_STREAM_GONE) return;
    printf("done sent %zu got %zu%s reset %d %s\n", j->written, j->got, j->wrong ? " WRONG" : "", o->reset,
           o->reason ? o->reason : "");
    j->stream = 0;
}

static void on_sink(const hf_swarm_out *o) {
    static size_t sunk;
    if (o->kind == HF_SWARM_STREAM_OPEN) sunk = 0;
    if (o->kind == HF_SWARM_STREAM_DATA) sunk += o->bytes.len;
    if (o->kind != HF_SWARM_STREAM_FIN) return;
    printf("sunk %zu\n", sunk);
    hf_swarm_stream_finish(shell_swarm, shell_now(), o->stream);
}

static void event(const hf_swarm_out *o) {
    if (o->tag == TAG_ECHO) on_echo(o);
    if (o->tag == TAG_SINK) on_sink(o);
    if (o->tag == TAG_CLIENT) on_client(o);
}

static void open_job(const char *protocol, size_t n_bytes) {
    const hf_peer_id *peer = hf_swarm_peer(shell_swarm, 0);
    struct job *j = job_of(0);
    uint64_t stream = 0;
    hf_err err = HF_NOT_FOUND;
    if (peer && j) err = hf_swarm_stream_open(shell_swarm, shell_now(), peer, hf_str(protocol), TAG_CLIENT, &stream);
    if (err) {
        printf("cannot open: %s\n", hf_err_name(err));
        return;
    }
    *j = (struct job){.stream = stream, .to_write = n_bytes};
    write_job(j);
}

static bool command(const char *line) {
    char name[256];
    size_t n = 0;
    if (sscanf(line, "open %255s %zu", name, &n) == 2) open_job(name, n);
    else if (sscanf(line, "protocol %255s", name) == 1) (void)!hf_swarm_protocol(shell_swarm, hf_str(name), TAG_SINK);
    else return false;
    return true;
}

static bool start(void) {
    return !hf_swarm_protocol(shell_swarm, HF_TEXT("/test/echo/1"), TAG_ECHO) &&
           !hf_swarm_protocol(shell_swarm, HF_TEXT("/test/sink/1"), TAG_SINK);
}

int main(int argc, char **argv) {
    uint8_t seed[32] = {argc > 1 ? (uint8_t)atoi(argv[1]) : 1};
    hf_swarm_config config = {.ed25519_seed = seed, .agent = HF_TEXT("holdfast/echo-node"), .ping_ms = 2000};
    return shell_run(&config, &(shell_program){.start = start, .event = event, .command = command});
}
