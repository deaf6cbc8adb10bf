/* page: GET routes. Query -> lists, counts, item; views over them; template within layout; cache, entity tag, 304.
 * page.c decides and renders, page_query.c asks the collections, page_view.c is what templates see, page_head.c
 * writes the head.
 */
#ifndef HF_PAGE_H
#define HF_PAGE_H
#include "inside.h"

/* What a form sent that could not be taken, and why. */
typedef struct hf_failure {
    const hf_field *field;
    hf_bytes message;
} hf_failure;
typedef struct hf_typed {
    const hf_form *form;
    const hf_failure *failures;
    size_t n_failures;
} hf_typed;

/* A filter that the query puts in force. */
typedef struct hf_in_force {
    const hf_list_filter *filter;
    size_t list;
    hf_bytes text;  /* as typed */
    hf_where where; /* WORDS: of the word; EQUALS: one condition */
} hf_in_force;

typedef struct hf_list_result {
    const hf_doc **docs;
    size_t n, total, n_pages;
} hf_list_result;

enum { HF_PAGE_FILTERS_MAX = HF_APP_LISTS_MAX * HF_APP_LISTS_MAX, HF_PAGE_NUMBER_MAX = 1000000 };

typedef struct hf_page {
    hf_call *call;
    const hf_app_route *route;  /* NULL: an error page */
    const hf_template *content; /* NULL: an error page of an app without one */
    unsigned status;
    hf_bytes path, query; /* of the page, as in its URL; encoded */
    hf_bytes url, canonical, title, description;
    hf_bytes op;
    hf_form parameters; /* of the query */
    hf_in_force *in_force;
    size_t n_in_force, number; /* number: of the page within its lists, from 1 */
    bool known_parameters;     /* nothing in the query but filters in force and the page number */
    hf_list_result lists[HF_APP_LISTS_MAX];
    size_t counts[2 * HF_APP_LISTS_MAX];
    const hf_doc *item;
    const hf_typed *typed; /* NULL: nothing was */
} hf_page;

HF_MUST_USE hf_err hf_page_get(hf_call *call, const hf_app_route *route);
/* 422: the route's page with what was typed. `query` is that of the page the form was on. The item, where the route
 * has one, is `id`. */
HF_MUST_USE hf_err hf_page_failed(hf_call *call, const hf_app_route *route, hf_bytes id, hf_bytes query,
                                  const hf_typed *typed);
HF_MUST_USE hf_err hf_page_error(hf_call *call, unsigned status, hf_bytes detail);
/* 404 or 410, as the collection remembers; HF_OK with *ret_doc NULL: that answer is made. */
HF_MUST_USE hf_err hf_page_find(hf_call *call, size_t collection, hf_bytes id, const hf_doc **ret_doc);

/* ---- between the files of page ---- */
/* Reads the query: filters in force, page number. HF_MALFORMED: not a query. */
HF_MUST_USE hf_err hf_page_read_query(hf_page *page, hf_fault *fault);
/* Fills lists and counts. */
HF_MUST_USE hf_err hf_page_ask(hf_page *page);
/* The address of another page of the lists, same filters. */
void hf_page_add_number_url(hf_buf *buf, const hf_page *page, size_t number);
hf_view hf_page_view(hf_page *page);
/* Everything of <head> that every page has. */
void hf_page_add_head(hf_buf *buf, const hf_page *page);
#endif
