/* manifest: actions. */
#include "manifest.h"

static hf_err read_what(hf_manifest_reader *reader, const hf_place *place, const hf_value *json,
                        hf_app_action *action) {
    static const char *const words[] = {[HF_DO_CREATE] = "create",
                                        [HF_DO_UPDATE] = "update",
                                        [HF_DO_TOGGLE] = "toggle",
                                        [HF_DO_INCREMENT] = "increment",
                                        [HF_DO_DELETE] = "delete"};
    hf_place here = {place, HF_TEXT("do"), 0};
    hf_bytes text = {0};
    hf_err err = hf_manifest_text(reader, place, json, "do", true, &text);
    for (size_t i = 0; i < HF_COUNT(words) && !err; i++) {
        if (!hf_eq(text, hf_str(words[i]))) continue;
        action->what = (hf_app_do)i;
        return HF_OK;
    }
    return err ? err
               : hf_manifest_refuse(reader, &here, "must be create, update, toggle, increment or delete, not", text);
}

/* Forms set what people fill in: neither what the operation fills in itself nor counters, which only add up. */
static hf_err read_settable(hf_manifest_reader *reader, const hf_place *place, const hf_value *name, size_t collection,
                            size_t *ret) {
    hf_err err = hf_manifest_field(reader, place, collection, hf_value_as_text(name), ret);
    if (err) return err;
    const hf_field *field = &reader->manifest->schemas[collection].fields[*ret];
    if (field->automatic != HF_AUTO_NONE)
        return hf_manifest_refuse(reader, place, "names a field that fills itself:", field->name);
    if (field->type == HF_FIELD_COUNTER)
        return hf_manifest_refuse(reader, place, "names a counter, which only increment changes:", field->name);
    return HF_OK;
}

static hf_err read_fields(hf_manifest_reader *reader, const hf_place *place, const hf_value *json,
                          hf_app_action *action) {
    hf_place all = {place, HF_TEXT("fields"), 0};
    void *items;
    const hf_value *names;
    hf_err err = hf_manifest_members(reader, place, json, "fields", HF_LIST, HF_SCHEMA_FIELDS_MAX, sizeof(size_t),
                                     &names, &action->n_fields, &items);
    size_t *fields = items;
    for (size_t i = 0; i < action->n_fields && !err; i++) {
        hf_place here = {&all, HF_TEXT(""), i};
        err = read_settable(reader, &here, &names->as.list.items[i], action->collection, &fields[i]);
    }
    action->fields = fields;
    if (!err && action->n_fields == 0)
        return hf_manifest_refuse(reader, &all, "must name at least one field", HF_TEXT(""));
    return err;
}

static hf_err read_one_field(hf_manifest_reader *reader, const hf_place *place, const hf_value *json,
                             hf_app_action *action, hf_field_type want) {
    hf_place here = {place, HF_TEXT("field"), 0};
    hf_bytes name = {0};
    size_t *field = hf_arena_alloc(reader->arena, sizeof *field);
    if (!field) return HF_NOMEM;
    hf_err err = hf_manifest_text(reader, place, json, "field", true, &name);
    if (!err) err = hf_manifest_field(reader, &here, action->collection, name, field);
    if (err) return err;
    action->fields = field;
    action->n_fields = 1;
    if (reader->manifest->schemas[action->collection].fields[*field].type == want) return HF_OK;
    return hf_manifest_refuse(reader, &here, want == HF_FIELD_BOOL ? "must be a bool" : "must be a counter",
                              HF_TEXT(""));
}

static hf_err read_by(hf_manifest_reader *reader, const hf_place *place, const hf_value *json, hf_app_action *action) {
    hf_place here = {place, HF_TEXT("by"), 0};
    const hf_value *by = hf_value_get(json, "by");
    action->by = by ? hf_value_as_i64(by, 0) : 1;
    if (action->by == 0 || action->by > 1000000 || action->by < -1000000)
        return hf_manifest_refuse(reader, &here, "must be a whole number within a million, not 0", HF_TEXT(""));
    return HF_OK;
}

static hf_err read_subject(hf_manifest_reader *reader, const hf_place *place, const hf_value *json,
                           hf_app_action *action) {
    hf_err err;
    switch (action->what) {
    case HF_DO_CREATE:
    case HF_DO_UPDATE:
        return read_fields(reader, place, json, action);
    case HF_DO_TOGGLE:
        return read_one_field(reader, place, json, action, HF_FIELD_BOOL);
    case HF_DO_INCREMENT:
        err = read_by(reader, place, json, action);
        return err ? err : read_one_field(reader, place, json, action, HF_FIELD_COUNTER);
    default:
        return HF_OK;
    }
}

