/* manifest: routes. */
#include "manifest.h"

/* ---- where ---- */

static hf_err read_condition(hf_manifest_reader *reader, const hf_place *place, const hf_pair *pair, size_t collection,
                             hf_condition *condition) {
    hf_err err = hf_manifest_field(reader, place, collection, pair->key, &condition->field);
    if (err) return err;
    const char *refusal =
        hf_field_refuses(&reader->manifest->schemas[collection].fields[condition->field], &pair->value);
    hf_place here = {place, pair->key, 0};
    if (refusal) return hf_manifest_refuse(reader, &here, refusal, HF_TEXT(""));
    condition->value = pair->value;
    return HF_OK;
}

static hf_err read_conditions(hf_manifest_reader *reader, const hf_place *place, const hf_value *json,
                              size_t collection, hf_where *ret) {
    if (json->kind != HF_MAP) return hf_manifest_refuse(reader, place, "must be an object", HF_TEXT(""));
    if (json->as.map.n > HF_APP_LISTS_MAX)
        return hf_manifest_refuse(reader, place, "has too many members", HF_TEXT(""));
    hf_condition *conditions = hf_arena_alloc(reader->arena, json->as.map.n * sizeof *conditions);
    hf_err err = conditions ? HF_OK : HF_NOMEM;
    for (size_t i = 0; i < json->as.map.n && !err; i++)
        err = read_condition(reader, place, &json->as.map.pairs[i], collection, &conditions[i]);
    *ret = (hf_where){conditions, json->as.map.n};
    return err;
}

static hf_err read_where(hf_manifest_reader *reader, const hf_place *place, const hf_value *object, size_t collection,
                         hf_where *ret) {
    hf_place here = {place, HF_TEXT("where"), 0};
    const hf_value *json = hf_value_get(object, "where");
    return json ? read_conditions(reader, &here, json, collection, ret) : HF_OK;
}

/* ---- filters ---- */

static hf_err read_contains(hf_manifest_reader *reader, const hf_place *place, const hf_value *json, size_t collection,
                            hf_list_filter *filter) {
    void *items;
    const hf_value *names;
    hf_err err = hf_manifest_members(reader, place, json, "contains", HF_LIST, HF_APP_LISTS_MAX, sizeof(size_t), &names,
                                     &filter->n_fields, &items);
    size_t *fields = items;
    for (size_t i = 0; i < filter->n_fields && !err; i++) {
        err = hf_manifest_field(reader, place, collection, hf_value_as_text(&names->as.list.items[i]), &fields[i]);
        if (!err && reader->manifest->schemas[collection].fields[fields[i]].type != HF_FIELD_TEXT)
            err = hf_manifest_refuse(reader, place, "can only search text, which this field is not:",
                                     hf_value_as_text(&names->as.list.items[i]));
    }
    if (!err && filter->n_fields == 0) return hf_manifest_refuse(reader, place, "must name a field", HF_TEXT(""));
    filter->kind = HF_FILTER_CONTAINS;
    filter->fields = fields;
    return err;
}

static hf_err read_equals(hf_manifest_reader *reader, const hf_place *place, hf_bytes name, size_t collection,
                          hf_list_filter *filter) {
    size_t *field = hf_arena_alloc(reader->arena, sizeof *field);
    if (!field) return HF_NOMEM;
    filter->kind = HF_FILTER_EQUALS;
    filter->fields = field;
    filter->n_fields = 1;
    return hf_manifest_field(reader, place, collection, name, field);
}

static hf_err read_words(hf_manifest_reader *reader, const hf_place *place, const hf_value *json, size_t collection,
                         hf_list_filter *filter) {
    size_t n = json->as.map.n;
    if (n == 0 || n > 2 * HF_APP_LISTS_MAX)
        return hf_manifest_refuse(reader, place, "must have 1 to 16 words", HF_TEXT(""));
    hf_word *words = hf_arena_alloc(reader->arena, n * sizeof *words);
    hf_err err = words ? HF_OK : HF_NOMEM;
    for (size_t i = 0; i < n && !err; i++) {
        const hf_pair *pair = &json->as.map.pairs[i];
        hf_place here = {place, pair->key, 0};
        words[i].word = pair->key;
        err = read_conditions(reader, &here, &pair->value, collection, &words[i].where);
    }
    filter->kind = HF_FILTER_WORDS;
    filter->words = words;
    filter->n_words = n;
    return err;
}

