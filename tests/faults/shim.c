/* shim: faults for a real process, preloaded into it (LD_PRELOAD=build/faults.so): allocations and writes that fail, the end of the process at any
 * write, another wall clock, and a record of everything that was written, for building what a loss of power would have left.
 *
 * HOLDFAST_FAULTS_CONTROL   a file of 16 numbers of 8 bytes (`enum word`), mapped: set and read by the test while the process runs
 * HOLDFAST_FAULTS_DIR       only files below this folder can fail; what is written elsewhere (sockets, the log) is left alone
 * HOLDFAST_FAULTS_RECORD    a file to which each change below the folder is written down (see tests/faults/record.mjs)
 * HOLDFAST_FAULTS_TRACE     where an allocation failed, and where a signal struck, goes to stderr
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* AT: the n-th fails, counted from 1; 0: none. TIMES: that one and so many less one behind it. */
enum word { ALLOCS, ALLOC_AT, ALLOC_TIMES, ALLOCS_FAILED, WRITES, WRITE_AT, WRITE_TIMES, WRITES_FAILED, WRITE_WHAT, CLOCK_MS, CLOCKS_READ, DISK_FREE, N_WORDS = 16 };
enum what { EIO_ = 1, ENOSPC_, SHORT_, KILL_, TORN_ };
enum { FILES_MAX = 65536, PATH_LEN = 256 };

static _Atomic uint64_t nowhere[N_WORDS];
static _Atomic uint64_t *words = nowhere;
static char folder[PATH_LEN];
static size_t folder_len;
static bool tracing;
static int record_fd = -1;
static pthread_mutex_t recording = PTHREAD_MUTEX_INITIALIZER;
static uint8_t watched[FILES_MAX];         /* by descriptor: below the folder */
static char names[FILES_MAX / 64][PATH_LEN]; /* of the first descriptors: below the folder, for the record */

void *__libc_malloc(size_t len);
void *__libc_calloc(size_t n, size_t len);
void *__libc_realloc(void *ptr, size_t len);
void *__libc_memalign(size_t align, size_t len);

/* ---- the system itself, past what stands below ---- */

static ssize_t sys_write(int fd, const void *bytes, size_t len) { return syscall(SYS_write, fd, bytes, len); }

static void sys_write_all(int fd, const void *bytes, size_t len) {
    const uint8_t *at = bytes;
    while (len) {
        ssize_t n = sys_write(fd, at, len);
        if (n <= 0) return;
        at += n;
        len -= (size_t)n;
    }
}

/* ---- set up ---- */

static void on_signal(int number) {
    void *frames[40];
    backtrace_symbols_fd(frames, backtrace(frames, 40), STDERR_FILENO);
    signal(number, SIG_DFL);
    raise(number);
}

static void trace(void) {
    static const int numbers[] = {SIGSEGV, SIGABRT, SIGILL, SIGBUS, SIGFPE, SIGTRAP};
    void *frames[4];
    backtrace(frames, 4); /* loads what it needs */
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) signal(numbers[i], on_signal);
    tracing = true;
}