static hf_err check_id(hf_manifest_reader *reader, const hf_place *place, hf_app_action *action) {
    size_t n_params = 0;
    for (size_t i = 0; i < action->path.n; i++) n_params += action->path.parts[i].is_param;
    action->id_param = hf_path_param(&action->path, HF_TEXT("id"));
    bool needs = action->what != HF_DO_CREATE;
    if (needs && (n_params != 1 || action->id_param == SIZE_MAX))
        return hf_manifest_refuse(reader, place, "must have one parameter, :id", HF_TEXT(""));
    if (!needs && n_params)
        return hf_manifest_refuse(reader, place, "creates a document and must not have a parameter", HF_TEXT(""));
    return HF_OK;
}

static bool sets(const hf_app_action *action, size_t field) {
    for (size_t i = 0; i < action->n_fields; i++)
        if (action->fields[i] == field) return true;
    return false;
}

/* A create that leaves out a required field would make documents that never show. */
static hf_err check_required(hf_manifest_reader *reader, const hf_place *place, const hf_app_action *action) {
    const hf_schema *schema = &reader->manifest->schemas[action->collection];
    hf_place here = {place, HF_TEXT("fields"), 0};
    for (size_t i = 0; i < schema->n_fields && action->what == HF_DO_CREATE; i++)
        if (schema->fields[i].required && schema->fields[i].fallback.kind == HF_NULL && !sets(action, i))
            return hf_manifest_refuse(reader, &here, "must have the required field", schema->fields[i].name);
    return HF_OK;
}

/* Where to go afterwards: a path, whose :id becomes the document's, or "back". */
static hf_err read_then(hf_manifest_reader *reader, const hf_place *place, const hf_value *json,
                        hf_app_action *action) {
    hf_place here = {place, HF_TEXT("then"), 0};
    hf_bytes then = HF_TEXT("back");
    hf_err err = hf_manifest_text(reader, place, json, "then", false, &then);
    action->then_back = hf_eq(then, HF_TEXT("back"));
    if (err || action->then_back) return err;
    return hf_manifest_path(reader, &here, then, &action->then);
}

static hf_err read_failed(hf_manifest_reader *reader, const hf_place *place, const hf_value *json,
                          hf_app_action *action) {
    hf_place here = {place, HF_TEXT("failed"), 0};
    hf_bytes failed = {0};
    bool needs = action->what == HF_DO_CREATE || action->what == HF_DO_UPDATE;
    action->failed_route = SIZE_MAX;
    hf_err err = hf_manifest_text(reader, place, json, "failed", needs, &failed);
    for (size_t i = 0; i < reader->manifest->n_routes && !err; i++) {
        const hf_app_route *route = &reader->manifest->routes[i];
        if (!hf_eq(route->path.text, failed)) continue;
        if (route->item_collection != SIZE_MAX &&
            (route->item_collection != action->collection || action->id_param == SIZE_MAX))
            return hf_manifest_refuse(reader, &here,
                                      "shows another document than the one that the action is about:", failed);
        action->failed_route = i;
        return HF_OK;
    }
    return err || failed.len == 0
               ? err
               : hf_manifest_refuse(reader, &here, "must be the path of a route, as it stands there, not", failed);
}

static hf_err read_action(hf_manifest_reader *reader, const hf_place *place, const hf_value *json,
                          hf_app_action *action) {
    static const char *const known[] = {"path", "do", "in", "fields", "field", "by", "then", "failed", NULL};
    hf_place path = {place, HF_TEXT("path"), 0};
    hf_bytes text = {0};
    hf_err err = hf_manifest_keys(reader, place, json, known);
    if (!err) err = hf_manifest_text(reader, place, json, "path", true, &text);
    if (!err) err = hf_manifest_path(reader, &path, text, &action->path);
    if (!err) err = read_what(reader, place, json, action);
    if (!err) err = check_id(reader, &path, action);
    if (!err) err = hf_manifest_collection(reader, place, json, "in", &action->collection);
    if (!err) err = read_subject(reader, place, json, action);
    if (!err) err = check_required(reader, place, action);
    if (!err) err = read_then(reader, place, json, action);
    if (!err) err = read_failed(reader, place, json, action);
    return err;
}

hf_err hf_manifest_actions(hf_manifest_reader *reader, const hf_value *root) {
    hf_app_manifest *m = reader->manifest;
    hf_place all = {NULL, HF_TEXT("actions"), 0};
    void *items;
    const hf_value *json;
    size_t n;
    hf_err err = hf_manifest_members(reader, NULL, root, "actions", HF_LIST, HF_APP_ROUTES_MAX, sizeof *m->actions,
                                     &json, &n, &items);
    m->actions = items;
    for (size_t i = 0; i < n && !err; i++) {
        hf_place here = {&all, HF_TEXT(""), i};
        err = read_action(reader, &here, &json->as.list.items[i], &m->actions[i]);
    }
    m->n_actions = n;
    return err;
}
