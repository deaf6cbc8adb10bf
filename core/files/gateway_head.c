/* gateway_head: status and headers. Text lives in the gateway's arena. */
#include "gateway_private.h"

#include "../crypto/crypto.h"

#include <string.h>

static void add(hf_gateway *g, const char *name, hf_bytes value) {
    HF_ASSERT(g->n_headers < HF_GATEWAY_HEADERS_MAX);
    g->headers[g->n_headers++] = (hf_gateway_header){hf_str(name), value};
}

/* The buffer's text as a header; the buffer is empty then. */
static hf_err add_built(hf_gateway *g, const char *name, hf_buf *text) {
    hf_bytes value = hf_arena_copy(&g->arena, hf_buf_bytes(text));
    hf_err err = text->err || !value.ptr ? HF_NOMEM : HF_OK;
    hf_buf_clear(text);
    if (!err) add(g, name, value);
    return err;
}

static void add_cid(hf_buf *buf, hf_bytes binary) {
    hf_cid cid;
    if (!hf_cid_read(binary, &cid)) hf_cid_add_text(buf, &cid);
}

/* Strangers' bytes under our own origin: nothing in them may run. */
static void add_safety(hf_gateway *g) {
    add(g, "Content-Security-Policy", HF_TEXT("sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'self' 'unsafe-inline'"));
    add(g, "X-Content-Type-Options", HF_TEXT("nosniff"));
    add(g, "Access-Control-Allow-Origin", HF_TEXT("*"));
}

static void hold_text(hf_gateway *g, const char *why) {
    hf_buf_clear(&g->out);
    g->out_at = 0;
    if (!why) return;
    hf_buf_add_str(&g->out, why);
    hf_buf_add_byte(&g->out, '\n');
}

void hf_gateway_refuse(hf_gateway *g, int status, const char *why) {
    g->status = status;
    g->n_headers = 0;
    g->phase = HF_PHASE_HEAD;
    g->body = HF_BODY_HELD;
    hold_text(g, why);
    g->has_length = true;
    g->length = g->out.len;
    add(g, "Content-Type", HF_TEXT("text/plain; charset=utf-8"));
    add(g, "Cache-Control", HF_TEXT("no-store"));
    add_safety(g);
}

/* ---- names and types ---- */

hf_bytes hf_gateway_type_of(hf_bytes name) {
    static const struct { const char *ending, *type; } types[] = {
        {"html", "text/html; charset=utf-8"}, {"htm", "text/html; charset=utf-8"}, {"css", "text/css; charset=utf-8"},
        {"js", "text/javascript; charset=utf-8"}, {"mjs", "text/javascript; charset=utf-8"}, {"json", "application/json"},
        {"txt", "text/plain; charset=utf-8"}, {"md", "text/markdown; charset=utf-8"}, {"csv", "text/csv; charset=utf-8"},
        {"xml", "application/xml"}, {"svg", "image/svg+xml"}, {"png", "image/png"}, {"jpg", "image/jpeg"}, {"jpeg", "image/jpeg"},
        {"gif", "image/gif"}, {"webp", "image/webp"}, {"avif", "image/avif"}, {"ico", "image/x-icon"}, {"mp4", "video/mp4"},
        {"webm", "video/webm"}, {"mp3", "audio/mpeg"}, {"ogg", "audio/ogg"}, {"opus", "audio/ogg"}, {"wav", "audio/wav"},
        {"flac", "audio/flac"}, {"pdf", "application/pdf"}, {"wasm", "application/wasm"}, {"zip", "application/zip"},
        {"woff2", "font/woff2"}, {"woff", "font/woff"}, {"ttf", "font/ttf"},
    };
    size_t dot = name.len;
    while (dot && name.ptr[dot - 1] != '.' && name.ptr[dot - 1] != '/') dot--;
    hf_bytes ending = hf_sub(name, dot, name.len);
    for (size_t i = 0; dot && i < HF_COUNT(types) && ending.len <= 5; i++) {
        hf_bytes known = hf_str(types[i].ending);
        bool same = ending.len == known.len;
        for (size_t k = 0; same && k < ending.len; k++) same = (ending.ptr[k] | 0x20) == (known.ptr[k] | 0x20);
        if (same) return hf_str(types[i].type);
    }
    return HF_TEXT("application/octet-stream");
}

