/* http_ipfs: GET /ipfs/CID[/path]: files, blocks and archives out of DIR/blocks.db; core/files/gateway decides on what is answered. The answer is made
 * in pieces, and a piece only when the system has taken the one before: so a reader's slowness costs a place, a block and a piece, whatever the file's
 * size. What is not here is not fetched: 404. */
#include "http_private.h"

#include <sys/socket.h>

enum {
    ANSWERS_MAX = 128,   /* at once; each holds a block of at most 2 MiB */
    PIECES_AT_ONCE = 16, /* of 64 KiB; then it is the turn of others */
    PAUSE_MS = 60000,    /* of a reader: the system takes no piece for so long */
    HEAD_LEN_MAX = 32,
};

static const char EXPOSED[] = "access-control-expose-headers: Content-Length, Content-Range, Etag, X-Ipfs-Path, X-Ipfs-Roots\r\nx-served-by: node\r\n";

static void send_piece(hf_client *c, hf_bytes head, hf_bytes body) {
    hf_client_send(c, head, body);
    hf_client_end_in(c, PAUSE_MS);
}

void hf_ipfs_forget(hf_client *c) {
    hf_gateway_free(c->ipfs.gateway);
    c->ipfs.gateway = NULL;
    c->http->n_ipfs--;
}

/* ---- the parts of an answer ---- */

static void send_head(hf_client *c, const hf_gateway_out *out) {
    hf_buf *buf = &c->http->scratch;
    bool bodyless = out->status == 304;
    c->last |= c->http->stopping;
    c->ipfs.chunked = !out->has_length && !bodyless && c->ipfs.newest;
    c->last |= !out->has_length && !bodyless && !c->ipfs.newest; /* its end is the connection's */
    hf_exchange_count(c->http, (unsigned)out->status);
    hf_buf_clear(buf);
    hf_http_add_status(buf, (unsigned)out->status, hf_node_wall());
    for (size_t i = 0; i < out->n_headers; i++) {
        hf_buf_add(buf, out->headers[i].name);
        hf_buf_add_str(buf, ": ");
        hf_buf_add(buf, out->headers[i].value);
        hf_buf_add_str(buf, "\r\n");
    }
    hf_buf_add_str(buf, EXPOSED);
    if (out->has_length) {
        hf_buf_add_str(buf, "content-length: ");
        hf_buf_add_u64(buf, out->length);
        hf_buf_add_str(buf, "\r\n");
    } else if (c->ipfs.chunked) hf_buf_add_str(buf, "transfer-encoding: chunked\r\n");
    hf_buf_add_str(buf, c->last ? "connection: close\r\n\r\n" : "\r\n");
    if (buf->err) return hf_client_shut(c);
    send_piece(c, hf_buf_bytes(buf), HF_BYTES(NULL, 0));
}

/* The line end behind a chunk goes in front of the next one. */
static void send_bytes(hf_client *c, hf_bytes bytes) {
    char head[HEAD_LEN_MAX];
    int len = 0;
    if (c->ipfs.chunked) len = snprintf(head, sizeof head, "%s%zx\r\n", c->ipfs.begun ? "\r\n" : "", bytes.len);
    c->ipfs.begun = true;
    send_piece(c, HF_BYTES(head, (size_t)len), bytes);
}

static void finish(hf_client *c, bool head_only) {
    if (c->ipfs.chunked && !head_only) send_piece(c, c->ipfs.begun ? HF_TEXT("\r\n0\r\n\r\n") : HF_TEXT("0\r\n\r\n"), HF_BYTES(NULL, 0));
    hf_ipfs_forget(c);
    c->phase = HF_PHASE_HEAD;
    if (c->out.len == c->out_at) hf_client_flush(c); /* as after the last byte of any answer */
}

/* Nobody may take it for whole. */
static void break_off(hf_client *c) {
    struct linger at_once = {.l_onoff = 1};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    hf_client_shut(c);
}

/* ---- one after the other ---- */

static void take_next(hf_client *c) {
    hf_gateway_out out;
    switch (hf_gateway_next(c->ipfs.gateway, &out)) {
    case HF_GATEWAY_HEAD: send_head(c, &out); break;
    case HF_GATEWAY_BYTES: send_bytes(c, out.bytes); break;
    case HF_GATEWAY_NEED: hf_gateway_missing(c->ipfs.gateway); break;
    case HF_GATEWAY_BROKEN: break_off(c); break;
    case HF_GATEWAY_END: finish(c, c->ipfs.head_only); break;
    }
}

void hf_ipfs_more(hf_client *c) {
    for (int i = 0; i < PIECES_AT_ONCE && c->phase == HF_PHASE_IPFS && c->out.len == c->out_at && !c->broken; i++) take_next(c);
    hf_blocks_rest(c->http->node->blocks);
}

unsigned hf_ipfs_begin(hf_client *c, const hf_wire_request *wire) {
    const hf_request *r = &wire->request;
    hf_node *node = c->http->node;
    hf_gateway_request request = {
        .head = wire->head,
        .path = hf_sub(r->path, sizeof "/ipfs/" - 1, r->path.len),
        .query = r->query,
        .accept = r->accept,
        .range = wire->range,
        .if_none_match = r->if_none_match,
        .cache_control = wire->cache_control,
        .service_worker = wire->service_worker,
    };
    if (c->http->n_ipfs == ANSWERS_MAX) return 503;
    c->ipfs = (hf_ipfs){.newest = wire->newest, .head_only = wire->head};
    c->ipfs.gateway = hf_gateway_new(&node->mem, &request, (hf_block_source){hf_blocks_get, node->blocks});
    if (!c->ipfs.gateway) return 503;
    c->http->n_ipfs++;
    c->phase = HF_PHASE_IPFS;
    hf_ipfs_more(c);
    return 0;
}
