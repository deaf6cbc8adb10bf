/* api: see api.h. */
#include "api.h"

#include "../codec/json.h"
#include "answer.h"
#include "api_json.h"
#include "item.h"
#include "write.h"

#include <string.h>

/* One request to one collection. */
typedef struct asking {
    hf_call *call;
    size_t index;
    hf_collection *docs;
    const hf_shelf *shelf;
    hf_bytes id, opid;
    const hf_doc *doc;
} asking;

static hf_err problem(asking *a, unsigned status, const char *detail) {
    return hf_answer_problem(a->call, status, hf_str(detail));
}

/* 404 or 410; HF_OK with a->doc NULL: that answer is made. */
static hf_err find(asking *a) {
    a->doc = hf_collection_get(a->docs, a->id);
    if (a->doc) return HF_OK;
    if (hf_collection_had(a->docs, a->id)) return problem(a, 410, "This document has been deleted.");
    return problem(a, 404, "There is no such document.");
}

static void add_doc(const asking *a, hf_buf *buf, const hf_doc *doc) {
    hf_api_doc json = {.shelf = a->shelf, .id = hf_doc_id(doc), .doc = doc};
    hf_api_add_doc(buf, &json);
}

static hf_err get_one(asking *a) {
    hf_buf buf;
    hf_err err = find(a);
    if (err || !a->doc) return err;
    hf_buf_init(&buf, a->call->arena->mem);
    add_doc(a, &buf, a->doc);
    return hf_answer_text(a->call, "application/json", &buf);
}

/* ---- lists: ?FIELD=VALUE, FIELD.contains=, FIELD.less=, FIELD.more=, sort=[-]FIELD, page=, limit= ---- */

typedef struct listing {
    hf_query query;
    hf_filter filters[HF_API_FILTERS_MAX];
    size_t fields[HF_API_FILTERS_MAX];
    size_t page;
    const char *refusal; /* what is wrong with the query; NULL: nothing */
} listing;

static void read_sort(const asking *a, hf_bytes text, listing *l) {
    l->query.descending = hf_starts(text, HF_TEXT("-"));
    l->query.sort_field = hf_schema_field(a->shelf->schema, hf_sub(text, l->query.descending, text.len));
    if (l->query.sort_field == SIZE_MAX) l->refusal = "The query sorts by a field that is not there.";
}

static size_t read_number(hf_bytes text, size_t max, listing *l) {
    uint64_t n = 0;
    if (hf_parse_u64(text, &n) || n < 1 || n > max)
        l->refusal = "The query's page or limit is not a number within bounds.";
    return l->refusal ? 1 : (size_t)n;
}

static hf_err read_filter(const asking *a, const hf_form_field *parameter, listing *l) {
    static const struct {
        const char *suffix;
        hf_compare compare;
    } kinds[] = {{".contains", HF_CONTAINS}, {".less", HF_LESS}, {".more", HF_MORE}};
    hf_bytes name = parameter->name;
    size_t n = l->query.n_filters, dot = hf_find(name, '.', 0), kind = 0;
    const char *refusal = NULL;
    while (dot < name.len && kind < HF_COUNT(kinds) && !hf_eq(hf_sub(name, dot, name.len), hf_str(kinds[kind].suffix)))
        kind++;
    size_t field = hf_schema_field(a->shelf->schema, hf_sub(name, 0, dot));
    if (field == SIZE_MAX || kind == HF_COUNT(kinds))
        l->refusal = "The query has a parameter that is no field of this collection.";
    else if (n == HF_API_FILTERS_MAX)
        l->refusal = "The query has too many parameters.";
    if (l->refusal) return HF_OK;
    l->fields[n] = field;
    l->filters[n] = (hf_filter){dot < name.len ? kinds[kind].compare : HF_EQUALS, &l->fields[n], 1,
                                hf_value_text(parameter->value)};
    l->query.n_filters++;
    if (l->filters[n].compare == HF_CONTAINS) return HF_OK;
    hf_err err = hf_field_parse(a->call->arena, &a->shelf->schema->fields[field], parameter->value,
                                &l->filters[n].value, &refusal);
    if (refusal || l->filters[n].value.kind == HF_NULL)
        l->refusal = "The query compares a field with something that it cannot be.";
    return err;
}

static hf_err read_parameter(const asking *a, const hf_form_field *parameter, listing *l) {
    if (hf_eq(parameter->name, HF_TEXT("sort")))
        read_sort(a, parameter->value, l);
    else if (hf_eq(parameter->name, HF_TEXT("page")))
        l->page = read_number(parameter->value, HF_PAGE_NUMBER_MAX, l);
    else if (hf_eq(parameter->name, HF_TEXT("limit")))
        l->query.limit = read_number(parameter->value, HF_API_LIMIT_MAX, l);
    else
        return read_filter(a, parameter, l);
    return HF_OK;
}

