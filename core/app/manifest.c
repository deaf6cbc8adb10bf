/* manifest: the top of app.json, and the small readers that manifest_route.c and manifest_action.c share. See
 * manifest.h. */
#include "manifest.h"

#include "../codec/json.h"

/* ---- saying what is wrong ---- */

static void add_place(hf_buf *buf, const hf_place *place) {
    const hf_place *chain[16];
    size_t n = 0;
    for (; place && n < HF_COUNT(chain); place = place->up) chain[n++] = place;
    for (bool first = true; n > 0; first = false) {
        const hf_place *at = chain[--n];
        if (at->key.len == 0) {
            hf_buf_add_byte(buf, '[');
            hf_buf_add_u64(buf, at->index);
            hf_buf_add_byte(buf, ']');
            continue;
        }
        if (!first) hf_buf_add_byte(buf, '.');
        hf_buf_add(buf, at->key);
    }
}

/* "must be text" goes on from the key; what the schema's reader says stands by itself. */
static bool is_own_sentence(const char *what) {
    return what[0] == 'a' || what[0] == '"';
}

hf_err hf_manifest_refuse(hf_manifest_reader *reader, const hf_place *place, const char *what, hf_bytes detail) {
    hf_buf buf;
    hf_buf_init(&buf, reader->problems->mem);
    hf_buf_add_str(&buf, "app.json: ");
    add_place(&buf, place);
    if (place) hf_buf_add_byte(&buf, is_own_sentence(what) ? ':' : ' ');
    if (place && is_own_sentence(what)) hf_buf_add_byte(&buf, ' ');
    hf_buf_add_str(&buf, what);
    if (detail.len) {
        hf_buf_add_str(&buf, " '");
        hf_buf_add(&buf, detail);
        hf_buf_add_byte(&buf, '\'');
    }
    if (!buf.err) reader->problem = hf_arena_copy(reader->problems, hf_buf_bytes(&buf));
    hf_err err = buf.err || !reader->problem.ptr ? HF_NOMEM : HF_MALFORMED;
    hf_buf_deinit(&buf);
    return err;
}

/* ---- small readers ---- */

hf_err hf_manifest_keys(hf_manifest_reader *reader, const hf_place *place, const hf_value *object,
                        const char *const *known) {
    if (object->kind != HF_MAP) return hf_manifest_refuse(reader, place, "must be an object", HF_TEXT(""));
    for (size_t i = 0; i < object->as.map.n; i++) {
        size_t k = 0;
        while (known[k] && !hf_eq(object->as.map.pairs[i].key, hf_str(known[k]))) k++;
        if (!known[k]) return hf_manifest_refuse(reader, place, "has an unknown key", object->as.map.pairs[i].key);
    }
    return HF_OK;
}

hf_err hf_manifest_text(hf_manifest_reader *reader, const hf_place *place, const hf_value *object, const char *key,
                        bool required, hf_bytes *ret) {
    hf_place here = {place, hf_str(key), 0};
    const hf_value *value = hf_value_get(object, key);
    if (!value && !required) return HF_OK;
    if (!value) return hf_manifest_refuse(reader, &here, "is missing", HF_TEXT(""));
    if (value->kind != HF_TEXT_VALUE) return hf_manifest_refuse(reader, &here, "must be text", HF_TEXT(""));
    if (required && value->as.s.len == 0) return hf_manifest_refuse(reader, &here, "must not be empty", HF_TEXT(""));
    *ret = value->as.s;
    return HF_OK;
}

hf_err hf_manifest_bool(hf_manifest_reader *reader, const hf_place *place, const hf_value *object, const char *key,
                        bool *ret) {
    hf_place here = {place, hf_str(key), 0};
    const hf_value *value = hf_value_get(object, key);
    if (value && value->kind != HF_BOOL) return hf_manifest_refuse(reader, &here, "must be true or false", HF_TEXT(""));
    if (value) *ret = value->as.b;
    return HF_OK;
}

hf_err hf_manifest_path(hf_manifest_reader *reader, const hf_place *place, hf_bytes text, hf_path *ret) {
    static const char *const kept[] = {"static",     "api",        "_",       "_holdfast",   "events",
                                       "healthz",    "readyz",     "metrics", ".well-known", "gun",
                                       "peerjs",     "announce",   "ipfs",    "p2p",         "manifest.webmanifest",
                                       "robots.txt", "sitemap.xml"};
    const char *wrong = hf_path_read(text, ret);
    if (wrong) return hf_manifest_refuse(reader, place, wrong, text);
    for (size_t i = 0; i < HF_COUNT(kept) && ret->n; i++)
        if (!ret->parts[0].is_param && hf_eq(ret->parts[0].text, hf_str(kept[i])))
            return hf_manifest_refuse(reader, place, "is an address that every app has already:", text);
    return HF_OK;
}

