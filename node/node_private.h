/* node_private: what the files of the node itself share.
 *
 *      node.c        a node's life: starting, signals, stopping
 *      node_pump.c   channels tell the core what comes in; then it is drained
 *      node_load.c   what the store has, into the core
 *      node_once.c   one verb of the command line, without network
 */
#ifndef HF_NODE_PRIVATE_H
#define HF_NODE_PRIVATE_H
#include "node.h"

/* ---- node.c ---- */
void hf_node_prepare(hf_node *node, const hf_options *options, uv_loop_t *loop);
bool hf_node_open_inside(hf_node *node); /* everything but the network; nothing is loaded yet */
void hf_node_close(hf_node *node);       /* whatever of it is open */
bool hf_node_fail(const char *what, const char *why); /* says so; false */

/* ---- node_pump.c: the store's callbacks ---- */
void hf_node_stored(void *ctx, uint64_t seq);
void hf_node_store_failed(void *ctx, const char *why);

/* ---- node_load.c ---- */
bool hf_node_load(hf_node *node);
/* A database added at run time was opened, or cannot be. It was open once, perhaps: what the store has of it comes before what peers have. */
void hf_node_database_news(hf_node *node, const hf_out *out);
#endif