static hf_err read_listing(const asking *a, listing *l) {
    hf_form form;
    *l = (listing){.page = 1, .query = {.sort_field = SIZE_MAX, .limit = HF_API_LIMIT}};
    hf_err err = hf_form_read(a->call->arena, a->call->request->query, &form, NULL);
    if (err && err != HF_NOMEM) l->refusal = "The query is not one.";
    if (err) return err == HF_NOMEM ? err : HF_OK;
    for (size_t i = 0; i < form.n && !l->refusal && !err; i++) err = read_parameter(a, &form.fields[i], l);
    l->query.filters = l->filters;
    l->query.offset = (l->page - 1) * l->query.limit;
    return err;
}

static void add_number(hf_buf *buf, const char *before, size_t n) {
    hf_buf_add_str(buf, before);
    hf_buf_add_u64(buf, n);
}

static hf_err get_list(asking *a) {
    listing l;
    const hf_doc **docs;
    size_t n, total;
    hf_buf buf;
    hf_err err = read_listing(a, &l);
    if (!err && l.refusal) return problem(a, 400, l.refusal);
    if (!err) err = hf_collection_query(a->docs, a->call->arena, &l.query, &docs, &n, &total);
    if (err) return err;
    hf_buf_init(&buf, a->call->arena->mem);
    add_number(&buf, "{\"total\":", total);
    add_number(&buf, ",\"page\":", l.page);
    add_number(&buf, ",\"pages\":", total ? (total + l.query.limit - 1) / l.query.limit : 1);
    hf_buf_add_str(&buf, ",\"items\":[");
    for (size_t i = 0; i < n; i++) {
        if (i) hf_buf_add_byte(&buf, ',');
        add_doc(a, &buf, docs[i]);
    }
    hf_buf_add_str(&buf, "]}");
    return hf_answer_text(a->call, "application/json", &buf);
}

/* ---- writes ---- */

static void add_failures(hf_buf *buf, const hf_api_input *input) {
    hf_buf_add_str(buf, "{\"type\":\"about:blank\",\"title\":");
    hf_json_add_text(buf, hf_str(hf_status_title(422)));
    hf_buf_add_str(buf, ",\"status\":422,\"detail\":");
    hf_json_add_text(buf, input->failures[0].message);
    for (size_t i = 0; i < input->n_failures; i++) {
        hf_buf_add_str(buf, i ? ",{\"field\":" : ",\"errors\":[{\"field\":");
        hf_json_add_text(buf, input->failures[i].field->name);
        hf_buf_add_str(buf, ",\"message\":");
        hf_json_add_text(buf, input->failures[i].message);
        hf_buf_add_byte(buf, '}');
    }
    hf_buf_add_str(buf, "]}");
}

static hf_err answer_failures(asking *a, const hf_api_input *input) {
    hf_buf buf;
    hf_bytes body;
    hf_buf_init(&buf, a->call->arena->mem);
    add_failures(&buf, input);
    hf_err err = hf_answer_keep(a->call, &buf, &body);
    if (err) return err;
    hf_answer_body(a->call, 422, "application/problem+json", body);
    hf_answer_header(a->call, "cache-control", HF_TEXT("no-store"));
    return HF_OK;
}

/* *ret_taken false: an answer (400, 415, 422) is made. */
static hf_err read_input(asking *a, bool creates, hf_api_input *input, bool *ret_taken) {
    hf_fault fault = {"", 0};
    *ret_taken = false;
    if (!hf_content_type_is(a->call->request->content_type, "application/json"))
        return problem(a, 415, "The body must be application/json.");
    hf_err err = hf_api_read(a->call, a->shelf->schema, creates, input, &fault);
    if (err && err != HF_NOMEM) return problem(a, 400, fault.what);
    if (err) return err;
    if (input->n_failures) return answer_failures(a, input);
    *ret_taken = true;
    return HF_OK;
}

static hf_err add_location(asking *a) {
    hf_buf buf;
    hf_bytes location;
    hf_buf_init(&buf, a->call->arena->mem);
    hf_buf_add_str(&buf, "/api/v1/");
    hf_buf_add(&buf, a->shelf->schema->name);
    hf_buf_add_byte(&buf, '/');
    hf_buf_add(&buf, a->id); /* of our own making: base32 */
    hf_err err = hf_answer_keep(a->call, &buf, &location);
    if (!err) hf_answer_header(a->call, "location", location);
    return err;
}

/* The document as it will be once the operation is applied. No entity tag: that is for GET to say. */
static hf_err answer_doc(asking *a, unsigned status, const hf_api_input *input) {
    hf_buf buf;
    hf_bytes body;
    hf_api_doc json = {
        a->shelf, a->id, a->doc, input ? &input->value : NULL, input && input->adds, a->call->request->now_ms};
    hf_buf_init(&buf, a->call->arena->mem);
    hf_api_add_doc(&buf, &json);
    hf_err err = hf_answer_keep(a->call, &buf, &body);
    if (!err) err = hf_write_session(a->call);
    if (err) return err;
    hf_answer_body(a->call, status, "application/json", body);
    hf_answer_header(a->call, "cache-control", HF_TEXT("no-store"));
    return HF_OK;
}

