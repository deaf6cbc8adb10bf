/* view: what a template sees, looked up when asked for and never built as a tree. A view is a small value; maps and
 * lists answer through a class. Everything a view points at must outlive the rendering.
 */
#ifndef HF_VIEW_H
#define HF_VIEW_H
#include "../codec/value.h"

struct hf_template;

/* A name in a template, interned: `id` counts up from 0 in the order of first use within one hf_templates. */
typedef struct hf_name {
    hf_bytes text;
    uint32_t id;
} hf_name;

typedef enum hf_view_kind {
    HF_VIEW_NONE, /* missing or null: falsy, shows nothing */
    HF_VIEW_BOOL,
    HF_VIEW_INT, /* 0 is falsy */
    HF_VIEW_FLOAT,
    HF_VIEW_TEXT, /* empty is falsy */
    HF_VIEW_MARK, /* text whose places in the output are noted */
    HF_VIEW_MAP,
    HF_VIEW_LIST,     /* as.n items; empty is falsy */
    HF_VIEW_TEMPLATE, /* a template rendered in place, as.template */
} hf_view_kind;

typedef struct hf_view hf_view;

typedef struct hf_view_class {
    bool (*get)(const hf_view *self, const hf_name *name,
                hf_view *ret);                               /* by name; false: no such name. NULL: has no names */
    void (*at)(const hf_view *self, size_t i, hf_view *ret); /* LIST: item i < as.n */
    void (*text)(const hf_view *self, hf_buf *buf);          /* MAP that also shows as text; NULL: shows nothing */
    bool safe; /* what `text` adds is HTML already, or needs no escaping */
} hf_view_class;

struct hf_view {
    hf_view_kind kind;
    const hf_view_class *class; /* may be NULL where the kind needs none */
    const void *self, *more;    /* the class's own */
    union {
        bool b;
        int64_t i;
        double f;
        hf_bytes s;
        size_t n;
        const struct hf_template *template;
    } as;
};

hf_view hf_view_none(void);
hf_view hf_view_bool(bool b);
hf_view hf_view_int(int64_t i);
hf_view hf_view_text(hf_bytes s);
hf_view hf_view_map(const hf_view_class *class, const void *self, const void *more);
hf_view hf_view_list(const hf_view_class *class, const void *self, const void *more, size_t n);
/* A decoded value, maps and lists and all. Byte strings and links show nothing. */
hf_view hf_view_value(const hf_value *value);

bool hf_view_truthy(const hf_view *view);
#endif
