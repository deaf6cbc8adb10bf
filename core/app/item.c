/* item: see item.h. A document's view is the pair (document, shelf); everything else is looked up when a template
 * asks. */
#include "item.h"

#include "date.h"
#include "escape.h"

/* ---- times: {iso, ms, date, text}; by itself: iso ---- */

static void add_time_iso(const hf_view *self, hf_buf *buf) {
    hf_date_add_iso(buf, self->as.i);
}
static void add_time_day(const hf_view *self, hf_buf *buf) {
    hf_date_add_day(buf, self->as.i);
}
static void add_time_text(const hf_view *self, hf_buf *buf) {
    hf_date_add_text(buf, self->as.i);
}

static const hf_view_class iso_class = {.text = add_time_iso, .safe = true};
static const hf_view_class day_class = {.text = add_time_day, .safe = true};
static const hf_view_class text_class = {.text = add_time_text, .safe = true};

static hf_view time_part(const hf_view_class *class, int64_t ms) {
    hf_view view = hf_view_map(class, NULL, NULL);
    view.as.i = ms;
    return view;
}

static bool time_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    switch (name->id) {
    case HF_NAME_ISO:
        *ret = time_part(&iso_class, self->as.i);
        return true;
    case HF_NAME_DATE:
        *ret = time_part(&day_class, self->as.i);
        return true;
    case HF_NAME_TEXT:
        *ret = time_part(&text_class, self->as.i);
        return true;
    case HF_NAME_MS:
        *ret = hf_view_int(self->as.i);
        return true;
    default:
        return false;
    }
}

static const hf_view_class time_class = {.get = time_get, .text = add_time_iso, .safe = true};

/* ---- choices: {value, label, selected} ---- */

static bool choice_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_field *field = self->self;
    hf_bytes choice = field->choices[self->as.n];
    switch (name->id) {
    case HF_NAME_VALUE:
    case HF_NAME_LABEL:
        *ret = hf_view_text(choice);
        return true;
    case HF_NAME_SELECTED:
        *ret = hf_view_bool(hf_eq(hf_value_as_text(self->more), choice));
        return true;
    default:
        return false;
    }
}
static const hf_view_class choice_class = {.get = choice_get};

static void choice_at(const hf_view *self, size_t i, hf_view *ret) {
    *ret = hf_view_map(&choice_class, self->self, self->more);
    ret->as.n = i;
}
static const hf_view_class choices_class = {.at = choice_at};

static bool choice_field_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_field *field = self->self;
    if (name->id != HF_NAME_CHOICES) return false;
    *ret = hf_view_list(&choices_class, field, self->more, field->n_choices);
    return true;
}
static const hf_view_class choice_field_class = {.get = choice_field_get};

hf_view hf_item_field_view(const hf_field *field, const hf_value *value) {
    hf_view view = hf_view_value(value);
    if (field->type == HF_FIELD_TIME && value->kind == HF_INT) return time_part(&time_class, hf_value_as_i64(value, 0));
    if (field->type != HF_FIELD_CHOICE) return view;
    if (view.kind == HF_VIEW_NONE) view = hf_view_text(HF_TEXT("")); /* unset, but its choices can be listed */
    view.class = &choice_field_class;
    view.self = field;
    view.more = value;
    return view;
}

/* ---- what a form needs to know of a field ---- */

static hf_view bound(bool has, double value) {
    return has ? (hf_view){.kind = HF_VIEW_FLOAT, .as.f = value} : hf_view_none();
}

static bool rules_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_field *field = self->self;
    switch (name->id) {
    case HF_NAME_LABEL:
        *ret = hf_view_text(field->label);
        return true;
    case HF_NAME_REQUIRED:
        *ret = hf_view_bool(field->required);
        return true;
    case HF_NAME_MULTILINE:
        *ret = hf_view_bool(field->multiline);
        return true;
    case HF_NAME_MIN:
        *ret = bound(field->has_min, field->min);
        return true;
    case HF_NAME_MAX:
        *ret = bound(field->has_max, field->max);
        return true;
    default:
        return choice_field_get(self, name, ret);
    }
}
static const hf_view_class rules_class = {.get = rules_get};

hf_view hf_item_field_rules(const hf_field *field, const hf_value *value) {
    return hf_view_map(&rules_class, field, value);
}

