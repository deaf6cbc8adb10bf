/* collection: see collection.h. Here: which document an operation belongs to, whether it is news, and what is counted.
 * */
#include "document.h"

struct hf_collection {
    hf_mem *mem;
    hf_shape shape;
    hf_arena arena; /* documents and operations: they live as long as the collection */
    hf_map docs;    /* id -> hf_doc, also of deleted ones */
    hf_op_index index;
    hf_doc *stale; /* to be settled before anything is read */
    size_t n_showing;
    uint64_t n_ignored, version;
};

hf_collection *hf_collection_new(hf_mem *mem, const hf_schema *schema, uint64_t seed) {
    hf_collection *c = hf_alloc(mem, sizeof *c);
    if (!c) return NULL;
    c->mem = mem;
    hf_shape_init(&c->shape, schema);
    hf_arena_init(&c->arena, mem);
    hf_map_init(&c->docs, mem, seed);
    hf_op_index_init(&c->index, mem, seed);
    return c;
}

void hf_collection_free(hf_collection *c) {
    if (!c) return;
    size_t cursor = 0;
    for (hf_map_slot *slot; (slot = hf_map_next(&c->docs, &cursor));) hf_doc_free(slot->value, c->mem);
    hf_map_deinit(&c->docs);
    hf_op_index_deinit(&c->index);
    hf_arena_deinit(&c->arena);
    hf_release(c->mem, c, sizeof *c);
}

const hf_schema *hf_collection_schema(const hf_collection *c) {
    return c->shape.schema;
}

uint64_t hf_collection_ignored(const hf_collection *c) {
    return c->n_ignored;
}

void hf_collection_set_ignored(hf_collection *c, uint64_t n) {
    c->n_ignored = n;
}

uint64_t hf_collection_version(const hf_collection *c) {
    return c->version;
}

/* ---- applying ---- */

static hf_doc *find_or_make(hf_collection *c, hf_bytes id) {
    hf_doc *doc = hf_map_get(&c->docs, id);
    if (doc) return doc;
    doc = hf_doc_new(&c->arena, &c->shape, id);
    return doc && !hf_map_put(&c->docs, doc->id, doc) ? doc : NULL;
}

/* Everything that may fail, before anything is changed. A document without operations is one that nobody sees. */
static hf_op *prepare(hf_collection *c, const hf_order *order, const hf_op_view *view) {
    hf_doc *doc = find_or_make(c, view->key);
    if (!doc || hf_doc_reserve(doc, c->mem) || hf_op_index_reserve(&c->index)) return NULL;
    hf_op *op = hf_op_keep(&c->arena, &c->shape, order, view);
    if (op) op->doc = doc;
    return op;
}

static void count(hf_collection *c, hf_doc *doc) {
    bool shows = doc->created != NULL;
    c->n_showing += (size_t)shows - (size_t)doc->counted;
    doc->counted = shows;
}

/* A short document is added up again at once: that costs less than telling readers to look again for nothing. */
enum { SETTLE_NOW_MAX = 16 };

/* While a document is stale nobody knows what it shows: then the answer is "may be". */
static bool insert(hf_collection *c, hf_op *op, const hf_op *twin) {
    hf_doc *doc = op->doc;
    bool was_stale = doc->stale, showed = doc->counted;
    if (twin)
        hf_doc_replace(doc, twin, op);
    else
        hf_doc_add(doc, op);
    hf_op_index_put(&c->index, op);
    if (!was_stale && doc->n_ops <= SETTLE_NOW_MAX) hf_doc_settle(doc);
    if (doc->stale && !was_stale) {
        doc->next_stale = c->stale;
        c->stale = doc;
    }
    if (!doc->stale) count(c, doc);
    return doc->stale || showed || doc->counted;
}

hf_err hf_collection_apply(hf_collection *c, const hf_order *order, const hf_value *payload, bool *ret_changed) {
    hf_op_view view;
    *ret_changed = false;
    if (!hf_op_read(&c->shape, payload, &view)) {
        c->n_ignored++;
        return HF_OK;
    }
    uint32_t hash = hf_op_index_hash(&c->index, view.key, view.opid);
    const hf_doc *doc = hf_map_get(&c->docs, view.key);
    const hf_op *twin = doc ? hf_op_index_find(&c->index, hash, doc, view.opid) : NULL;
    if (twin && hf_order_compare(&twin->order, order) <= 0) return HF_OK; /* a replay, or this very entry again */
    hf_op *op = prepare(c, order, &view);
    if (!op) return HF_NOMEM;
    op->hash = hash;
    c->n_ignored += view.partly;
    *ret_changed = insert(c, op, twin);
    c->version += *ret_changed;
    return HF_OK;
}

/* ---- keeping ---- */

static hf_err encode(const hf_op *op, hf_buf *buf) {
    hf_buf_clear(buf);
    return hf_operation_encode(buf, (const char *)hf_op_name((hf_op_kind)op->kind).ptr, op->doc->id, &op->value, hf_op_id(op), op->at_ms,
                               hf_op_by(op));
}

hf_err hf_collection_each(const hf_collection *c, hf_err (*visit)(void *ctx, const hf_order *order, hf_bytes payload), void *ctx) {
    hf_buf payload;
    hf_err err = HF_OK;
    hf_buf_init(&payload, c->mem);
    for (size_t i = 0; i < c->index.n_slots && !err; i++) {
        const hf_op *op = c->index.slots[i];
        if (!op) continue;
        err = encode(op, &payload);
        if (!err) err = visit(ctx, &op->order, hf_buf_bytes(&payload));
    }
    hf_buf_deinit(&payload);
    return err;
}

/* ---- reading ---- */

/* Work that was put off: it changes nothing that a reader could have seen, so a const collection may do it. */
static void settle(const hf_collection *collection) {
    hf_collection *c = (hf_collection *)collection;
    while (c->stale) {
        hf_doc *doc = c->stale;
        c->stale = doc->next_stale;
        hf_doc_settle(doc);
        count(c, doc);
    }
}

size_t hf_collection_n(const hf_collection *c) {
    settle(c);
    return c->n_showing;
}

const hf_doc *hf_collection_get(const hf_collection *c, hf_bytes id) {
    settle(c);
    const hf_doc *doc = hf_map_get(&c->docs, id);
    return doc && doc->created ? doc : NULL;
}

bool hf_collection_had(const hf_collection *c, hf_bytes id) {
    settle(c);
    const hf_doc *doc = hf_map_get(&c->docs, id);
    return doc && doc->deleted && !doc->created && doc->ever_new;
}

bool hf_collection_knows_op(const hf_collection *c, hf_bytes id, hf_bytes opid) {
    const hf_doc *doc = hf_map_get(&c->docs, id);
    return doc && hf_op_index_find(&c->index, hf_op_index_hash(&c->index, id, opid), doc, opid);
}

const hf_doc *hf_collection_next(const hf_collection *c, size_t *cursor) {
    for (hf_map_slot *slot; (slot = hf_map_next(&c->docs, cursor));) {
        const hf_doc *doc = slot->value;
        if (doc->created) return doc;
    }
    return NULL;
}
