/* gateway: answers to GET and HEAD /ipfs/CID[/path], out of blocks: raw blocks, CARs, files with ranges, directories. HTTP without HTTP: a
 * request goes in as its parts, a status with headers comes out, then the body in pieces, so that any server can carry it.
 * Specs: ipfs/specs http-gateways/trustless-gateway.md, path-gateway.md.
 *
 *      new -> next ... -> free.    NEED: bring the block into the source and call next again, or hf_gateway_missing.
 * Formats: ?format=raw|car or Accept; ?dag-scope=block|entity|all, ?entity-bytes=from:to for CARs; one byte range for files and raw blocks;
 *          ?filename, ?download. CARs are of version 1, in depth-first order. Not here: tar, dag-json, IPNS (406).
 * Safe:    strangers' files under one's own origin: every answer is told to be sandboxed, without script, and not to be sniffed at; a service
 *          worker's script is refused (400).
 * Memory:  a block, and what hf_walk or hf_export hold.
 */
#ifndef HF_GATEWAY_H
#define HF_GATEWAY_H
#include "../codec/block.h"

enum { HF_GATEWAY_PIECE_MAX = 64 << 10, HF_GATEWAY_HEADERS_MAX = 16, HF_GATEWAY_TARGET_MAX = 8192 };

/* Views, copied. Header values: empty when the header is not there. */
typedef struct hf_gateway_request {
    bool head;               /* HEAD instead of GET */
    hf_bytes path;           /* behind "/ipfs/", percent-encoded as it came, without the query */
    hf_bytes query;          /* behind '?' */
    hf_bytes accept, range, if_none_match, cache_control, service_worker;
} hf_gateway_request;

typedef struct hf_gateway_header { hf_bytes name, value; } hf_gateway_header;

typedef enum hf_gateway_kind {
    HF_GATEWAY_END = 0,
    HF_GATEWAY_HEAD,    /* status, headers; once, first of all but NEED */
    HF_GATEWAY_BYTES,   /* bytes: the next piece of the body */
    HF_GATEWAY_NEED,    /* cid */
    HF_GATEWAY_BROKEN,  /* reason: after HEAD: the rest cannot be had; the connection must break off, so that nobody takes it for whole */
} hf_gateway_kind;

/* Everything it points at is valid until the next call. */
typedef struct hf_gateway_out {
    hf_gateway_kind kind;
    int status;
    const hf_gateway_header *headers;
    size_t n_headers;
    bool has_length;
    uint64_t length;         /* of the body; Content-Length is not among the headers */
    hf_bytes bytes, cid;
    const char *reason;
} hf_gateway_out;

typedef struct hf_gateway hf_gateway;
hf_gateway *hf_gateway_new(hf_mem *mem, const hf_gateway_request *request, hf_block_source source);
void hf_gateway_free(hf_gateway *g); /* NULL allowed */
hf_gateway_kind hf_gateway_next(hf_gateway *g, hf_gateway_out *ret);
/* The block that was needed is not to be had: 404 (412 when the request said only-if-cached), or BROKEN within a body. */
void hf_gateway_missing(hf_gateway *g);
/* As hf_walk_ahead: blocks that will be needed soon, for fetching many at once. */
size_t hf_gateway_ahead(const hf_gateway *g, hf_bytes *ret_cids, size_t n);
/* The type by a name's ending, "application/octet-stream" for the others. */
hf_bytes hf_gateway_type_of(hf_bytes name);
#endif