static hf_err read_filter(hf_manifest_reader *reader, const hf_place *place, const hf_value *json, size_t collection,
                          hf_list_filter *filter) {
    static const char *const equals[] = {"equals", NULL}, *const contains[] = {"contains", NULL};
    const hf_value *field = hf_value_get(json, "equals"), *fields = hf_value_get(json, "contains");
    if (json->kind != HF_MAP) return hf_manifest_refuse(reader, place, "must be an object", HF_TEXT(""));
    if (hf_eq(filter->name, HF_TEXT("page")))
        return hf_manifest_refuse(reader, place, "has a name that lists use for their pages", HF_TEXT(""));
    if (field && field->kind == HF_TEXT_VALUE) {
        hf_err err = hf_manifest_keys(reader, place, json, equals);
        return err ? err : read_equals(reader, place, field->as.s, collection, filter);
    }
    if (fields && fields->kind == HF_LIST) {
        hf_err err = hf_manifest_keys(reader, place, json, contains);
        return err ? err : read_contains(reader, place, json, collection, filter);
    }
    return read_words(reader, place, json, collection, filter);
}

static hf_err read_filters(hf_manifest_reader *reader, const hf_place *place, const hf_value *json, hf_app_list *list) {
    void *items;
    hf_place all = {place, HF_TEXT("filters"), 0};
    const hf_value *members;
    hf_err err = hf_manifest_members(reader, place, json, "filters", HF_MAP, HF_APP_LISTS_MAX, sizeof(hf_list_filter),
                                     &members, &list->n_filters, &items);
    hf_list_filter *filters = items;
    for (size_t i = 0; i < list->n_filters && !err; i++) {
        hf_place here = {&all, members->as.map.pairs[i].key, 0};
        filters[i].name = members->as.map.pairs[i].key;
        err = read_filter(reader, &here, &members->as.map.pairs[i].value, list->collection, &filters[i]);
    }
    list->filters = filters;
    return err;
}

/* ---- lists and counts ---- */

static hf_err read_sort(hf_manifest_reader *reader, const hf_place *place, const hf_value *json, hf_app_list *list) {
    hf_bytes sort = {0};
    hf_place here = {place, HF_TEXT("sort"), 0};
    list->sort_field = SIZE_MAX;
    hf_err err = hf_manifest_text(reader, place, json, "sort", false, &sort);
    if (err || sort.len == 0) return err;
    list->descending = sort.ptr[0] == '-';
    if (list->descending) sort = hf_sub(sort, 1, sort.len);
    return sort.len ? hf_manifest_field(reader, &here, list->collection, sort, &list->sort_field) : HF_OK;
}

static hf_err read_limit(hf_manifest_reader *reader, const hf_place *place, const hf_value *json, hf_app_list *list) {
    hf_place here = {place, HF_TEXT("limit"), 0};
    const hf_value *value = hf_value_get(json, "limit");
    int64_t limit = value ? hf_value_as_i64(value, 0) : HF_APP_LIST_LIMIT;
    if (limit < 1 || limit > HF_APP_LIST_LIMIT_MAX)
        return hf_manifest_refuse(reader, &here, "must be a number from 1 to 10000", HF_TEXT(""));
    list->limit = (size_t)limit;
    return HF_OK;
}

static hf_err read_list(hf_manifest_reader *reader, const hf_place *place, const hf_value *json, hf_app_list *list) {
    static const char *const known[] = {"from", "where", "sort", "filters", "limit", NULL};
    hf_err err = hf_manifest_keys(reader, place, json, known);
    if (!err) err = hf_manifest_collection(reader, place, json, "from", &list->collection);
    if (!err) err = read_where(reader, place, json, list->collection, &list->where);
    if (!err) err = read_sort(reader, place, json, list);
    if (!err) err = read_limit(reader, place, json, list);
    if (!err) err = read_filters(reader, place, json, list);
    return err;
}

