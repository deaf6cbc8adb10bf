/* gateway: see gateway.h. From the request to the head: the path is followed, the block at its end read. */
#include "gateway_private.h"

#include <string.h>

static hf_bytes copy(hf_gateway *g, hf_bytes bytes, bool *ok) {
    hf_bytes c = hf_arena_copy(&g->arena, bytes);
    *ok = *ok && (c.ptr || !bytes.len);
    return c;
}

static bool copy_request(hf_gateway *g, const hf_gateway_request *r) {
    bool ok = true;
    g->request = (hf_gateway_request){.head = r->head};
    g->request.path = copy(g, r->path, &ok);
    g->request.query = copy(g, r->query, &ok);
    g->request.accept = copy(g, r->accept, &ok);
    g->request.range = copy(g, r->range, &ok);
    g->request.if_none_match = copy(g, r->if_none_match, &ok);
    g->request.cache_control = copy(g, r->cache_control, &ok);
    g->request.service_worker = copy(g, r->service_worker, &ok);
    return ok;
}

static hf_bytes last_name(hf_bytes names) {
    while (names.len && names.ptr[names.len - 1] == '/') names.len--;
    size_t at = names.len;
    while (at && names.ptr[at - 1] != '/') at--;
    return hf_sub(names, at, names.len);
}

hf_gateway *hf_gateway_new(hf_mem *mem, const hf_gateway_request *request, hf_block_source source) {
    hf_gateway *g = hf_alloc(mem, sizeof *g);
    if (!g) return NULL;
    g->mem = mem;
    g->source = source;
    hf_arena_init(&g->arena, mem);
    hf_buf_init(&g->out, mem);
    hf_buf_init(&g->roots, mem);
    if (!copy_request(g, request) || hf_gateway_read(&g->arena, &g->request, &g->wish)) {
        hf_gateway_free(g);
        return NULL;
    }
    g->name = last_name(g->wish.names);
    if (g->wish.refused) hf_gateway_refuse(g, g->wish.refused, g->wish.why);
    else if (hf_path_init(&g->path, g->wish.root, g->wish.names)) hf_gateway_refuse(g, 400, "a path that is too long");
    return g;
}

void hf_gateway_free(hf_gateway *g) {
    if (!g) return;
    hf_export_free(g->file);
    hf_walk_free(g->walk);
    hf_buf_deinit(&g->out);
    hf_buf_deinit(&g->roots);
    hf_arena_deinit(&g->arena);
    hf_release(g->mem, g, sizeof *g);
}

void hf_gateway_missing(hf_gateway *g) { g->missing = true; }

static void note_root(hf_gateway *g, hf_bytes binary) {
    hf_cid cid;
    if (hf_cid_read(binary, &cid)) return;
    if (g->roots.len) hf_buf_add_byte(&g->roots, ',');
    hf_cid_add_text(&g->roots, &cid);
}

/* True: the phase is over. */
static bool follow_path(hf_gateway *g, hf_gateway_out *ret) {
    hf_path_out out;
    bool within = g->path.shard;
    hf_path_kind kind = hf_path_next(&g->path, &g->source, &out);
    switch (kind) {
    case HF_PATH_BLOCK:
        if (!within) note_root(g, out.cid); /* a directory's root, not the shards below it */
        return true;
    case HF_PATH_NEED:
        ret->cid = hf_arena_copy(&g->arena, out.cid);
        ret->kind = HF_GATEWAY_NEED;
        return false;
    case HF_PATH_FOUND:
        memcpy(g->cid, out.cid.ptr, out.cid.len);
        g->cid_len = out.cid.len;
        note_root(g, out.cid);
        if (!hf_path_init(&g->path, g->wish.root, g->wish.names)) g->phase = HF_PHASE_END_BLOCK; /* from the start, for a CAR */
        return true;
    default: hf_gateway_refuse(g, kind == HF_PATH_NOT_FOUND ? 404 : 502, out.reason); return true;
    }
}

static hf_err redirect(hf_gateway *g) {
    hf_buf location;
    hf_bytes path = g->request.path;
    hf_buf_init(&location, g->mem);
    hf_buf_add_str(&location, "./");
    size_t at = path.len;
    while (at && path.ptr[at - 1] != '/') at--;
    for (; at < path.len; at++) hf_buf_add_byte(&location, path.ptr[at] <= 0x20 || path.ptr[at] >= 0x7f ? '_' : path.ptr[at]);
    hf_buf_add_byte(&location, '/');
    if (g->request.query.len) hf_buf_add_byte(&location, '?');
    hf_buf_add(&location, g->request.query);
    hf_bytes value = hf_arena_copy(&g->arena, hf_buf_bytes(&location));
    hf_buf_deinit(&location);
    if (!value.ptr) return HF_NOMEM;
    hf_gateway_refuse(g, 301, NULL);
    g->headers[g->n_headers++] = (hf_gateway_header){HF_TEXT("Location"), value};
    return HF_OK;
}

