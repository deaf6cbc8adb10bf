/* http_peer: the WebSocket carriage of the peer, at / and /p2p: a js peer cannot dial a path. */
#define OPENSSL_API_COMPAT 0x10101000L /* SHA1_Init: with no look-up of an algorithm, which allocates, and crashes when it cannot */
#include "../core/codec/multiaddr.h"
#include "describe.h"
#include "http_private.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { FRAME_MAX = 16 << 20, PONG_QUEUED_MAX = 16 * 1024, KEY_LEN = 24, CLOSE_LINGER_MS = 2000 };

static hf_client *client_of(hf_channel *channel) { return (hf_client *)((char *)channel - offsetof(hf_client, channel)); }

/* ---- what wslay asks for; frames in and out are its work ---- */

static ssize_t take_bytes(wslay_event_context_ptr frames, uint8_t *buf, size_t len, int flags, void *ctx) {
    (void)flags;
    hf_client *c = ctx;
    size_t n = c->ws.in.len < len ? c->ws.in.len : len;
    if (!n || c->phase != HF_PHASE_PEER) {
        wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(buf, c->ws.in.ptr, n);
    c->ws.in = hf_sub(c->ws.in, n, c->ws.in.len);
    return (ssize_t)n;
}

/* A frame's head and payload come one after the other, and go out together. One who pings without reading gets no more pongs. */
static ssize_t give_bytes(wslay_event_context_ptr frames, const uint8_t *bytes, size_t len, int flags, void *ctx) {
    (void)frames;
    hf_client *c = ctx;
    if (flags & WSLAY_MSG_MORE && len <= HF_WS_HEAD_MAX) {
        memcpy(c->ws.head, bytes, len);
        c->ws.head_len = len;
        return (ssize_t)len;
    }
    hf_bytes head = HF_BYTES(c->ws.head, c->ws.head_len), rest = HF_BYTES(bytes, len);
    c->ws.head_len = 0;
    if (!head.len) head = rest, rest.len = 0; /* a frame without payload */
    bool pong = (head.ptr[0] & 15) == WSLAY_PONG;
    if (!pong || c->out.len - c->out_at < PONG_QUEUED_MAX) hf_client_send(c, head, rest);
    return (ssize_t)len;
}

static void on_frame(wslay_event_context_ptr frames, const struct wslay_event_on_frame_recv_start_arg *frame, void *ctx) {
    hf_client *c = ctx;
    c->ws.in_data = frame->opcode == WSLAY_BINARY_FRAME || frame->opcode == WSLAY_CONTINUATION_FRAME;
    if (frame->opcode != WSLAY_TEXT_FRAME) return;
    (void)wslay_event_queue_close(frames, WSLAY_CODE_UNSUPPORTED_DATA, NULL, 0);
    wslay_event_shutdown_read(frames);
}

/* Where messages begin and end means nothing to us: the bytes of binary frames are one stream. */
static void on_piece(wslay_event_context_ptr frames, const struct wslay_event_on_frame_recv_chunk_arg *piece, void *ctx) {
    (void)frames;
    hf_client *c = ctx;
    if (c->ws.in_data && c->channel_up && piece->data_length)
        hf_node_channel_recv(c->http->node, &c->channel, HF_BYTES(piece->data, piece->data_length));
}

static const struct wslay_event_callbacks CALLBACKS = {
    .recv_callback = take_bytes,
    .send_callback = give_bytes,
    .on_frame_recv_start_callback = on_frame,
    .on_frame_recv_chunk_callback = on_piece,
};

static bool begin_frames(hf_client *c) {
    if (wslay_event_context_server_init(&c->ws.frames, &CALLBACKS, c)) return c->ws.frames = NULL, false;
    wslay_event_config_set_no_buffering(c->ws.frames, 1);
    wslay_event_config_set_max_recv_msg_length(c->ws.frames, FRAME_MAX);
    return true;
}

/* ---- the channel ---- */

/* What does not go into memory is missing from the stream; so it ends. */
static void ws_send(hf_channel *channel, hf_bytes bytes) {
    hf_client *c = client_of(channel);
    struct wslay_event_msg message = {.opcode = WSLAY_BINARY_FRAME, .msg = bytes.ptr, .msg_length = bytes.len};
    c->broken |= wslay_event_queue_msg(c->ws.frames, &message) || wslay_event_send(c->ws.frames);
}

/* The goodbye is queued, by us or by wslay; nothing comes in any more. */
static void say_goodbye(hf_client *c) {
    c->broken |= wslay_event_send(c->ws.frames) != 0;
    c->last = true;
    hf_client_end_in(c, CLOSE_LINGER_MS);
    hf_client_flush(c);
}

static void ws_close(hf_channel *channel) {
    hf_client *c = client_of(channel);
    c->channel_up = false;
    (void)wslay_event_queue_close(c->ws.frames, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0);
    wslay_event_shutdown_read(c->ws.frames);
    say_goodbye(c);
}

void hf_peer_sent(hf_client *c, size_t len) {
    if (c->channel_up && len) hf_node_channel_sent(c->http->node, &c->channel, len);
}

/* ---- beginning ---- */

bool hf_peer_is_asked_for(const hf_http_head *head) { return head->upgrade && hf_http_mentions(head->fields[HF_HTTP_UPGRADE], "websocket"); }

static void add_accept(hf_buf *buf, hf_bytes key) {
    static const char MAGIC[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t joined[KEY_LEN + sizeof MAGIC - 1], digest[SHA_DIGEST_LENGTH];
    char text[32];
    memcpy(joined, key.ptr, KEY_LEN);
    memcpy(joined + KEY_LEN, MAGIC, sizeof MAGIC - 1);
    SHA_CTX sha;
    SHA1_Init(&sha);
    SHA1_Update(&sha, joined, sizeof joined);
    SHA1_Final(digest, &sha);
    EVP_EncodeBlock((unsigned char *)text, digest, sizeof digest);
    hf_buf_add_str(buf, text);
}

/* Where it comes from, as a multiaddr; nothing where that would be a proxy. */
static void add_remote(const hf_client *c, hf_buf *buf) {
    struct sockaddr_storage a = {0};
    socklen_t len = sizeof a;
    char host[INET6_ADDRSTRLEN], text[96];
    if (!hf_describe_has_wsock(c->http->node) || getpeername(c->fd, (struct sockaddr *)&a, &len)) return;
    bool v6 = a.ss_family == AF_INET6;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&a;
    const struct sockaddr_in *four = (const struct sockaddr_in *)&a;
    bool mapped = v6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr);
    const void *ip = mapped ? (const void *)&six->sin6_addr.s6_addr[12] : v6 ? (const void *)&six->sin6_addr : (const void *)&four->sin_addr;
    if (!inet_ntop(v6 && !mapped ? AF_INET6 : AF_INET, ip, host, sizeof host)) return;
    snprintf(text, sizeof text, "/%s/%s/tcp/%u/ws", v6 && !mapped ? "ip6" : "ip4", host, ntohs(v6 ? six->sin6_port : four->sin_port));
    if (hf_multiaddr_parse(hf_str(text), buf, NULL)) hf_buf_clear(buf);
}

unsigned hf_peer_begin(hf_client *c, const hf_http_head *head) {
    hf_bytes key = head->fields[HF_HTTP_WEBSOCKET_KEY];
    hf_node *node = c->http->node;
    if (!hf_eq(head->path, HF_TEXT("/")) && !hf_eq(head->path, HF_TEXT("/p2p"))) return 404;
    if (!hf_eq(head->method, HF_TEXT("GET")) || key.len != KEY_LEN) return 400;
    const hf_options *o = node->options;
    if (!hf_http_may_open(head->fields[HF_HTTP_ORIGIN], o->origin, c->http->place, o->sibling, o->n_sibling)) return 403;
    if (!hf_eq(head->fields[HF_HTTP_WEBSOCKET_VERSION], HF_TEXT("13"))) return 426;
    hf_buf *buf = &c->http->scratch;
    hf_buf_clear(buf);
    hf_buf_add_str(buf, "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ");
    add_accept(buf, key);
    hf_buf_add_str(buf, "\r\n\r\n");
    if (buf->err || !begin_frames(c)) return 500;
    hf_exchange_count(c->http, 101);
    c->last = false;
    c->phase = HF_PHASE_PEER;
    hf_client_end_in(c, UINT64_MAX); /* from here on the core has its own */
    hf_client_send(c, hf_buf_bytes(buf), HF_BYTES(NULL, 0));
    c->channel = (hf_channel){.via = "ws", .send = ws_send, .close = ws_close};
    c->channel_up = true;
    hf_buf remote;
    hf_buf_init(&remote, &node->mem);
    add_remote(c, &remote);
    hf_err err = hf_node_channel_up(node, &c->channel, false, NULL, hf_buf_bytes(&remote));
    hf_buf_deinit(&remote);
    if (!err) return 0;
    c->channel_up = false; /* never told to the core */
    hf_client_shut(c);
    return 0;
}

/* ---- what they say ---- */

void hf_peer_take(hf_client *c, hf_bytes bytes) {
    if (c->last) return;
    c->ws.in = bytes;
    bool failed = wslay_event_recv(c->ws.frames);
    c->ws.in = HF_BYTES(NULL, 0);
    if (c->phase != HF_PHASE_PEER || c->last) return;
    if (!failed && wslay_event_get_read_enabled(c->ws.frames)) {
        c->broken |= wslay_event_send(c->ws.frames) != 0; /* pongs */
        return;
    }
    hf_peer_forget(c);
    if (c->phase == HF_PHASE_PEER) say_goodbye(c);
}

void hf_peer_forget(hf_client *c) {
    if (!c->channel_up) return;
    c->channel_up = false;
    hf_node_channel_down(c->http->node, &c->channel);
}

void hf_peer_free(hf_client *c) { wslay_event_context_free(c->ws.frames); }
