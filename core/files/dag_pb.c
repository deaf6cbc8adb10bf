/* dag_pb: see dag_pb.h.
 *
 *     PBNode  1 Data (bytes)   2 Links (PBLink, repeated)      written: all of 2, then 1
 *     PBLink  1 Hash (binary CID)   2 Name (text)   3 Tsize (varint)
 */
#include "dag_pb.h"

#include "../codec/varint.h"

enum { NODE_DATA = 1, NODE_LINK, LINK_HASH = 1, LINK_NAME, LINK_TSIZE, WIRE_VARINT = 0, WIRE_BYTES = 2 };

static const char *read_link(hf_bytes bytes, hf_dag_link *ret) {
    *ret = (hf_dag_link){.cid = {NULL, 0}};
    hf_pb_reader r = hf_pb_read(bytes);
    uint32_t last = 0;
    for (hf_pb_field f; hf_pb_next(&r, &f); last = f.number) {
        if (f.number <= last || f.number > LINK_TSIZE) return "dag-pb: a link's field twice, out of order or unknown";
        if (f.wire != (f.number == LINK_TSIZE ? WIRE_VARINT : WIRE_BYTES)) return "dag-pb: a link's field of the wrong type";
        if (f.number == LINK_HASH) ret->cid = f.bytes;
        else if (f.number == LINK_NAME) ret->name = f.bytes, ret->has_name = true;
        else ret->tsize = f.u, ret->has_tsize = true;
    }
    if (r.err) return "dag-pb: a link breaks off";
    return hf_cid_valid(ret->cid) && ret->cid.len <= HF_CID_BYTES_MAX ? NULL : "dag-pb: a link without a sound CID";
}

hf_err hf_dag_pb_read(hf_bytes block, hf_dag_node *ret, hf_fault *fault) {
    hf_dag_node node = {.block = block};
    bool links_over = false;
    if (block.len > HF_BLOCK_MAX) return hf_fail(fault, HF_LIMIT, "dag-pb: a block over 2 MiB", 0);
    hf_pb_reader r = hf_pb_read(block);
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        hf_dag_link link;
        const char *why = NULL;
        if (f.wire != WIRE_BYTES || f.number > NODE_LINK) why = "dag-pb: an unknown field";
        else if (f.number == NODE_DATA && node.has_data) why = "dag-pb: data twice";
        else if (f.number == NODE_LINK && links_over) why = "dag-pb: data between the links";
        else if (f.number == NODE_LINK) why = read_link(f.bytes, &link);
        if (why) return hf_fail(fault, HF_MALFORMED, why, r.at);
        if (f.number == NODE_LINK) node.n_links++;
        else {
            node.data = f.bytes;
            node.has_data = true;
            links_over = node.n_links > 0;
        }
    }
    if (r.err) return hf_fail(fault, HF_MALFORMED, "dag-pb: not protobuf, or it breaks off", r.at);
    *ret = node;
    return HF_OK;
}

bool hf_dag_pb_next(const hf_dag_node *node, size_t *at, hf_dag_link *ret) {
    hf_pb_reader r = {.in = node->block, .at = *at};
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        *at = r.at;
        if (f.number == NODE_LINK) return !read_link(f.bytes, ret);
    }
    *at = node->block.len;
    return false;
}

/* Length of a field that hf_pb_add_bytes writes. */
static size_t field_len(size_t len) {
    uint8_t ignored[HF_VARINT_MAX];
    return 1 + hf_varint_write(len, ignored) + len;
}

static size_t number_len(uint64_t value) {
    size_t len = 2;
    for (; value >= 0x80; value >>= 7) len++;
    return len;
}

void hf_dag_pb_add_link(hf_buf *buf, const hf_dag_link *link) {
    size_t len = field_len(link->cid.len);
    if (link->has_name) len += field_len(link->name.len);
    if (link->has_tsize) len += number_len(link->tsize);
    hf_buf_add_byte(buf, NODE_LINK << 3 | WIRE_BYTES);
    hf_pb_add_varint(buf, len);
    hf_pb_add_bytes(buf, LINK_HASH, link->cid);
    if (link->has_name) hf_pb_add_bytes(buf, LINK_NAME, link->name);
    if (link->has_tsize) hf_pb_add_u64(buf, LINK_TSIZE, link->tsize);
}

void hf_dag_pb_add_data(hf_buf *buf, hf_bytes data) { hf_pb_add_bytes(buf, NODE_DATA, data); }
