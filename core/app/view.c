/* view: see view.h. */
#include "view.h"

hf_view hf_view_none(void) {
    return (hf_view){.kind = HF_VIEW_NONE};
}
hf_view hf_view_bool(bool b) {
    return (hf_view){.kind = HF_VIEW_BOOL, .as.b = b};
}
hf_view hf_view_int(int64_t i) {
    return (hf_view){.kind = HF_VIEW_INT, .as.i = i};
}
hf_view hf_view_text(hf_bytes s) {
    return (hf_view){.kind = HF_VIEW_TEXT, .as.s = s};
}

hf_view hf_view_map(const hf_view_class *class, const void *self, const void *more) {
    return (hf_view){.kind = HF_VIEW_MAP, .class = class, .self = self, .more = more};
}

hf_view hf_view_list(const hf_view_class *class, const void *self, const void *more, size_t n) {
    return (hf_view){.kind = HF_VIEW_LIST, .class = class, .self = self, .more = more, .as.n = n};
}

/* ---- decoded values ---- */
static bool value_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_value *found = hf_value_get_bytes(self->self, name->text);
    if (found) *ret = hf_view_value(found);
    return found != NULL;
}

static void value_at(const hf_view *self, size_t i, hf_view *ret) {
    const hf_value *list = self->self;
    *ret = hf_view_value(&list->as.list.items[i]);
}

static const hf_view_class value_class = {.get = value_get, .at = value_at};

/* CBOR's integers reach beyond int64; such a one shows as a float. */
static hf_view view_int(const hf_value *value) {
    if (value->as.u > INT64_MAX) {
        double f = (double)value->as.u;
        return (hf_view){.kind = HF_VIEW_FLOAT, .as.f = value->negative ? -1.0 - f : f};
    }
    return hf_view_int(value->negative ? -1 - (int64_t)value->as.u : (int64_t)value->as.u);
}

hf_view hf_view_value(const hf_value *value) {
    switch (value->kind) {
    case HF_BOOL:
        return hf_view_bool(value->as.b);
    case HF_INT:
        return view_int(value);
    case HF_FLOAT:
        return (hf_view){.kind = HF_VIEW_FLOAT, .as.f = value->as.f};
    case HF_TEXT_VALUE:
        return hf_view_text(value->as.s);
    case HF_MAP:
        return hf_view_map(&value_class, value, NULL);
    case HF_LIST:
        return hf_view_list(&value_class, value, NULL, value->as.list.n);
    default:
        return hf_view_none();
    }
}

bool hf_view_truthy(const hf_view *view) {
    switch (view->kind) {
    case HF_VIEW_NONE:
        return false;
    case HF_VIEW_BOOL:
        return view->as.b;
    case HF_VIEW_INT:
        return view->as.i != 0;
    case HF_VIEW_FLOAT:
        return view->as.f != 0;
    case HF_VIEW_TEXT:
    case HF_VIEW_MARK:
        return view->as.s.len > 0;
    case HF_VIEW_LIST:
        return view->as.n > 0;
    default:
        return true;
    }
}
