/* db_line: one line of `db export` and `db import --into`: {"value"}, {"key", "value"}, a "hash" beside it. */
#ifndef HF_NODE_DB_LINE_H
#define HF_NODE_DB_LINE_H
#include "../core/codec/value.h"

/* A line's parts, in the arena. */
typedef struct hf_db_line {
    hf_value *key, *value;  /* key NULL: none */
    hf_bytes hash, field;   /* field: of a document whose key is not in "_id": the field that it is in */
} hf_db_line;

/* events: no key is asked for. documents: the value is a map, and holds its key. NULL: it is one; else what is wrong (static text). */
const char *hf_db_line_read(hf_arena *arena, hf_bytes text, bool events, bool documents, hf_db_line *ret);
#endif