/* A directory's index.html is shown in its place; without one, a list. */
static hf_err open_directory(hf_gateway *g, hf_bytes block, const hf_node *node) {
    if (!g->wish.directory) return redirect(g);
    size_t at = 0;
    for (hf_node_entry e; node->unixfs.type == HF_UNIXFS_DIRECTORY && hf_node_next_entry(node, &at, &e);) {
        if (!hf_eq(e.name, HF_TEXT("index.html"))) continue;
        memcpy(g->cid, e.cid.ptr, e.cid.len);
        g->cid_len = e.cid.len;
        g->name = HF_TEXT("index.html");
        return HF_OK; /* the same phase again, with this block */
    }
    g->listing = true;
    hf_err err = hf_gateway_list(g, node);
    return err ? err : hf_gateway_make_head(g, block, node);
}

static hf_err read_end(hf_gateway *g, hf_bytes block) {
    hf_node node = {.kind = HF_NODE_OTHER};
    hf_fault fault = {NULL, 0};
    bool file = g->wish.format == HF_GATEWAY_FILE;
    if (hf_node_read(hf_gateway_cid(g), block, &node, &fault) && file) return hf_gateway_refuse(g, 502, fault.what), HF_OK;
    if (file && node.kind == HF_NODE_DIRECTORY) return open_directory(g, block, &node);
    if (file && node.kind != HF_NODE_FILE) return hf_gateway_refuse(g, 406, "not a file; ask for format=raw or format=car"), HF_OK;
    return hf_gateway_make_head(g, block, &node);
}

static bool read_end_block(hf_gateway *g, hf_gateway_out *ret) {
    hf_bytes block;
    hf_err err = hf_block_find(&g->source, hf_gateway_cid(g), &block);
    if (err == HF_NOT_FOUND) {
        ret->cid = hf_gateway_cid(g);
        ret->kind = HF_GATEWAY_NEED;
        return false;
    }
    if (err) hf_gateway_refuse(g, 500, "the store cannot be read");
    else if (read_end(g, block)) hf_gateway_refuse(g, 503, "no memory");
    return true;
}

static void answer_missing(hf_gateway *g) {
    if (!g->missing) return;
    g->missing = false;
    if (g->phase < HF_PHASE_HEAD) {
        if (g->wish.only_cached) hf_gateway_refuse(g, 412, "not here");
        else hf_gateway_refuse(g, 404, "a block of it is not here");
    } else g->broken = "a block of it is not here";
}

static hf_gateway_kind tell_head(hf_gateway *g, hf_gateway_out *ret) {
    bool bodyless = g->request.head || g->status == 304;
    *ret = (hf_gateway_out){.kind = HF_GATEWAY_HEAD, .status = g->status, .headers = g->headers, .n_headers = g->n_headers,
                            .has_length = g->has_length, .length = g->length};
    g->phase = bodyless ? HF_PHASE_OVER : HF_PHASE_BODY;
    return HF_GATEWAY_HEAD;
}

static hf_gateway_kind tell_body(hf_gateway *g, hf_gateway_out *ret) {
    if (g->broken || g->out_at == g->out.len) {
        hf_gateway_kind kind = hf_gateway_more(g, ret);
        if (kind != HF_GATEWAY_BYTES) return ret->kind = kind;
    }
    ret->bytes = hf_sub(hf_buf_bytes(&g->out), g->out_at, HF_GATEWAY_PIECE_MAX);
    g->out_at += ret->bytes.len;
    return ret->kind = HF_GATEWAY_BYTES;
}

hf_gateway_kind hf_gateway_next(hf_gateway *g, hf_gateway_out *ret) {
    *ret = (hf_gateway_out){.kind = HF_GATEWAY_END};
    answer_missing(g);
    for (;;) {
        switch (g->phase) {
        case HF_PHASE_PATH:
            if (!follow_path(g, ret)) return ret->kind;
            break;
        case HF_PHASE_END_BLOCK:
            if (!read_end_block(g, ret)) return ret->kind;
            break;
        case HF_PHASE_HEAD: return tell_head(g, ret);
        case HF_PHASE_BODY: return tell_body(g, ret);
        default: return HF_GATEWAY_END;
        }
    }
}

size_t hf_gateway_ahead(const hf_gateway *g, hf_bytes *ret, size_t n) {
    if (g->phase != HF_PHASE_BODY) return 0;
    if (g->file) return hf_export_ahead(g->file, ret, n);
    return g->walk ? hf_walk_ahead(g->walk, ret, n) : 0;
}