hf_err hf_manifest_collection(hf_manifest_reader *reader, const hf_place *place, const hf_value *object,
                              const char *key, size_t *ret) {
    hf_bytes name = {0};
    hf_err err = hf_manifest_text(reader, place, object, key, true, &name);
    if (err) return err;
    for (size_t i = 0; i < reader->manifest->n_schemas; i++) {
        if (!hf_eq(reader->manifest->schemas[i].name, name)) continue;
        *ret = i;
        return HF_OK;
    }
    hf_place here = {place, hf_str(key), 0};
    return hf_manifest_refuse(reader, &here, "names a collection that is not there:", name);
}

hf_err hf_manifest_field(hf_manifest_reader *reader, const hf_place *place, size_t collection, hf_bytes name,
                         size_t *ret) {
    *ret = hf_schema_field(&reader->manifest->schemas[collection], name);
    return *ret == SIZE_MAX ? hf_manifest_refuse(reader, place, "names a field that is not there:", name) : HF_OK;
}

hf_err hf_manifest_members(hf_manifest_reader *reader, const hf_place *place, const hf_value *object, const char *key,
                           hf_kind kind, size_t max, size_t item_len, const hf_value **ret_members, size_t *ret_n,
                           void **ret_items) {
    hf_place here = {place, hf_str(key), 0};
    const hf_value *members = hf_value_get(object, key);
    *ret_members = members;
    *ret_n = 0;
    *ret_items = NULL;
    if (!members) return HF_OK;
    if (members->kind != kind)
        return hf_manifest_refuse(reader, &here, kind == HF_MAP ? "must be an object" : "must be a list", HF_TEXT(""));
    size_t n = kind == HF_MAP ? members->as.map.n : members->as.list.n;
    if (n > max) return hf_manifest_refuse(reader, &here, "has too many members", HF_TEXT(""));
    void *items = hf_arena_alloc(reader->arena, n * item_len);
    if (!items) return HF_NOMEM;
    *ret_items = items;
    *ret_n = n;
    return HF_OK;
}

/* ---- the top ---- */

/* Names that forms and items use themselves. */
static hf_err check_field_names(hf_manifest_reader *reader, const hf_place *place, const hf_schema *schema) {
    static const char *const taken[] = {"id", "url", "op", "back"};
    for (size_t i = 0; i < schema->n_fields; i++)
        for (size_t k = 0; k < HF_COUNT(taken); k++)
            if (hf_eq(schema->fields[i].name, hf_str(taken[k])))
                return hf_manifest_refuse(reader, place, "has a field whose name is taken:", schema->fields[i].name);
    return HF_OK;
}

/* The schema's reader counts fields; people look for names. */
static hf_err refuse_schema(hf_manifest_reader *reader, const hf_place *place, const hf_value *json,
                            const hf_fault *fault) {
    hf_place fields = {place, HF_TEXT("fields"), 0};
    const hf_value *map = hf_value_get(json, "fields");
    bool of_field = !hf_starts(hf_str(fault->what), HF_TEXT("a collection")) && map && map->kind == HF_MAP &&
                    fault->at < map->as.map.n;
    if (!of_field) return hf_manifest_refuse(reader, place, fault->what, HF_TEXT(""));
    hf_place here = {&fields, map->as.map.pairs[fault->at].key, 0};
    return hf_manifest_refuse(reader, &here, fault->what, HF_TEXT(""));
}

static hf_err read_collections(hf_manifest_reader *reader, const hf_value *root) {
    hf_app_manifest *m = reader->manifest;
    void *items;
    hf_place collections = {NULL, HF_TEXT("collections"), 0};
    const hf_value *json;
    size_t n;
    hf_err err = hf_manifest_members(reader, NULL, root, "collections", HF_MAP, HF_APP_COLLECTIONS_MAX,
                                     sizeof *m->schemas, &json, &n, &items);
    m->schemas = items;
    for (size_t i = 0; i < n && !err; i++) {
        const hf_pair *pair = &json->as.map.pairs[i];
        hf_place here = {&collections, pair->key, 0};
        hf_fault fault = {"", 0};
        err = hf_schema_read(reader->arena, pair->key, &pair->value, &m->schemas[i], &fault);
        if (err && err != HF_NOMEM) return refuse_schema(reader, &here, &pair->value, &fault);
        if (!err) err = check_field_names(reader, &here, &m->schemas[i]);
    }
    m->n_schemas = n;
    return err;
}

