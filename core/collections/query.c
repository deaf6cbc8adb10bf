/* query: filter, sort, cut out a page. One pass over the showing documents, then n log (page) comparisons of keys made
 * beforehand. See collection.h. */
#include "document.h"
#include "fold.h"

/* A filter made ready: a needle for HF_CONTAINS. */
typedef struct matcher {
    const hf_filter *filter;
    hf_needle needle;
} matcher;

typedef struct row {
    const hf_doc *doc;
    const hf_order *order; /* of the NEW that made it: different for each document */
    hf_value key;          /* what it is sorted by; text folded */
    hf_bytes text;         /* the text as it is */
} row;

/* ---- comparing values ---- */

/* Unset, then bool, numbers, text: a field has one type, so only "unset" meets the others. */
static int rank(const hf_value *v) {
    switch (v->kind) {
    case HF_NULL:
        return 0;
    case HF_BOOL:
        return 1;
    case HF_INT:
    case HF_FLOAT:
        return 2;
    default:
        return 3;
    }
}

static double number(const hf_value *v) {
    if (v->kind == HF_FLOAT) return v->as.f;
    return v->negative ? -1.0 - (double)v->as.u : (double)v->as.u; /* within ±2^53 in fields: exact */
}

static int compare_values(const hf_value *a, const hf_value *b) {
    if (rank(a) != rank(b)) return rank(a) < rank(b) ? -1 : 1;
    switch (rank(a)) {
    case 1:
        return (int)a->as.b - (int)b->as.b;
    case 2:
        return (number(a) > number(b)) - (number(a) < number(b));
    case 3:
        return hf_cmp(a->as.s, b->as.s);
    default:
        return 0;
    }
}

/* ---- filters ---- */

static hf_err prepare(hf_arena *arena, const hf_filter *filter, matcher *ret) {
    *ret = (matcher){.filter = filter};
    if (filter->compare != HF_CONTAINS || filter->value.kind != HF_TEXT_VALUE) return HF_OK;
    return hf_needle_make(arena, filter->value.as.s, &ret->needle);
}

static bool matches_value(const matcher *m, const hf_value *v) {
    const hf_value *want = &m->filter->value;
    switch (m->filter->compare) {
    case HF_EQUALS:
        return hf_value_eq(v, want);
    case HF_CONTAINS:
        return v->kind == HF_TEXT_VALUE && hf_needle_in(&m->needle, v->as.s);
    case HF_LESS:
        return rank(v) && rank(v) == rank(want) && compare_values(v, want) < 0;
    case HF_MORE:
        return rank(v) && rank(v) == rank(want) && compare_values(v, want) > 0;
    }
    return false;
}

static bool matches(const matcher *m, const hf_doc *doc) {
    if (m->filter->compare == HF_CONTAINS) {
        if (m->filter->value.kind != HF_TEXT_VALUE) return false;
        if (m->needle.text.len == 0) return true; /* an empty search box asks for nothing */
    }
    for (size_t i = 0; i < m->filter->n_fields; i++)
        if (matches_value(m, hf_doc_field(doc, m->filter->fields[i]))) return true;
    return false;
}

static bool matches_all(const matcher *matchers, size_t n, const hf_doc *doc) {
    for (size_t i = 0; i < n; i++)
        if (!matches(&matchers[i], doc)) return false;
    return true;
}

static bool fields_exist(const hf_schema *schema, const hf_query *query) {
    if (query->sort_field != SIZE_MAX && query->sort_field >= schema->n_fields) return false;
    for (size_t i = 0; i < query->n_filters; i++)
        for (size_t k = 0; k < query->filters[i].n_fields; k++)
            if (query->filters[i].fields[k] >= schema->n_fields) return false;
    return true;
}

/* ---- order ---- */

static int compare_rows(const void *a, const void *b, const void *ctx) {
    const row *x = a, *y = b;
    const hf_query *query = ctx;
    int c = query->sort_field == SIZE_MAX ? 0 : compare_values(&x->key, &y->key);
    if (!c && query->sort_field != SIZE_MAX) c = hf_cmp(x->text, y->text);
    if (!c) c = hf_order_compare(x->order, y->order);
    return query->descending ? -c : c;
}

static hf_err fill_row(hf_arena *arena, const hf_query *query, const hf_doc *doc, row *ret) {
    *ret = (row){.doc = doc, .order = &doc->created->order, .key = hf_value_null()};
    if (query->sort_field == SIZE_MAX) return HF_OK;
    ret->key = *hf_doc_field(doc, query->sort_field);
    if (ret->key.kind != HF_TEXT_VALUE) return HF_OK;
    ret->text = ret->key.as.s;
    ret->key.as.s = hf_fold_text(arena, ret->text);
    return ret->key.as.s.ptr ? HF_OK : HF_NOMEM;
}

/* ---- the query ---- */

static hf_err collect(const hf_collection *c, hf_arena *arena, const hf_query *query, const matcher *matchers,
                      row **rows, size_t *ret_n) {
    size_t n = 0, n_showing = hf_collection_n(c), cursor = 0;
    row *all = hf_arena_alloc(arena, n_showing * sizeof *all);
    if (!all) return HF_NOMEM;
    for (const hf_doc *doc; (doc = hf_collection_next(c, &cursor));) {
        if (!matches_all(matchers, query->n_filters, doc)) continue;
        if (fill_row(arena, query, doc, &all[n])) return HF_NOMEM;
        rows[n] = &all[n];
        n++;
    }
    *ret_n = n;
    return HF_OK;
}

static void cut_page(const hf_query *query, row *const *rows, size_t n, const hf_doc **docs, size_t *ret_n) {
    size_t from = query->offset < n ? query->offset : n, len = n - from;
    if (query->limit && query->limit < len) len = query->limit;
    for (size_t i = 0; i < len; i++) docs[i] = rows[from + i]->doc;
    *ret_n = len;
}

hf_err hf_collection_query(const hf_collection *c, hf_arena *arena, const hf_query *query, const hf_doc ***ret_docs,
                           size_t *ret_n, size_t *ret_total) {
    if (!fields_exist(hf_collection_schema(c), query)) return HF_NOT_FOUND;
    size_t n_showing = hf_collection_n(c), n = 0;
    matcher *matchers = hf_arena_alloc(arena, (query->n_filters + 1) * sizeof *matchers);
    row **rows = hf_arena_alloc(arena, (n_showing + 1) * sizeof *rows);
    const hf_doc **docs = hf_arena_alloc(arena, (n_showing + 1) * sizeof *docs);
    if (!matchers || !rows || !docs) return HF_NOMEM;
    for (size_t i = 0; i < query->n_filters; i++)
        if (prepare(arena, &query->filters[i], &matchers[i])) return HF_NOMEM;
    hf_err err = collect(c, arena, query, matchers, rows, &n);
    if (err) return err;
    bool page = query->limit && query->offset < n && query->limit < n - query->offset;
    hf_sort_pointers((void **)rows, n, page ? query->offset + query->limit : n, compare_rows, query);
    cut_page(query, rows, n, docs, ret_n);
    *ret_docs = docs;
    *ret_total = n;
    return HF_OK;
}
