/* mustache: running a compiled template. Recursion is one C frame per section or partial, at most
 * HF_TEMPLATE_DEPTH_MAX of them. */
#include "mustache_program.h"

#include "../codec/json.h"
#include "escape.h"

#include <string.h>

typedef struct renderer {
    hf_buf *out, *marks;
    hf_buf indent;                            /* the indentations of the partials around, one after another */
    size_t indent_from;                       /* indent[indent_from..] is in force */
    hf_view stack[HF_TEMPLATE_DEPTH_MAX + 1]; /* the context stack */
    size_t n_stack, depth, steps;
} renderer;

static hf_err run(renderer *r, const hf_template *t, size_t from, size_t to);

/* ---- looking up ---- */

static bool get(const hf_view *view, const hf_name *name, hf_view *ret) {
    return view->class && view->class->get && view->class->get(view, name, ret);
}

/* Interpolation, rule 3: the first part is looked for from the top of the context stack down; rule 7: the others
 * only within what was found. */
static hf_view find(const renderer *r, const hf_step *step) {
    hf_view found = hf_view_none();
    if (step->n_path == 0) return r->stack[r->n_stack - 1];
    size_t i = r->n_stack;
    while (i > 0 && !get(&r->stack[i - 1], step->path[0], &found)) i--;
    if (i == 0) return hf_view_none();
    for (uint32_t k = 1; k < step->n_path; k++) {
        hf_view inner;
        if (!get(&found, step->path[k], &inner)) return hf_view_none();
        found = inner;
    }
    return found;
}

/* ---- showing ---- */

static void add_float(hf_buf *out, double f) {
    hf_value value = hf_value_float(f);
    hf_json_add(out, &value);
}

/* Text of a class: when it has to be escaped, it is written behind the output first, then in its place. */
static hf_err add_class_text(renderer *r, const hf_view *view, bool escaped) {
    if (!view->class || !view->class->text) return HF_OK;
    if (!escaped || view->class->safe) {
        view->class->text(view, r->out);
        return HF_OK;
    }
    hf_buf raw;
    hf_buf_init(&raw, r->out->mem);
    view->class->text(view, &raw);
    hf_html_add(r->out, hf_buf_bytes(&raw));
    hf_err err = raw.err;
    hf_buf_deinit(&raw);
    return err;
}

static void add_mark(renderer *r, hf_bytes text) {
    size_t at = r->out->len;
    if (r->marks) hf_buf_add(r->marks, HF_BYTES(&at, sizeof at));
    hf_buf_add(r->out, text);
}

/* A template shown as a value (the page within its layout): it stands by itself, so the indentation around it does
 * not reach in. */
static hf_err run_apart(renderer *r, const hf_template *t) {
    size_t indent_from = r->indent_from;
    r->indent_from = r->indent.len;
    hf_err err = run(r, t, 0, t->n_steps);
    r->indent_from = indent_from;
    return err;
}

static hf_err show(renderer *r, const hf_view *view, bool escaped) {
    switch (view->kind) {
    case HF_VIEW_BOOL:
        hf_buf_add_str(r->out, view->as.b ? "true" : "false");
        return HF_OK;
    case HF_VIEW_INT:
        hf_buf_add_i64(r->out, view->as.i);
        return HF_OK;
    case HF_VIEW_FLOAT:
        add_float(r->out, view->as.f);
        return HF_OK;
    case HF_VIEW_TEXT:
        (escaped ? hf_html_add : hf_buf_add)(r->out, view->as.s);
        return HF_OK;
    case HF_VIEW_MARK:
        add_mark(r, view->as.s);
        return HF_OK;
    case HF_VIEW_MAP:
        return add_class_text(r, view, escaped);
    case HF_VIEW_TEMPLATE:
        return run_apart(r, view->as.template);
    default:
        return HF_OK;
    }
}

static void add_indent(renderer *r) {
    hf_buf_add(r->out, HF_BYTES(r->indent.ptr + r->indent_from, r->indent.len - r->indent_from));
}