__attribute__((constructor)) static void set_up(void) {
    const char *control = getenv("HOLDFAST_FAULTS_CONTROL"), *dir = getenv("HOLDFAST_FAULTS_DIR"), *record = getenv("HOLDFAST_FAULTS_RECORD");
    if (getenv("HOLDFAST_FAULTS_TRACE")) trace();
    if (dir) folder_len = (size_t)snprintf(folder, sizeof folder, "%s", dir);
    if (record) record_fd = (int)syscall(SYS_openat, AT_FDCWD, record, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int fd = control ? (int)syscall(SYS_openat, AT_FDCWD, control, O_RDWR | O_CLOEXEC, 0) : -1;
    if (fd < 0) return;
    void *map = mmap(NULL, sizeof nowhere, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (map != MAP_FAILED) words = map;
}

/* Does this one fail? */
static bool strikes(enum word count, enum word at, enum word times, enum word failed) {
    uint64_t n = atomic_fetch_add(&words[count], 1) + 1, first = atomic_load(&words[at]);
    if (!first || n < first || n - first >= atomic_load(&words[times])) return false;
    atomic_fetch_add(&words[failed], 1);
    return true;
}

/* ---- allocations ---- */

static bool no_memory(void) {
    if (!strikes(ALLOCS, ALLOC_AT, ALLOC_TIMES, ALLOCS_FAILED)) return false;
    if (tracing) {
        static _Thread_local bool inside;
        void *frames[20];
        if (!inside) {
            inside = true;
            backtrace_symbols_fd(frames, backtrace(frames, 20), STDERR_FILENO);
            sys_write_all(STDERR_FILENO, "-- no memory\n", 13);
            inside = false;
        }
    }
    errno = ENOMEM;
    return true;
}

void *malloc(size_t len) { return no_memory() ? NULL : __libc_malloc(len); }
void *calloc(size_t n, size_t len) { return no_memory() ? NULL : __libc_calloc(n, len); }
void *realloc(void *ptr, size_t len) { return no_memory() ? NULL : __libc_realloc(ptr, len); }
void *aligned_alloc(size_t align, size_t len) { return no_memory() ? NULL : __libc_memalign(align, len); }

int posix_memalign(void **ret, size_t align, size_t len) {
    void *ptr = no_memory() ? NULL : __libc_memalign(align, len);
    if (!ptr) return ENOMEM;
    *ret = ptr;
    return 0;
}

/* ---- the record: kind, name's length, name, place, length, bytes ---- */

static void put_record(char kind, const char *name, uint64_t at, const void *bytes, size_t len) {
    if (record_fd < 0) return;
    uint8_t head[2 + PATH_LEN + 16];
    size_t name_len = strlen(name);
    uint64_t len64 = len;
    head[0] = (uint8_t)kind;
    head[1] = (uint8_t)name_len;
    memcpy(head + 2, name, name_len);
    memcpy(head + 2 + name_len, &at, 8);
    memcpy(head + 2 + name_len + 8, &len64, 8);
    pthread_mutex_lock(&recording);
    sys_write_all(record_fd, head, 2 + name_len + 16);
    if (len) sys_write_all(record_fd, bytes, len);
    pthread_mutex_unlock(&recording);
}

static const char *name_of(int fd) { return fd >= 0 && fd < FILES_MAX / 64 ? names[fd] : ""; }

/* Below the folder: the rest of the path; else NULL. */
static const char *below(const char *path) {
    if (!folder_len || strncmp(path, folder, folder_len)) return NULL;
    if (!path[folder_len]) return ".";
    return path[folder_len] == '/' ? path + folder_len + 1 : NULL;
}

static bool is_watched(int fd) { return fd >= 0 && fd < FILES_MAX && watched[fd]; }

/* Answers that acknowledge a form, as they go out: what is recorded before them must be there after a crash. */
static void record_answers(int fd, const void *bytes, size_t len) {
    if (record_fd < 0 || fd <= 2) return;
    for (const char *at = bytes, *end = at + len; (at = memmem(at, (size_t)(end - at), "HTTP/1.1 303", 12)); at += 12) put_record('A', "", 0, NULL, 0);
}

/* ---- files ---- */

/* What becomes of this write: 0: nothing; else errno. Cut: half of it is written. Ends the process here when it is to end. */
static int write_fault(int fd, const void *bytes, size_t len, int64_t at, bool *ret_cut) {
    *ret_cut = false;
    if (!strikes(WRITES, WRITE_AT, WRITE_TIMES, WRITES_FAILED)) return 0;
    switch (atomic_load(&words[WRITE_WHAT])) {
    case EIO_: return EIO;
    case ENOSPC_: return ENOSPC;
    case SHORT_: *ret_cut = len > 1; return len > 1 ? 0 : ENOSPC;
    case TORN_:
        if (len > 1 && at >= 0) (void)!syscall(SYS_pwrite64, fd, bytes, len / 2, at);
        else if (len > 1) (void)!sys_write(fd, bytes, len / 2);
        __attribute__((fallthrough));
    case KILL_: kill(getpid(), SIGKILL); __attribute__((fallthrough));
    default: return 0;
    }
}

static bool other_fault(void) {
    bool cut;
    int err = write_fault(-1, NULL, 0, -1, &cut);
    if (err) errno = err;
    return err != 0;
}

ssize_t write(int fd, const void *bytes, size_t len) {
    if (!is_watched(fd)) return record_answers(fd, bytes, len), sys_write(fd, bytes, len);
    bool cut;
    int err = write_fault(fd, bytes, len, -1, &cut);
    if (err) return errno = err, -1;
    int64_t at = syscall(SYS_lseek, fd, 0, SEEK_CUR);
    ssize_t n = sys_write(fd, bytes, cut ? len / 2 : len);
    if (n > 0) put_record('W', name_of(fd), (uint64_t)at, bytes, (size_t)n);
    return n;
}

ssize_t writev(int fd, const struct iovec *pieces, int n_pieces) {
    for (int i = 0; i < n_pieces; i++) record_answers(fd, pieces[i].iov_base, pieces[i].iov_len);
    return syscall(SYS_writev, fd, pieces, n_pieces);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at) {
    if (!is_watched(fd)) return syscall(SYS_pwrite64, fd, bytes, len, at);
    bool cut;
    int err = write_fault(fd, bytes, len, at, &cut);
    if (err) return errno = err, -1;
    ssize_t n = syscall(SYS_pwrite64, fd, bytes, cut ? len / 2 : len, at);
    if (n > 0) put_record('W', name_of(fd), (uint64_t)at, bytes, (size_t)n);
    return n;
}
ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at) { return pwrite64(fd, bytes, len, at); }

static int sync_file(long number, int fd) {
    if (is_watched(fd) && other_fault()) return -1;
    int result = (int)syscall(number, fd);
    if (!result && is_watched(fd)) put_record('S', name_of(fd), 0, NULL, 0);
    return result;
}
int fsync(int fd) { return sync_file(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_file(SYS_fdatasync, fd); }

int ftruncate64(int fd, off64_t len) {
    if (is_watched(fd) && other_fault()) return -1;
    int result = (int)syscall(SYS_ftruncate, fd, len);
    if (!result && is_watched(fd)) put_record('T', name_of(fd), (uint64_t)len, NULL, 0);
    return result;
}
int ftruncate(int fd, off_t len) { return ftruncate64(fd, len); }

int rename(const char *from, const char *to) {
    const char *old = below(from), *new = below(to);
    if (old && other_fault()) return -1;
    int result = (int)syscall(SYS_rename, from, to);
    if (!result && old && new) put_record('R', old, 0, new, strlen(new));
    return result;
}

int unlink(const char *path) {
    const char *name = below(path);
    int result = (int)syscall(SYS_unlink, path);
    if (!result && name) put_record('U', name, 0, NULL, 0);
    return result;
}

/* DISK_FREE: so many bytes; 0: as it is. */
int statvfs(const char *path, struct statvfs *ret) {
    static int (*next)(const char *, struct statvfs *);
    if (!next) next = (int (*)(const char *, struct statvfs *))dlsym(RTLD_NEXT, "statvfs");
    int result = next(path, ret);
    uint64_t room = atomic_load(&words[DISK_FREE]);
    if (!result && room) ret->f_bavail = room / ret->f_frsize;
    return result;
}

static int open_at(int dir, const char *path, int flags, mode_t mode) {
    const char *name = below(path);
    bool makes = name && flags & O_CREAT && syscall(SYS_faccessat, AT_FDCWD, path, F_OK);
    if (makes && other_fault()) return -1;
    int fd = (int)syscall(SYS_openat, dir, path, flags, mode);
    if (fd < 0 || fd >= FILES_MAX) return fd;
    watched[fd] = name != NULL;
    if (!name) return fd;
    if (fd < FILES_MAX / 64) snprintf(names[fd], PATH_LEN, "%s", name);
    if (makes) put_record('N', name, 0, NULL, 0);
    else if (flags & O_TRUNC) put_record('T', name, 0, NULL, 0);
    return fd;
}

#define MODE_OF(flags, mode)                                                                                                                         \
    va_list args;                                                                                                                                    \
    va_start(args, flags);                                                                                                                           \
    mode_t mode = (flags) & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;                                                                        \
    va_end(args)

int open64(const char *path, int flags, ...) {
    MODE_OF(flags, mode);
    return open_at(AT_FDCWD, path, flags, mode);
}
int open(const char *path, int flags, ...) {
    MODE_OF(flags, mode);
    return open_at(AT_FDCWD, path, flags, mode);
}
int openat(int dir, const char *path, int flags, ...) {
    MODE_OF(flags, mode);
    return open_at(dir, path, flags, mode);
}

int close(int fd) {
    if (is_watched(fd)) watched[fd] = 0;
    return (int)syscall(SYS_close, fd);
}

/* ---- the wall clock ---- */

int clock_gettime(clockid_t which, struct timespec *ret) {
    int result = (int)syscall(SYS_clock_gettime, which, ret);
    if (result || (which != CLOCK_REALTIME && which != CLOCK_REALTIME_COARSE)) return result;
    atomic_fetch_add(&words[CLOCKS_READ], 1);
    int64_t ms = (int64_t)atomic_load(&words[CLOCK_MS]);
    ret->tv_sec += ms / 1000;
    ret->tv_nsec += ms % 1000 * 1000000;
    if (ret->tv_nsec >= 1000000000) ret->tv_sec++, ret->tv_nsec -= 1000000000;
    if (ret->tv_nsec < 0) ret->tv_sec--, ret->tv_nsec += 1000000000;
    return 0;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *ret = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *ret) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret) *ret = now.tv_sec;
    return now.tv_sec;
}
