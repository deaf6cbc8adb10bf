/* dcutr_message: see dcutr_message.h. */
#include "dcutr_message.h"

#include "../codec/protobuf.h"

enum { TYPE = 1, OBSERVED_ADDR = 2 };

void hf_dcutr_message_add(hf_buf *buf, const hf_dcutr_message *m) {
    hf_pb_add_u64(buf, TYPE, m->type);
    for (size_t i = 0; i < m->n_addrs; i++) hf_pb_add_bytes(buf, OBSERVED_ADDR, m->addrs[i]);
}

hf_err hf_dcutr_message_read(hf_bytes bytes, hf_dcutr_message *ret) {
    hf_dcutr_message m = {.n_addrs = 0};
    uint64_t type = 0;
    hf_pb_reader r = hf_pb_read(bytes);
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        if (f.number == TYPE && f.wire == 0) type = f.u;
        if (f.number == OBSERVED_ADDR && f.wire == 2 && m.n_addrs < HF_DCUTR_ADDRS_MAX) m.addrs[m.n_addrs++] = f.bytes;
    }
    if (r.err) return r.err;
    if (type != HF_DCUTR_CONNECT && type != HF_DCUTR_SYNC) return HF_MALFORMED;
    m.type = (hf_dcutr_type)type;
    *ret = m;
    return HF_OK;
}
