/* listen: takes TCP connections at exactly the address it was told, and hands their descriptors over. The library would listen on every interface when
 * it does not know the address as an interface's; a node for this machine alone must not. */
#ifndef HF_NODE_LISTEN_H
#define HF_NODE_LISTEN_H
#include <stdbool.h>
#include <uv.h>

typedef struct hf_listener {
    uv_poll_t poll;
    uv_timer_t pause;          /* while there are no descriptors left */
    int fd, port;
    void (*taken)(void *ctx, int fd); /* the receiver's from now on; not blocking, no delay */
    void *ctx;
} hf_listener;

/* Host: an IP address or "localhost"; port 0: a free one, then in listener->port. False: *ret_problem. */
bool hf_listen_open(hf_listener *listener, uv_loop_t *loop, const char *host, int port, const char **ret_problem);
/* Takes no more. To be called once after a successful open; the handles are closed in the next turns of the loop. */
void hf_listen_close(hf_listener *listener);
#endif
