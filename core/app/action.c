/* action: see action.h. */
#include "action.h"

#include "answer.h"
#include "escape.h"
#include "page.h"
#include "write.h"

/* One action on its way. */
typedef struct acting {
    hf_call *call;
    const hf_app_action *action;
    const hf_schema *schema;
    hf_form form;
    hf_bytes opid, id; /* id: of the document; for a create it is the opid */
    const hf_doc *doc; /* NULL for create */
    hf_value value;    /* fields that take what was typed */
    hf_failure *failures;
    size_t n_failures;
} acting;

/* ---- back to a page ---- */

/* "https://app.example/x?y" of our own origin, or "/x?y" -> "/x?y"; anything else -> empty. */
static hf_bytes own_path(const acting *a, hf_bytes url) {
    hf_bytes origin = a->call->request->origin;
    if (origin.len && hf_starts(url, origin)) url = hf_sub(url, origin.len, url.len);
    return url.len <= HF_PATH_BYTES_MAX && hf_url_is_own_path(url) ? url : HF_TEXT("");
}

static hf_bytes back_of(const acting *a) {
    const hf_bytes *field = hf_form_get(&a->form, HF_TEXT("back"));
    hf_bytes back = field ? own_path(a, *field) : HF_TEXT("");
    return back.len ? back : own_path(a, a->call->request->referer);
}

static hf_err answer_done(acting *a) {
    hf_bytes location = a->action->then_back ? back_of(a) : HF_TEXT("");
    if (location.len == 0) {
        hf_buf buf;
        hf_buf_init(&buf, a->call->arena->mem);
        hf_path_add(&buf, &a->action->then, a->id); /* for "back" without a page: the empty path, "/" */
        hf_err err = hf_answer_keep(a->call, &buf, &location);
        if (err) return err;
    }
    a->call->answer->status = 303;
    hf_answer_header(a->call, "location", location);
    hf_answer_header(a->call, "cache-control", HF_TEXT("no-store"));
    return hf_write_session(a->call);
}

/* ---- bad input ---- */

static hf_err add_failure(acting *a, const hf_field *field, const char *refusal) {
    return hf_write_failure(a->call, field, refusal, &a->failures[a->n_failures++]);
}

/* The query of the page the form was on, when that is the page we show again: filters stay in force. */
static hf_bytes query_of_back(const acting *a, const hf_app_route *route) {
    hf_bytes back = back_of(a);
    hf_segments segments;
    size_t question = hf_find(back, '?', 0);
    if (hf_segments_read(a->call->arena, hf_sub(back, 0, question), &segments, NULL)) return HF_TEXT("");
    return hf_path_matches(&route->path, &segments) ? hf_sub(back, question + 1, back.len) : HF_TEXT("");
}

static hf_err answer_failed(acting *a) {
    const hf_app_route *route = &a->call->app->manifest.routes[a->action->failed_route];
    hf_typed typed = {&a->form, a->failures, a->n_failures};
    return hf_page_failed(a->call, route, a->id, query_of_back(a, route), &typed);
}

/* ---- what was typed ---- */

static hf_err take_field(acting *a, const hf_field *field, const hf_bytes *text) {
    hf_value value;
    const char *refusal = NULL;
    hf_err err = HF_OK;
    if (text)
        err = hf_field_parse(a->call->arena, field, *text, &value, &refusal);
    else if (!a->doc && field->required && field->fallback.kind == HF_NULL)
        refusal = "is required";
    if (err) return err;
    if (refusal) return add_failure(a, field, refusal);
    bool counts = text && (a->doc || value.kind != HF_NULL); /* a new document has nothing to unset */
    if (counts) hf_map_add_bytes(&a->value, field->name, value);
    return HF_OK;
}

static hf_err take_fields(acting *a) {
    a->value = hf_value_map(a->call->arena, a->action->n_fields);
    a->failures = hf_arena_alloc(a->call->arena, a->action->n_fields * sizeof *a->failures);
    hf_err err = a->value.as.map.pairs && a->failures ? HF_OK : HF_NOMEM;
    for (size_t i = 0; i < a->action->n_fields && !err; i++) {
        const hf_field *field = &a->schema->fields[a->action->fields[i]];
        err = take_field(a, field, hf_form_get(&a->form, field->name));
    }
    return err;
}

/* ---- doing ---- */

static hf_err add_operation(acting *a, const char *op, const hf_value *value) {
    hf_err err = hf_write_add(a->call, a->action->collection, op, a->id, value, a->opid);
    if (err == HF_LIMIT) return hf_answer_refuse(a->call, 413, "This is more than one change can hold.");
    return err ? err : answer_done(a);
}

static hf_err do_set(acting *a) {
    hf_err err = take_fields(a);
    if (err) return err;
    if (a->n_failures) return answer_failed(a);
    if (a->doc && a->value.as.map.n == 0) return answer_done(a); /* the form had nothing of ours */
    return add_operation(a, a->doc ? "SET" : "NEW", &a->value);
}

/* One field, whose new value follows from the action and the document. */
static hf_err do_one(acting *a, const char *op, hf_value value) {
    size_t field = a->action->fields[0];
    hf_value map = hf_value_map(a->call->arena, 1);
    if (!map.as.map.pairs) return HF_NOMEM;
    hf_map_add_bytes(&map, a->schema->fields[field].name, value);
    return add_operation(a, op, &map);
}

static hf_err act(acting *a) {
    hf_value null = hf_value_null();
    switch (a->action->what) {
    case HF_DO_CREATE:
    case HF_DO_UPDATE:
        return do_set(a);
    case HF_DO_TOGGLE:
        return do_one(a, "SET", hf_value_bool(!hf_value_as_bool(hf_doc_field(a->doc, a->action->fields[0]), false)));
    case HF_DO_INCREMENT:
        return do_one(a, "INC", hf_value_i64(a->action->by));
    case HF_DO_DELETE:
        return add_operation(a, "DEL", &null);
    }
    return HF_STATE;
}

/* Was this very action done before, here or elsewhere? Then it is answered alike and does nothing: the user pressed
 * twice, or the browser sends again what a dying node may have done. */
static bool is_done(const acting *a) {
    hf_collection *docs = a->call->state->collections[a->action->collection];
    if (hf_collection_knows_op(docs, a->id, a->opid)) return true;
    return a->action->what == HF_DO_CREATE && (hf_collection_get(docs, a->id) || hf_collection_had(docs, a->id));
}

static hf_err act_once(acting *a) {
    if (is_done(a)) return answer_done(a);
    if (a->action->what != HF_DO_CREATE) {
        hf_err err = hf_page_find(a->call, a->action->collection, a->id, &a->doc);
        if (err || !a->doc) return err;
    }
    return act(a);
}

hf_err hf_action_post(hf_call *call, const hf_app_action *action) {
    acting a = {.call = call, .action = action, .schema = &call->app->manifest.schemas[action->collection]};
    if (!hf_content_type_is(call->request->content_type, "application/x-www-form-urlencoded"))
        return hf_answer_refuse(call, 415, "Forms are sent as application/x-www-form-urlencoded.");
    hf_err err = hf_form_read(call->arena, call->request->body, &a.form, NULL);
    if (err && err != HF_NOMEM) return hf_answer_refuse(call, 400, "What was sent is not a form.");
    if (!err) err = hf_write_form_opid(call, &a.form, &a.opid);
    if (err) return err;
    a.id = action->what == HF_DO_CREATE ? a.opid : call->path.parts[action->id_param];
    return act_once(&a);
}