static hf_err read_lists(hf_manifest_reader *reader, const hf_place *place, const hf_value *json, hf_app_route *route) {
    /* A list under one of these names would hide what every template sees. */
    static const char *const taken[] = {"app",    "page", "release", "query",  "filter", "item",   "history",
                                        "counts", "op",   "form",    "errors", "fields", "content"};
    void *items;
    hf_place all = {place, HF_TEXT("lists"), 0};
    const hf_value *members;
    hf_err err = hf_manifest_members(reader, place, json, "lists", HF_MAP, HF_APP_LISTS_MAX, sizeof(hf_app_list),
                                     &members, &route->n_lists, &items);
    hf_app_list *lists = items;
    for (size_t i = 0; i < route->n_lists && !err; i++) {
        const hf_pair *pair = &members->as.map.pairs[i];
        hf_place here = {&all, pair->key, 0};
        for (size_t k = 0; k < HF_COUNT(taken); k++)
            if (hf_eq(pair->key, hf_str(taken[k])))
                return hf_manifest_refuse(reader, &here, "has a name that is taken", HF_TEXT(""));
        lists[i].name = pair->key;
        err = read_list(reader, &here, &pair->value, &lists[i]);
    }
    route->lists = lists;
    return err;
}

static hf_err read_counts(hf_manifest_reader *reader, const hf_place *place, const hf_value *json,
                          hf_app_route *route) {
    static const char *const known[] = {"from", "where", NULL};
    void *items;
    hf_place all = {place, HF_TEXT("counts"), 0};
    const hf_value *members;
    hf_err err = hf_manifest_members(reader, place, json, "counts", HF_MAP, 2 * HF_APP_LISTS_MAX, sizeof(hf_app_count),
                                     &members, &route->n_counts, &items);
    hf_app_count *counts = items;
    for (size_t i = 0; i < route->n_counts && !err; i++) {
        const hf_pair *pair = &members->as.map.pairs[i];
        hf_place here = {&all, pair->key, 0};
        counts[i].name = pair->key;
        err = hf_manifest_keys(reader, &here, &pair->value, known);
        if (!err) err = hf_manifest_collection(reader, &here, &pair->value, "from", &counts[i].collection);
        if (!err) err = read_where(reader, &here, &pair->value, counts[i].collection, &counts[i].where);
    }
    route->counts = counts;
    return err;
}

/* ---- the route itself ---- */

static hf_err read_item(hf_manifest_reader *reader, const hf_place *place, const hf_value *json, hf_app_route *route) {
    static const char *const known[] = {"from", "id", NULL};
    hf_place here = {place, HF_TEXT("item"), 0};
    const hf_value *item = hf_value_get(json, "item");
    hf_bytes id = HF_TEXT(":id");
    route->item_collection = SIZE_MAX;
    if (!item) return HF_OK;
    hf_err err = hf_manifest_keys(reader, &here, item, known);
    if (!err) err = hf_manifest_collection(reader, &here, item, "from", &route->item_collection);
    if (!err) err = hf_manifest_text(reader, &here, item, "id", false, &id);
    if (err) return err;
    route->item_param = id.len && id.ptr[0] == ':' ? hf_path_param(&route->path, hf_sub(id, 1, id.len)) : SIZE_MAX;
    if (route->item_param == SIZE_MAX)
        return hf_manifest_refuse(reader, &here, "has an id that is no parameter of the path:", id);
    return HF_OK;
}

/* true: this page. A name: every document of that collection, which must be the one the route shows. */
static hf_err read_sitemap(hf_manifest_reader *reader, const hf_place *place, const hf_value *json,
                           hf_app_route *route) {
    hf_place here = {place, HF_TEXT("sitemap"), 0};
    const hf_value *sitemap = hf_value_get(json, "sitemap");
    if (!sitemap) return HF_OK;
    if (sitemap->kind == HF_BOOL) {
        route->sitemap = sitemap->as.b;
        return !route->sitemap || route->item_collection == SIZE_MAX
                   ? HF_OK
                   : hf_manifest_refuse(reader, &here, "must name the collection of the item", HF_TEXT(""));
    }
    size_t collection;
    hf_err err = hf_manifest_collection(reader, place, json, "sitemap", &collection);
    if (!err && collection != route->item_collection)
        err = hf_manifest_refuse(reader, &here, "must name the collection of the item", HF_TEXT(""));
    route->sitemap = true;
    return err;
}

