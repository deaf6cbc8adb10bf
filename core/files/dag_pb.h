/* dag_pb: the nodes that UnixFS is made of (ipld.io/specs/codecs/dag-pb). Strict: within a link Hash, Name, Tsize in this order and each
 * at most once, a well-formed CID in each, links in one run, before the data or (old writers) after it, no unknown fields.
 * Nothing is copied: a node is a view of its block. */
#ifndef HF_DAG_PB_H
#define HF_DAG_PB_H
#include "../codec/block.h"
#include "../codec/protobuf.h"

typedef struct hf_dag_link {
    hf_bytes cid, name;
    uint64_t tsize; /* of the whole DAG below it, in bytes, as its maker says */
    bool has_name, has_tsize;
} hf_dag_link;

typedef struct hf_dag_node {
    hf_bytes block, data;
    bool has_data;
    size_t n_links;
} hf_dag_node;

/* HF_MALFORMED, HF_LIMIT (over HF_BLOCK_MAX). */
HF_MUST_USE hf_err hf_dag_pb_read(hf_bytes block, hf_dag_node *ret, hf_fault *fault);
/* The links in their order: start with *at = 0; false at the end. Takes time in proportion to the bytes stepped over. */
bool hf_dag_pb_next(const hf_dag_node *node, size_t *at, hf_dag_link *ret);

/* Writing: the links, sorted by name (bytewise; equal ones in their order), then the data. */
void hf_dag_pb_add_link(hf_buf *buf, const hf_dag_link *link);
void hf_dag_pb_add_data(hf_buf *buf, hf_bytes data);
#endif
