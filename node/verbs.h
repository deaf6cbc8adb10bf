/* verbs: the larger verbs, each in a file of its own; verbs.c has the table. */
#ifndef HF_NODE_VERBS_H
#define HF_NODE_VERBS_H
#include "ask.h"

/* verbs_db.c: OrbitDB databases. */
void hf_verb_db(hf_ask *ask);
/* Finds or opens the database of this name or address, waits until it is open, and goes on with `run`. */
void hf_db_open_then(hf_ask *ask, const char *word, void (*run)(hf_ask *ask, uint32_t db));
/* verbs_db_rows.c: the rows that `query` (NULL: all) finds in an open database are the answer, a JSON list if that was asked for; `lines`: JSON, one a line. */
void hf_db_show_rows(hf_ask *ask, uint32_t db, const hf_core_query *query, bool lines);
/* {"hash","key"?,"value"} */
void hf_db_add_row(hf_buf *out, const hf_core_row *row);
void hf_db_add_hash(hf_buf *out, const uint8_t digest[32]); /* as text */
void hf_db_add_value(hf_buf *out, const hf_value *value);   /* as JSON; NULL: null */
/* db_export.c: all of an open database, as a CAR. */
void hf_db_export_car(hf_ask *ask, uint32_t db);
/* db_import.c: what comes behind the words. */
void hf_db_import(hf_ask *ask);
/* verbs_why.c: where an entry or a peer stands. */
void hf_verb_why(hf_ask *ask);
#endif
