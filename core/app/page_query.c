/* page: what the query puts in force, and what the collections answer. */
#include "page.h"

/* ---- filters ---- */

static const hf_word *find_word(const hf_list_filter *filter, hf_bytes text) {
    for (size_t i = 0; i < filter->n_words; i++)
        if (hf_eq(filter->words[i].word, text)) return &filter->words[i];
    return NULL;
}

/* "equals": the text read as the field's type. *ret_takes false: no value of the field can be meant. */
static hf_err read_equals(hf_page *page, const hf_field *field, hf_in_force *force, bool *ret_takes) {
    hf_condition *condition = hf_arena_alloc(page->call->arena, sizeof *condition);
    const char *refusal = NULL;
    if (!condition) return HF_NOMEM;
    hf_err err = hf_field_parse(page->call->arena, field, force->text, &condition->value, &refusal);
    condition->field = force->filter->fields[0];
    force->where = (hf_where){condition, 1};
    *ret_takes = !err && !refusal && condition->value.kind != HF_NULL;
    return err;
}

/* A parameter that means nothing (empty, an unknown word, a number that is none) is not in force: the page is shown
 * without it. */
static hf_err read_filter(hf_page *page, size_t list, const hf_list_filter *filter) {
    const hf_schema *schema = page->call->app->shelves[page->route->lists[list].collection].schema;
    const hf_bytes *text = hf_form_get(&page->parameters, filter->name);
    if (!text || text->len == 0) return HF_OK;
    hf_in_force force = {.filter = filter, .list = list, .text = *text};
    bool takes = true;
    hf_err err = HF_OK;
    if (filter->kind == HF_FILTER_WORDS) {
        const hf_word *word = find_word(filter, *text);
        takes = word != NULL;
        if (word) force.where = word->where;
    } else if (filter->kind == HF_FILTER_EQUALS) {
        err = read_equals(page, &schema->fields[filter->fields[0]], &force, &takes);
    }
    if (!err && takes) page->in_force[page->n_in_force++] = force;
    return err;
}

static size_t read_number(const hf_page *page) {
    const hf_bytes *text = hf_form_get(&page->parameters, HF_TEXT("page"));
    uint64_t number = 1;
    if (!text || hf_parse_u64(*text, &number) || number < 1 || number > HF_PAGE_NUMBER_MAX) return 1;
    return (size_t)number;
}

static bool is_known(const hf_page *page, hf_bytes name) {
    for (size_t i = 0; i < page->n_in_force; i++)
        if (hf_eq(page->in_force[i].filter->name, name)) return true;
    return page->route->n_lists && hf_eq(name, HF_TEXT("page"));
}

hf_err hf_page_read_query(hf_page *page, hf_fault *fault) {
    hf_err err = hf_form_read(page->call->arena, page->query, &page->parameters, fault);
    if (err) return err;
    page->in_force = hf_arena_alloc(page->call->arena, HF_PAGE_FILTERS_MAX * sizeof *page->in_force);
    if (!page->in_force) return HF_NOMEM;
    for (size_t l = 0; l < page->route->n_lists; l++)
        for (size_t f = 0; f < page->route->lists[l].n_filters && !err; f++)
            err = read_filter(page, l, &page->route->lists[l].filters[f]);
    page->number = read_number(page);
    page->known_parameters = true;
    for (size_t i = 0; i < page->parameters.n; i++)
        if (!is_known(page, page->parameters.fields[i].name)) page->known_parameters = false;
    return err;
}

/* ---- asking ---- */

typedef struct filters {
    hf_filter *items;
    size_t n;
} filters;

static void add_where(filters *f, const hf_where *where) {
    for (size_t i = 0; i < where->n; i++)
        f->items[f->n++] = (hf_filter){HF_EQUALS, &where->conditions[i].field, 1, where->conditions[i].value};
}

static void add_force(filters *f, const hf_in_force *force) {
    if (force->filter->kind == HF_FILTER_CONTAINS)
        f->items[f->n++] =
            (hf_filter){HF_CONTAINS, force->filter->fields, force->filter->n_fields, hf_value_text(force->text)};
    else
        add_where(f, &force->where);
}

static hf_collection *collection_of(const hf_page *page, size_t collection) {
    return page->call->state->collections[collection];
}

static hf_err ask_list(hf_page *page, size_t l) {
    const hf_app_list *list = &page->route->lists[l];
    hf_list_result *result = &page->lists[l];
    size_t n_room = list->where.n + HF_APP_LISTS_MAX * HF_APP_LISTS_MAX;
    filters f = {hf_arena_alloc(page->call->arena, n_room * sizeof *f.items), 0};
    if (!f.items) return HF_NOMEM;
    add_where(&f, &list->where);
    for (size_t i = 0; i < page->n_in_force; i++)
        if (page->in_force[i].list == l) add_force(&f, &page->in_force[i]);
    hf_query query = {f.items, f.n, list->sort_field, list->descending, (page->number - 1) * list->limit, list->limit};
    hf_err err = hf_collection_query(collection_of(page, list->collection), page->call->arena, &query, &result->docs,
                                     &result->n, &result->total);
    result->n_pages = result->total ? (result->total + list->limit - 1) / list->limit : 1;
    return err;
}

static hf_err ask_count(hf_page *page, size_t c) {
    const hf_app_count *count = &page->route->counts[c];
    hf_collection *collection = collection_of(page, count->collection);
    page->counts[c] = hf_collection_n(collection);
    if (count->where.n == 0) return HF_OK;
    filters f = {hf_arena_alloc(page->call->arena, count->where.n * sizeof *f.items), 0};
    if (!f.items) return HF_NOMEM;
    add_where(&f, &count->where);
    const hf_doc **docs;
    size_t n;
    hf_query query = {f.items, f.n, SIZE_MAX, false, 0, 1};
    return hf_collection_query(collection, page->call->arena, &query, &docs, &n, &page->counts[c]);
}

hf_err hf_page_ask(hf_page *page) {
    hf_err err = HF_OK;
    for (size_t i = 0; i < page->route->n_lists && !err; i++) err = ask_list(page, i);
    for (size_t i = 0; i < page->route->n_counts && !err; i++) err = ask_count(page, i);
    return err;
}

void hf_page_add_number_url(hf_buf *buf, const hf_page *page, size_t number) {
    size_t n = 0;
    hf_buf_add(buf, page->path);
    for (size_t i = 0; i < page->n_in_force; i++) {
        bool again = false; /* a filter of the same name on two lists is one parameter */
        for (size_t k = 0; k < i; k++)
            again = again || hf_eq(page->in_force[k].filter->name, page->in_force[i].filter->name);
        if (!again) hf_form_add(buf, &n, page->in_force[i].filter->name, page->in_force[i].text);
    }
    if (number == 1) return;
    hf_buf_add_byte(buf, n ? '&' : '?');
    hf_buf_add_str(buf, "page=");
    hf_buf_add_u64(buf, number);
}
