/* signal_message: see signal_message.h. */
#include "signal_message.h"

#include "../codec/protobuf.h"
#include "../codec/varint.h"

#include <string.h>

enum { KIND = 1, WANTS = 2, PEERS = 3, PEER = 4, DATA = 5 };

static hf_err read_field(const hf_pb_field *f, hf_signal_message *m) {
    if (f->number == KIND && f->wire == 0) m->kind = f->u;
    if (f->number == WANTS && f->wire == 0) m->wants = f->u != 0;
    if (f->number == DATA && f->wire == 2) m->data = f->bytes;
    if (f->number == PEER && f->wire == 2) return hf_peer_id_read(f->bytes, &m->peer);
    if (f->number != PEERS || f->wire != 2) return HF_OK;
    return m->n_peers == HF_SIGNAL_PEERS_MAX ? HF_LIMIT : hf_peer_id_read(f->bytes, &m->peers[m->n_peers++]);
}

hf_err hf_signal_message_read(hf_bytes bytes, hf_signal_message *m) {
    memset(m, 0, sizeof *m);
    hf_pb_reader reader = hf_pb_read(bytes);
    hf_pb_field field;
    while (hf_pb_next(&reader, &field)) {
        hf_err err = read_field(&field, m);
        if (err) return err;
    }
    if (reader.err) return reader.err;
    if (m->data.len > HF_SIGNAL_DATA_MAX) return HF_LIMIT;
    bool addressed = m->kind == HF_SIGNAL_CARRY || m->kind == HF_SIGNAL_DELIVER;
    return m->kind > HF_SIGNAL_DELIVER || (addressed && !m->peer.len) ? HF_MALFORMED : HF_OK;
}

void hf_signal_message_add(hf_buf *buf, const hf_signal_message *m) {
    hf_buf body;
    hf_buf_init(&body, buf->mem);
    hf_pb_add_u64(&body, KIND, m->kind);
    if (m->kind == HF_SIGNAL_HELLO) hf_pb_add_u64(&body, WANTS, m->wants);
    for (size_t i = 0; i < m->n_peers; i++) hf_pb_add_bytes(&body, PEERS, hf_peer_id_bytes(&m->peers[i]));
    if (m->peer.len) hf_pb_add_bytes(&body, PEER, hf_peer_id_bytes(&m->peer));
    if (m->data.len) hf_pb_add_bytes(&body, DATA, m->data);
    hf_varint_add(buf, body.len);
    hf_buf_add(buf, hf_buf_bytes(&body));
    if (body.err) buf->err = body.err;
    hf_buf_deinit(&body);
}
