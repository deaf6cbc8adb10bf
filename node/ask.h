/* ask: a verb of the command line as the running node sees it: words in, text out, an end. A verb that has to wait (for peers, for the disk) leaves a
 * step behind, which is called at every turn of the node until the ask is over. */
#ifndef HF_NODE_ASK_H
#define HF_NODE_ASK_H
#include "node.h"

#include <stdio.h>

enum { HF_ASK_WORDS_MAX = 256, HF_ASK_BYTES_MAX = 8 << 20, HF_ASK_IN_MAX = 1 << 20 /* held of a file */ };

/* Where a verb's file goes or comes from, when it is not the standard one. */
typedef struct hf_ask_files { int in; FILE *out; } hf_ask_files; /* in: -1: none */

typedef struct hf_ask {
    hf_node *node;
    const char *const *words;      /* from the verb on */
    size_t n_words;
    bool json;                     /* one JSON value is wanted */
    hf_arena arena;                /* lives as long as the ask */
    hf_buf out;                    /* for stdout; handed over in pieces or at the end */
    void (*step)(struct hf_ask *); /* NULL: over, once the verb has returned */
    void (*drop)(struct hf_ask *); /* when it is over or the asker is gone; NULL allowed */
    void *state;                   /* the verb's */
    void *opening;                 /* the database that it waits for */
    uint64_t deadline_ms;          /* UINT64_MAX: none; then the ask fails */
    int status;                    /* 0 done, 1 failed, 2 wrong usage */
    hf_buf problem;                /* for stderr */
    hf_buf in;                     /* what came behind the words, of a file; the step takes from the front */
    bool wants_in, in_over;        /* set by the verb: the rest of the file is wanted; by who asks: all of it is here */
    bool hurry;                    /* set by the step: it has more to do at once */
    bool is_said;                  /* all that it said was taken: a step that says much waits for this */
    uint64_t seq;                  /* to be durable before it ends well */
} hf_ask;

/* Ends it. `status` 1 or 2 with a text for the person who asked. */
void hf_ask_fail(hf_ask *ask, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Ends it well once `seq` is durable. */
void hf_ask_end_stored(hf_ask *ask, uint64_t seq);
/* Goes on with `step` at every turn, for at most `ms`. */
void hf_ask_wait(hf_ask *ask, void (*step)(hf_ask *), uint64_t ms);

/* The verbs that a node answers. False: no such verb. */
bool hf_verb_run(hf_ask *ask);
bool hf_verb_is_known(const char *word);
/* Lines for `holdfast help`. */
void hf_verb_print_help(void);
/* One line of the help: the verb, the words that follow it, what it does. */
void hf_verb_print(const char *name, const char *words, const char *what);
#endif
