/* floor: what a form over one connection costs at least on this machine: a server that does nothing but put each body on the disk and answer. The file has
 * its length already, so that a body is one write of data and one flush. One connection at a time; it knows just what the load program says.
 *     floor DIR        prints its port; ends when its standard input does */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FILE_BYTES = 16 << 20, BLOCK = 4096 };
static const char ANSWER[] = "HTTP/1.1 303 See Other\r\nlocation: /\r\ncontent-length: 0\r\n\r\n";

static void must(int ok, const char *what) {
    if (ok) return;
    perror(what);
    exit(1);
}

static int journal(const char *dir) {
    static const char zeros[1 << 20];
    char path[4096];
    snprintf(path, sizeof path, "%s/journal", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    must(fd >= 0, path);
    for (size_t at = 0; at < FILE_BYTES; at += sizeof zeros) must(write(fd, zeros, sizeof zeros) == (ssize_t)sizeof zeros, "zeros");
    must(!fsync(fd), "fsync");
    return fd;
}

/* The length of the request that begins here; 0: not all of it has come. */
static size_t request(char *in, size_t len) {
    in[len] = 0;
    const char *end = strstr(in, "\r\n\r\n"), *said = strstr(in, "ontent-Length: ");
    if (!end) return 0;
    size_t all = (size_t)(end + 4 - in) + (said && said < end ? strtoul(said + 15, NULL, 10) : 0);
    return all <= len ? all : 0;
}

static void serve(int client, int file) {
    static char in[1 << 16], block[BLOCK];
    static off_t at;
    size_t len = 0;
    for (ssize_t n; (n = read(client, in + len, sizeof in - 1 - len)) > 0;) {
        len += (size_t)n;
        for (size_t used; (used = request(in, len)); len -= used) {
            memcpy(block, in, used < BLOCK ? used : BLOCK);
            must(pwrite(file, block, BLOCK, at) == BLOCK && !fdatasync(file), "the disk");
            at = (at + BLOCK) % FILE_BYTES;
            must(write(client, ANSWER, sizeof ANSWER - 1) > 0, "the answer");
            memmove(in, in + used, len - used);
        }
    }
    close(client);
}

int main(int argc, char **argv) {
    must(argc == 2, "floor DIR");
    int file = journal(argv[1]), server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    must(!bind(server, (struct sockaddr *)&address, len) && !listen(server, 16) && !getsockname(server, (struct sockaddr *)&address, &len), "listen");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    struct pollfd both[] = {{.fd = server, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    while (poll(both, 2, -1) > 0 && !both[1].revents) serve(accept(server, NULL, NULL), file);
    return 0;
}
