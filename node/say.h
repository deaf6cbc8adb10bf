/* say: structured lines on stderr, text for people or JSON for machines. No secrets: callers pass names, counts and reasons only. */
#ifndef HF_NODE_SAY_H
#define HF_NODE_SAY_H
#include <stdbool.h>

typedef enum hf_level { HF_LEVEL_ERROR, HF_LEVEL_WARN, HF_LEVEL_INFO, HF_LEVEL_DEBUG } hf_level;

/* Once, before the first line. `json`: one object a line. */
void hf_say_setup(hf_level level, bool json);
/* "error", "warn", "info", "debug" -> level; false for another word. */
bool hf_level_parse(const char *word, hf_level *ret);
/* hf_say(HF_LEVEL_INFO, "peer up", "peer", id, "via", "tcp", NULL): an event and pairs of name and text, ended by NULL. */
void hf_say(hf_level level, const char *event, ...) __attribute__((sentinel));
#endif