static hf_err add_disposition(hf_gateway *g, hf_buf *text) {
    const hf_gateway_wish *w = &g->wish;
    bool attached = w->download || w->format != HF_GATEWAY_FILE;
    if (!attached && !w->filename.len) return HF_OK;
    hf_buf_add_str(text, attached ? "attachment; filename=\"" : "inline; filename=\"");
    hf_bytes name = w->filename.len ? w->filename : w->format == HF_GATEWAY_FILE ? g->name : HF_BYTES(NULL, 0);
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        hf_buf_add_byte(text, c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '/' ? '_' : c);
    }
    if (!name.len) {
        add_cid(text, hf_gateway_cid(g));
        hf_buf_add_str(text, w->format == HF_GATEWAY_CAR ? ".car" : w->format == HF_GATEWAY_RAW ? ".bin" : "");
    }
    hf_buf_add_byte(text, '"');
    return add_built(g, "Content-Disposition", text);
}

/* Of CARs: over the path and all parameters, since they make the body. */
static void write_etag(hf_gateway *g, hf_buf *text) {
    const hf_gateway_wish *w = &g->wish;
    hf_buf_add_str(text, w->format == HF_GATEWAY_CAR ? "W/\"" : "\"");
    if (g->listing) hf_buf_add_str(text, "DirIndex-1_CID-");
    add_cid(text, w->format == HF_GATEWAY_CAR ? w->root : hf_gateway_cid(g));
    if (w->format == HF_GATEWAY_RAW) hf_buf_add_str(text, ".raw");
    if (w->format == HF_GATEWAY_CAR) {
        uint8_t digest[32];
        int64_t span[5] = {(int64_t)w->scope, w->entity.is_set, w->entity.to_end, w->entity.from, w->entity.to};
        hf_sha256 hash;
        hf_sha256_init(&hash);
        hf_sha256_add(&hash, w->names);
        hf_sha256_add(&hash, HF_BYTES(span, sizeof span));
        hf_sha256_end(&hash, digest);
        hf_buf_add_str(text, ".car.");
        hf_buf_add_hex(text, HF_BYTES(digest, 8));
    }
    hf_buf_add_byte(text, '"');
}

static hf_err add_etag(hf_gateway *g, hf_buf *text) {
    write_etag(g, text);
    hf_err err = add_built(g, "Etag", text);
    if (!err && hf_gateway_etag_matches(g->request.if_none_match, g->headers[g->n_headers - 1].value)) g->status = 304;
    return err;
}

static hf_err add_path(hf_gateway *g, hf_buf *text) {
    hf_buf_add_str(text, "/ipfs/");
    for (size_t i = 0; i < g->request.path.len; i++) {
        uint8_t c = g->request.path.ptr[i];
        hf_buf_add_byte(text, c <= 0x20 || c >= 0x7f ? '_' : c);
    }
    return add_built(g, "X-Ipfs-Path", text);
}

static hf_bytes type_of(const hf_gateway *g) {
    if (g->wish.format == HF_GATEWAY_RAW) return HF_TEXT("application/vnd.ipld.raw");
    if (g->wish.format == HF_GATEWAY_FILE) return g->listing ? HF_TEXT("text/html; charset=utf-8") : hf_gateway_type_of(g->wish.filename.len ? g->wish.filename : g->name);
    bool twice = g->wish.scope == HF_SCOPE_ENTITY && g->is_file; /* equal parts of a file come as often as they stand in it */
    return twice ? HF_TEXT("application/vnd.ipld.car; version=1; order=dfs; dups=y") : HF_TEXT("application/vnd.ipld.car; version=1; order=dfs; dups=n");
}