static hf_err check_params(hf_manifest_reader *reader, const hf_place *place, const hf_app_route *route) {
    size_t n_params = 0;
    for (size_t i = 0; i < route->path.n; i++) n_params += route->path.parts[i].is_param;
    if (n_params > 1 || (n_params && route->item_collection == SIZE_MAX))
        return hf_manifest_refuse(reader, place, "has a path parameter that no item uses", HF_TEXT(""));
    if (route->history && route->item_collection == SIZE_MAX)
        return hf_manifest_refuse(reader, place, "has a history but no item", HF_TEXT(""));
    return HF_OK;
}

static void add_read(size_t *reads, size_t *n, size_t collection) {
    for (size_t i = 0; i < *n; i++)
        if (reads[i] == collection) return;
    reads[(*n)++] = collection;
}

static hf_err note_reads(hf_manifest_reader *reader, hf_app_route *route) {
    size_t *reads = hf_arena_alloc(reader->arena, (route->n_lists + route->n_counts + 1) * sizeof *reads);
    if (!reads) return HF_NOMEM;
    for (size_t i = 0; i < route->n_lists; i++) add_read(reads, &route->n_reads, route->lists[i].collection);
    for (size_t i = 0; i < route->n_counts; i++) add_read(reads, &route->n_reads, route->counts[i].collection);
    if (route->item_collection != SIZE_MAX) add_read(reads, &route->n_reads, route->item_collection);
    route->reads = reads;
    return HF_OK;
}

static hf_err read_route(hf_manifest_reader *reader, const hf_place *place, const hf_value *json, hf_app_route *route) {
    static const char *const known[] = {"path", "template", "title",      "description", "lists", "counts",
                                        "item", "history",  "structured", "sitemap",     NULL};
    hf_place path = {place, HF_TEXT("path"), 0};
    hf_bytes text = {0};
    route->title = reader->manifest->title;
    route->description = reader->manifest->description;
    hf_err err = hf_manifest_keys(reader, place, json, known);
    if (!err) err = hf_manifest_text(reader, place, json, "path", true, &text);
    if (!err) err = hf_manifest_path(reader, &path, text, &route->path);
    if (!err) err = hf_manifest_text(reader, place, json, "template", true, &route->template_name);
    if (!err) err = hf_manifest_text(reader, place, json, "title", false, &route->title);
    if (!err) err = hf_manifest_text(reader, place, json, "description", false, &route->description);
    if (!err) err = hf_manifest_text(reader, place, json, "structured", false, &route->structured);
    if (!err) err = hf_manifest_bool(reader, place, json, "history", &route->history);
    if (!err) err = read_item(reader, place, json, route);
    if (!err) err = read_lists(reader, place, json, route);
    if (!err) err = read_counts(reader, place, json, route);
    if (!err) err = read_sitemap(reader, place, json, route);
    if (!err) err = check_params(reader, place, route);
    return err ? err : note_reads(reader, route);
}

hf_err hf_manifest_routes(hf_manifest_reader *reader, const hf_value *root) {
    hf_app_manifest *m = reader->manifest;
    hf_place all = {NULL, HF_TEXT("routes"), 0};
    void *items;
    const hf_value *json;
    size_t n;
    hf_err err = hf_manifest_members(reader, NULL, root, "routes", HF_LIST, HF_APP_ROUTES_MAX, sizeof *m->routes, &json,
                                     &n, &items);
    m->routes = items;
    for (size_t i = 0; i < n && !err; i++) {
        hf_place here = {&all, HF_TEXT(""), i};
        err = read_route(reader, &here, &json->as.list.items[i], &m->routes[i]);
    }
    m->n_routes = n;
    return err;
}
