/* operation: an entry's payload <-> what it asks for, and the compact copy of it that a collection keeps. Private to
 * collections. Refuses whole: payloads that do not have the shape in collection.h, a NEW without a required field, SET
 * and INC of which no field counts. Leaves out: single fields that are unknown, break the schema, are filled by the
 * operation itself, or are counters outside of INC. */
#ifndef HF_OPERATION_H
#define HF_OPERATION_H
#include "collection.h"

enum { HF_KEY_MAX = 128, HF_OPID_MAX = 64, HF_BY_MAX = 128 };

typedef enum hf_op_kind { HF_OP_NEW, HF_OP_SET, HF_OP_DEL, HF_OP_INC } hf_op_kind;

/* What of a schema is asked at each operation, worked out once. */
typedef struct hf_shape {
    const hf_schema *schema;
    uint64_t required;                              /* bit per field that a NEW must bring */
    uint64_t computed;                              /* bit per field: counters and automatic ones */
    uint8_t places[HF_SCHEMA_FIELDS_MAX];           /* of a field among the computed or among the plain ones */
    size_t n_computed, n_plain;
} hf_shape;
void hf_shape_init(hf_shape *shape, const hf_schema *schema);

/* A payload that was read: views into it, and the fields that count. */
typedef struct hf_op_view {
    hf_op_kind kind;
    hf_bytes key, opid, by;
    uint64_t at_ms;
    bool partly;                                    /* some field was left out */
    size_t n_fields, text_bytes;
    uint8_t fields[HF_SCHEMA_FIELDS_MAX];
    const hf_value *values[HF_SCHEMA_FIELDS_MAX];
} hf_op_view;
/* False: it is to be ignored as a whole. */
bool hf_op_read(const hf_shape *shape, const hf_value *payload, hf_op_view *ret);

/* What is kept: one block of memory; `value`, opid and by point into it, keys into the schema. */
typedef struct hf_op {
    hf_order order;
    hf_doc *doc;
    uint64_t at_ms;
    hf_value value;                                 /* the map of the fields that count; HF_NULL for DEL */
    uint32_t hash, place;                           /* of (document, opid); index in doc->ops */
    uint8_t kind, opid_len, by_len;
    hf_pair pairs[];                                /* then: field indices, opid, by, texts */
} hf_op;
/* NULL on NOMEM. `doc`, `hash` and `place` are the caller's to fill. */
hf_op *hf_op_keep(hf_arena *arena, const hf_shape *shape, const hf_order *order, const hf_op_view *view);
size_t hf_op_n_fields(const hf_op *op);
size_t hf_op_field(const hf_op *op, size_t i);      /* index in the schema of the i-th pair */
hf_bytes hf_op_id(const hf_op *op);
hf_bytes hf_op_by(const hf_op *op);
hf_bytes hf_op_name(hf_op_kind kind);               /* "NEW" */
bool hf_op_newer(const hf_op *a, const hf_op *b);   /* than b */

/* The kept operations of all documents by (document, opid); one per pair. */
typedef struct hf_op_index {
    hf_mem *mem;
    hf_op **slots;
    size_t n, n_slots;                              /* n_slots is 0 or a power of two */
    uint64_t seed;                                  /* opids are a stranger's choice */
} hf_op_index;
void hf_op_index_init(hf_op_index *index, hf_mem *mem, uint64_t seed);
void hf_op_index_deinit(hf_op_index *index);
uint32_t hf_op_index_hash(const hf_op_index *index, hf_bytes key, hf_bytes opid);
hf_op *hf_op_index_find(const hf_op_index *index, uint32_t hash, const hf_doc *doc, hf_bytes opid);
HF_MUST_USE hf_err hf_op_index_reserve(hf_op_index *index); /* room for one more */
void hf_op_index_put(hf_op_index *index, hf_op *op);        /* in place of its twin; without one, room must be there */
#endif
