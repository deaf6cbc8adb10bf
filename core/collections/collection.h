/* collection: documents with typed fields, materialised from the entries of one log. State is a pure function of the set of entries: apply
 * them in any order, any number of times, and the same documents show.
 *
 * An entry's payload (dag-cbor map):
 *   op    "NEW" | "SET" | "DEL" | "INC"
 *   key   document id, text, 1..128 bytes
 *   value {field: value…} for NEW and SET; {counter: integer…} for INC; null for DEL
 *   opid  operation id, text, 1..64 bytes: the same action, replayed anywhere, carries the same opid
 *   at    wall clock of the author in ms (shown to people; never decides an order)
 *   by    who asked for it when the signer only serves them (a session's public name); left out otherwise
 *
 * Rules (order = the log's total order: clock.time, clock.id, entry digest):
 * - Of several operations on one document with one opid only the oldest counts: replays have no effect.
 * - A document shows when a NEW of it is newer than every DEL of it. What is older than the newest DEL is gone for good: edits do not bring it back.
 * - Each field shows its newest value (NEW and SET alike) after the newest DEL: two people changing two fields both keep their change.
 * - A counter shows its default plus all INC after the newest DEL. A second NEW of a showing document acts as a SET.
 * - A field that breaks the schema is ignored, and so is a NEW that lacks a required one; unknown fields, ops and malformed payloads are ignored
 *   and counted. Nothing written against the rules ever shows, whoever wrote it.
 */
#ifndef HF_COLLECTION_H
#define HF_COLLECTION_H
#include "schema.h"

typedef struct hf_collection hf_collection;
typedef struct hf_doc hf_doc;

/* Where an operation stands in the log's total order. `writer`: clock.id text (not copied: must outlive the collection; the log keeps it). */
typedef struct hf_order {
    uint64_t time;
    hf_bytes writer;
    uint8_t digest[32];
} hf_order;
int hf_order_compare(const hf_order *a, const hf_order *b);

hf_collection *hf_collection_new(hf_mem *mem, const hf_schema *schema, uint64_t seed); /* schema borrowed */
void hf_collection_free(hf_collection *collection);
const hf_schema *hf_collection_schema(const hf_collection *collection);

/* Applies one entry's payload; nothing of it is borrowed. *ret_changed: does anything show differently now? It may be true for nothing where
 * looking closer was put off (an old operation that takes something back from a long history), never false for something.
 * HF_OK also for what is ignored. HF_NOMEM: nothing was changed, the same call may be made again. */
HF_MUST_USE hf_err hf_collection_apply(hf_collection *collection, const hf_order *order, const hf_value *payload, bool *ret_changed);
/* Operations of which something was ignored, in whole or in part. */
uint64_t hf_collection_ignored(const hf_collection *collection);
/* When what was kept is applied again: how many were ignored before. */
void hf_collection_set_ignored(hf_collection *collection, uint64_t n);
/* Every operation that is kept, in no particular order, with its payload as hf_operation_encode makes it: applied to an empty collection of the same
 * schema they give the same state. Both are valid during the visit only. HF_NOMEM, or what visit returned when that was not HF_OK. */
HF_MUST_USE hf_err hf_collection_each(const hf_collection *collection, hf_err (*visit)(void *ctx, const hf_order *order, hf_bytes payload), void *ctx);
/* Rises with every visible change. */
uint64_t hf_collection_version(const hf_collection *collection);

/* ---- reading: documents and values are borrowed until the next hf_collection_apply ---- */
size_t hf_collection_n(const hf_collection *collection);                           /* showing documents */
const hf_doc *hf_collection_get(const hf_collection *collection, hf_bytes id);     /* NULL: not showing */
bool hf_collection_had(const hf_collection *collection, hf_bytes id);              /* showed once, deleted since */
bool hf_collection_knows_op(const hf_collection *collection, hf_bytes id, hf_bytes opid);
hf_bytes hf_doc_id(const hf_doc *doc);
/* The field's value; the schema's default, HF_NULL when unset. Index as in the schema. A creator is `by`, or else the last 12 bytes of the
 * writer. A counter is held within ±2^53. */
const hf_value *hf_doc_field(const hf_doc *doc, size_t field);
uint64_t hf_doc_created_ms(const hf_doc *doc);
uint64_t hf_doc_updated_ms(const hf_doc *doc);

/* History: the operations that count (no replays, nothing ignored), oldest first, those before the newest DEL too. `value`: the fields that count. */
typedef struct hf_doc_change {
    const hf_order *order;
    hf_bytes op, opid, by;      /* by: empty when the signer itself */
    uint64_t at_ms;
    const hf_value *value;
} hf_doc_change;
size_t hf_doc_n_changes(const hf_doc *doc);
hf_doc_change hf_doc_change_at(const hf_doc *doc, size_t i);

/* ---- queries ---- */
typedef enum hf_compare { HF_EQUALS, HF_CONTAINS /* text, case-insensitive (Unicode simple folding of Latin, Greek, Cyrillic) */, HF_LESS, HF_MORE } hf_compare;
typedef struct hf_filter {
    hf_compare compare;
    const size_t *fields;       /* any of them may match */
    size_t n_fields;
    hf_value value;
} hf_filter;
typedef struct hf_query {
    const hf_filter *filters;   /* all must match */
    size_t n_filters;
    size_t sort_field;          /* SIZE_MAX: by creation (the total order of the NEW) */
    bool descending;
    size_t offset, limit;       /* limit 0: all */
} hf_query;
/* Documents in order; the array lives in the arena. *ret_total: matches before offset and limit. HF_NOT_FOUND: a field the schema has not.
 * HF_CONTAINS with an empty text matches all. HF_LESS, HF_MORE: same kind only, never unset ones. Sorting: unset first, text without regard to
 * case; among equals by creation. `descending` turns all of it round. */
HF_MUST_USE hf_err hf_collection_query(const hf_collection *collection, hf_arena *arena, const hf_query *query, const hf_doc ***ret_docs, size_t *ret_n, size_t *ret_total);

/* Canonical payload of an operation, appended. `value` HF_NULL for DEL. HF_MALFORMED: no such op, a name of a wrong length, a value that
 * dag-cbor cannot hold (see hf_cbor_encode, whose errors come through); `buf` is then as before. Rules of a schema are not asked. */
HF_MUST_USE hf_err hf_operation_encode(hf_buf *buf, const char *op, hf_bytes key, const hf_value *value, hf_bytes opid, uint64_t at_ms, hf_bytes by);
#endif
