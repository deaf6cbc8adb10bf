/* site: see site.h. */
#include "site.h"

#include "../codec/json.h"
#include "answer.h"
#include "date.h"
#include "escape.h"
#include "item.h"

/* ---- static files ---- */

static const char *type_of(hf_bytes path) {
    static const struct {
        const char *end, *type;
    } types[] = {
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},
        {".webp", "image/webp"},
        {".avif", "image/avif"},
        {".gif", "image/gif"},
        {".ico", "image/x-icon"},
        {".woff2", "font/woff2"},
        {".json", "application/json"},
        {".txt", "text/plain; charset=utf-8"},
        {".wasm", "application/wasm"},
        {".pdf", "application/pdf"},
    };
    for (size_t i = 0; i < HF_COUNT(types); i++) {
        hf_bytes end = hf_str(types[i].end);
        if (path.len > end.len && hf_eq(hf_sub(path, path.len - end.len, end.len), end)) return types[i].type;
    }
    /* HTML too: an app's pages are templates, and a stray page would run with the app's rights */
    return "application/octet-stream";
}

hf_err hf_site_add_asset(hf_app *app, hf_bytes path, hf_bytes bytes) {
    hf_asset *asset = &app->assets[app->n_assets];
    *asset =
        (hf_asset){hf_arena_copy(&app->arena, path), hf_arena_copy(&app->arena, bytes), HF_TEXT(""), type_of(path)};
    if (!asset->path.ptr || !asset->bytes.ptr) return HF_NOMEM;
    app->n_assets++;
    return hf_etag_of(&app->arena, bytes, &asset->etag);
}

/* Decoded segments against "static/a/b.css". */
static bool is_asset(const hf_asset *asset, const hf_segments *path) {
    size_t at = 0;
    for (size_t i = 0; i < path->n; i++) {
        if (i && (at >= asset->path.len || asset->path.ptr[at++] != '/')) return false;
        if (!hf_eq(hf_sub(asset->path, at, path->parts[i].len), path->parts[i])) return false;
        at += path->parts[i].len;
    }
    return at == asset->path.len;
}

/* ?v= of this very release: the bytes at this URL never change. Of another one: they are not here, and these are not given out as them. */
static bool is_versioned(const hf_call *call, bool *ret_other) {
    hf_bytes query = call->request->query, release = hf_app_release_text(call->app);
    bool named = release.len && hf_starts(query, HF_TEXT("v="));
    *ret_other = named && !hf_eq(hf_sub(query, 2, hf_find(query, '&', 2) - 2), release);
    return named && hf_eq(hf_sub(query, 2, query.len), release);
}

/* To the address that promises nothing. */
static hf_err answer_unversioned(hf_call *call, const hf_asset *asset) {
    hf_buf buf;
    hf_bytes location;
    hf_buf_init(&buf, call->arena->mem);
    hf_buf_add_byte(&buf, '/');
    hf_url_add_sent(&buf, asset->path);
    hf_err err = hf_answer_keep(call, &buf, &location);
    if (err) return err;
    call->answer->status = 302;
    hf_answer_header(call, "location", location);
    hf_answer_header(call, "cache-control", HF_TEXT("no-store"));
    return HF_OK;
}

static hf_err answer_asset(hf_call *call) {
    const hf_asset *found = NULL;
    for (size_t i = 0; i < call->app->n_assets && !call->path.odd && !call->path.trailing_slash; i++)
        if (is_asset(&call->app->assets[i], &call->path)) found = &call->app->assets[i];
    if (!found) return hf_answer_refuse(call, 404, "There is no such file.");
    bool other, versioned = is_versioned(call, &other);
    if (other) return answer_unversioned(call, found);
    hf_answer_header(call, "cache-control",
                     versioned ? HF_TEXT("public, max-age=31536000, immutable") : HF_TEXT("no-cache"));
    if (!hf_answer_unchanged(call, found->etag)) hf_answer_body(call, 200, found->type, found->bytes);
    return HF_OK;
}

/* ---- texts made on the spot ---- */

static void add_member(hf_buf *buf, const char *before, hf_bytes text) {
    if (text.len == 0) return;
    hf_buf_add_str(buf, before);
    hf_json_add_text(buf, text);
}

static void add_icon(hf_buf *buf, const hf_app_icon *icon) {
    add_member(buf, "{\"src\":", icon->src);
    add_member(buf, ",\"sizes\":", icon->sizes);
    add_member(buf, ",\"type\":", icon->type);
    add_member(buf, ",\"purpose\":", icon->purpose);
    hf_buf_add_byte(buf, '}');
}

