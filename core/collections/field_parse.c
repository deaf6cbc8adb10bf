/* field_parse: what a form sent -> a value. Forgiving about form (spaces around, line ends, how a time is written),
 * never about rules: what comes out obeys hf_field_refuses. See schema.h. */
#include "field.h"

#include "../codec/json.h"
#include "fold.h"

#include <string.h>

/* ---- text ---- */

static hf_bytes trim(hf_bytes text) {
    size_t from = text.len, to = 0;
    for (size_t at = 0; at < text.len;) {
        size_t start = at;
        if (hf_field_is_space(hf_fold_next(text, &at))) continue;
        if (from == text.len) from = start;
        to = at;
    }
    return to ? hf_sub(text, from, to - from) : HF_BYTES(NULL, 0);
}

/* Browsers send CR LF for every line break: one LF where breaks are kept, one space where they are not. A tab is a
 * space there, too. */
static hf_err fold_lines(hf_arena *arena, const hf_field *field, hf_bytes text, hf_bytes *ret) {
    uint8_t *out = hf_arena_alloc(arena, text.len + 1);
    if (!out) return HF_NOMEM;
    size_t len = 0;
    for (size_t at = 0; at < text.len;) {
        size_t start = at;
        uint32_t code = hf_fold_next(text, &at);
        if (code == '\r' && at < text.len && text.ptr[at] == '\n') continue;
        if (hf_field_breaks_line(code))
            out[len++] = field->multiline ? '\n' : ' ';
        else if (code == '\t' && !field->multiline)
            out[len++] = ' ';
        else
            while (start < at) out[len++] = text.ptr[start++];
    }
    *ret = HF_BYTES(out, len);
    return HF_OK;
}

static hf_err parse_text(hf_arena *arena, const hf_field *field, hf_bytes text, hf_value *ret) {
    hf_bytes folded;
    if (fold_lines(arena, field, text, &folded)) return HF_NOMEM;
    *ret = hf_value_text(folded);
    return HF_OK;
}

/* The choice itself lives as long as the schema: nothing to copy. An unknown one is left to hf_field_refuses. */
static hf_value parse_choice(const hf_field *field, hf_bytes text) {
    for (size_t i = 0; i < field->n_choices; i++)
        if (hf_eq(field->choices[i], text)) return hf_value_text(field->choices[i]);
    return hf_value_text(HF_TEXT(""));
}

/* ---- yes or no ---- */

static const char *parse_bool(hf_bytes text, hf_value *ret) {
    static const char *const yes[] = {"on", "true", "1"}, *const no[] = {"off", "false", "0"};
    for (size_t i = 0; i < HF_COUNT(yes); i++) {
        if (!hf_eq(text, hf_str(yes[i])) && !hf_eq(text, hf_str(no[i]))) continue;
        *ret = hf_value_bool(hf_eq(text, hf_str(yes[i])));
        return NULL;
    }
    return "is not yes or no";
}

/* ---- numbers: JSON's grammar, so that no locale has a say ---- */

static hf_err parse_number(hf_arena *arena, hf_bytes text, hf_value *ret, const char **ret_refusal) {
    hf_value number = hf_value_null();
    bool may_be = text.len && (text.ptr[0] == '-' || (text.ptr[0] >= '0' && text.ptr[0] <= '9'));
    hf_err err = may_be ? hf_json_decode(arena, text, &number, NULL) : HF_MALFORMED;
    if (err == HF_NOMEM) return err;
    if (err)
        *ret_refusal = "is not a number";
    else
        *ret = number;
    return HF_OK;
}

static int64_t integer_of(const hf_value *value) {
    return value->kind == HF_INT ? hf_value_as_i64(value, INT64_MIN) : INT64_MIN;
}

static hf_err parse_int(hf_arena *arena, hf_bytes text, hf_value *ret, const char **ret_refusal) {
    hf_err err = parse_number(arena, text, ret, ret_refusal);
    if (!err && (*ret_refusal || integer_of(ret) == INT64_MIN)) *ret_refusal = "is not a whole number";
    return err;
}

/* An integer that a double does not hold becomes the nearest one: a person who typed 20 digits into a number field
 * means that. */
static hf_err parse_float(hf_arena *arena, hf_bytes text, hf_value *ret, const char **ret_refusal) {
    hf_err err = parse_number(arena, text, ret, ret_refusal);
    if (!err && !*ret_refusal && ret->kind == HF_INT && ret->as.u > (uint64_t)HF_FIELD_INT_MAX - ret->negative)
        *ret = hf_value_float(ret->negative ? -1.0 - (double)ret->as.u : (double)ret->as.u);
    return err;
}

/* ---- time: RFC 3339 section 5.6, and what <input type="date"> and "datetime-local" send (without zone: UTC) ---- */

typedef struct cursor {
    hf_bytes in;
    size_t at;
    bool ok; /* the first failure sticks */
} cursor;

static bool here(const cursor *c, const char *any_of) {
    return c->at < c->in.len && c->in.ptr[c->at] && strchr(any_of, c->in.ptr[c->at]) != NULL;
}

static void skip(cursor *c, const char *any_of) {
    if (here(c, any_of))
        c->at++;
    else
        c->ok = false;
}

