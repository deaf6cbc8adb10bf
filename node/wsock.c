/* wsock: see wsock.h. */
#include "wsock.h"

#include "http_parse.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wslay/wslay.h>

enum { KEY_LEN = 24, ACCEPT_LEN = 28, NONCE_LEN = 16, FRAME_MAX = 16 << 20, WAITING_MAX = 1 << 20 };

struct hf_wsock {
    hf_mem *mem;
    const char *host;              /* NULL: we are asked */
    wslay_event_context_ptr frames; /* NULL: not agreed yet */
    hf_buf head, waiting;          /* until then: what came, what is to be sent */
    size_t scanned;
    char accept[ACCEPT_LEN + 1];   /* that the other end must answer */
    bool in_data, over;
    hf_bytes from;                 /* while wslay is at work: what it reads, and where it writes to */
    hf_buf *in, *out;
};

hf_wsock *hf_wsock_new(hf_mem *mem, const char *host) {
    hf_wsock *ws = calloc(1, sizeof *ws);
    if (!ws) return NULL;
    ws->mem = mem;
    ws->host = host ? strdup(host) : NULL;
    hf_buf_init(&ws->head, mem);
    hf_buf_init(&ws->waiting, mem);
    if (!host || ws->host) return ws;
    hf_wsock_free(ws);
    return NULL;
}

void hf_wsock_free(hf_wsock *ws) {
    if (!ws) return;
    if (ws->frames) wslay_event_context_free(ws->frames);
    hf_buf_deinit(&ws->head);
    hf_buf_deinit(&ws->waiting);
    free((void *)(uintptr_t)ws->host);
    free(ws);
}

/* ---- what wslay asks for ---- */

static ssize_t take_bytes(wslay_event_context_ptr frames, uint8_t *buf, size_t len, int flags, void *ctx) {
    (void)flags;
    hf_wsock *ws = ctx;
    size_t n = ws->from.len < len ? ws->from.len : len;
    if (!n) return wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK), -1;
    memcpy(buf, ws->from.ptr, n);
    ws->from = hf_sub(ws->from, n, ws->from.len);
    return (ssize_t)n;
}

static ssize_t give_bytes(wslay_event_context_ptr frames, const uint8_t *bytes, size_t len, int flags, void *ctx) {
    (void)flags;
    hf_wsock *ws = ctx;
    hf_buf_add(ws->out, HF_BYTES(bytes, len));
    if (ws->out->err) return wslay_event_set_error(frames, WSLAY_ERR_CALLBACK_FAILURE), -1;
    return (ssize_t)len;
}

static int make_mask(wslay_event_context_ptr frames, uint8_t *buf, size_t len, void *ctx) {
    (void)frames, (void)ctx;
    return RAND_bytes(buf, (int)len) == 1 ? 0 : -1;
}

static void on_frame(wslay_event_context_ptr frames, const struct wslay_event_on_frame_recv_start_arg *frame, void *ctx) {
    hf_wsock *ws = ctx;
    ws->in_data = frame->opcode == WSLAY_BINARY_FRAME || frame->opcode == WSLAY_CONTINUATION_FRAME;
    if (frame->opcode != WSLAY_TEXT_FRAME) return;
    (void)wslay_event_queue_close(frames, WSLAY_CODE_UNSUPPORTED_DATA, NULL, 0);
    wslay_event_shutdown_read(frames);
}

static void on_piece(wslay_event_context_ptr frames, const struct wslay_event_on_frame_recv_chunk_arg *piece, void *ctx) {
    (void)frames;
    hf_wsock *ws = ctx;
    if (ws->in_data) hf_buf_add(ws->in, HF_BYTES(piece->data, piece->data_length));
}

static const struct wslay_event_callbacks CALLBACKS = {
    .recv_callback = take_bytes,
    .send_callback = give_bytes,
    .genmask_callback = make_mask,
    .on_frame_recv_start_callback = on_frame,
    .on_frame_recv_chunk_callback = on_piece,
};

/* ---- agreeing ---- */

