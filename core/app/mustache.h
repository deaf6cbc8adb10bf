/* mustache: logic-less templates, compiled once into a small program and rendered over views.
 * Spec: github.com/mustache/spec 1.4, the required modules: interpolation, sections, inverted sections, comments,
 * partials, delimiters.
 * Not there: the optional modules ~lambdas, ~inheritance, ~dynamic-names.
 *
 * Beyond the spec: 0 and empty text are falsy, as in the JavaScript implementation. What is a map with a text of its
 * own shows that text.
 * Refuses: sections that are not closed or cross, tags without an end, names with spaces, nesting beyond
 * HF_TEMPLATE_DEPTH_MAX.
 * Memory:  templates live in their set, from the set's `mem`. Rendering allocates only the buffers it is given and
 * one of its own for indentation.
 */
#ifndef HF_MUSTACHE_H
#define HF_MUSTACHE_H
#include "view.h"

enum {
    HF_TEMPLATE_DEPTH_MAX =
        64, /* sections and partials within each other, at compile and render time: bounds the C stack */
    HF_TEMPLATE_NAME_PARTS_MAX = 16, /* a.b.c… */
    HF_TEMPLATE_DELIMITER_MAX = 16,
    HF_TEMPLATE_SOURCE_MAX = 1 << 20,
    HF_RENDER_BYTES_MAX = 16 << 20, /* a page beyond this is a template gone wild */
    HF_RENDER_STEPS_MAX = 4 << 20, /* and so is one that works this long for nothing: partials can include themselves */
};

typedef struct hf_template hf_template;

typedef struct hf_templates {
    hf_mem *mem;
    hf_arena arena;
    hf_map names; /* text -> hf_name */
    uint32_t n_names;
    hf_template *first;
} hf_templates;

void hf_templates_init(hf_templates *set, hf_mem *mem);
void hf_templates_deinit(hf_templates *set); /* zeroed set allowed */
/* The interned name; NULL on NOMEM. */
const hf_name *hf_templates_intern(hf_templates *set, hf_bytes text);

/* Compiles and adds. `plain`: nothing is escaped (for titles, which are escaped where they are shown). An empty name
 * cannot be included. Source and name are copied. HF_MALFORMED / HF_LIMIT with fault. */
HF_MUST_USE hf_err hf_templates_add(hf_templates *set, hf_bytes name, hf_bytes source, bool plain, hf_template **ret,
                                    hf_fault *fault);
const hf_template *hf_templates_find(const hf_templates *set, hf_bytes name);
/* Joins partials to their templates; call after the last add. A partial that does not exist shows nothing, as the
 * spec wants; the first one found is named in *ret_missing with the template that asks for it (which is returned),
 * so that a stricter caller can refuse. NULL: all are there. */
const hf_template *hf_templates_link(hf_templates *set, hf_bytes *ret_missing, size_t *ret_at);
hf_bytes hf_template_name(const hf_template *template);

/* Appends to `out`. `marks` (may be NULL) collects where HF_VIEW_MARK texts begin: one size_t each, offset in `out`.
 * HF_NOMEM, or HF_LIMIT: too deep, too long. */
HF_MUST_USE hf_err hf_template_render(const hf_template *template, const hf_view *root, hf_buf *out, hf_buf *marks);
#endif
