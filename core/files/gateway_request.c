/* gateway_request: reading what was asked for. Query parameters win over headers. */
#include "gateway_private.h"

static void refuse(hf_gateway_wish *w, int status, const char *why) {
    if (w->refused) return;
    w->refused = status;
    w->why = why;
}

static int digit(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False: a broken escape, or a NUL. */
static bool decode(hf_arena *arena, hf_bytes text, bool plus_is_space, hf_bytes *ret) {
    uint8_t *p = hf_arena_alloc(arena, text.len + 1);
    size_t n = 0;
    *ret = HF_BYTES(p, 0);
    for (size_t i = 0; p && i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '%') {
            if (i + 2 >= text.len || digit(text.ptr[i + 1]) < 0 || digit(text.ptr[i + 2]) < 0) return false;
            c = (uint8_t)(digit(text.ptr[i + 1]) << 4 | digit(text.ptr[i + 2]));
            i += 2;
        } else if (c == '+' && plus_is_space) c = ' ';
        if (!c) return false;
        p[n++] = c;
    }
    ret->len = n;
    return true;
}

static bool same_word(hf_bytes a, hf_bytes lower) {
    if (a.len != lower.len) return false;
    for (size_t i = 0; i < a.len; i++) {
        uint8_t c = a.ptr[i];
        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != lower.ptr[i]) return false;
    }
    return true;
}

static hf_bytes trim(hf_bytes s) {
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) s = hf_sub(s, 1, s.len);
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t')) s.len--;
    return s;
}

/* Cuts the front up to `c` off *rest. */
static hf_bytes take(hf_bytes *rest, uint8_t c) {
    hf_bytes front = hf_sub(*rest, 0, hf_find(*rest, c, 0));
    *rest = hf_sub(*rest, front.len + 1, rest->len);
    return front;
}

/* ---- formats ---- */

static bool format_of(hf_bytes word, hf_gateway_format *ret) {
    if (hf_eq(word, HF_TEXT("raw"))) return *ret = HF_GATEWAY_RAW, true;
    if (hf_eq(word, HF_TEXT("car"))) return *ret = HF_GATEWAY_CAR, true;
    return false;
}

/* Types that name a form of the data which we do not give; every other type is answered with the file. */
static bool is_other_format(hf_bytes type) {
    static const char *const types[] = {"application/x-tar", "application/vnd.ipld.dag-json", "application/vnd.ipld.dag-cbor",
                                        "application/vnd.ipfs.ipns-record"};
    for (size_t i = 0; i < HF_COUNT(types); i++)
        if (same_word(type, hf_str(types[i]))) return true;
    return false;
}

static void read_accept(hf_bytes accept, hf_gateway_wish *w) {
    bool other = false, any = false;
    while (accept.len) {
        hf_bytes range = take(&accept, ','), type = trim(take(&range, ';'));
        bool raw = same_word(type, HF_TEXT("application/vnd.ipld.raw")), car = same_word(type, HF_TEXT("application/vnd.ipld.car"));
        other = other || is_other_format(type);
        any = any || (type.len && !raw && !car && !is_other_format(type));
        if (!raw && !car) continue;
        w->format = raw ? HF_GATEWAY_RAW : HF_GATEWAY_CAR;
        w->by_accept = true;
        while (car && range.len) {
            hf_bytes parameter = trim(take(&range, ';'));
            if (hf_starts(parameter, HF_TEXT("version=")) && !hf_eq(parameter, HF_TEXT("version=1")))
                refuse(w, 406, "only CARs of version 1 are given");
        }
        return;
    }
    if (other && !any) refuse(w, 406, "given are files, raw blocks and CARs");
}

/* ---- spans ---- */

static bool read_number(hf_bytes text, int64_t *ret) {
    bool minus = text.len && text.ptr[0] == '-';
    uint64_t value;
    if (hf_parse_u64(hf_sub(text, minus, text.len), &value) || value > INT64_MAX) return false;
    *ret = minus ? -(int64_t)value : (int64_t)value;
    return true;
}

/* "from:to", both inclusive, either negative; to may be "*". */
static bool read_entity(hf_bytes text, hf_gateway_span *ret) {
    hf_bytes to = text, from = take(&to, ':');
    *ret = (hf_gateway_span){.is_set = true, .to_end = hf_eq(to, HF_TEXT("*"))};
    return from.len < text.len && read_number(from, &ret->from) && (ret->to_end || read_number(to, &ret->to));
}

/* "bytes=a-b", "bytes=a-", "bytes=-n". Anything else (several ranges too) is passed over, as RFC 9110 allows. */
static void read_range(hf_bytes text, hf_gateway_span *ret) {
    hf_gateway_span span = {.is_set = true};
    if (!hf_starts(text, HF_TEXT("bytes="))) return;
    hf_bytes to = hf_sub(text, 6, text.len), from = take(&to, '-');
    if (from.len) {
        span.to_end = !to.len;
        if (!read_number(from, &span.from) || (to.len && (!read_number(to, &span.to) || span.to < span.from || span.to < 0))) return;
    } else {
        if (!read_number(to, &span.from) || span.from < 0) return;
        span.from = -span.from;
        span.to_end = true;
        if (!span.from) span.from = INT64_MAX; /* the last 0 bytes: none */
    }
    *ret = span;
}

