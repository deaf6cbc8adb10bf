/* page: what stands in every <head>: for browsers, for search engines (description, canonical, structured data), for
 * those who share the page (Open Graph), for those who install the app (icons, web manifest), and this release's
 * style sheets and script. */
#include "../codec/json.h"
#include "date.h"
#include "escape.h"
#include "item.h"
#include "page.h"

/* ---- tags; every value is escaped, empty ones are left out ---- */
static void open_tag(hf_buf *buf, const char *tag) {
    hf_buf_add_byte(buf, '<');
    hf_buf_add_str(buf, tag);
}

static void add_attribute(hf_buf *buf, const char *name, hf_bytes value) {
    if (value.len == 0) return;
    hf_buf_add_byte(buf, ' ');
    hf_buf_add_str(buf, name);
    hf_buf_add_str(buf, "=\"");
    hf_html_add(buf, value);
    hf_buf_add_byte(buf, '"');
}

static void close_tag(hf_buf *buf) {
    hf_buf_add_str(buf, ">\n");
}

/* A <meta> or <link> of two attributes; nothing when the value is empty. */
static void add_pair(hf_buf *buf, const char *tag, const char *kind, const char *of, const char *name, hf_bytes value) {
    if (value.len == 0) return;
    open_tag(buf, tag);
    add_attribute(buf, kind, hf_str(of));
    add_attribute(buf, name, value);
    close_tag(buf);
}

static void add_meta(hf_buf *buf, const char *name, hf_bytes content) {
    add_pair(buf, "meta", "name", name, "content", content);
}
static void add_og(hf_buf *buf, const char *name, hf_bytes content) {
    add_pair(buf, "meta", "property", name, "content", content);
}

/* ---- structured data (schema.org, JSON-LD) ---- */

static void add_member(hf_buf *buf, const char *name, hf_bytes text) {
    if (text.len == 0) return;
    hf_buf_add_str(buf, ",\"");
    hf_buf_add_str(buf, name);
    hf_buf_add_str(buf, "\":");
    hf_json_add_text(buf, text);
}

/* "ORIGIN/todos/ID" inside a JSON string. The path needs no escape; what the origin needs, which a Host header may
 * have brought, was done once. */
static void add_url_member(hf_buf *buf, hf_bytes origin, const hf_shelf *shelf, hf_bytes id) {
    hf_buf_add_str(buf, ",\"url\":");
    hf_buf_add(buf, origin);
    hf_item_add_url(buf, shelf, id);
    hf_buf_add_byte(buf, '"');
}

static void add_list_element(hf_buf *buf, hf_bytes origin, const hf_shelf *shelf, const hf_doc *doc, size_t position) {
    hf_buf_add_str(buf,
                   position == 1 ? "{\"@type\":\"ListItem\",\"position\":" : ",{\"@type\":\"ListItem\",\"position\":");
    hf_buf_add_u64(buf, position);
    if (shelf->item_route) add_url_member(buf, origin, shelf, hf_doc_id(doc));
    add_member(buf, "name", hf_item_title(shelf, doc));
    hf_buf_add_byte(buf, '}');
}

static void add_list_elements(hf_buf *buf, const hf_page *page) {
    const hf_list_result *result = &page->lists[0];
    const hf_shelf *shelf = &page->call->app->shelves[page->route->lists[0].collection];
    hf_buf_add_str(buf, ",\"numberOfItems\":");
    hf_buf_add_u64(buf, result->total);
    hf_buf_add_str(buf, ",\"itemListElement\":[");
    hf_buf origin;
    hf_buf_init(&origin, buf->mem);
    hf_json_add_text(&origin, page->call->request->origin);
    hf_bytes opened = hf_sub(hf_buf_bytes(&origin), 0, origin.len ? origin.len - 1 : 0); /* without the closing quote */
    for (size_t i = 0; i < result->n; i++) add_list_element(buf, opened, shelf, result->docs[i], i + 1);
    hf_buf_add_byte(buf, ']');
    if (origin.err) buf->err = origin.err;
    hf_buf_deinit(&origin);
}

static void add_date_member(hf_buf *buf, const char *name, uint64_t ms) {
    hf_buf_add_str(buf, ",\"");
    hf_buf_add_str(buf, name);
    hf_buf_add_str(buf, "\":\"");
    hf_date_add_iso(buf, (int64_t)ms);
    hf_buf_add_byte(buf, '"');
}

static void add_structured(hf_buf *buf, const hf_page *page) {
    const hf_app_manifest *m = &page->call->app->manifest;
    hf_bytes type = page->route->structured.len ? page->route->structured : HF_TEXT("WebPage");
    hf_buf_add_str(buf, "<script type=\"application/ld+json\">{\"@context\":\"https://schema.org\"");
    add_member(buf, "@type", type);
    add_member(buf, "name", page->title);
    add_member(buf, "description", page->description);
    add_member(buf, "url", page->canonical);
    if (hf_eq(type, HF_TEXT("WebPage"))) add_member(buf, "inLanguage", m->lang);
    if (hf_eq(type, HF_TEXT("ItemList")) && page->route->n_lists) add_list_elements(buf, page);
    if (page->item) add_date_member(buf, "dateCreated", hf_doc_created_ms(page->item));
    if (page->item) add_date_member(buf, "dateModified", hf_doc_updated_ms(page->item));
    hf_buf_add_str(buf, "}</script>\n");
}