static hf_err read_icon(hf_manifest_reader *reader, const hf_place *place, const hf_value *json, hf_app_icon *icon) {
    static const char *const known[] = {"src", "sizes", "type", "purpose", NULL};
    hf_err err = hf_manifest_keys(reader, place, json, known);
    if (!err) err = hf_manifest_text(reader, place, json, "src", true, &icon->src);
    if (!err) err = hf_manifest_text(reader, place, json, "sizes", false, &icon->sizes);
    if (!err) err = hf_manifest_text(reader, place, json, "type", false, &icon->type);
    if (!err) err = hf_manifest_text(reader, place, json, "purpose", false, &icon->purpose);
    if (!err && !hf_starts(icon->src, HF_TEXT("/static/")))
        return hf_manifest_refuse(reader, place, "must have a src that begins with /static/", HF_TEXT(""));
    return err;
}

static hf_err read_icons(hf_manifest_reader *reader, const hf_value *root) {
    hf_app_manifest *m = reader->manifest;
    void *items;
    hf_place all = {NULL, HF_TEXT("icons"), 0};
    const hf_value *json;
    size_t n;
    hf_err err = hf_manifest_members(reader, NULL, root, "icons", HF_LIST, 16, sizeof(hf_app_icon), &json, &n, &items);
    hf_app_icon *icons = items;
    for (size_t i = 0; i < n && !err; i++) {
        hf_place here = {&all, HF_TEXT(""), i};
        err = read_icon(reader, &here, &json->as.list.items[i], &icons[i]);
    }
    m->icons = icons;
    m->n_icons = n;
    return err;
}

static hf_err read_texts(hf_manifest_reader *reader, const hf_value *root) {
    hf_app_manifest *m = reader->manifest;
    m->lang = HF_TEXT("en");
    m->theme_color = m->background_color = HF_TEXT("#ffffff");
    hf_err err = hf_manifest_text(reader, NULL, root, "name", true, &m->name);
    m->title = m->name;
    if (!err) err = hf_manifest_text(reader, NULL, root, "title", false, &m->title);
    if (!err) err = hf_manifest_text(reader, NULL, root, "description", false, &m->description);
    if (!err) err = hf_manifest_text(reader, NULL, root, "lang", false, &m->lang);
    if (!err) err = hf_manifest_text(reader, NULL, root, "themeColor", false, &m->theme_color);
    if (!err) err = hf_manifest_text(reader, NULL, root, "backgroundColor", false, &m->background_color);
    if (!err) err = hf_manifest_text(reader, NULL, root, "image", false, &m->image);
    if (!err && m->image.len && !hf_starts(m->image, HF_TEXT("/static/")))
        return hf_manifest_refuse(reader, NULL, "must have an image that begins with /static/", HF_TEXT(""));
    return err;
}

static hf_err read_root(hf_manifest_reader *reader, const hf_value *root) {
    static const char *const known[] = {"name",       "title",           "description", "lang",
                                        "themeColor", "backgroundColor", "icons",       "collections",
                                        "routes",     "actions",         "image",       NULL};
    hf_err err = hf_manifest_keys(reader, NULL, root, known);
    if (!err) err = read_texts(reader, root);
    if (!err) err = read_icons(reader, root);
    if (!err) err = read_collections(reader, root);
    if (!err) err = hf_manifest_routes(reader, root);
    if (!err) err = hf_manifest_actions(reader, root);
    return err;
}

/* A syntax error, with the line it stands in. */
static hf_err refuse_syntax(hf_manifest_reader *reader, hf_bytes text, const hf_fault *fault) {
    hf_buf buf;
    size_t line = 1;
    for (size_t i = 0; i < fault->at && i < text.len; i++) line += text.ptr[i] == '\n';
    hf_buf_init(&buf, reader->problems->mem);
    hf_buf_add_str(&buf, "line ");
    hf_buf_add_u64(&buf, line);
    hf_buf_add_str(&buf, ": ");
    hf_buf_add_str(&buf, fault->what);
    hf_buf_add_byte(&buf, 0);
    hf_err err = buf.err ? HF_NOMEM : hf_manifest_refuse(reader, NULL, (const char *)buf.ptr, HF_TEXT(""));
    hf_buf_deinit(&buf);
    return err;
}

hf_err hf_app_manifest_read(hf_arena *arena, hf_bytes text, hf_arena *problems, hf_app_manifest *ret,
                            hf_bytes *ret_problem) {
    *ret = (hf_app_manifest){0};
    hf_manifest_reader reader = {.arena = arena, .problems = problems, .manifest = ret};
    hf_fault fault = {"not JSON", 0};
    hf_value root;
    hf_bytes own = hf_arena_copy(arena, text);
    if (!own.ptr) return HF_NOMEM;
    hf_err err = hf_json_decode(arena, own, &root, &fault);
    if (err == HF_OK)
        err = read_root(&reader, &root);
    else if (err != HF_NOMEM)
        err = refuse_syntax(&reader, own, &fault);
    if (err) *ret_problem = reader.problem;
    return err;
}