bool hf_gateway_span_in(const hf_gateway_span *s, uint64_t size, uint64_t *ret_from, uint64_t *ret_to) {
    uint64_t from = s->from < 0 ? ((uint64_t)-s->from > size ? 0 : size - (uint64_t)-s->from) : (uint64_t)s->from, to = size;
    if (!s->to_end && s->to < 0) to = (uint64_t)-s->to > size ? 0 : size - (uint64_t)-s->to + 1;
    if (!s->to_end && s->to >= 0 && (uint64_t)s->to < size) to = (uint64_t)s->to + 1;
    *ret_from = from;
    *ret_to = to > size ? size : to;
    return from < *ret_to;
}

/* ---- the query ---- */

static void read_scope(hf_bytes value, hf_gateway_wish *w) {
    if (hf_eq(value, HF_TEXT("block"))) w->scope = HF_SCOPE_BLOCK;
    else if (hf_eq(value, HF_TEXT("entity"))) w->scope = HF_SCOPE_ENTITY;
    else if (!hf_eq(value, HF_TEXT("all"))) refuse(w, 400, "dag-scope is block, entity or all");
}

static void read_parameter(hf_arena *arena, hf_bytes key, hf_bytes value, hf_gateway_wish *w) {
    if (hf_eq(key, HF_TEXT("format"))) {
        w->by_accept = false;
        if (!format_of(value, &w->format)) refuse(w, 406, "given are files, raw blocks and CARs");
    } else if (hf_eq(key, HF_TEXT("dag-scope"))) read_scope(value, w);
    else if (hf_eq(key, HF_TEXT("entity-bytes"))) {
        if (!decode(arena, value, false, &value) || !read_entity(value, &w->entity)) refuse(w, 400, "entity-bytes is FROM:TO");
    } else if (hf_eq(key, HF_TEXT("car-version"))) {
        if (!hf_eq(value, HF_TEXT("1"))) refuse(w, 406, "only CARs of version 1 are given");
    } else if (hf_eq(key, HF_TEXT("download"))) w->download = hf_eq(value, HF_TEXT("true"));
    else if (hf_eq(key, HF_TEXT("filename")) && !decode(arena, value, true, &w->filename)) refuse(w, 400, "a broken filename");
}

static void read_query(hf_arena *arena, hf_bytes query, hf_gateway_wish *w) {
    while (query.len) {
        hf_bytes value = take(&query, '&'), key = take(&value, '=');
        read_parameter(arena, key, value, w);
    }
    if (w->entity.is_set) w->scope = HF_SCOPE_ENTITY;
}

static hf_err read_path(hf_arena *arena, hf_bytes path, hf_gateway_wish *w) {
    hf_bytes rest = path, cid_text = take(&rest, '/');
    hf_cid cid;
    hf_buf binary;
    w->directory = path.len && path.ptr[path.len - 1] == '/';
    if (hf_cid_parse(cid_text, &cid)) return refuse(w, 400, "not a CID"), HF_OK;
    if (!decode(arena, rest, false, &w->names)) return refuse(w, 400, "a broken path"), HF_OK;
    hf_buf_init(&binary, arena->mem);
    hf_cid_add(&binary, &cid);
    w->root = hf_arena_copy(arena, hf_buf_bytes(&binary));
    hf_err err = binary.err || !w->root.ptr ? HF_NOMEM : HF_OK;
    hf_buf_deinit(&binary);
    return err;
}

hf_err hf_gateway_read(hf_arena *arena, const hf_gateway_request *r, hf_gateway_wish *ret) {
    *ret = (hf_gateway_wish){.format = HF_GATEWAY_FILE};
    if (r->path.len + r->query.len > HF_GATEWAY_TARGET_MAX) refuse(ret, 414, "an address of more than 8 KiB");
    if (r->service_worker.len) refuse(ret, 400, "not for service workers");
    if (ret->refused) return HF_OK;
    hf_bytes control = r->cache_control;
    while (control.len) ret->only_cached = same_word(trim(take(&control, ',')), HF_TEXT("only-if-cached")) || ret->only_cached;
    bool has_format = hf_starts(r->query, HF_TEXT("format="));
    for (size_t i = hf_find(r->query, '&', 0); i < r->query.len; i = hf_find(r->query, '&', i + 1))
        has_format = has_format || hf_starts(hf_sub(r->query, i + 1, r->query.len), HF_TEXT("format="));
    if (!has_format) read_accept(r->accept, ret);
    read_query(arena, r->query, ret);
    read_range(r->range, &ret->range);
    return read_path(arena, r->path, ret);
}

bool hf_gateway_etag_matches(hf_bytes list, hf_bytes etag) {
    if (hf_starts(etag, HF_TEXT("W/"))) etag = hf_sub(etag, 2, etag.len);
    while (list.len) {
        hf_bytes one = trim(take(&list, ','));
        if (hf_eq(one, HF_TEXT("*"))) return true;
        if (hf_starts(one, HF_TEXT("W/"))) one = hf_sub(one, 2, one.len);
        if (hf_eq(one, etag)) return true;
    }
    return false;
}
