/* mustache: the compiler; mustache_render.c runs what it makes. */
#include "mustache_program.h"

#include <string.h>

/* One template being compiled. Literal text is collected lazily: source[text_from .. at of the next tag). */
typedef struct compiler {
    hf_templates *set;
    hf_template *template;
    hf_bytes source, open, close;
    size_t text_from;
    size_t sections[HF_TEMPLATE_DEPTH_MAX]; /* steps that wait for their end */
    hf_bytes section_names[HF_TEMPLATE_DEPTH_MAX];
    size_t n_sections;
    bool fresh_line; /* the next step is the first of its line */
    hf_fault *fault;
} compiler;

/* A tag as found in the source: {{ sigil content }}. */
typedef struct tag {
    uint8_t sigil;             /* 0: a plain name */
    hf_bytes content;          /* trimmed */
    size_t from, to;           /* whole tag in the source */
    size_t line_from, line_to; /* what to drop when the tag has its line alone; else from, to */
    bool alone;
} tag;

void hf_templates_init(hf_templates *set, hf_mem *mem) {
    *set = (hf_templates){.mem = mem};
    hf_arena_init(&set->arena, mem);
    hf_map_init(&set->names, mem, 0); /* keys are the app author's: no seed needed */
}

void hf_templates_deinit(hf_templates *set) {
    for (hf_template *t = set->first; t; t = t->next) hf_release(set->mem, t->steps, t->cap * sizeof *t->steps);
    if (set->mem) {
        hf_map_deinit(&set->names);
        hf_arena_deinit(&set->arena);
    }
    *set = (hf_templates){.mem = set->mem};
}

const hf_name *hf_templates_intern(hf_templates *set, hf_bytes text) {
    hf_name *name = hf_map_get(&set->names, text);
    if (name) return name;
    name = hf_arena_alloc(&set->arena, sizeof *name);
    hf_bytes copy = hf_arena_copy(&set->arena, text);
    if (!name || !copy.ptr) return NULL;
    *name = (hf_name){copy, set->n_names};
    if (hf_map_put(&set->names, copy, name)) return NULL;
    set->n_names++;
    return name;
}

const hf_template *hf_templates_find(const hf_templates *set, hf_bytes name) {
    for (const hf_template *t = set->first; t && name.len; t = t->next)
        if (hf_eq(t->name, name)) return t;
    return NULL;
}

hf_bytes hf_template_name(const hf_template *template) {
    return template->name;
}

static hf_err fail(compiler *c, hf_err err, const char *what, size_t at) {
    return hf_fail(c->fault, err, what, at);
}

static hf_step *add_step(compiler *c, hf_step_kind kind, size_t at) {
    hf_template *t = c->template;
    if (hf_grow(c->set->mem, (void **)&t->steps, &t->cap, sizeof *t->steps, t->n_steps + 1)) return NULL;
    hf_step *step = &t->steps[t->n_steps++];
    *step = (hf_step){.kind = kind, .at = at};
    return step;
}

static hf_err add_text(compiler *c, size_t from, size_t to) {
    if (from >= to) return HF_OK;
    hf_step *step = add_step(c, HF_STEP_TEXT, from);
    if (!step) return HF_NOMEM;
    step->text = HF_BYTES(c->source.ptr + from, to - from);
    step->starts_line = c->fresh_line;
    c->fresh_line = c->source.ptr[to - 1] == '\n';
    return HF_OK;
}

/* ---- finding tags ---- */

static size_t find_text(hf_bytes in, hf_bytes what, size_t from) {
    for (size_t i = hf_find(in, what.ptr[0], from); i < in.len; i = hf_find(in, what.ptr[0], i + 1))
        if (hf_starts(hf_sub(in, i, in.len), what)) return i;
    return in.len;
}

