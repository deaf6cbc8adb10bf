/* shell: a swarm on real TCP sockets, for programs that tests drive from outside. Not a product: one poll() loop, loopback only, no TLS, no stores,
 * one swarm a process (so it may keep it in a global). It prints one line per event and reads one command a line:
 *
 *      listening PORT PEER_ID            at the start
 *      up PEER_ID, down PEER_ID WHY      connections, authenticated
 *      close WHY                         a connection that we end
 *      identified PEER_ID, agent …       what identify told
 *
 *      dial PORT [PEER_ID]               connects to 127.0.0.1:PORT, and wants that peer there
 *      rtt                               prints the round trip of the first connection
 *      hangup                            closes all connections
 *      quit
 *
 * A program adds its protocols through the hooks below; each may be NULL.
 */
#ifndef HF_INTEROP_SHELL_H
#define HF_INTEROP_SHELL_H
#include "../../core/p2p/swarm.h"

typedef struct shell_program {
    bool (*start)(void);                            /* the swarm is there: make protocols known; false: give up */
    bool (*first)(const hf_swarm_out *out);         /* everything that the swarm says; true: it is dealt with */
    void (*event)(const hf_swarm_out *out);         /* the rest, but SEND */
    bool (*command)(const char *line);              /* not one of the shell's own; false: not mine either */
    bool (*drain)(void);                            /* after the swarm's outputs; true: there may be more of those now */
    uint64_t (*deadline)(void);
    void (*tick)(void);                             /* at the deadline */
    void (*stop)(void);                             /* before the swarm goes */
} shell_program;

extern hf_mem shell_mem;
extern hf_swarm *shell_swarm;

/* Runs until `quit` or the end of the commands; the exit status. `config` may leave out the random source. */
int shell_run(const hf_swarm_config *config, const shell_program *program);

uint64_t shell_now(void);                           /* ms */
void shell_random(void *ctx, uint8_t *out, size_t len);
void shell_print_peer(const char *what, const hf_peer_id *peer, const char *more);
bool shell_dial(uint16_t port, const hf_peer_id *expected); /* false: nobody listens there */
/* As dialer or as listener of what runs on the channel. The connection's number; UINT64_MAX: nobody answers. */
uint64_t shell_dial_as(uint16_t port, const hf_peer_id *expected, bool dialer);
uint16_t shell_port(void);                          /* that it listens on, once it does */
#endif