static void accept_of(hf_bytes key, char ret[ACCEPT_LEN + 1]) {
    static const char MAGIC[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t joined[KEY_LEN + sizeof MAGIC - 1], digest[SHA_DIGEST_LENGTH];
    memcpy(joined, key.ptr, KEY_LEN);
    memcpy(joined + KEY_LEN, MAGIC, sizeof MAGIC - 1);
    SHA1(joined, sizeof joined, digest);
    EVP_EncodeBlock((unsigned char *)ret, digest, sizeof digest);
}

void hf_wsock_begin(hf_wsock *ws, hf_buf *out) {
    uint8_t nonce[NONCE_LEN];
    char key[KEY_LEN + 1];
    if (!ws->host) return;
    ws->over = RAND_bytes(nonce, sizeof nonce) != 1;
    EVP_EncodeBlock((unsigned char *)key, nonce, sizeof nonce);
    accept_of(HF_BYTES(key, KEY_LEN), ws->accept);
    hf_buf_add_str(out, "GET / HTTP/1.1\r\nhost: ");
    hf_buf_add_str(out, ws->host);
    hf_buf_add_str(out, "\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: ");
    hf_buf_add_str(out, key);
    hf_buf_add_str(out, "\r\n\r\n");
}

static bool agreed(hf_wsock *ws, hf_buf *out) {
    int failed = ws->host ? wslay_event_context_client_init(&ws->frames, &CALLBACKS, ws) : wslay_event_context_server_init(&ws->frames, &CALLBACKS, ws);
    if (failed) return ws->frames = NULL, false;
    wslay_event_config_set_no_buffering(ws->frames, 1);
    wslay_event_config_set_max_recv_msg_length(ws->frames, FRAME_MAX);
    bool ok = !ws->waiting.len || hf_wsock_send(ws, hf_buf_bytes(&ws->waiting), out);
    hf_buf_deinit(&ws->waiting);
    return ok;
}

/* 0, or the status to refuse with. */
static unsigned judge(const hf_http_head *head) {
    if (!hf_eq(head->path, HF_TEXT("/"))) return 404;
    if (!head->upgrade || !hf_http_mentions(head->fields[HF_HTTP_UPGRADE], "websocket")) return 426;
    if (!hf_eq(head->fields[HF_HTTP_WEBSOCKET_VERSION], HF_TEXT("13"))) return 426;
    return !hf_eq(head->method, HF_TEXT("GET")) || head->fields[HF_HTTP_WEBSOCKET_KEY].len != KEY_LEN ? 400 : 0;
}

/* *ret_len: of the head; 0: not all of it is there. False: refused. */
static bool read_request(hf_wsock *ws, hf_buf *out, size_t *ret_len) {
    hf_http_head head;
    unsigned status = hf_http_parse(hf_buf_bytes(&ws->head), &ws->scanned, &head, ret_len);
    if (!status && *ret_len) status = judge(&head);
    if (status) {
        hf_buf_add_str(out, status == 426 ? "HTTP/1.1 426 Upgrade Required\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
                            : status == 404 ? "HTTP/1.1 404 Not Found\r\n" : "HTTP/1.1 400 Bad Request\r\n");
        hf_buf_add_str(out, "connection: close\r\ncontent-length: 0\r\n\r\n");
        return false;
    }
    if (!*ret_len) return true;
    accept_of(head.fields[HF_HTTP_WEBSOCKET_KEY], ws->accept);
    hf_buf_add_str(out, "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ");
    hf_buf_add_str(out, ws->accept);
    hf_buf_add_str(out, "\r\n\r\n");
    return true;
}

/* The value of a field in a whole head; empty: it is not there. */
static hf_bytes field_of(hf_bytes head, const char *name) {
    size_t len = strlen(name);
    for (size_t at = 0, end; at < head.len; at = end + 2) {
        end = at;
        while (end + 1 < head.len && !(head.ptr[end] == '\r' && head.ptr[end + 1] == '\n')) end++;
        if (end - at <= len || head.ptr[at + len] != ':' || strncasecmp((const char *)head.ptr + at, name, len) != 0) continue;
        at += len + 1;
        while (at < end && head.ptr[at] == ' ') at++;
        return hf_sub(head, at, end - at);
    }
    return HF_BYTES(NULL, 0);
}

static bool read_answer(hf_wsock *ws, size_t *ret_len) {
    static const char STATUS[] = "HTTP/1.1 101";
    hf_bytes bytes = hf_buf_bytes(&ws->head);
    const uint8_t *end = bytes.len ? memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4) : NULL;
    *ret_len = end ? (size_t)(end - bytes.ptr) + 4 : 0;
    if (!end) return bytes.len <= HF_HTTP_HEAD_MAX;
    hf_bytes head = hf_sub(bytes, 0, *ret_len);
    return head.len > sizeof STATUS && !memcmp(head.ptr, STATUS, sizeof STATUS - 1) &&
           hf_eq(field_of(head, "sec-websocket-accept"), HF_BYTES(ws->accept, ACCEPT_LEN)) && !field_of(head, "sec-websocket-protocol").len;
}

/* ---- bytes ---- */

static bool read_frames(hf_wsock *ws, hf_bytes bytes, hf_buf *in, hf_buf *out) {
    ws->from = bytes;
    ws->in = in;
    ws->out = out;
    bool failed = wslay_event_recv(ws->frames) != 0;
    failed = wslay_event_send(ws->frames) != 0 || failed; /* pongs, a goodbye */
    return !failed && wslay_event_get_read_enabled(ws->frames) && !wslay_event_get_close_received(ws->frames) && !in->err && !out->err;
}

bool hf_wsock_recv(hf_wsock *ws, hf_bytes bytes, hf_buf *in, hf_buf *out) {
    size_t head_len = 0;
    if (ws->over) return false;
    if (ws->frames) return read_frames(ws, bytes, in, out);
    hf_buf_add(&ws->head, bytes);
    bool ok = !ws->head.err && (ws->host ? read_answer(ws, &head_len) : read_request(ws, out, &head_len));
    if (!ok) return ws->over = true, false;
    if (!head_len) return true;
    ok = agreed(ws, out) && read_frames(ws, hf_sub(hf_buf_bytes(&ws->head), head_len, ws->head.len), in, out);
    hf_buf_deinit(&ws->head);
    return ok;
}

bool hf_wsock_send(hf_wsock *ws, hf_bytes bytes, hf_buf *out) {
    if (!ws->frames) {
        hf_buf_add(&ws->waiting, bytes);
        return !ws->waiting.err && ws->waiting.len <= WAITING_MAX;
    }
    struct wslay_event_msg message = {.opcode = WSLAY_BINARY_FRAME, .msg = bytes.ptr, .msg_length = bytes.len};
    ws->out = out;
    return !wslay_event_queue_msg(ws->frames, &message) && !wslay_event_send(ws->frames);
}

void hf_wsock_close(hf_wsock *ws, hf_buf *out) {
    if (!ws->frames || ws->over) return;
    ws->over = true;
    ws->out = out;
    if (!wslay_event_queue_close(ws->frames, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0)) (void)wslay_event_send(ws->frames);
}
