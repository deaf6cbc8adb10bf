/* verbs: what verbs.c takes from its larger fellows. */
#ifndef HF_NODE_VERBS_H
#define HF_NODE_VERBS_H
#include "ask.h"
#endif