/* ---- documents ---- */

void hf_item_add_url(hf_buf *buf, const hf_shelf *shelf, hf_bytes id) {
    if (shelf->item_route) hf_path_add(buf, &shelf->item_route->path, id);
}

static void add_url(const hf_view *self, hf_buf *buf) {
    hf_item_add_url(buf, self->more, hf_doc_id(self->self));
}
static const hf_view_class url_class = {.text = add_url,
                                        .safe = true}; /* literals are plain by hf_path_read, the ID is encoded */

static bool doc_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_shelf *shelf = self->more;
    uint8_t field = name->id < shelf->n_names ? shelf->field_of_name[name->id] : 0;
    if (field)
        *ret = hf_item_field_view(&shelf->schema->fields[field - 1], hf_doc_field(self->self, field - 1u));
    else if (name->id == HF_NAME_ID)
        *ret = hf_view_text(hf_doc_id(self->self));
    else if (name->id == HF_NAME_URL)
        *ret = shelf->item_route ? hf_view_map(&url_class, self->self, shelf) : hf_view_none();
    else
        return false;
    return true;
}
static const hf_view_class doc_class = {.get = doc_get};

hf_view hf_item_view(const hf_shelf *shelf, const hf_doc *doc) {
    return hf_view_map(&doc_class, doc, shelf);
}

hf_bytes hf_item_title(const hf_shelf *shelf, const hf_doc *doc) {
    hf_bytes title =
        shelf->title_field == SIZE_MAX ? HF_TEXT("") : hf_value_as_text(hf_doc_field(doc, shelf->title_field));
    return title.len ? title : hf_doc_id(doc);
}

/* ---- history: items {op, by, at, changes}, changes {field, label, value} ---- */

static const hf_field *field_of(const hf_shelf *shelf, hf_bytes name) {
    size_t i = hf_schema_field(shelf->schema, name);
    return i == SIZE_MAX ? NULL : &shelf->schema->fields[i];
}

static bool change_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    const hf_pair *pair = self->self;
    const hf_field *field = field_of(self->more, pair->key);
    switch (name->id) {
    case HF_NAME_FIELD:
        *ret = hf_view_text(pair->key);
        return true;
    case HF_NAME_LABEL:
        *ret = hf_view_text(field ? field->label : pair->key);
        return true;
    case HF_NAME_VALUE:
        *ret = field ? hf_item_field_view(field, &pair->value) : hf_view_value(&pair->value);
        return true;
    default:
        return false;
    }
}
static const hf_view_class change_class = {.get = change_get};

static void change_at(const hf_view *self, size_t i, hf_view *ret) {
    const hf_value *map = self->self;
    *ret = hf_view_map(&change_class, &map->as.map.pairs[i], self->more);
}
static const hf_view_class changes_class = {.at = change_at};

/* The same short name that an automatic `creator` field shows: keys begin alike, so the end of the writer's. */
static hf_bytes name_of(const hf_doc_change *change) {
    enum { SHORT = 12 };
    hf_bytes writer = change->order->writer;
    if (change->by.len) return change->by;
    return writer.len > SHORT ? hf_sub(writer, writer.len - SHORT, SHORT) : writer;
}

static bool step_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    hf_doc_change change = hf_doc_change_at(self->self, self->as.n);
    bool is_map = change.value && change.value->kind == HF_MAP;
    switch (name->id) {
    case HF_NAME_OP:
        *ret = hf_view_text(change.op);
        return true;
    case HF_NAME_BY:
        *ret = hf_view_text(name_of(&change));
        return true;
    case HF_NAME_AT:
        *ret = time_part(&time_class, (int64_t)change.at_ms);
        return true;
    case HF_NAME_CHANGES:
        *ret = hf_view_list(&changes_class, change.value, self->more, is_map ? change.value->as.map.n : 0);
        return true;
    default:
        return false;
    }
}
static const hf_view_class step_class = {.get = step_get};

static void step_at(const hf_view *self, size_t i, hf_view *ret) {
    *ret = hf_view_map(&step_class, self->self, self->more);
    ret->as.n = i;
}
static const hf_view_class history_class = {.at = step_at};

hf_view hf_item_history(const hf_shelf *shelf, const hf_doc *doc) {
    return hf_view_list(&history_class, doc, shelf, hf_doc_n_changes(doc));
}
