/* page: see page.h. */
#include "page.h"

#include "../crypto/crypto.h"
#include "answer.h"
#include "escape.h"

#include <string.h>

enum { CACHED_QUERY_MAX = 512 };

/* ---- entity tag and cache key ---- */

static void add_versions(const hf_page *page, hf_buf *buf) {
    for (size_t i = 0; i < page->route->n_reads; i++)
        hf_buf_add(buf, HF_BYTES(page->call->state->versions[page->route->reads[i]], 32));
}

/* path NUL query NUL origin: what a page depends on beside the state. */
static void add_key(const hf_page *page, hf_buf *buf) {
    hf_buf_add(buf, page->path);
    hf_buf_add_byte(buf, 0);
    hf_buf_add(buf, page->query);
    hf_buf_add_byte(buf, 0);
    hf_buf_add(buf, page->call->request->origin);
}

/* W/"…": the bytes differ from answer to answer by the operation ID, hence weak. Release, origin, path, query and
 * the versions of what the route reads, so that node and browser name the same page by the same tag without
 * rendering it. */
static hf_err make_etag(const hf_page *page, hf_bytes versions, hf_bytes *ret) {
    const hf_bytes parts[] = {hf_app_release_text(page->call->app), page->call->request->origin, page->path,
                              page->query};
    hf_sha256 sha;
    uint8_t digest[32];
    hf_bytes text;
    hf_sha256_init(&sha);
    for (size_t i = 0; i < HF_COUNT(parts); i++) {
        hf_sha256_add(&sha, parts[i]);
        hf_sha256_add(&sha, HF_BYTES("", 1));
    }
    hf_sha256_add(&sha, versions);
    hf_sha256_end(&sha, digest);
    hf_err err = hf_base32_text(page->call->arena, HF_BYTES(digest, 10), &text);
    uint8_t *etag = err ? NULL : hf_arena_alloc(page->call->arena, text.len + 4);
    if (!etag) return HF_NOMEM;
    memcpy(etag, "W/\"", 3);
    memcpy(etag + 3, text.ptr, text.len);
    etag[text.len + 3] = '"';
    *ret = HF_BYTES(etag, text.len + 4);
    return HF_OK;
}

/* ---- the texts of the page ---- */

static hf_err make_urls(hf_page *page) {
    hf_buf buf;
    hf_buf_init(&buf, page->call->arena->mem);
    hf_buf_add(&buf, page->call->request->origin);
    hf_buf_add(&buf, page->path);
    if (page->query.len) hf_buf_add_byte(&buf, '?');
    hf_buf_add(&buf, page->query);
    hf_err err = hf_answer_keep(page->call, &buf, &page->url);
    if (err) return err;
    hf_buf_add(&buf, page->call->request->origin);
    if (page->route)
        hf_path_add(&buf, &page->route->path, page->item ? hf_doc_id(page->item) : HF_TEXT(""));
    else
        hf_buf_add(&buf, page->path);
    if (page->number > 1 && page->route && page->route->n_lists) {
        hf_buf_add_str(&buf, "?page=");
        hf_buf_add_u64(&buf, page->number);
    }
    return hf_answer_keep(page->call, &buf, &page->canonical);
}

static hf_err render_text(hf_page *page, const hf_template *template, hf_bytes *ret) {
    hf_buf buf;
    hf_buf_init(&buf, page->call->arena->mem);
    hf_view root = hf_page_view(page);
    hf_err err = hf_template_render(template, &root, &buf, NULL);
    if (!err) return hf_answer_keep(page->call, &buf, ret);
    hf_buf_deinit(&buf);
    return err;
}

static hf_err make_texts(hf_page *page) {
    const hf_route_templates *templates =
        &page->call->app->route_templates[page->route - page->call->app->manifest.routes];
    hf_err err = make_urls(page);
    if (!err) err = render_text(page, templates->title, &page->title);
    return err ? err : render_text(page, templates->description, &page->description);
}

