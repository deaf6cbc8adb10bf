/* The app's manifest: app.json read into tables of routes, lists, filters and actions, every name resolved to an
 * index.
 * Contract: docs/reference/app-format.md. A wrong manifest is refused with the file, the path of the key and what is
 * wrong with it; a key that is not known is wrong, since it is a typing error more often than a wish.
 */
#ifndef HF_APP_MANIFEST_H
#define HF_APP_MANIFEST_H
#include "../collections/collection.h"
#include "router.h"

/* Bounds of one app: generous for people, and small enough that a stranger's app folder costs little. */
enum {
    HF_APP_COLLECTIONS_MAX = 16,
    HF_APP_ROUTES_MAX = 64,
    HF_APP_LISTS_MAX = 8, /* per route; also counts, filters per list, words per filter, each times two */
    HF_APP_LIST_LIMIT_MAX = 10000,
    HF_APP_LIST_LIMIT = 1000,
};

/* "field is value", all of them. */
typedef struct hf_condition {
    size_t field;
    hf_value value;
} hf_condition;
typedef struct hf_where {
    const hf_condition *conditions;
    size_t n;
} hf_where;

typedef enum hf_list_filter_kind { HF_FILTER_WORDS, HF_FILTER_EQUALS, HF_FILTER_CONTAINS } hf_list_filter_kind;
typedef struct hf_word {
    hf_bytes word;
    hf_where where;
} hf_word;
typedef struct hf_list_filter {
    hf_bytes name; /* of the query parameter */
    hf_list_filter_kind kind;
    const hf_word *words; /* WORDS */
    size_t n_words;
    const size_t *fields; /* EQUALS: one; CONTAINS: any of them */
    size_t n_fields;
} hf_list_filter;

typedef struct hf_app_list {
    hf_bytes name;
    size_t collection;
    hf_where where;
    size_t sort_field; /* SIZE_MAX: by creation */
    bool descending;
    size_t limit;
    const hf_list_filter *filters;
    size_t n_filters;
} hf_app_list;

typedef struct hf_app_count {
    hf_bytes name;
    size_t collection;
    hf_where where;
} hf_app_count;

typedef struct hf_app_route {
    hf_path path;
    hf_bytes template_name, title, description; /* title and description are small templates */
    const hf_app_list *lists;
    size_t n_lists;
    const hf_app_count *counts;
    size_t n_counts;
    size_t item_collection; /* SIZE_MAX: no item */
    size_t item_param;      /* which part of the path is the document's ID */
    bool history;
    hf_bytes structured; /* schema.org type; empty: WebPage */
    bool sitemap;        /* the page, or every document of item_collection */
    const size_t *reads; /* collections whose state the page depends on */
    size_t n_reads;
} hf_app_route;

typedef enum hf_app_do { HF_DO_CREATE, HF_DO_UPDATE, HF_DO_TOGGLE, HF_DO_INCREMENT, HF_DO_DELETE } hf_app_do;

typedef struct hf_app_action {
    hf_path path;
    hf_app_do what;
    size_t collection;
    size_t id_param;      /* part of the path; SIZE_MAX for create */
    const size_t *fields; /* create, update: what a form may set; toggle, increment: the one field */
    size_t n_fields;
    int64_t by; /* increment */
    bool then_back;
    hf_path then;
    size_t failed_route; /* SIZE_MAX: this action cannot fail on input */
} hf_app_action;

typedef struct hf_app_icon {
    hf_bytes src, sizes, type, purpose;
} hf_app_icon;

typedef struct hf_app_manifest {
    hf_bytes name, title, description, lang, theme_color, background_color;
    hf_bytes image; /* of shared links; empty: the first PNG icon */
    const hf_app_icon *icons;
    size_t n_icons;
    hf_schema *schemas;
    size_t n_schemas;
    hf_app_route *routes;
    size_t n_routes;
    hf_app_action *actions;
    size_t n_actions;
} hf_app_manifest;

/* `text` and everything read live as long as `arena`. HF_MALFORMED with *ret_problem in `problems`, or HF_NOMEM. */
HF_MUST_USE hf_err hf_app_manifest_read(hf_arena *arena, hf_bytes text, hf_arena *problems, hf_app_manifest *ret,
                                        hf_bytes *ret_problem);

/* ---- between the files of this module ---- */

/* Where in app.json we are: a chain on the C stack, written out only when something is wrong. */
typedef struct hf_place {
    const struct hf_place *up;
    hf_bytes key; /* empty: index */
    size_t index;
} hf_place;

typedef struct hf_manifest_reader {
    hf_arena *arena, *problems;
    hf_bytes problem;
    hf_app_manifest *manifest;
} hf_manifest_reader;

/* "app.json: a.b[2].c WHAT" -> reader->problem. Always an error: HF_MALFORMED or HF_NOMEM. `detail` follows in
 * quotes when not empty. */
HF_MUST_USE hf_err hf_manifest_refuse(hf_manifest_reader *reader, const hf_place *place, const char *what,
                                      hf_bytes detail);
/* Is it an object, and has it only keys of the NULL-terminated list? */
HF_MUST_USE hf_err hf_manifest_keys(hf_manifest_reader *reader, const hf_place *place, const hf_value *object,
                                    const char *const *known);
/* A text member; missing is fine unless `required`. */
HF_MUST_USE hf_err hf_manifest_text(hf_manifest_reader *reader, const hf_place *place, const hf_value *object,
                                    const char *key, bool required, hf_bytes *ret);
HF_MUST_USE hf_err hf_manifest_bool(hf_manifest_reader *reader, const hf_place *place, const hf_value *object,
                                    const char *key, bool *ret);
HF_MUST_USE hf_err hf_manifest_path(hf_manifest_reader *reader, const hf_place *place, hf_bytes text, hf_path *ret);
/* The collection that member `key` names. */
HF_MUST_USE hf_err hf_manifest_collection(hf_manifest_reader *reader, const hf_place *place, const hf_value *object,
                                          const char *key, size_t *ret);
HF_MUST_USE hf_err hf_manifest_field(hf_manifest_reader *reader, const hf_place *place, size_t collection,
                                     hf_bytes name, size_t *ret);
/* The members of `object` under `key` (an object or a list of at most `max`): *ret_n, and zeroed room for as many
 * items. */
HF_MUST_USE hf_err hf_manifest_members(hf_manifest_reader *reader, const hf_place *place, const hf_value *object,
                                       const char *key, hf_kind kind, size_t max, size_t item_len,
                                       const hf_value **ret_members, size_t *ret_n, void **ret_items);
HF_MUST_USE hf_err hf_manifest_routes(hf_manifest_reader *reader, const hf_value *root);
HF_MUST_USE hf_err hf_manifest_actions(hf_manifest_reader *reader, const hf_value *root);
#endif
