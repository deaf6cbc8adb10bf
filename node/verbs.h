/* verbs: the larger verbs, each in a file of its own; verbs.c has the table. */
#ifndef HF_NODE_VERBS_H
#define HF_NODE_VERBS_H
#include "ask.h"

/* verbs_db.c: OrbitDB databases. */
void hf_verb_db(hf_ask *ask);
/* verbs_why.c: where an entry or a peer stands. */
void hf_verb_why(hf_ask *ask);
#endif