static hf_err make_op(hf_call *call, hf_bytes *ret) {
    return hf_base32_text(call->arena, HF_BYTES(call->request->nonce, 16), ret);
}

static hf_err start(hf_call *call, const hf_app_route *route, hf_bytes path, hf_bytes query, hf_page *page) {
    hf_buf buf;
    *page = (hf_page){.call = call, .route = route, .status = 200, .number = 1};
    if (route) page->content = call->app->route_templates[route - call->app->manifest.routes].page;
    hf_buf_init(&buf, call->arena->mem);
    hf_url_add_sent(&buf, path);
    hf_err err = hf_answer_keep(call, &buf, &page->path);
    if (err) return err;
    hf_url_add_sent(&buf, query);
    err = hf_answer_keep(call, &buf, &page->query);
    return err ? err : make_op(call, &page->op);
}

/* ---- rendering ---- */

static hf_err render(hf_page *page) {
    hf_app *app = page->call->app;
    hf_buf_clear(&app->out);
    hf_buf_clear(&app->marks);
    hf_view root = hf_page_view(page);
    return hf_template_render(app->layout ? app->layout : page->content, &root, &app->out, &app->marks);
}

static void answer_page(hf_page *page, const char *cache_control) {
    hf_answer_body(page->call, page->status, "text/html; charset=utf-8", hf_buf_bytes(&page->call->app->out));
    hf_answer_header(page->call, "cache-control", hf_str(cache_control));
}

/* A kept page with this answer's own operation ID in place of the one it was rendered with. */
static hf_err copy_kept(const hf_page *page, const hf_cached *kept) {
    hf_buf *out = &page->call->app->out;
    hf_buf_clear(out);
    hf_buf_add(out, kept->body);
    if (out->err) return HF_NOMEM;
    for (size_t i = 0; i < kept->n_marks; i++) memcpy(out->ptr + kept->marks[i], page->op.ptr, page->op.len);
    return HF_OK;
}

/* Out of scope for the cache: parameters that mean nothing to the route. They would let anybody fill it with copies
 * of one page. */
static bool is_kept(const hf_page *page) {
    return page->known_parameters && page->query.len <= CACHED_QUERY_MAX;
}

static hf_err render_and_keep(hf_page *page, hf_bytes key, hf_bytes versions) {
    hf_app *app = page->call->app;
    hf_err err = hf_page_ask(page);
    if (!err) err = make_texts(page);
    if (!err) err = render(page);
    if (!err && is_kept(page))
        hf_cache_put(&app->cache, key, versions, hf_buf_bytes(&app->out), (const size_t *)(const void *)app->marks.ptr,
                     app->marks.len / sizeof(size_t));
    return err;
}

static hf_err answer_fresh_or_kept(hf_page *page, hf_bytes versions) {
    hf_call *call = page->call;
    hf_buf buf;
    hf_bytes key;
    hf_buf_init(&buf, call->arena->mem);
    add_key(page, &buf);
    hf_err err = hf_answer_keep(call, &buf, &key);
    if (err) return err;
    const hf_cached *kept = hf_cache_get(&call->app->cache, key, versions);
    err = kept ? copy_kept(page, kept) : render_and_keep(page, key, versions);
    if (!err) answer_page(page, "no-cache");
    return err;
}

/* The state was looked at: from here the answer is decided by the entity tag, the cache or rendering. */
static hf_err answer_get(hf_page *page) {
    hf_call *call = page->call;
    hf_buf buf;
    hf_bytes versions, etag;
    hf_buf_init(&buf, call->arena->mem);
    add_versions(page, &buf);
    hf_err err = hf_answer_keep(call, &buf, &versions);
    if (!err) err = make_etag(page, versions, &etag);
    if (err) return err;
    if (hf_answer_unchanged(call, etag)) {
        hf_answer_header(call, "cache-control", HF_TEXT("no-cache"));
        return HF_OK;
    }
    return answer_fresh_or_kept(page, versions);
}

