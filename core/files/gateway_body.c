/* gateway_body: what follows the head, in pieces. A block's bytes are copied, since the source may be asked by others meanwhile. */
#include "gateway_private.h"

static hf_gateway_kind need(hf_bytes cid, hf_gateway_out *ret) {
    ret->cid = cid;
    return ret->kind = HF_GATEWAY_NEED;
}

static hf_gateway_kind broken(hf_gateway *g, const char *reason, hf_gateway_out *ret) {
    g->broken = reason;
    ret->reason = reason;
    return ret->kind = HF_GATEWAY_BROKEN;
}

static hf_gateway_kind hold(hf_gateway *g, hf_bytes bytes, hf_gateway_out *ret) {
    hf_buf_add(&g->out, bytes);
    return g->out.err ? broken(g, "no memory", ret) : HF_GATEWAY_BYTES;
}

static hf_gateway_kind hold_section(hf_gateway *g, hf_bytes cid, hf_bytes block, hf_gateway_out *ret) {
    hf_car_add_section(&g->out, cid, block.len);
    return hold(g, block, ret);
}

/* A file's bytes, or with `car` its blocks. */
static hf_gateway_kind more_of_file(hf_gateway *g, bool car, hf_gateway_out *ret) {
    hf_export_out out;
    if (!g->file) g->file = hf_export_new(g->mem, hf_gateway_cid(g), g->from, g->to, g->source);
    if (!g->file) return broken(g, "no memory", ret);
    switch (hf_export_next(g->file, &out)) {
    case HF_EXPORT_BLOCK: return car ? hold_section(g, out.cid, out.block, ret) : hold(g, out.bytes, ret);
    case HF_EXPORT_NEED: return need(out.cid, ret);
    case HF_EXPORT_FAILED: return broken(g, out.reason, ret);
    default: g->body = HF_BODY_DONE; return HF_GATEWAY_BYTES;
    }
}

static hf_gateway_kind more_of_walk(hf_gateway *g, hf_gateway_out *ret) {
    hf_walk_out out;
    hf_links_scope scope = g->wish.scope == HF_SCOPE_ALL ? HF_LINKS_ALL : HF_LINKS_SHARDS;
    if (!g->walk) g->walk = hf_walk_new(g->mem, hf_gateway_cid(g), scope, g->source);
    if (!g->walk) return broken(g, "no memory", ret);
    switch (hf_walk_next(g->walk, &out)) {
    case HF_WALK_BLOCK: return hold_section(g, out.cid, out.block, ret);
    case HF_WALK_NEED: return need(out.cid, ret);
    case HF_WALK_FAILED: return broken(g, out.reason, ret);
    default: g->body = HF_BODY_DONE; return HF_GATEWAY_BYTES;
    }
}

/* The blocks of the path, once more: they prove where it leads. */
static hf_gateway_kind more_of_path(hf_gateway *g, hf_gateway_out *ret) {
    hf_path_out out;
    switch (hf_path_next(&g->path, &g->source, &out)) {
    case HF_PATH_BLOCK: return hold_section(g, out.cid, out.block, ret);
    case HF_PATH_NEED: return need(hf_arena_copy(&g->arena, out.cid), ret);
    case HF_PATH_FOUND: break;
    default: return broken(g, out.reason, ret);
    }
    bool file = g->wish.scope == HF_SCOPE_ENTITY && g->is_file;
    g->body = g->wish.scope == HF_SCOPE_BLOCK ? HF_BODY_CAR_BLOCK : file ? HF_BODY_CAR_FILE : HF_BODY_CAR_WALK;
    return HF_GATEWAY_BYTES;
}

static hf_gateway_kind last_block(hf_gateway *g, hf_gateway_out *ret) {
    hf_bytes block;
    if (hf_block_find(&g->source, hf_gateway_cid(g), &block)) return need(hf_gateway_cid(g), ret);
    g->body = HF_BODY_DONE;
    return hold_section(g, hf_gateway_cid(g), block, ret);
}

hf_gateway_kind hf_gateway_more(hf_gateway *g, hf_gateway_out *ret) {
    if (g->broken) return broken(g, g->broken, ret);
    hf_buf_clear(&g->out);
    g->out_at = 0;
    hf_gateway_kind kind = HF_GATEWAY_BYTES;
    while (kind == HF_GATEWAY_BYTES && !g->out.len) {
        switch (g->body) {
        case HF_BODY_FILE: kind = more_of_file(g, false, ret); break;
        case HF_BODY_CAR_PATH: kind = more_of_path(g, ret); break;
        case HF_BODY_CAR_BLOCK: kind = last_block(g, ret); break;
        case HF_BODY_CAR_FILE: kind = more_of_file(g, true, ret); break;
        case HF_BODY_CAR_WALK: kind = more_of_walk(g, ret); break;
        default: return HF_GATEWAY_END;
        }
    }
    return kind;
}

/* ---- a directory as a page ---- */

static void add_escaped(hf_buf *buf, hf_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '<' || c == '>' || c == '&' || c == '"' || c == '\'') {
            hf_buf_add_str(buf, "&#");
            hf_buf_add_u64(buf, c);
            hf_buf_add_byte(buf, ';');
        } else hf_buf_add_byte(buf, c);
    }
}

static void add_encoded(hf_buf *buf, hf_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (plain) hf_buf_add_byte(buf, c);
        else {
            hf_buf_add_byte(buf, '%');
            hf_buf_add_hex(buf, HF_BYTES(&c, 1));
        }
    }
}

hf_err hf_gateway_list(hf_gateway *g, const hf_node *node) {
    size_t at = 0;
    hf_buf *b = &g->out;
    bool shards = node->unixfs.type == HF_UNIXFS_SHARD;
    hf_buf_add_str(b, "<!doctype html>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    add_escaped(b, hf_utf8_valid(g->name) ? g->name : HF_TEXT("Directory"));
    hf_buf_add_str(b, "</title>\n<ul>\n");
    for (hf_node_entry e; !shards && hf_node_next_entry(node, &at, &e);) {
        hf_buf_add_str(b, "<li><a href=\"./");
        add_encoded(b, e.name);
        hf_buf_add_str(b, "\">");
        add_escaped(b, hf_utf8_valid(e.name) ? e.name : HF_TEXT("(a name that is not UTF-8)"));
        hf_buf_add_str(b, "</a>\n");
    }
    hf_buf_add_str(b, "</ul>\n");
    if (shards) hf_buf_add_str(b, "<p>This directory is too large to be listed here.\n");
    return b->err;
}
