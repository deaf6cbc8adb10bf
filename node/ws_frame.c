/* ws_frame: see ws_frame.h. */
#include "ws_frame.h"

#include <string.h>

enum { PROTOCOL_ERROR = 1002, UNSUPPORTED = 1003, TOO_BIG = 1009 };

static size_t head_len(const hf_ws_reader *r) {
    if (r->n_head < 2) return 2;
    unsigned told = r->head[1] & 0x7f;
    return 2 + (told == 126 ? 2 : told == 127 ? 8 : 0) + 4;
}

static uint64_t told_len(const hf_ws_reader *r) {
    unsigned told = r->head[1] & 0x7f;
    if (told < 126) return told;
    uint64_t len = 0;
    for (int i = 0; i < (told == 126 ? 2 : 8); i++) len = len << 8 | r->head[2 + i];
    return len;
}

/* What the first two bytes say already. 0: fine. */
static unsigned check_start(const hf_ws_reader *r) {
    uint8_t opcode = r->head[0] & 15;
    bool final = r->head[0] & 0x80, control = opcode & 8;
    if (r->head[0] & 0x70 || !(r->head[1] & 0x80)) return PROTOCOL_ERROR;
    if (opcode == HF_WS_TEXT) return UNSUPPORTED;
    if (opcode > HF_WS_PONG || (opcode > HF_WS_BINARY && opcode < HF_WS_CLOSE)) return PROTOCOL_ERROR;
    if (control) return final && (r->head[1] & 0x7f) <= HF_WS_CONTROL_MAX ? 0 : PROTOCOL_ERROR;
    return (opcode == HF_WS_CONTINUATION) == r->in_message ? 0 : PROTOCOL_ERROR;
}

static unsigned begin_payload(hf_ws_reader *r) {
    r->opcode = r->head[0] & 15;
    r->left = told_len(r);
    if (r->left > HF_WS_FRAME_MAX) return TOO_BIG;
    memcpy(r->mask, r->head + head_len(r) - 4, 4);
    r->mask_at = r->n_head = r->n_control = 0;
    r->in_payload = true;
    if (r->opcode < HF_WS_CLOSE) r->in_message = !(r->head[0] & 0x80);
    return 0;
}

/* 0: the head is there, or more has to come. */
static unsigned read_head(hf_ws_reader *r, const uint8_t *bytes, size_t len, size_t *at) {
    while (*at < len && r->n_head < head_len(r)) {
        r->head[r->n_head++] = bytes[(*at)++];
        unsigned bad = r->n_head == 2 ? check_start(r) : 0;
        if (bad) return bad;
    }
    return r->n_head >= 2 && r->n_head == head_len(r) ? begin_payload(r) : 0;
}

static hf_bytes take_payload(hf_ws_reader *r, uint8_t *bytes, size_t len, size_t *at) {
    size_t n = len - *at < r->left ? len - *at : (size_t)r->left;
    uint8_t *piece = bytes + *at;
    for (size_t i = 0; i < n; i++) piece[i] ^= r->mask[(r->mask_at + i) & 3];
    r->mask_at = (uint8_t)((r->mask_at + n) & 3);
    r->left -= n;
    *at += n;
    if (!r->left) r->in_payload = false;
    return HF_BYTES(piece, n);
}

hf_ws_event hf_ws_read(hf_ws_reader *r, uint8_t *bytes, size_t len, size_t *at, hf_bytes *ret, unsigned *ret_code) {
    for (;;) {
        if (!r->in_payload && (*ret_code = read_head(r, bytes, len, at))) return HF_WS_REFUSED;
        if (!r->in_payload) return HF_WS_MORE;
        hf_bytes piece = take_payload(r, bytes, len, at);
        if (r->opcode >= HF_WS_CLOSE) {
            memcpy(r->control + r->n_control, piece.ptr, piece.len);
            r->n_control = (uint8_t)(r->n_control + piece.len);
        } else if (piece.len) return *ret = piece, HF_WS_DATA;
        if (r->in_payload) return HF_WS_MORE;
        *ret = HF_BYTES(r->control, r->n_control);
        if (r->opcode == HF_WS_PING) return HF_WS_PINGED;
        if (r->opcode == HF_WS_CLOSE) return HF_WS_CLOSED;
    }
}

void hf_ws_add_head(hf_buf *buf, unsigned opcode, size_t len) {
    int n_more = len < 126 ? 0 : len < 65536 ? 2 : 8;
    hf_buf_add_byte(buf, (uint8_t)(0x80 | opcode));
    hf_buf_add_byte(buf, (uint8_t)(n_more == 8 ? 127 : n_more == 2 ? 126 : len));
    for (int i = n_more - 1; i >= 0; i--) hf_buf_add_byte(buf, (uint8_t)((uint64_t)len >> 8 * i));
}