static int64_t digits(cursor *c, size_t n, int64_t lo, int64_t hi) {
    uint64_t value = 0;
    if (c->in.len - c->at < n || hf_parse_u64(hf_sub(c->in, c->at, n), &value)) {
        c->ok = false;
        return 0;
    }
    c->at += n;
    if ((int64_t)value < lo || (int64_t)value > hi) c->ok = false;
    return (int64_t)value;
}

static int64_t days_in(int64_t year, int64_t month) {
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* Days from 1970-01-01 of a day in the proleptic Gregorian calendar, year >= 0: leap days up to the year before, then
 * the months. */
static int64_t days_from_1970(int64_t year, int64_t month, int64_t day) {
    int64_t before = year ? year - 1 : 0, leaps = before / 4 - before / 100 + before / 400 + (year > 0);
    int64_t days = year * 365 + leaps - 719528 + day - 1;
    for (int64_t m = 1; m < month; m++) days += days_in(year, m);
    return days;
}

static int64_t read_date(cursor *c) {
    int64_t year = digits(c, 4, 0, 9999);
    skip(c, "-");
    int64_t month = digits(c, 2, 1, 12);
    skip(c, "-");
    int64_t day = digits(c, 2, 1, 31);
    if (!c->ok || day > days_in(year, month)) {
        c->ok = false;
        return 0;
    }
    return days_from_1970(year, month, day) * 86400000;
}

/* ".5", ".123456": ms, what is finer is cut off. */
static int64_t read_fraction(cursor *c) {
    int64_t ms = 0, unit = 100;
    skip(c, ".,");
    digits(c, 1, 0, 9);
    for (c->at -= c->ok; c->ok && here(c, "0123456789"); c->at++, unit /= 10) ms += (c->in.ptr[c->at] - '0') * unit;
    return ms;
}

static int64_t read_clock(cursor *c) {
    int64_t ms = digits(c, 2, 0, 23) * 3600000;
    skip(c, ":");
    ms += digits(c, 2, 0, 59) * 60000;
    if (!here(c, ":")) return ms;
    c->at++;
    ms += digits(c, 2, 0, 60) * 1000; /* 60: a leap second, the same instant as the next :00 here */
    return here(c, ".,") ? ms + read_fraction(c) : ms;
}

static int64_t read_zone(cursor *c) {
    if (here(c, "Zz")) {
        c->at++;
        return 0;
    }
    int64_t sign = here(c, "-") ? -1 : 1;
    skip(c, "+-");
    int64_t minutes = digits(c, 2, 0, 23) * 60;
    skip(c, ":");
    return sign * (minutes + digits(c, 2, 0, 59)) * 60000;
}

static bool read_time(hf_bytes text, int64_t *ret_ms) {
    cursor c = {text, 0, true};
    int64_t ms = read_date(&c);
    if (c.ok && c.at < text.len) {
        skip(&c, "Tt ");
        ms += read_clock(&c);
        if (c.ok && c.at < text.len) ms -= read_zone(&c);
    }
    if (c.ok && c.at == text.len) *ret_ms = ms;
    return c.ok && c.at == text.len;
}

static hf_err parse_time(hf_arena *arena, hf_bytes text, hf_value *ret, const char **ret_refusal) {
    int64_t ms;
    if (read_time(text, &ms)) {
        *ret = hf_value_i64(ms);
        return HF_OK;
    }
    hf_err err = parse_int(arena, text, ret, ret_refusal);
    if (!err && *ret_refusal) *ret_refusal = "is not a date and time";
    return err;
}

/* ---- all ---- */

static hf_err parse(hf_arena *arena, const hf_field *field, hf_bytes text, hf_value *ret, const char **ret_refusal) {
    switch (field->type) {
    case HF_FIELD_TEXT:
        return parse_text(arena, field, text, ret);
    case HF_FIELD_BOOL:
        *ret_refusal = parse_bool(text, ret);
        return HF_OK;
    case HF_FIELD_INT:
    case HF_FIELD_COUNTER:
        return parse_int(arena, text, ret, ret_refusal);
    case HF_FIELD_NUMBER:
        return parse_float(arena, text, ret, ret_refusal);
    case HF_FIELD_TIME:
        return parse_time(arena, text, ret, ret_refusal);
    case HF_FIELD_CHOICE:
        *ret = parse_choice(field, text);
        return HF_OK;
    }
    __builtin_trap(); /* as in hf_field_refuses */
}

/* Left empty: no text is the empty text (so that clearing a text sticks), an unticked box is "no", anything else is
 * unset. */
static hf_value nothing(const hf_field *field) {
    if (field->type == HF_FIELD_TEXT) return hf_value_text(HF_TEXT(""));
    return field->type == HF_FIELD_BOOL ? hf_value_bool(false) : hf_value_null();
}

hf_err hf_field_parse(hf_arena *arena, const hf_field *field, hf_bytes text, hf_value *ret, const char **ret_refusal) {
    hf_value value = hf_value_null();
    const char *refusal = NULL;
    if (!hf_utf8_valid(text))
        refusal = "is not text";
    else {
        text = trim(text);
        hf_err err = HF_OK;
        if (text.len)
            err = parse(arena, field, text, &value, &refusal);
        else
            value = nothing(field);
        if (err) return err;
        if (!refusal) refusal = hf_field_refuses(field, &value);
    }
    *ret = refusal ? hf_value_null() : value;
    *ret_refusal = refusal;
    return HF_OK;
}
