/* http_peer: the WebSocket carriage of the peer, at / and /p2p: a js peer cannot dial a path. */
#include "http_private.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

enum { PONG_QUEUED_MAX = 16 * 1024, KEY_LEN = 24, CLOSE_LINGER_MS = 2000 };

static hf_client *client_of(hf_channel *channel) { return (hf_client *)((char *)channel - offsetof(hf_client, channel)); }

static void send_frame(hf_client *c, unsigned opcode, hf_bytes payload) {
    uint8_t bytes[HF_WS_HEAD_MAX];
    hf_buf head = {.mem = &c->http->node->mem, .ptr = bytes, .cap = sizeof bytes};
    hf_ws_add_head(&head, opcode, payload.len);
    hf_client_send(c, hf_buf_bytes(&head), payload);
}

/* ---- the channel ---- */

static void ws_send(hf_channel *channel, hf_bytes bytes) { send_frame(client_of(channel), HF_WS_BINARY, bytes); }

static void say_goodbye(hf_client *c, unsigned code) {
    uint8_t why[] = {(uint8_t)(code >> 8), (uint8_t)code};
    c->last = true;
    send_frame(c, HF_WS_CLOSE, HF_BYTES(why, sizeof why));
    hf_client_end_in(c, CLOSE_LINGER_MS);
    hf_client_flush(c);
}

static void ws_close(hf_channel *channel) {
    hf_client *c = client_of(channel);
    c->channel_up = false;
    say_goodbye(c, 1000);
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
    SHA1(joined, sizeof joined, digest);
    EVP_EncodeBlock((unsigned char *)text, digest, sizeof digest);
    hf_buf_add_str(buf, text);
}

unsigned hf_peer_begin(hf_client *c, const hf_http_head *head) {
    hf_bytes key = head->fields[HF_HTTP_WEBSOCKET_KEY];
    hf_node *node = c->http->node;
    if (!hf_eq(head->path, HF_TEXT("/")) && !hf_eq(head->path, HF_TEXT("/p2p"))) return 404;
    if (!hf_eq(head->method, HF_TEXT("GET")) || key.len != KEY_LEN) return 400;
    if (!hf_eq(head->fields[HF_HTTP_WEBSOCKET_VERSION], HF_TEXT("13"))) return 426;
    hf_buf *buf = &c->http->scratch;
    hf_buf_clear(buf);
    hf_buf_add_str(buf, "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ");
    add_accept(buf, key);
    hf_buf_add_str(buf, "\r\n\r\n");
    if (buf->err) return 500;
    c->last = false;
    c->phase = HF_PHASE_PEER;
    hf_client_end_in(c, UINT64_MAX); /* from here on the core has its own */
    hf_client_send(c, hf_buf_bytes(buf), HF_BYTES(NULL, 0));
    c->channel = (hf_channel){.via = "ws", .send = ws_send, .close = ws_close};
    c->channel_up = true;
    if (!hf_node_channel_up(node, &c->channel, false, NULL, HF_BYTES(NULL, 0))) return 0;
    c->channel_up = false; /* never told to the core */
    hf_client_shut(c);
    return 0;
}

/* ---- what they say ---- */

static void take_event(hf_client *c, hf_ws_event event, hf_bytes bytes, unsigned code) {
    bool room = c->out.len - c->out_at < PONG_QUEUED_MAX;
    if (event == HF_WS_DATA && c->channel_up) hf_node_channel_recv(c->http->node, &c->channel, bytes);
    if (event == HF_WS_PINGED && room) send_frame(c, HF_WS_PONG, bytes);
    if (event != HF_WS_CLOSED && event != HF_WS_REFUSED) return;
    if (c->channel_up) {
        c->channel_up = false;
        hf_node_channel_down(c->http->node, &c->channel);
    }
    say_goodbye(c, event == HF_WS_CLOSED ? 1000 : code);
}

void hf_peer_take(hf_client *c, uint8_t *bytes, size_t len) {
    hf_bytes piece;
    unsigned code;
    hf_ws_event event;
    size_t at = 0;
    while (c->phase == HF_PHASE_PEER && !c->last && (event = hf_ws_read(&c->ws, bytes, len, &at, &piece, &code)) != HF_WS_MORE)
        take_event(c, event, piece, code);
}

void hf_peer_forget(hf_client *c) {
    if (!c->channel_up) return;
    c->channel_up = false;
    hf_node_channel_down(c->http->node, &c->channel);
}
