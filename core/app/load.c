/* load: see load.h. */
#include "load.h"

#include "page.h"
#include "site.h"

typedef struct loading {
    hf_app *app;
    const hf_file *files;
    size_t n_files;
    hf_arena *problems;
    hf_bytes problem;
} loading;

/* "FILE: line N: WHAT 'DETAIL'"; line 0 and an empty detail are left out. Always an error. */
static hf_err refuse(loading *l, hf_bytes file, size_t line, const char *what, hf_bytes detail) {
    hf_buf buf;
    hf_buf_init(&buf, l->problems->mem);
    hf_buf_add(&buf, file);
    hf_buf_add_str(&buf, ": ");
    if (line) {
        hf_buf_add_str(&buf, "line ");
        hf_buf_add_u64(&buf, line);
        hf_buf_add_str(&buf, ": ");
    }
    hf_buf_add_str(&buf, what);
    if (detail.len) {
        hf_buf_add_str(&buf, " '");
        hf_buf_add(&buf, detail);
        hf_buf_add_byte(&buf, '\'');
    }
    if (!buf.err) l->problem = hf_arena_copy(l->problems, hf_buf_bytes(&buf));
    hf_err err = buf.err || !l->problem.ptr ? HF_NOMEM : HF_MALFORMED;
    hf_buf_deinit(&buf);
    return err;
}

static const hf_file *find_file(const loading *l, hf_bytes path) {
    for (size_t i = 0; i < l->n_files; i++)
        if (hf_eq(l->files[i].path, path)) return &l->files[i];
    return NULL;
}

static size_t line_of(hf_bytes text, size_t at) {
    size_t line = 1;
    for (size_t i = 0; i < at && i < text.len; i++) line += text.ptr[i] == '\n';
    return line;
}

/* ---- names ---- */

static hf_err intern_names(hf_app *app) {
    static const char *const names[] = {
#define X(id, text) text,
        HF_NAMES(X)
#undef X
    };
    for (uint32_t i = 0; i < HF_COUNT(names); i++) {
        const hf_name *name = hf_templates_intern(&app->templates, hf_str(names[i]));
        if (!name) return HF_NOMEM;
        HF_ASSERT(name->id == i);
    }
    return HF_OK;
}

/* ---- templates ---- */

/* "templates/_item.mustache" -> "_item"; empty when the file is none. */
static hf_bytes template_name(hf_bytes path) {
    const hf_bytes begin = HF_TEXT("templates/"), end = HF_TEXT(".mustache");
    if (!hf_starts(path, begin) || path.len <= begin.len + end.len) return HF_TEXT("");
    if (!hf_eq(hf_sub(path, path.len - end.len, end.len), end)) return HF_TEXT("");
    return hf_sub(path, begin.len, path.len - begin.len - end.len);
}

static hf_err add_templates(loading *l) {
    for (size_t i = 0; i < l->n_files; i++) {
        hf_template *template;
        hf_fault fault = {"", 0};
        hf_bytes name = template_name(l->files[i].path);
        if (name.len == 0) continue;
        hf_err err = hf_templates_add(&l->app->templates, name, l->files[i].bytes, false, &template, &fault);
        if (err == HF_NOMEM) return err;
        if (err) return refuse(l, l->files[i].path, line_of(l->files[i].bytes, fault.at), fault.what, HF_TEXT(""));
    }
    l->app->layout = hf_templates_find(&l->app->templates, HF_TEXT("layout"));
    l->app->error = hf_templates_find(&l->app->templates, HF_TEXT("error"));
    return HF_OK;
}

static hf_err link_templates(loading *l) {
    hf_bytes missing;
    size_t at;
    const hf_template *asks = hf_templates_link(&l->app->templates, &missing, &at);
    for (size_t i = 0; asks && hf_template_name(asks).len && i < l->n_files; i++) {
        const hf_file *file = &l->files[i];
        if (hf_eq(template_name(file->path), hf_template_name(asks)))
            return refuse(l, file->path, line_of(file->bytes, at), "includes a template that is not there:", missing);
    }
    return asks ? refuse(l, HF_TEXT("app.json"), 0, "a title includes a template that is not there:", missing) : HF_OK;
}

static hf_err add_text_template(loading *l, hf_bytes text, const hf_template **ret) {
    hf_template *template;
    hf_fault fault = {"", 0};
    hf_err err = hf_templates_add(&l->app->templates, HF_TEXT(""), text, true, &template, &fault);
    if (err == HF_NOMEM) return err;
    if (err) return refuse(l, HF_TEXT("app.json"), 0, fault.what, text);
    *ret = template;
    return HF_OK;
}