/* ---- icons, style sheets, script ---- */

/* "/static/app.css?v=RELEASE": such a URL may be kept for ever. */
static void add_versioned(hf_buf *buf, const hf_app *app, const char *name, hf_bytes path) {
    hf_buf_add_byte(buf, ' ');
    hf_buf_add_str(buf, name);
    hf_buf_add_str(buf, "=\"");
    hf_html_add(buf, path);
    if (app->release_len) hf_buf_add_str(buf, "?v=");
    hf_url_add(buf, hf_app_release_text(app));
    hf_buf_add_byte(buf, '"');
}

static void add_icons(hf_buf *buf, const hf_app *app) {
    for (size_t i = 0; i < app->manifest.n_icons; i++) {
        const hf_app_icon *icon = &app->manifest.icons[i];
        if (hf_eq(icon->purpose, HF_TEXT("maskable"))) continue;
        bool apple = hf_eq(icon->sizes, HF_TEXT("180x180")); /* the size that iOS asks for, under its own name */
        open_tag(buf, apple ? "link rel=\"apple-touch-icon\"" : "link rel=\"icon\"");
        add_versioned(buf, app, "href", icon->src);
        add_attribute(buf, "sizes", icon->sizes);
        add_attribute(buf, "type", icon->type);
        close_tag(buf);
    }
    hf_buf_add_str(buf, "<link rel=\"manifest\" href=\"/manifest.webmanifest\">\n");
}

static void add_styles(hf_buf *buf, const hf_app *app) {
    for (size_t i = 0; i < app->n_assets; i++) {
        hf_bytes path = app->assets[i].path;
        if (path.len < 4 || !hf_eq(hf_sub(path, path.len - 4, 4), HF_TEXT(".css"))) continue;
        open_tag(buf, "link rel=\"stylesheet\"");
        hf_buf url;
        hf_buf_init(&url, buf->mem);
        hf_buf_add_byte(&url, '/');
        hf_url_add_sent(&url, path);
        add_versioned(buf, app, "href", hf_buf_bytes(&url));
        if (url.err) buf->err = url.err;
        hf_buf_deinit(&url);
        close_tag(buf);
    }
}

/* Empty: the browser's half is not built, and the pages do without. */
static void add_script(hf_buf *buf, const hf_app *app) {
    if (app->script_url_len == 0) return;
    open_tag(buf, "script type=\"module\"");
    add_attribute(buf, "src", HF_BYTES(app->script_url, app->script_url_len));
    hf_buf_add_str(buf, "></script>\n");
}

/* ---- the whole ---- */

/* The manifest's, or the first raster icon: who shows shared links cannot show SVG. */
static hf_bytes shared_image(const hf_app_manifest *m) {
    if (m->image.len) return m->image;
    for (size_t i = 0; i < m->n_icons; i++)
        if (hf_eq(m->icons[i].type, HF_TEXT("image/png"))) return m->icons[i].src;
    return HF_TEXT("");
}

static void add_open_graph(hf_buf *buf, const hf_page *page) {
    const hf_app_manifest *m = &page->call->app->manifest;
    hf_bytes image = shared_image(m);
    add_og(buf, "og:type", HF_TEXT("website"));
    add_og(buf, "og:site_name", m->title);
    add_og(buf, "og:title", page->title);
    add_og(buf, "og:description", page->description);
    add_og(buf, "og:url", page->canonical);
    if (image.len) {
        open_tag(buf, "meta property=\"og:image\" content=\"");
        hf_html_add(buf, page->call->request->origin);
        hf_html_add(buf, image);
        hf_buf_add_byte(buf, '"');
        close_tag(buf);
    }
    add_meta(buf, "twitter:card", m->image.len ? HF_TEXT("summary_large_image") : HF_TEXT("summary"));
}

/* A page whose address is not canonical (a filtered list, an error) is not for indexes. */
static bool is_indexed(const hf_page *page) {
    return page->status == 200 && page->n_in_force == 0;
}

void hf_page_add_head(hf_buf *buf, const hf_page *page) {
    const hf_app *app = page->call->app;
    hf_buf_add_str(
        buf,
        "<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    hf_html_add(buf, page->title);
    hf_buf_add_str(buf, "</title>\n");
    add_meta(buf, "description", page->description);
    add_meta(buf, "theme-color", app->manifest.theme_color);
    if (!is_indexed(page)) hf_buf_add_str(buf, "<meta name=\"robots\" content=\"noindex\">\n");
    if (page->route && page->status == 200) {
        add_pair(buf, "link", "rel", "canonical", "href", page->canonical);
        add_open_graph(buf, page);
        add_structured(buf, page);
    }
    add_icons(buf, app);
    add_styles(buf, app);
    add_script(buf, app);
}
