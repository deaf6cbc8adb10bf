/* call: see call.h. */
#include "call.h"

#include "ask.h"
#include "crypto_start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { HEAD_LEN = 5 };

typedef struct call {
    const char *dir;
    bool json;
    const char *words[HF_ASK_WORDS_MAX];
    size_t n_words;
} call;

static int complain(int status, const char *what, const char *why) {
    fprintf(stderr, "holdfast: %s: %s\n", what, why);
    return status;
}

/* 0, or the exit status. */
static int read_words(int argc, char **argv, call *ret) {
    const char *from_env = getenv("HOLDFAST_DIR");
    *ret = (call){.dir = from_env && *from_env ? from_env : HF_DEFAULT_DIR};
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--json")) ret->json = true;
        else if (!strncmp(argv[i], "--dir=", 6)) ret->dir = argv[i] + 6;
        else if (!strcmp(argv[i], "--dir") && i + 1 == argc) return complain(2, "--dir", "needs a value");
        else if (!strcmp(argv[i], "--dir")) ret->dir = argv[++i];
        else if (ret->n_words == HF_ASK_WORDS_MAX - 1) return complain(2, argv[0], "too many words");
        else ret->words[ret->n_words++] = argv[i];
    }
    return 0;
}

/* -1: nobody listens there. */
static int reach(const char *dir) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (snprintf(address.sun_path, sizeof address.sun_path, "%s/control", dir) >= (int)sizeof address.sun_path) return errno = ENAMETOOLONG, -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || !connect(fd, (struct sockaddr *)&address, sizeof address)) return fd;
    int why = errno;
    close(fd);
    return errno = why, -1;
}

static bool write_all(int fd, const void *bytes, size_t len) {
    for (const char *at = bytes; len;) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool read_all(int fd, void *bytes, size_t len) {
    for (char *at = bytes; len;) {
        ssize_t n = read(fd, at, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool ask(int fd, const call *c) {
    const char *first = c->json ? "json" : "text";
    size_t len = strlen(first) + 1;
    for (size_t i = 0; i < c->n_words; i++) len += strlen(c->words[i]) + 1;
    const char head[HEAD_LEN] = {'q', (char)(len >> 24), (char)(len >> 16), (char)(len >> 8), (char)len};
    bool ok = len <= HF_ASK_BYTES_MAX - HEAD_LEN && write_all(fd, head, HEAD_LEN) && write_all(fd, first, strlen(first) + 1);
    for (size_t i = 0; i < c->n_words && ok; i++) ok = write_all(fd, c->words[i], strlen(c->words[i]) + 1);
    return ok;
}

/* One frame. False: the node went away, or there is no memory. */
static bool hear(int fd, char *ret_kind, char **ret_text, size_t *ret_len) {
    uint8_t head[HEAD_LEN];
    if (!read_all(fd, head, HEAD_LEN)) return false;
    *ret_kind = (char)head[0];
    *ret_len = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
    *ret_text = malloc(*ret_len + 1);
    if (!*ret_text || !read_all(fd, *ret_text, *ret_len)) return free(*ret_text), false;
    return true;
}

/* The file, in frames; what the node says of it is heard afterwards, also when it takes no more. */
static bool send_file(int fd, int file) {
    static uint8_t frame[HEAD_LEN + (64 << 10)];
    for (;;) {
        ssize_t n = read(file, frame + HEAD_LEN, sizeof frame - HEAD_LEN);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        const uint8_t head[HEAD_LEN] = {'d', 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
        memcpy(frame, head, HEAD_LEN);
        if (!write_all(fd, frame, HEAD_LEN + (size_t)n) || !n) return true;
    }
}

static int speak(int fd, const call *c, const hf_ask_files *files) {
    int status = -1;
    char kind, *text;
    size_t len;
    if (files->in >= 0 && ask(fd, c) && !send_file(fd, files->in)) return complain(1, "the file", strerror(errno));
    if (files->in < 0 && !ask(fd, c)) return complain(1, "the node", "the question is too long, or the node went away");
    while (status < 0 && hear(fd, &kind, &text, &len)) {
        if (kind == 'o') fwrite(text, 1, len, files->out), fflush(files->out);
        if (kind == 'e' && len > 1) fprintf(stderr, "holdfast: %.*s\n", (int)len - 1, text + 1);
        if (kind == 'e') status = len ? text[0] : 1;
        free(text);
    }
    return status < 0 ? complain(1, "the node", "it went away before it answered") : status;
}

/* ---- files: only here are they opened, so that paths and rights are those of whoever asks ---- */

static const char *value_of(const call *c, const char *flag) {
    for (size_t i = 0; i + 1 < c->n_words; i++)
        if (!strcmp(c->words[i], flag)) return c->words[i + 1];
    return NULL;
}

static bool is_db(const call *c, const char *word) { return c->n_words > 2 && !strcmp(c->words[0], "db") && !strcmp(c->words[1], word); }

/* `part`: what is written until it is whole; empty: none. */
static int open_files(const call *c, char part[4096], hf_ask_files *ret) {
    const char *to = is_db(c, "export") ? value_of(c, "--car") : NULL, *from = is_db(c, "import") ? c->words[2] : NULL;
    *ret = (hf_ask_files){-1, stdout};
    *part = 0;
    if (from) ret->in = !strcmp(from, "-") ? STDIN_FILENO : open(from, O_RDONLY | O_CLOEXEC);
    if (from && ret->in < 0) return complain(1, from, strerror(errno));
    if (!to || !strcmp(to, "-")) return 0;
    if (snprintf(part, 4096, "%s.part", to) >= 4096) return *part = 0, complain(1, to, strerror(ENAMETOOLONG));
    ret->out = fopen(part, "wb");
    if (ret->out) return 0;
    *part = 0;
    return complain(1, to, strerror(errno));
}

static int close_files(const call *c, const char *part, const hf_ask_files *files, int status) {
    if (files->in > STDIN_FILENO) close(files->in);
    if (!*part) return status;
    bool ok = !fflush(files->out) && !ferror(files->out) && !fsync(fileno(files->out));
    ok = !fclose(files->out) && ok;
    if (ok && !status && !rename(part, value_of(c, "--car"))) return 0;
    if (!status) status = complain(1, part, strerror(errno));
    unlink(part);
    return status;
}

int hf_call(int argc, char **argv) {
    static call c;
    hf_ask_files files;
    char part[4096];
    int status = read_words(argc, argv, &c);
    if (!status) status = open_files(&c, part, &files);
    if (status) return status;
    int fd = reach(c.dir);
    if (fd >= 0) status = speak(fd, &c, &files);
    else if (errno != ENOENT && errno != ECONNREFUSED) status = complain(1, c.dir, strerror(errno));
    else status = !hf_crypto_start() ? 1 : hf_node_run_once(c.dir, c.json, c.n_words, c.words, &files);
    if (fd >= 0) close(fd);
    return close_files(&c, part, &files, status);
}