static hf_err add_route_templates(loading *l) {
    hf_app *app = l->app;
    hf_err err = HF_OK;
    app->route_templates = hf_arena_alloc(&app->arena, app->manifest.n_routes * sizeof *app->route_templates);
    if (!app->route_templates) return HF_NOMEM;
    for (size_t i = 0; i < app->manifest.n_routes && !err; i++) {
        const hf_app_route *route = &app->manifest.routes[i];
        hf_route_templates *templates = &app->route_templates[i];
        templates->page = hf_templates_find(&app->templates, route->template_name);
        if (!templates->page)
            return refuse(l, HF_TEXT("app.json"), 0,
                          "a route wants a template that is not there:", route->template_name);
        err = add_text_template(l, route->title, &templates->title);
        if (!err) err = add_text_template(l, route->description, &templates->description);
    }
    return err;
}

/* ---- shelves ---- */

static size_t title_field_of(const hf_schema *schema) {
    for (size_t i = 0; i < schema->n_fields; i++)
        if (schema->fields[i].type == HF_FIELD_TEXT && schema->fields[i].automatic == HF_AUTO_NONE) return i;
    return SIZE_MAX;
}

static const hf_app_route *item_route_of(const hf_app_manifest *m, size_t collection) {
    for (size_t i = 0; i < m->n_routes; i++)
        if (m->routes[i].item_collection == collection) return &m->routes[i];
    return NULL;
}

static hf_err fill_shelf(hf_app *app, size_t i) {
    const hf_schema *schema = &app->manifest.schemas[i];
    uint8_t *fields = hf_arena_alloc(&app->arena, app->templates.n_names);
    if (!fields) return HF_NOMEM;
    for (size_t f = 0; f < schema->n_fields; f++) {
        hf_name *name = hf_map_get(&app->templates.names, schema->fields[f].name);
        if (name) fields[name->id] = (uint8_t)(f + 1); /* no template asks for the others */
    }
    app->shelves[i] =
        (hf_shelf){schema, item_route_of(&app->manifest, i), fields, app->templates.n_names, title_field_of(schema)};
    return HF_OK;
}

static hf_err fill_shelves(hf_app *app) {
    hf_err err = HF_OK;
    app->shelves = hf_arena_alloc(&app->arena, app->manifest.n_schemas * sizeof *app->shelves);
    if (!app->shelves) return HF_NOMEM;
    for (size_t i = 0; i < app->manifest.n_schemas && !err; i++) err = fill_shelf(app, i);
    return err;
}

/* ---- static files ---- */

static hf_err add_assets(loading *l) {
    hf_app *app = l->app;
    hf_err err = HF_OK;
    app->assets = hf_arena_alloc(&app->arena, l->n_files * sizeof *app->assets);
    if (!app->assets) return HF_NOMEM;
    for (size_t i = 0; i < l->n_files && !err; i++)
        if (hf_starts(l->files[i].path, HF_TEXT("static/")))
            err = hf_site_add_asset(app, l->files[i].path, l->files[i].bytes);
    return err;
}

static hf_err check_pictures(loading *l) {
    const hf_app_manifest *m = &l->app->manifest;
    for (size_t i = 0; i < m->n_icons; i++)
        if (!find_file(l, hf_sub(m->icons[i].src, 1, m->icons[i].src.len)))
            return refuse(l, HF_TEXT("app.json"), 0, "names an icon that is not there:", m->icons[i].src);
    if (m->image.len && !find_file(l, hf_sub(m->image, 1, m->image.len)))
        return refuse(l, HF_TEXT("app.json"), 0, "names an image that is not there:", m->image);
    return HF_OK;
}

static hf_err load(loading *l) {
    const hf_file *manifest = find_file(l, HF_TEXT("app.json"));
    if (!manifest) return refuse(l, HF_TEXT("app.json"), 0, "is not there", HF_TEXT(""));
    hf_err err = hf_app_manifest_read(&l->app->arena, manifest->bytes, l->problems, &l->app->manifest, &l->problem);
    if (!err) err = intern_names(l->app);
    if (!err) err = add_templates(l);
    if (!err) err = add_route_templates(l);
    if (!err) err = link_templates(l);
    if (!err) err = fill_shelves(l->app);
    if (!err) err = check_pictures(l);
    return err ? err : add_assets(l);
}

hf_err hf_app_load(hf_app *app, const hf_file *files, size_t n_files, hf_arena *problems, hf_bytes *ret_problem) {
    loading l = {.app = app, .files = files, .n_files = n_files, .problems = problems};
    hf_err err = load(&l);
    if (err) *ret_problem = l.problem;
    return err;
}
