/* lock: see lock.h. */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static int open_lock(const char *dir, int flags) {
    char path[4096];
    if (snprintf(path, sizeof path, "%s/lock", dir) >= (int)sizeof path) return errno = ENAMETOOLONG, -1;
    return open(path, flags | O_CLOEXEC, 0600);
}

int hf_lock_take(const char *dir, bool *ret_taken) {
    *ret_taken = false;
    int fd = open_lock(dir, O_RDWR | O_CREAT);
    if (fd < 0 || !flock(fd, LOCK_EX | LOCK_NB)) return fd;
    *ret_taken = errno == EWOULDBLOCK;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

bool hf_lock_read(const char *dir, hf_buf *ret) {
    int fd = open_lock(dir, O_RDONLY);
    if (fd < 0) return false;
    bool held = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
    char piece[1024];
    for (ssize_t n; held && (n = read(fd, piece, sizeof piece)) > 0;) hf_buf_add(ret, HF_BYTES(piece, (size_t)n));
    close(fd);
    return held;
}

bool hf_lock_write(int lock, hf_bytes text) {
    return !ftruncate(lock, 0) && pwrite(lock, text.ptr, text.len, 0) == (ssize_t)text.len;
}
