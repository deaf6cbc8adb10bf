/* page: what templates see (the table in docs/reference/app-format.md). Each class answers one row of it. */
#include "escape.h"
#include "item.h"
#include "page.h"

static hf_view text_or_none(hf_bytes text) {
    return text.len ? hf_view_text(text) : hf_view_none();
}

static const hf_shelf *shelf_of(const hf_page *page, size_t collection) {
    return &page->call->app->shelves[collection];
}

/* ---- app ---- */
static bool app_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_app_manifest *m = self->self;
    switch (name->id) {
    case HF_NAME_NAME:
        *ret = hf_view_text(m->name);
        return true;
    case HF_NAME_TITLE:
        *ret = hf_view_text(m->title);
        return true;
    case HF_NAME_DESCRIPTION:
        *ret = hf_view_text(m->description);
        return true;
    case HF_NAME_LANG:
        *ret = hf_view_text(m->lang);
        return true;
    case HF_NAME_THEME_COLOR:
        *ret = hf_view_text(m->theme_color);
        return true;
    default:
        return false;
    }
}
static const hf_view_class app_class = {.get = app_get};

/* ---- page ---- */
static void add_head(const hf_view *self, hf_buf *buf) {
    hf_page_add_head(buf, self->self);
}
static const hf_view_class head_class = {.text = add_head};

static bool page_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_page *page = self->self;
    switch (name->id) {
    case HF_NAME_TITLE:
        *ret = hf_view_text(page->title);
        return true;
    case HF_NAME_DESCRIPTION:
        *ret = hf_view_text(page->description);
        return true;
    case HF_NAME_PATH:
        *ret = hf_view_text(page->path);
        return true;
    case HF_NAME_URL:
        *ret = hf_view_text(page->url);
        return true;
    case HF_NAME_CANONICAL:
        *ret = hf_view_text(page->canonical);
        return true;
    case HF_NAME_STATUS:
        *ret = hf_view_int(page->status);
        return true;
    case HF_NAME_HEAD:
        *ret = hf_view_map(&head_class, page, NULL);
        return true;
    default:
        return false;
    }
}
static const hf_view_class page_class = {.get = page_get};

/* ---- query.NAME, filter.any, filter.NAME.WORD ---- */
static const hf_in_force *find_in_force(const hf_page *page, hf_bytes name) {
    for (size_t i = 0; i < page->n_in_force; i++)
        if (hf_eq(page->in_force[i].filter->name, name)) return &page->in_force[i];
    return NULL;
}

static bool query_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_in_force *force = find_in_force(self->self, name->text);
    *ret = force ? hf_view_text(force->text) : hf_view_none();
    return true;
}
static const hf_view_class query_class = {.get = query_get};

static bool word_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_in_force *force = self->self;
    *ret = hf_view_bool(hf_eq(force->text, name->text));
    return true;
}
static const hf_view_class word_class = {.get = word_get};

static bool filter_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_page *page = self->self;
    const hf_in_force *force = find_in_force(page, name->text);
    if (force)
        *ret = hf_view_map(&word_class, force, NULL);
    else
        *ret = hf_view_bool(name->id == HF_NAME_ANY && page->n_in_force > 0);
    return true;
}
static const hf_view_class filter_class = {.get = filter_get};

/* ---- LIST.items, total, empty, page, pages, next, previous ---- */
static void item_at(const hf_view *self, size_t i, hf_view *ret) {
    const hf_page *page = self->self;
    const hf_list_result *result = self->more;
    *ret = hf_item_view(shelf_of(page, page->route->lists[result - page->lists].collection), result->docs[i]);
}
static const hf_view_class items_class = {.at = item_at};

static void add_next(const hf_view *self, hf_buf *buf) {
    const hf_page *page = self->self;
    hf_page_add_number_url(buf, page, page->number + 1);
}
static void add_previous(const hf_view *self, hf_buf *buf) {
    const hf_page *page = self->self;
    hf_page_add_number_url(buf, page, page->number - 1);
}
static const hf_view_class next_class = {.text = add_next}, previous_class = {.text = add_previous};

static bool list_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_page *page = self->self;
    const hf_list_result *result = self->more;
    bool more = page->number<result->n_pages, less = page->number> 1;
    switch (name->id) {
    case HF_NAME_ITEMS:
        *ret = hf_view_list(&items_class, page, result, result->n);
        return true;
    case HF_NAME_TOTAL:
        *ret = hf_view_int((int64_t)result->total);
        return true;
    case HF_NAME_EMPTY:
        *ret = hf_view_bool(result->n == 0);
        return true;
    case HF_NAME_PAGE:
        *ret = hf_view_int((int64_t)page->number);
        return true;
    case HF_NAME_PAGES:
        *ret = hf_view_int((int64_t)result->n_pages);
        return true;
    case HF_NAME_NEXT:
        *ret = more ? hf_view_map(&next_class, page, NULL) : hf_view_none();
        return true;
    case HF_NAME_PREVIOUS:
        *ret = less ? hf_view_map(&previous_class, page, NULL) : hf_view_none();
        return true;
    default:
        return false;
    }
}
static const hf_view_class list_class = {.get = list_get};

/* ---- counts ---- */
static bool counts_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_page *page = self->self;
    for (size_t i = 0; page->route && i < page->route->n_counts; i++) {
        if (!hf_eq(page->route->counts[i].name, name->text)) continue;
        *ret = hf_view_int((int64_t)page->counts[i]);
        return true;
    }
    return false;
}
static const hf_view_class counts_class = {.get = counts_get};

