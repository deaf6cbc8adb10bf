/* verbs: the verbs that a node answers, in one table; the larger ones have files of their own (verbs_*.c). */
#include "verbs.h"

#include "../core/codec/json.h"

#include <stdio.h>
#include <string.h>

/* ---- peers ---- */

/* One connection: by a channel of ours, or over a relay. */
typedef struct conn { const hf_peer_id *peer; const char *via; bool inbound; } conn;

static void add_peer_json(hf_buf *out, const conn *c, bool first) {
    hf_buf_add_str(out, first ? "{\"peer\":\"" : ",{\"peer\":\"");
    hf_peer_id_add_text(out, c->peer);
    hf_buf_add_str(out, "\",\"via\":");
    hf_json_add_text(out, hf_str(c->via));
    hf_buf_add_str(out, c->inbound ? ",\"direction\":\"in\"}" : ",\"direction\":\"out\"}");
}

static void add_peer_line(hf_buf *out, const conn *c) {
    hf_peer_id_add_text(out, c->peer);
    hf_buf_add_byte(out, '\t');
    hf_buf_add_str(out, c->via);
    hf_buf_add_str(out, c->inbound ? "\tin\n" : "\tout\n");
}

static void peers(hf_ask *ask) {
    const hf_swarm *swarm = hf_host_swarm(hf_core_host(ask->node->core));
    bool first = true;
    uint64_t number;
    conn c;
    if (ask->n_words > 1) return hf_ask_fail(ask, 2, "usage: holdfast peers");
    if (ask->json) hf_buf_add_byte(&ask->out, '[');
    for (size_t i = 0; (c.peer = hf_swarm_peer(swarm, i)); i++)
        for (size_t k = 0; hf_swarm_peer_conn(swarm, c.peer, k, &number); k++) {
            const hf_channel *channel = hf_node_channel_of(ask->node, number);
            c.via = channel ? channel->via : "relay";
            c.inbound = hf_swarm_conn_is_inbound(swarm, number);
            if (ask->json) add_peer_json(&ask->out, &c, first);
            else add_peer_line(&ask->out, &c);
            first = false;
        }
    if (ask->json) hf_buf_add_str(&ask->out, "]\n");
}

/* ---- the table ---- */

static const struct verb { const char *name, *words, *help; void (*run)(hf_ask *ask); } VERBS[] = {
    {"peers", "", "who is connected, and how", peers},
    {"why", "ENTRY|PEER", "where an entry or a peer stands, and what it waits for", hf_verb_why},
    {"db", "ls|create|open|...", "OrbitDB databases: make, open, read, write, grant", hf_verb_db},
};

static const struct verb *find(const char *word) {
    for (size_t i = 0; i < sizeof VERBS / sizeof *VERBS; i++)
        if (!strcmp(VERBS[i].name, word)) return &VERBS[i];
    return NULL;
}

bool hf_verb_is_known(const char *word) { return find(word) != NULL; }

bool hf_verb_run(hf_ask *ask) {
    const struct verb *verb = find(ask->words[0]);
    if (verb) verb->run(ask);
    return verb != NULL;
}

void hf_verb_print(const char *name, const char *words, const char *what) { printf("  holdfast %-8s %-20s %s\n", name, words, what); }

void hf_verb_print_help(void) {
    for (size_t i = 0; i < sizeof VERBS / sizeof *VERBS; i++) hf_verb_print(VERBS[i].name, VERBS[i].words, VERBS[i].help);
}
