/* Fuzz: paths, and text on its way into and out of URLs and HTML. A line for the manifest's path, the rest as a request's. What a route is filled with comes out
 * of its URL again; what was made safe holds nothing unsafe. */
#include "../../tests/kit/fuzz.h"
#include "escape.h"
#include "router.h"

static hf_mem mem = {hf_fuzz_resize, NULL};

static bool holds(hf_bytes s, const char *any) {
    for (; *any; any++)
        if (hf_find(s, (uint8_t)*any, 0) < s.len) return true;
    return false;
}

static void check_escapes(hf_arena *arena, hf_bytes text) {
    hf_buf buf;
    hf_bytes back;
    hf_buf_init(&buf, &mem);
    hf_html_add(&buf, text);
    HF_ASSERT(!holds(hf_buf_bytes(&buf), "<>\"'"));
    hf_buf_clear(&buf);
    hf_url_add_sent(&buf, text);
    HF_ASSERT(!holds(hf_buf_bytes(&buf), "<>\"\r\n "));
    hf_buf_clear(&buf);
    hf_url_add(&buf, text);
    HF_ASSERT(!holds(hf_buf_bytes(&buf), "<>\"'/?#&+= "));
    hf_err err = hf_url_decode(arena, hf_buf_bytes(&buf), true, &back, NULL);
    HF_ASSERT(err ? err == HF_MALFORMED && (!hf_utf8_valid(text) || hf_find(text, 0, 0) < text.len) : hf_eq(back, text));
    hf_buf_deinit(&buf);
    if (!hf_url_decode(arena, text, false, &back, NULL)) HF_ASSERT(hf_utf8_valid(back) && back.len <= text.len && hf_find(back, 0, 0) == back.len);
    if (hf_url_is_own_path(text)) HF_ASSERT(text.ptr[0] == '/' && !holds(text, "\\ \r\n\t") && (text.len < 2 || text.ptr[1] != '/'));
}

/* A route filled with an id (they are never empty) matches itself, and gives the id back. */
static void check_route(hf_arena *arena, const hf_path *path, hf_bytes id) {
    hf_buf url;
    hf_segments segments;
    hf_buf_init(&url, &mem);
    hf_path_add(&url, path, id);
    if (id.len && !hf_segments_read(arena, hf_buf_bytes(&url), &segments, NULL) && !segments.odd) {
        HF_ASSERT(hf_path_matches(path, &segments) && segments.n == path->n);
        for (size_t i = 0; i < path->n; i++) HF_ASSERT(hf_eq(segments.parts[i], path->parts[i].is_param ? id : path->parts[i].text));
    }
    hf_buf_deinit(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_arena arena;
    hf_path path;
    hf_segments segments;
    hf_fault fault = {NULL, 0};
    hf_bytes input = HF_BYTES(data, len), first = hf_sub(input, 0, hf_find(input, '\n', 0)), rest = hf_sub(input, first.len + 1, len);
    hf_arena_init(&arena, &mem);
    check_escapes(&arena, rest);
    hf_err err = hf_segments_read(&arena, rest, &segments, &fault);
    HF_ASSERT(err ? fault.what != NULL : segments.n <= HF_PATH_PARTS_MAX);
    if (!hf_path_read(first, &path)) {
        if (!err) (void)hf_path_matches(&path, &segments);
        check_route(&arena, &path, rest);
    }
    hf_arena_deinit(&arena);
    return 0;
}