static bool is_space(uint8_t c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static hf_bytes trim(hf_bytes s) {
    while (s.len && is_space(s.ptr[0])) s = hf_sub(s, 1, s.len);
    while (s.len && is_space(s.ptr[s.len - 1])) s.len--;
    return s;
}

/* "Standalone": nothing but blanks around the tag on its line(s); the line goes with the tag. */
static void see_whether_alone(const compiler *c, tag *t) {
    size_t from = t->from, to = t->to;
    while (from > 0 && (c->source.ptr[from - 1] == ' ' || c->source.ptr[from - 1] == '\t')) from--;
    if (from > 0 && c->source.ptr[from - 1] != '\n') return;
    while (to < c->source.len && (c->source.ptr[to] == ' ' || c->source.ptr[to] == '\t')) to++;
    if (hf_starts(hf_sub(c->source, to, 2), HF_TEXT("\r\n")))
        to += 2;
    else if (to < c->source.len && c->source.ptr[to] == '\n')
        to++;
    else if (to < c->source.len)
        return;
    t->alone = true;
    t->line_from = from;
    t->line_to = to;
}

/* Reads the tag whose opening delimiter stands at `from`. */
static hf_err read_tag(compiler *c, size_t from, tag *ret) {
    size_t at = from + c->open.len;
    uint8_t sigil = at < c->source.len ? c->source.ptr[at] : 0;
    if (!sigil || !strchr("#^/!=>&{", sigil)) sigil = 0;
    size_t content = at + (sigil ? 1 : 0), extra = sigil == '{' || sigil == '=' ? 1 : 0;
    uint8_t end[HF_TEMPLATE_DELIMITER_MAX + 1] = {sigil == '{' ? '}' : '='};
    memcpy(end + extra, c->close.ptr, c->close.len);
    size_t to = find_text(c->source, HF_BYTES(end, c->close.len + extra), content);
    if (to == c->source.len) return fail(c, HF_MALFORMED, "a tag that is not closed", from);
    *ret = (tag){.sigil = sigil,
                 .content = trim(hf_sub(c->source, content, to - content)),
                 .from = from,
                 .to = to + extra + c->close.len};
    ret->line_from = ret->from;
    ret->line_to = ret->to;
    if (sigil && sigil != '{' && sigil != '&') see_whether_alone(c, ret);
    return HF_OK;
}

/* ---- one function per kind of tag ---- */

/* "a.b.c" -> interned parts; "." -> none. */
static hf_err read_path(compiler *c, const tag *t, hf_step *step) {
    hf_bytes name = t->content;
    if (name.len == 0) return fail(c, HF_MALFORMED, "a tag without a name", t->from);
    if (hf_eq(name, HF_TEXT("."))) return HF_OK;
    const hf_name *parts[HF_TEMPLATE_NAME_PARTS_MAX];
    size_t n = 0;
    for (size_t at = 0, end; at <= name.len; at = end + 1) {
        end = hf_find(name, '.', at);
        hf_bytes part = hf_sub(name, at, end - at);
        if (part.len == 0) return fail(c, HF_MALFORMED, "a name with an empty part", t->from);
        for (size_t i = 0; i < part.len; i++)
            if (is_space(part.ptr[i])) return fail(c, HF_MALFORMED, "a name with a space in it", t->from);
        if (n == HF_COUNT(parts)) return fail(c, HF_LIMIT, "a name with too many parts", t->from);
        parts[n] = hf_templates_intern(c->set, part);
        if (!parts[n++]) return HF_NOMEM;
    }
    hf_bytes copy = hf_arena_copy(&c->set->arena, HF_BYTES(parts, n * sizeof *parts));
    step->path = (const hf_name *const *)(const void *)copy.ptr;
    step->n_path = (uint32_t)n;
    return copy.ptr ? HF_OK : HF_NOMEM;
}

static hf_err add_named(compiler *c, const tag *t, hf_step_kind kind) {
    hf_step step = {0};
    hf_err err = read_path(c, t, &step);
    if (err) return err;
    hf_step *added = add_step(c, kind, t->from);
    if (!added) return HF_NOMEM;
    added->path = step.path;
    added->n_path = step.n_path;
    added->starts_line = c->fresh_line && !t->alone;
    if (!t->alone) c->fresh_line = false;
    return HF_OK;
}

static hf_err add_section(compiler *c, const tag *t) {
    if (c->n_sections == HF_COUNT(c->sections)) return fail(c, HF_LIMIT, "sections nested too deeply", t->from);
    hf_err err = add_named(c, t, t->sigil == '#' ? HF_STEP_SECTION : HF_STEP_INVERTED);
    if (err) return err;
    c->section_names[c->n_sections] = t->content;
    c->sections[c->n_sections++] = c->template->n_steps - 1;
    return HF_OK;
}

static hf_err end_section(compiler *c, const tag *t) {
    if (c->n_sections == 0) return fail(c, HF_MALFORMED, "the end of a section that was not opened", t->from);
    if (!hf_eq(c->section_names[--c->n_sections], t->content))
        return fail(c, HF_MALFORMED, "the end of another section than the one that is open", t->from);
    c->template->steps[c->sections[c->n_sections]].end = c->template->n_steps;
    hf_step *step = add_step(c, HF_STEP_END, t->from);
    if (!step) return HF_NOMEM;
    step->starts_line = c->fresh_line && !t->alone;
    if (!t->alone) c->fresh_line = false;
    return HF_OK;
}

static hf_err add_partial(compiler *c, const tag *t) {
    if (t->content.len == 0) return fail(c, HF_MALFORMED, "a partial without a name", t->from);
    hf_step *step = add_step(c, HF_STEP_PARTIAL, t->from);
    if (!step) return HF_NOMEM;
    step->partial_name = t->content;
    step->alone = t->alone;
    step->starts_line = c->fresh_line && !t->alone;
    if (t->alone)
        step->text = HF_BYTES(c->source.ptr + t->line_from, t->from - t->line_from);
    else
        c->fresh_line = false;
    return HF_OK;
}

/* {{=<% %>=}}: two words without '=' or blanks. */
static hf_err set_delimiters(compiler *c, const tag *t) {
    size_t gap = 0;
    while (gap < t->content.len && !is_space(t->content.ptr[gap])) gap++;
    hf_bytes open = hf_sub(t->content, 0, gap), close = trim(hf_sub(t->content, gap, t->content.len));
    if (!open.len || !close.len || open.len > HF_TEMPLATE_DELIMITER_MAX || close.len > HF_TEMPLATE_DELIMITER_MAX)
        return fail(c, HF_MALFORMED, "delimiters are two short words", t->from);
    for (size_t i = 0; i < close.len; i++)
        if (is_space(close.ptr[i]) || close.ptr[i] == '=')
            return fail(c, HF_MALFORMED, "delimiters are two short words", t->from);
    if (hf_find(open, '=', 0) != open.len) return fail(c, HF_MALFORMED, "a delimiter with '=' in it", t->from);
    c->open = open;
    c->close = close;
    return HF_OK;
}

static hf_err add_tag(compiler *c, const tag *t, bool plain) {
    switch (t->sigil) {
    case '#':
    case '^':
        return add_section(c, t);
    case '/':
        return end_section(c, t);
    case '>':
        return add_partial(c, t);
    case '=':
        return set_delimiters(c, t);
    case '!':
        return HF_OK;
    case '&':
    case '{':
        return add_named(c, t, HF_STEP_RAW);
    default:
        return add_named(c, t, plain ? HF_STEP_RAW : HF_STEP_VALUE);
    }
}

static hf_err compile(compiler *c, bool plain) {
    for (size_t at = find_text(c->source, c->open, 0); at < c->source.len;
         at = find_text(c->source, c->open, c->text_from)) {
        tag t;
        hf_err err = read_tag(c, at, &t);
        if (!err) err = add_text(c, c->text_from, t.line_from);
        if (err) return err;
        c->text_from = t.line_to;
        if (t.alone) c->fresh_line = true;
        if ((err = add_tag(c, &t, plain))) return err;
    }
    if (c->n_sections)
        return fail(c, HF_MALFORMED, "a section that is not closed",
                    c->template->steps[c->sections[c->n_sections - 1]].at);
    return add_text(c, c->text_from, c->source.len);
}

hf_err hf_templates_add(hf_templates *set, hf_bytes name, hf_bytes source, bool plain, hf_template **ret,
                        hf_fault *fault) {
    if (source.len > HF_TEMPLATE_SOURCE_MAX) return hf_fail(fault, HF_LIMIT, "a template longer than 1 MiB", 0);
    if (!hf_utf8_valid(source)) return hf_fail(fault, HF_MALFORMED, "not UTF-8", 0);
    hf_template *t = hf_arena_alloc(&set->arena, sizeof *t);
    hf_bytes own = hf_arena_copy(&set->arena, source), own_name = hf_arena_copy(&set->arena, name);
    if (!t || !own.ptr || !own_name.ptr) return HF_NOMEM;
    *t = (hf_template){.name = own_name};
    compiler c = {.set = set,
                  .template = t,
                  .source = own,
                  .open = HF_TEXT("{{"),
                  .close = HF_TEXT("}}"),
                  .fresh_line = true,
                  .fault = fault};
    hf_err err = compile(&c, plain);
    if (err) {
        hf_release(set->mem, t->steps, t->cap * sizeof *t->steps);
        return err;
    }
    t->next = set->first;
    set->first = t;
    *ret = t;
    return HF_OK;
}

const hf_template *hf_templates_link(hf_templates *set, hf_bytes *ret_missing, size_t *ret_at) {
    const hf_template *asks = NULL;
    for (hf_template *t = set->first; t; t = t->next) {
        for (size_t i = 0; i < t->n_steps; i++) {
            hf_step *step = &t->steps[i];
            if (step->kind != HF_STEP_PARTIAL) continue;
            step->partial = hf_templates_find(set, step->partial_name);
            if (step->partial) continue;
            asks = t;
            *ret_missing = step->partial_name;
            *ret_at = step->at;
        }
    }
    return asks;
}