/* Templates that nest or write without end are the app's fault and not the reader's. */
static hf_err answer_wild(hf_call *call, hf_err err) {
    if (err != HF_LIMIT) return err;
    hf_answer_begin(call);
    return hf_page_error(call, 500, HF_TEXT("This page does not come to an end."));
}

hf_err hf_page_find(hf_call *call, size_t collection, hf_bytes id, const hf_doc **ret_doc) {
    hf_collection *docs = call->state->collections[collection];
    *ret_doc = hf_collection_get(docs, id);
    if (*ret_doc) return HF_OK;
    if (hf_collection_had(docs, id)) return hf_answer_refuse(call, 410, "What was here has been deleted.");
    return hf_answer_refuse(call, 404, "There is nothing at this address.");
}

hf_err hf_page_get(hf_call *call, const hf_app_route *route) {
    hf_page page;
    hf_fault fault = {"", 0};
    hf_err err = start(call, route, call->request->path, call->request->query, &page);
    if (err) return err;
    err = hf_page_read_query(&page, &fault);
    if (err && err != HF_NOMEM)
        return hf_answer_refuse(call, 400, "The address ends in something that is not a query.");
    if (err) return err;
    if (route->item_collection != SIZE_MAX) {
        err = hf_page_find(call, route->item_collection, call->path.parts[route->item_param], &page.item);
        if (err || !page.item) return err;
    }
    return answer_wild(call, answer_get(&page));
}

hf_err hf_page_failed(hf_call *call, const hf_app_route *route, hf_bytes id, hf_bytes query, const hf_typed *typed) {
    hf_page page;
    hf_buf path;
    hf_bytes text;
    hf_buf_init(&path, call->arena->mem);
    hf_path_add(&path, &route->path, id);
    hf_err err = hf_answer_keep(call, &path, &text);
    if (!err) err = start(call, route, text, query, &page);
    if (!err) err = hf_page_read_query(&page, NULL);
    if (err && err != HF_NOMEM) { /* the query of `back` is no query: the page stands without it */
        err = start(call, route, text, HF_TEXT(""), &page);
        if (!err) err = hf_page_read_query(&page, NULL);
    }
    if (err) return err;
    page.status = 422;
    page.typed = typed;
    if (route->item_collection != SIZE_MAX)
        page.item = hf_collection_get(call->state->collections[route->item_collection], id);
    err = hf_page_ask(&page);
    if (!err) err = make_texts(&page);
    if (!err) err = render(&page);
    if (!err) answer_page(&page, "no-store");
    return answer_wild(call, err);
}

/* ---- error pages ---- */

static void add_plain_error(hf_page *page, hf_buf *buf) {
    hf_buf_add_str(buf, "<!doctype html>\n<html lang=\"en\">\n<head>\n");
    hf_page_add_head(buf, page);
    hf_buf_add_str(buf, "</head>\n<body>\n<h1>");
    hf_html_add(buf, page->title);
    hf_buf_add_str(buf, "</h1>\n<p>");
    hf_html_add(buf, page->description);
    hf_buf_add_str(buf, "</p>\n<p><a href=\"/\">Start page</a></p>\n</body>\n</html>\n");
}

/* The app's own error page; when there is none, or it goes wild itself, a plain one. */
static hf_err render_error(hf_page *page) {
    hf_buf *out = &page->call->app->out;
    hf_err err = page->content ? render(page) : HF_LIMIT;
    if (err != HF_LIMIT) return err;
    hf_buf_clear(out);
    add_plain_error(page, out);
    return out->err;
}

hf_err hf_page_error(hf_call *call, unsigned status, hf_bytes detail) {
    hf_page page;
    hf_err err = start(call, NULL, hf_sub(call->request->path, 0, HF_PATH_BYTES_MAX), HF_TEXT(""), &page);
    page.status = status;
    page.content = call->app->error;
    page.title = hf_str(hf_status_title(status));
    page.description = detail;
    if (!err) err = make_urls(&page);
    if (!err) err = render_error(&page);
    if (!err) answer_page(&page, "no-store");
    return err;
}