static hf_err create(asking *a) {
    hf_api_input input;
    bool taken;
    hf_err err = read_input(a, true, &input, &taken);
    if (err || !taken) return err;
    a->id = a->opid;
    a->doc = hf_collection_get(a->docs, a->id);
    if (!a->doc && hf_collection_had(a->docs, a->id))
        return problem(a, 410, "This document was created by this very request, and deleted since.");
    if (!a->doc) err = hf_write_add(a->call, a->index, "NEW", a->id, &input.value, a->opid);
    if (err == HF_LIMIT) return problem(a, 413, "This is more than one change can hold.");
    if (!err) err = add_location(a);
    return err ? err : answer_doc(a, 201, a->doc ? NULL : &input);
}

/* If-Match names the entity tag that GET gave. *ret_current false: 412 is answered. */
static hf_err check_current(asking *a, bool *ret_current) {
    hf_buf buf;
    hf_bytes body, etag;
    *ret_current = true;
    if (a->call->request->if_match.len == 0) return HF_OK;
    hf_buf_init(&buf, a->call->arena->mem);
    add_doc(a, &buf, a->doc);
    hf_err err = hf_answer_keep(a->call, &buf, &body);
    if (!err) err = hf_etag_of(a->call->arena, body, &etag);
    if (err) return err;
    *ret_current = hf_etag_matches(a->call->request->if_match, etag, false);
    return *ret_current ? HF_OK : problem(a, 412, "The document has changed since it was read.");
}

static hf_err change(asking *a) {
    hf_api_input input;
    bool ok;
    hf_err err = read_input(a, false, &input, &ok);
    if (!err && ok) err = find(a);
    if (err || !ok || !a->doc) return err;
    if (hf_collection_knows_op(a->docs, a->id, a->opid)) return answer_doc(a, 200, NULL);
    err = check_current(a, &ok);
    if (err || !ok) return err;
    if (input.value.as.map.n == 0) return answer_doc(a, 200, NULL);
    err = hf_write_add(a->call, a->index, input.adds ? "INC" : "SET", a->id, &input.value, a->opid);
    if (err == HF_LIMIT) return problem(a, 413, "This is more than one change can hold.");
    return err ? err : answer_doc(a, 200, &input);
}

static hf_err answer_deleted(asking *a) {
    a->call->answer->status = 204;
    hf_answer_header(a->call, "cache-control", HF_TEXT("no-store"));
    return hf_write_session(a->call);
}

static hf_err delete (asking *a) {
    hf_value null = hf_value_null();
    bool ok = true;
    if (hf_collection_knows_op(a->docs, a->id, a->opid)) return answer_deleted(a);
    hf_err err = find(a);
    if (!err && a->doc) err = check_current(a, &ok);
    if (err || !a->doc || !ok) return err;
    err = hf_write_add(a->call, a->index, "DEL", a->id, &null, a->opid);
    return err ? err : answer_deleted(a);
}

/* ---- who answers ---- */

static bool is_method(const asking *a, const char *method) {
    return hf_eq(a->call->request->method, hf_str(method));
}

static hf_err answer_collection(asking *a) {
    if (hf_call_reads(a->call)) return get_list(a);
    return is_method(a, "POST") ? create(a) : hf_answer_not_allowed(a->call, "GET, HEAD, POST");
}

static hf_err answer_document(asking *a) {
    if (hf_call_reads(a->call)) return get_one(a);
    if (is_method(a, "PATCH")) return change(a);
    return is_method(a, "DELETE") ? delete (a) : hf_answer_not_allowed(a->call, "GET, HEAD, PATCH, DELETE");
}

hf_err hf_api_answer(hf_call *call) {
    const hf_segments *path = &call->path;
    asking a = {.call = call};
    bool mine = !path->trailing_slash && (path->n == 3 || path->n == 4) && hf_eq(path->parts[1], HF_TEXT("v1"));
    size_t n = mine ? call->app->manifest.n_schemas : 0;
    while (a.index < n && !hf_eq(call->app->manifest.schemas[a.index].name, path->parts[2])) a.index++;
    if (a.index == n) return hf_answer_problem(call, 404, HF_TEXT("There is nothing at this address."));
    a.docs = call->state->collections[a.index];
    a.shelf = &call->app->shelves[a.index];
    if (path->n == 4) a.id = path->parts[3];
    hf_err err = hf_write_api_opid(call, &a.opid);
    if (err) return err;
    return path->n == 4 ? answer_document(&a) : answer_collection(&a);
}
