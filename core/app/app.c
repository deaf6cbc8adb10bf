/* app: life of an app, and the way of a request: checks that every request must pass, then who answers it. See
 * app.h. */
#include "app.h"

#include "action.h"
#include "answer.h"
#include "api.h"
#include "escape.h"
#include "load.h"
#include "page.h"
#include "site.h"
#include "write.h"

#include <string.h>

/* ---- life ---- */

hf_app *hf_app_new(hf_mem *mem, const hf_file *files, size_t n_files, uint64_t seed, hf_arena *arena,
                   hf_bytes *ret_problem) {
    hf_app *app = hf_alloc(mem, sizeof *app);
    *ret_problem = HF_TEXT("");
    if (app) {
        app->mem = mem;
        hf_arena_init(&app->arena, mem);
        hf_templates_init(&app->templates, mem);
        hf_cache_init(&app->cache, mem, HF_APP_CACHE_BYTES_MAX, seed);
        hf_buf_init(&app->out, mem);
        hf_buf_init(&app->marks, mem);
    }
    hf_err err = app ? hf_app_load(app, files, n_files, arena, ret_problem) : HF_NOMEM;
    if (err == HF_NOMEM) *ret_problem = HF_TEXT("out of memory");
    if (err == HF_OK) return app;
    hf_app_free(app);
    return NULL;
}

void hf_app_free(hf_app *app) {
    if (!app) return;
    hf_cache_deinit(&app->cache);
    hf_buf_deinit(&app->out);
    hf_buf_deinit(&app->marks);
    hf_templates_deinit(&app->templates);
    hf_arena_deinit(&app->arena);
    hf_release(app->mem, app, sizeof *app);
}

hf_bytes hf_app_name(const hf_app *app) {
    return app->manifest.name;
}
size_t hf_app_n_schemas(const hf_app *app) {
    return app->manifest.n_schemas;
}

const hf_schema *hf_app_schema(const hf_app *app, size_t i) {
    HF_ASSERT(i < app->manifest.n_schemas);
    return &app->manifest.schemas[i];
}

void hf_app_release(hf_app *app, hf_bytes release, hf_bytes script_url) {
    HF_ASSERT(release.len <= sizeof app->release && script_url.len <= sizeof app->script_url);
    if (release.len) memcpy(app->release, release.ptr, release.len);
    if (script_url.len) memcpy(app->script_url, script_url.ptr, script_url.len);
    app->release_len = release.len;
    app->script_url_len = script_url.len;
    uint64_t seed = app->cache.map.seed; /* pages of another release would name its files */
    hf_cache_deinit(&app->cache);
    hf_cache_init(&app->cache, app->mem, HF_APP_CACHE_BYTES_MAX, seed);
}

/* ---- routing ---- */

static const hf_app_route *find_route(const hf_call *call) {
    const hf_app_manifest *m = &call->app->manifest;
    const hf_app_route *best = NULL;
    for (size_t i = 0; i < m->n_routes; i++)
        if (hf_path_matches(&m->routes[i].path, &call->path) && (!best || m->routes[i].path.rank > best->path.rank))
            best = &m->routes[i];
    return best;
}

static const hf_app_action *find_action(const hf_call *call) {
    const hf_app_manifest *m = &call->app->manifest;
    const hf_app_action *best = NULL;
    for (size_t i = 0; i < m->n_actions; i++)
        if (hf_path_matches(&m->actions[i].path, &call->path) && (!best || m->actions[i].path.rank > best->path.rank))
            best = &m->actions[i];
    return best;
}

/* "/todos/?a=b" -> "/todos?a=b", for good. */
static hf_err answer_without_slash(hf_call *call) {
    hf_buf buf;
    hf_bytes location;
    hf_buf_init(&buf, call->arena->mem);
    hf_url_add_sent(&buf, hf_sub(call->request->path, 0, call->request->path.len - 1));
    if (call->request->query.len) hf_buf_add_byte(&buf, '?');
    hf_url_add_sent(&buf, call->request->query);
    hf_err err = hf_answer_keep(call, &buf, &location);
    if (err) return err;
    call->answer->status = 308;
    hf_answer_header(call, "location", location);
    return HF_OK;
}

static hf_err answer_route_or_action(hf_call *call) {
    const hf_app_route *route = find_route(call);
    const hf_app_action *action = find_action(call);
    bool reads = hf_call_reads(call), posts = hf_eq(call->request->method, HF_TEXT("POST"));
    if (call->path.trailing_slash && reads && route) return answer_without_slash(call);
    if (call->path.trailing_slash || (!route && !action))
        return hf_answer_refuse(call, 404, "There is nothing at this address.");
    if (reads && route) return hf_page_get(call, route);
    if (posts && action) return hf_action_post(call, action);
    return hf_answer_not_allowed(call, route && action ? "GET, HEAD, POST" : route ? "GET, HEAD" : "POST");
}

static hf_err dispatch(hf_call *call) {
    bool mine = false;
    if (call->path.n && !call->path.odd && hf_eq(call->path.parts[0], HF_TEXT("api"))) return hf_api_answer(call);
    hf_err err = hf_site_answer(call, &mine);
    return err || mine ? err : answer_route_or_action(call);
}

/* ---- what every request must pass ---- */

static bool is_safe(hf_bytes method) {
    return hf_eq(method, HF_TEXT("GET")) || hf_eq(method, HF_TEXT("HEAD")) || hf_eq(method, HF_TEXT("OPTIONS"));
}

static hf_err handle(hf_call *call) {
    const hf_request *request = call->request;
    hf_err err = hf_segments_read(call->arena, request->path, &call->path, NULL);
    if (err == HF_LIMIT || request->query.len > HF_PATH_BYTES_MAX)
        return hf_answer_refuse(call, 414, "The address is too long.");
    if (err == HF_MALFORMED) return hf_answer_refuse(call, 400, "The address is not a proper one.");
    if (err) return err;
    if (request->body.len > HF_APP_BODY_MAX) return hf_answer_refuse(call, 413, "What was sent is too large.");
    if (!is_safe(request->method) && !hf_write_is_own_site(request))
        return hf_answer_refuse(call, 403, "This was sent from another site.");
    return dispatch(call);
}

hf_err hf_app_handle(hf_app *app, const hf_app_state *state, const hf_request *request, hf_arena *arena,
                     hf_response *ret) {
    hf_call call = {.app = app, .state = state, .request = request, .arena = arena, .answer = ret};
    hf_answer_begin(&call);
    hf_err err = handle(&call);
    HF_ASSERT(err == HF_OK || err == HF_NOMEM);
    return err;
}
