/* gateway_private: what the files of the gateway share.
 *
 *      gateway.c            from the request to the head
 *      gateway_request.c    reading a request's parts
 *      gateway_head.c       status and headers
 *      gateway_body.c       the body, piece by piece
 */
#ifndef HF_GATEWAY_PRIVATE_H
#define HF_GATEWAY_PRIVATE_H
#include "car.h"
#include "export.h"
#include "gateway.h"
#include "path.h"
#include "walk.h"

typedef enum hf_gateway_format { HF_GATEWAY_FILE, HF_GATEWAY_RAW, HF_GATEWAY_CAR } hf_gateway_format;
typedef enum hf_gateway_scope { HF_SCOPE_ALL, HF_SCOPE_ENTITY, HF_SCOPE_BLOCK } hf_gateway_scope;

/* A span as it was asked for: of a Range header or entity-bytes. Negative: from the end. */
typedef struct hf_gateway_span { bool is_set, to_end; int64_t from, to; } hf_gateway_span;

typedef struct hf_gateway_wish {
    hf_gateway_format format;
    hf_gateway_scope scope;
    hf_gateway_span entity, range;
    bool by_accept, download, only_cached, directory; /* directory: the path ends with '/' */
    hf_bytes filename;
    hf_bytes root, names;     /* binary CID; decoded path */
    int refused;              /* status, or 0 */
    const char *why;
} hf_gateway_wish;

typedef enum hf_gateway_phase { HF_PHASE_PATH, HF_PHASE_END_BLOCK, HF_PHASE_HEAD, HF_PHASE_BODY, HF_PHASE_OVER } hf_gateway_phase;

struct hf_gateway {
    hf_mem *mem;
    hf_block_source source;
    hf_arena arena;
    hf_gateway_request request; /* copied */
    hf_gateway_wish wish;
    hf_gateway_phase phase;
    hf_path path;
    hf_buf roots;               /* X-Ipfs-Roots */
    uint8_t cid[HF_CID_BYTES_MAX]; /* the path's end */
    size_t cid_len;
    hf_bytes name;              /* the last one, for the type */
    bool missing, listing;
    int status;
    hf_gateway_header headers[HF_GATEWAY_HEADERS_MAX];
    size_t n_headers;
    bool has_length;
    uint64_t length, from, to;  /* from, to: of the file */
    hf_buf out;                 /* of the body, not handed over yet */
    size_t out_at;
    enum { HF_BODY_HELD, HF_BODY_FILE, HF_BODY_CAR_PATH, HF_BODY_CAR_BLOCK, HF_BODY_CAR_WALK, HF_BODY_CAR_FILE, HF_BODY_DONE } body;
    hf_export *file;
    hf_walk *walk;
    const char *broken;
    bool is_file;               /* the path's end */
};

/* ---- gateway_request.c ---- */
/* Text is put into the arena. HF_NOMEM; everything else is in wish->refused. */
HF_MUST_USE hf_err hf_gateway_read(hf_arena *arena, const hf_gateway_request *request, hf_gateway_wish *ret);
/* The span within `size` bytes; false: none of it lies there. */
bool hf_gateway_span_in(const hf_gateway_span *span, uint64_t size, uint64_t *ret_from, uint64_t *ret_to);
bool hf_gateway_etag_matches(hf_bytes if_none_match, hf_bytes etag);

/* ---- gateway_head.c ---- */
void hf_gateway_refuse(hf_gateway *g, int status, const char *why);
/* For the path's end. HF_NOMEM. */
HF_MUST_USE hf_err hf_gateway_make_head(hf_gateway *g, hf_bytes block, const hf_node *node);

/* ---- gateway_body.c ---- */
/* The next piece in g->out; NEED, BROKEN or END otherwise. */
hf_gateway_kind hf_gateway_more(hf_gateway *g, hf_gateway_out *ret);
/* A directory as a page. HF_NOMEM. */
HF_MUST_USE hf_err hf_gateway_list(hf_gateway *g, const hf_node *node);
static inline hf_bytes hf_gateway_cid(const hf_gateway *g) { return HF_BYTES(g->cid, g->cid_len); }
#endif