static void add_webmanifest(const hf_call *call, hf_buf *buf) {
    const hf_app_manifest *m = &call->app->manifest;
    add_member(buf, "{\"name\":", m->title);
    add_member(buf, ",\"short_name\":", m->title);
    add_member(buf, ",\"description\":", m->description);
    add_member(buf, ",\"lang\":", m->lang);
    add_member(buf, ",\"theme_color\":", m->theme_color);
    add_member(buf, ",\"background_color\":", m->background_color);
    hf_buf_add_str(buf, ",\"id\":\"/\",\"start_url\":\"/\",\"scope\":\"/\",\"display\":\"standalone\",\"icons\":[");
    for (size_t i = 0; i < m->n_icons; i++) {
        if (i) hf_buf_add_byte(buf, ',');
        add_icon(buf, &m->icons[i]);
    }
    hf_buf_add_str(buf, "]}");
}

static void add_robots(const hf_call *call, hf_buf *buf) {
    hf_buf_add_str(buf, "User-agent: *\nAllow: /\nDisallow: /api/\nDisallow: /_/\nDisallow: /events\n\nSitemap: ");
    hf_url_add_sent(buf, call->request->origin);
    hf_buf_add_str(buf, "/sitemap.xml\n");
}

/* ---- sitemap (sitemaps.org 0.9) ---- */

static void add_url(const hf_call *call, hf_buf *buf, const hf_app_route *route, const hf_doc *doc) {
    hf_buf_add_str(buf, "<url><loc>");
    hf_html_add(buf, call->request->origin);
    hf_path_add(buf, &route->path, doc ? hf_doc_id(doc) : HF_TEXT(""));
    hf_buf_add_str(buf, "</loc>");
    if (doc) {
        hf_buf_add_str(buf, "<lastmod>");
        hf_date_add_iso(buf, (int64_t)hf_doc_updated_ms(doc));
        hf_buf_add_str(buf, "</lastmod>");
    }
    hf_buf_add_str(buf, "</url>\n");
}

static hf_err add_documents(const hf_call *call, hf_buf *buf, const hf_app_route *route, size_t room) {
    const hf_doc **docs;
    size_t n, total;
    hf_query query = {.sort_field = SIZE_MAX, .descending = true, .limit = room};
    hf_err err =
        hf_collection_query(call->state->collections[route->item_collection], call->arena, &query, &docs, &n, &total);
    for (size_t i = 0; i < n && !err; i++) add_url(call, buf, route, docs[i]);
    return err;
}

static hf_err add_sitemap(const hf_call *call, hf_buf *buf) {
    const hf_app_manifest *m = &call->app->manifest;
    hf_err err = HF_OK;
    hf_buf_add_str(
        buf,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n");
    for (size_t i = 0; i < m->n_routes && !err; i++) {
        const hf_app_route *route = &m->routes[i];
        if (!route->sitemap) continue;
        if (route->item_collection == SIZE_MAX)
            add_url(call, buf, route, NULL);
        else
            err = add_documents(call, buf, route, HF_SITEMAP_URLS_MAX / m->n_routes);
    }
    hf_buf_add_str(buf, "</urlset>\n");
    return err;
}

static hf_err answer_sitemap(hf_call *call, hf_buf *buf) {
    hf_err err = add_sitemap(call, buf);
    if (!err) return hf_answer_text(call, "application/xml; charset=utf-8", buf);
    hf_buf_deinit(buf);
    return err;
}

hf_err hf_site_answer(hf_call *call, bool *ret_mine) {
    hf_buf buf;
    hf_bytes first = call->path.n ? call->path.parts[0] : HF_TEXT("");
    bool single = call->path.n == 1 && !call->path.odd && !call->path.trailing_slash;
    bool assets = hf_eq(first, HF_TEXT("static")),
         webmanifest = single && hf_eq(first, HF_TEXT("manifest.webmanifest"));
    bool robots = single && hf_eq(first, HF_TEXT("robots.txt")),
         sitemap = single && hf_eq(first, HF_TEXT("sitemap.xml"));
    *ret_mine = assets || webmanifest || robots || sitemap;
    if (!*ret_mine) return HF_OK;
    if (!hf_call_reads(call)) return hf_answer_not_allowed(call, "GET, HEAD");
    if (assets) return answer_asset(call);
    hf_buf_init(&buf, call->arena->mem);
    if (sitemap) return answer_sitemap(call, &buf);
    (webmanifest ? add_webmanifest : add_robots)(call, &buf);
    return hf_answer_text(call, webmanifest ? "application/manifest+json" : "text/plain; charset=utf-8", &buf);
}