/* ---- sizes and ranges ---- */

static hf_err add_range(hf_gateway *g, hf_buf *text) {
    uint64_t size = g->length;
    add(g, "Accept-Ranges", HF_TEXT("bytes"));
    g->from = 0;
    g->to = size;
    if (!g->wish.range.is_set) return HF_OK;
    bool there = hf_gateway_span_in(&g->wish.range, size, &g->from, &g->to);
    hf_buf_add_str(text, "bytes ");
    if (there) {
        hf_buf_add_u64(text, g->from);
        hf_buf_add_byte(text, '-');
        hf_buf_add_u64(text, g->to - 1);
    } else hf_buf_add_byte(text, '*');
    hf_buf_add_byte(text, '/');
    hf_buf_add_u64(text, size);
    if (!there) hf_gateway_refuse(g, 416, "the range is not within the file");
    else {
        g->status = 206;
        g->length = g->to - g->from;
    }
    return add_built(g, "Content-Range", text);
}

/* Where the body comes from, and how long it is. */
static void set_body(hf_gateway *g, hf_bytes block, const hf_node *node) {
    g->has_length = g->wish.format != HF_GATEWAY_CAR;
    if (g->wish.format == HF_GATEWAY_RAW) {
        hf_buf_add(&g->out, block);
        g->length = block.len;
        g->body = HF_BODY_HELD;
    } else if (g->wish.format == HF_GATEWAY_CAR) {
        hf_car_add_header(&g->out, &g->wish.root, 1);
        g->body = HF_BODY_CAR_PATH;
        g->to = UINT64_MAX;
        if (node->kind != HF_NODE_FILE || !g->wish.entity.is_set) return;
        if (!hf_gateway_span_in(&g->wish.entity, node->file_size, &g->from, &g->to)) g->wish.scope = HF_SCOPE_BLOCK;
    } else if (g->listing) {
        g->length = g->out.len;
        g->body = HF_BODY_HELD;
    } else {
        g->length = node->file_size;
        g->body = HF_BODY_FILE;
    }
}

static hf_err add_all(hf_gateway *g, hf_buf *text, hf_bytes block, const hf_node *node) {
    hf_err err = add_etag(g, text);
    if (!err) err = add_path(g, text);
    if (!err && g->roots.len) err = add_built(g, "X-Ipfs-Roots", &g->roots);
    if (!err) err = add_disposition(g, text);
    if (err) return err;
    add(g, "Content-Type", type_of(g));
    add(g, "Vary", HF_TEXT("Accept"));
    add(g, "Cache-Control", g->listing ? HF_TEXT("public, max-age=604800, stale-while-revalidate=2678400") : HF_TEXT("public, max-age=29030400, immutable"));
    add_safety(g);
    if (g->status == 304) {
        g->has_length = false;
        hold_text(g, NULL);
        g->body = HF_BODY_DONE;
        return HF_OK;
    }
    set_body(g, block, node);
    bool in_part = g->wish.format == HF_GATEWAY_RAW || (g->wish.format == HF_GATEWAY_FILE && !g->listing);
    if (in_part) err = add_range(g, text);
    if (!err && g->wish.format == HF_GATEWAY_RAW && g->status == 206) {
        g->out_at = (size_t)g->from;
        g->out.len = (size_t)g->to;
    }
    return err ? err : g->out.err;
}

hf_err hf_gateway_make_head(hf_gateway *g, hf_bytes block, const hf_node *node) {
    hf_buf text;
    g->status = 200;
    g->is_file = node->kind == HF_NODE_FILE;
    g->phase = HF_PHASE_HEAD;
    hf_buf_init(&text, g->mem);
    hf_err err = add_all(g, &text, block, node);
    hf_buf_deinit(&text);
    return err;
}
