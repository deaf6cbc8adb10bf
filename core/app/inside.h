/* inside: what the files of app/ share: the app itself and one request on its way through it. */
#ifndef HF_APP_INSIDE_H
#define HF_APP_INSIDE_H
#include "app.h"
#include "cache.h"
#include "form.h"
#include "manifest.h"
#include "mustache.h"

enum { HF_RELEASE_MAX = 64, HF_SCRIPT_URL_MAX = 256 };

/* What templates call a collection's documents by. */
typedef struct hf_shelf {
    const hf_schema *schema;
    const hf_app_route *item_route; /* where a document has its page; NULL: nowhere */
    const uint8_t *field_of_name;   /* name ID -> 1 + field, 0: no field; n_names of them */
    size_t n_names;
    size_t title_field; /* the first text a person writes; SIZE_MAX: none */
} hf_shelf;

/* What a route renders. */
typedef struct hf_route_templates {
    const hf_template *page, *title, *description;
} hf_route_templates;

/* A file of static/. */
typedef struct hf_asset {
    hf_bytes path, bytes; /* "static/app.css" */
    hf_bytes etag;        /* quoted */
    const char *type;
} hf_asset;

struct hf_app {
    hf_mem *mem;
    hf_arena arena; /* manifest, files, tables: all that lives as long as the app */
    hf_app_manifest manifest;
    hf_templates templates;
    hf_shelf *shelves; /* per schema */
    hf_route_templates *route_templates;
    const hf_template *layout, *error; /* NULL: the app has none */
    hf_asset *assets;
    size_t n_assets;
    hf_cache cache;
    hf_buf out, marks; /* the body being answered, and where the operation ID stands in it */
    uint8_t release[HF_RELEASE_MAX], script_url[HF_SCRIPT_URL_MAX];
    size_t release_len, script_url_len;
};

/* One request being answered. */
typedef struct hf_call {
    hf_app *app;
    const hf_app_state *state;
    const hf_request *request;
    hf_arena *arena;
    hf_response *answer;
    hf_segments path;
} hf_call;

hf_bytes hf_app_release_text(const hf_app *app);
bool hf_call_reads(const hf_call *call); /* GET or HEAD */

/* The names that templates use, interned first, so that their IDs are these constants. */
/* clang-format off */
#define HF_NAMES(X)                                                                                                   \
    X(APP, "app") X(PAGE, "page") X(RELEASE, "release") X(QUERY, "query") X(FILTER, "filter") X(ITEM, "item")         \
    X(HISTORY, "history") X(COUNTS, "counts") X(OP, "op") X(FORM, "form") X(ERRORS, "errors") X(FIELDS, "fields")     \
    X(CONTENT, "content") X(NAME, "name") X(TITLE, "title") X(DESCRIPTION, "description") X(LANG, "lang")             \
    X(THEME_COLOR, "themeColor") X(PATH, "path") X(URL, "url") X(CANONICAL, "canonical") X(STATUS, "status")          \
    X(HEAD, "head") X(ITEMS, "items") X(TOTAL, "total") X(EMPTY, "empty") X(PAGES, "pages") X(NEXT, "next")           \
    X(PREVIOUS, "previous") X(ID, "id") X(ISO, "iso") X(MS, "ms") X(DATE, "date") X(TEXT, "text")                     \
    X(CHOICES, "choices") X(VALUE, "value") X(LABEL, "label") X(SELECTED, "selected") X(BY, "by") X(AT, "at")         \
    X(CHANGES, "changes") X(ANY, "any") X(LIST, "list") X(FIELD, "field") X(MESSAGE, "message")                       \
    X(REQUIRED, "required") X(MAX, "max") X(MIN, "min") X(MULTILINE, "multiline")
/* clang-format on */
typedef enum hf_name_id {
#define X(id, text) HF_NAME_##id,
    HF_NAMES(X)
#undef X
        HF_NAMES_N
} hf_name_id;

#endif
