/* db_adds: events added to a database of a running node as programs add them: `holdfast db add`, asked at its socket, each durable before it is answered.
 *      db_adds DIR DATABASE N AT_ONCE EACH     so many asks at a time, so many events in each; prints "added SECONDS" */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { AT_ONCE_MAX = 64, EACH_MAX = 200, HEAD_LEN = 5, FRAME_MAX = 32 * 1024 };

typedef struct ask {
    int fd;
    size_t len; /* of the answer so far */
    unsigned char answer[FRAME_MAX];
} ask;

static struct sockaddr_un node = {.sun_family = AF_UNIX};
static const char *database;
static size_t n_asked, n_each;

static void must(int ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "db_adds: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t add_word(char *frame, size_t at, const char *word) {
    size_t len = strlen(word) + 1;
    must(at + len < FRAME_MAX, "too long a word");
    memcpy(frame + at, word, len);
    return at + len;
}

static void begin(ask *a) {
    static char frame[FRAME_MAX] = {'q'};
    char value[128];
    size_t len = HEAD_LEN;
    len = add_word(frame, len, "text");
    len = add_word(frame, len, "db");
    len = add_word(frame, len, "add");
    len = add_word(frame, len, database);
    for (size_t i = 0; i < n_each; i++) {
        snprintf(value, sizeof value, "{\"title\":\"water the garden\",\"done\":false,\"key\":\"item-%08zu\"}", n_asked++);
        len = add_word(frame, len, value);
    }
    for (size_t i = 0; i < 4; i++) frame[1 + i] = (char)((len - HEAD_LEN) >> (24 - 8 * i));
    a->len = 0;
    a->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    must(a->fd >= 0 && !connect(a->fd, (struct sockaddr *)&node, sizeof node), "the node's socket");
    must(write(a->fd, frame, len) == (ssize_t)len, "asking");
}

static size_t frame_len(const unsigned char *at) { return HEAD_LEN + ((size_t)at[1] << 24 | (size_t)at[2] << 16 | (size_t)at[3] << 8 | at[4]); }

/* True: all of it is there; it must say that it went well. */
static int is_over(ask *a) {
    ssize_t n = read(a->fd, a->answer + a->len, sizeof a->answer - a->len);
    must(n > 0, "the node went away");
    a->len += (size_t)n;
    for (size_t at = 0; at + HEAD_LEN <= a->len && at + frame_len(a->answer + at) <= a->len; at += frame_len(a->answer + at)) {
        if (a->answer[at] != 'e') continue;
        must(a->answer[at + HEAD_LEN] == 0, "refused");
        return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    static ask asks[AT_ONCE_MAX];
    static struct pollfd fds[AT_ONCE_MAX];
    must(argc == 6, "db_adds DIR DATABASE N AT_ONCE EACH");
    snprintf(node.sun_path, sizeof node.sun_path, "%s/control", argv[1]);
    database = argv[2];
    size_t wanted = strtoul(argv[3], NULL, 10), at_once = strtoul(argv[4], NULL, 10), n_done = 0;
    n_each = strtoul(argv[5], NULL, 10);
    must(at_once && at_once <= AT_ONCE_MAX && n_each && n_each <= EACH_MAX && wanted >= at_once * n_each, "at most 64 asks at once, 200 events each");
    double from = seconds();
    for (size_t i = 0; i < at_once; i++) begin(&asks[i]);
    while (n_done < wanted) {
        for (size_t i = 0; i < at_once; i++) fds[i] = (struct pollfd){asks[i].fd, POLLIN, 0};
        must(poll(fds, at_once, 10000) > 0, "poll");
        for (size_t i = 0; i < at_once; i++) {
            if (!fds[i].revents || !is_over(&asks[i])) continue;
            close(asks[i].fd);
            asks[i].fd = -1;
            n_done += n_each;
            if (n_asked < wanted) begin(&asks[i]);
        }
    }
    printf("added %.6f\n", seconds() - from);
    return 0;
}
