/* control: the socket DIR/control, by which the command line speaks to the running node. Only the folder's owner can open it.
 *
 * Asker: one frame with the words, each ended by a NUL, "json" or "text" first. Behind it, for a verb that takes a file, frames 'd' with its
 * bytes, an empty one last. Node: frames 'o' (for stdout), at last 'e' (status byte, text for stderr).
 * A frame: kind, length (4 bytes, big-endian), bytes. */
#ifndef HF_NODE_CONTROL_H
#define HF_NODE_CONTROL_H
#include "ask.h"

typedef struct hf_control hf_control;

/* NULL: *ret_problem. */
hf_control *hf_control_open(hf_node *node, const char **ret_problem);
/* Something may have changed: steps are taken. */
void hf_control_turn(hf_control *control);
void hf_control_close(hf_control *control);

/* ---- without a socket: one ask to a node that was started for it ---- */
/* `argv` from the verb on. The ask stays until hf_ask_free. NULL: no memory. */
hf_ask *hf_ask_new(hf_node *node, bool json, size_t n_words, const char *const *words);
/* Runs the verb or its next step. True: over, status and texts are final. */
bool hf_ask_turn(hf_ask *ask);
void hf_ask_free(hf_ask *ask);
#endif