static bool is_indented(const renderer *r) {
    return r->indent.len > r->indent_from;
}

/* Text whose every line but the first gets the indentation (the first is the step's own affair). */
static void add_lines(renderer *r, hf_bytes text) {
    for (size_t at = 0; at < text.len;) {
        size_t end = hf_find(text, '\n', at) + 1;
        if (end > text.len) end = text.len;
        if (at > 0) add_indent(r);
        hf_buf_add(r->out, HF_BYTES(text.ptr + at, end - at));
        at = end;
    }
}

/* ---- running ---- */

static hf_err run_within(renderer *r, const hf_template *t, size_t from, size_t to, const hf_view *view) {
    if (r->n_stack == HF_COUNT(r->stack)) return HF_LIMIT;
    r->stack[r->n_stack++] = *view;
    hf_err err = run(r, t, from, to);
    r->n_stack--;
    return err;
}

static hf_err run_section(renderer *r, const hf_template *t, size_t at) {
    const hf_step *step = &t->steps[at];
    hf_view view = find(r, step);
    if (step->kind == HF_STEP_INVERTED) return hf_view_truthy(&view) ? HF_OK : run(r, t, at + 1, step->end + 1);
    if (!hf_view_truthy(&view)) return HF_OK;
    if (view.kind != HF_VIEW_LIST) return run_within(r, t, at + 1, step->end + 1, &view);
    hf_err err = HF_OK;
    for (size_t i = 0; i < view.as.n && !err; i++) {
        hf_view item;
        view.class->at(&view, i, &item);
        err = run_within(r, t, at + 1, step->end + 1, &item);
    }
    return err;
}

static hf_err run_partial(renderer *r, const hf_step *step) {
    if (!step->partial) return HF_OK;
    if (!step->alone) return run_apart(r, step->partial);
    size_t len = r->indent.len;
    hf_buf_add(&r->indent, step->text);
    hf_err err = r->indent.err ? HF_NOMEM : run(r, step->partial, 0, step->partial->n_steps);
    r->indent.len = len;
    return err;
}

static hf_err run_step(renderer *r, const hf_template *t, size_t at) {
    const hf_step *step = &t->steps[at];
    switch (step->kind) {
    case HF_STEP_TEXT:
        if (is_indented(r))
            add_lines(r, step->text);
        else
            hf_buf_add(r->out, step->text);
        return HF_OK;
    case HF_STEP_VALUE:
    case HF_STEP_RAW: {
        hf_view view = find(r, step);
        return show(r, &view, step->kind == HF_STEP_VALUE);
    }
    case HF_STEP_SECTION:
    case HF_STEP_INVERTED:
        return run_section(r, t, at);
    case HF_STEP_PARTIAL:
        return run_partial(r, step);
    default:
        return HF_OK;
    }
}

static hf_err run(renderer *r, const hf_template *t, size_t from, size_t to) {
    if (r->depth == HF_TEMPLATE_DEPTH_MAX) return HF_LIMIT;
    r->depth++;
    hf_err err = HF_OK;
    for (size_t at = from; at < to && !err; at++) {
        const hf_step *step = &t->steps[at];
        if (++r->steps > HF_RENDER_STEPS_MAX || r->out->len > HF_RENDER_BYTES_MAX) err = HF_LIMIT;
        if (step->starts_line && is_indented(r)) add_indent(r);
        if (!err) err = run_step(r, t, at);
        if (step->kind == HF_STEP_SECTION || step->kind == HF_STEP_INVERTED) at = step->end;
    }
    r->depth--;
    return err;
}

hf_err hf_template_render(const hf_template *template, const hf_view *root, hf_buf *out, hf_buf *marks) {
    renderer r = {.out = out, .marks = marks, .n_stack = 1};
    r.stack[0] = *root;
    hf_buf_init(&r.indent, out->mem);
    hf_err err = run(&r, template, 0, template->n_steps);
    hf_buf_deinit(&r.indent);
    if (err) return err;
    return out->err || (marks && marks->err) ? HF_NOMEM : HF_OK;
}