/* ---- form.FIELD, errors.any, errors.list, errors.FIELD ---- */
static bool form_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_typed *typed = self->self;
    const hf_bytes *text = typed ? hf_form_get(typed->form, name->text) : NULL;
    *ret = text ? hf_view_text(*text) : hf_view_none();
    return true;
}
static const hf_view_class form_class = {.get = form_get};

static bool failure_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_failure *failure = self->self;
    switch (name->id) {
    case HF_NAME_FIELD:
        *ret = failure->field ? hf_view_text(failure->field->name) : hf_view_none();
        return true;
    case HF_NAME_MESSAGE:
        *ret = hf_view_text(failure->message);
        return true;
    default:
        return false;
    }
}
static void failure_text(const hf_view *self, hf_buf *buf) {
    const hf_failure *failure = self->self;
    hf_buf_add(buf, failure->message);
}
static const hf_view_class failure_class = {.get = failure_get, .text = failure_text};

static void failure_at(const hf_view *self, size_t i, hf_view *ret) {
    const hf_typed *typed = self->self;
    *ret = hf_view_map(&failure_class, &typed->failures[i], NULL);
}
static const hf_view_class failures_class = {.at = failure_at};

static bool errors_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_typed *typed = self->self;
    size_t n = typed ? typed->n_failures : 0;
    *ret = hf_view_none();
    for (size_t i = 0; i < n; i++)
        if (typed->failures[i].field && hf_eq(typed->failures[i].field->name, name->text))
            *ret = hf_view_text(typed->failures[i].message);
    if (ret->kind == HF_VIEW_NONE && name->id == HF_NAME_ANY) *ret = hf_view_bool(n > 0);
    if (ret->kind == HF_VIEW_NONE && name->id == HF_NAME_LIST) *ret = hf_view_list(&failures_class, typed, NULL, n);
    return true;
}
static const hf_view_class errors_class = {.get = errors_get};

/* ---- fields.COLLECTION.FIELD ---- */
static bool rules_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_schema *schema = self->self;
    size_t i = hf_schema_field(schema, name->text);
    if (i == SIZE_MAX) return false;
    *ret = hf_item_field_rules(&schema->fields[i], &schema->fields[i].fallback);
    return true;
}
static const hf_view_class collection_class = {.get = rules_get};

static bool fields_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_app_manifest *m = self->self;
    for (size_t i = 0; i < m->n_schemas; i++) {
        if (!hf_eq(m->schemas[i].name, name->text)) continue;
        *ret = hf_view_map(&collection_class, &m->schemas[i], NULL);
        return true;
    }
    return false;
}
static const hf_view_class fields_class = {.get = fields_get};

/* ---- the root ---- */
static hf_view item_view(const hf_page *page) {
    return page->item ? hf_item_view(shelf_of(page, page->route->item_collection), page->item) : hf_view_none();
}

static hf_view history_view(const hf_page *page) {
    bool shows = page->item && page->route->history;
    return shows ? hf_item_history(shelf_of(page, page->route->item_collection), page->item) : hf_view_none();
}

static bool find_list(const hf_page *page, const hf_name *name, hf_view *ret) {
    for (size_t i = 0; page->route && i < page->route->n_lists; i++) {
        if (!hf_eq(page->route->lists[i].name, name->text)) continue;
        *ret = hf_view_map(&list_class, page, &page->lists[i]);
        return true;
    }
    return false;
}

static hf_view content_view(const hf_page *page) {
    if (!page->content) return hf_view_none();
    return (hf_view){.kind = HF_VIEW_TEMPLATE, .as.template = page->content};
}

static bool root_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_page *page = self->self;
    const hf_app *app = page->call->app;
    switch (name->id) {
    case HF_NAME_APP:
        *ret = hf_view_map(&app_class, &app->manifest, NULL);
        return true;
    case HF_NAME_PAGE:
        *ret = hf_view_map(&page_class, page, NULL);
        return true;
    case HF_NAME_RELEASE:
        *ret = text_or_none(hf_app_release_text(app));
        return true;
    case HF_NAME_QUERY:
        *ret = hf_view_map(&query_class, page, NULL);
        return true;
    case HF_NAME_FILTER:
        *ret = hf_view_map(&filter_class, page, NULL);
        return true;
    case HF_NAME_ITEM:
        *ret = item_view(page);
        return true;
    case HF_NAME_HISTORY:
        *ret = history_view(page);
        return true;
    case HF_NAME_COUNTS:
        *ret = hf_view_map(&counts_class, page, NULL);
        return true;
    case HF_NAME_OP:
        *ret = (hf_view){.kind = HF_VIEW_MARK, .as.s = page->op};
        return true;
    case HF_NAME_FORM:
        *ret = hf_view_map(&form_class, page->typed, NULL);
        return true;
    case HF_NAME_ERRORS:
        *ret = hf_view_map(&errors_class, page->typed, NULL);
        return true;
    case HF_NAME_FIELDS:
        *ret = hf_view_map(&fields_class, &app->manifest, NULL);
        return true;
    case HF_NAME_CONTENT:
        *ret = content_view(page);
        return true;
    default:
        return find_list(page, name, ret);
    }
}
static const hf_view_class root_class = {.get = root_get};

hf_view hf_page_view(hf_page *page) {
    return hf_view_map(&root_class, page, NULL);
}
