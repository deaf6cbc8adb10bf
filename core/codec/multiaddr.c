/* multiaddr: see multiaddr.h. One table of protocols; each kind of value has a check, a writer and a reader.
 *
 *     binary:  (code varint, [length varint,] value)*        text:  (/name[/value])*
 */
#include "multiaddr.h"

#include "cid.h"
#include "ip.h"
#include "multibase.h"
#include "utf8.h"
#include "varint.h"

typedef enum kind { NOTHING, IP4, IP6, PORT, NAME, PATH, HTTP_PATH, PEER, CERTHASH } kind;

typedef struct protocol {
    const char *name;
    uint32_t code;
    kind kind;
} protocol;

static const protocol PROTOCOLS[] = {
    {"ip4", HF_MA_IP4, IP4},
    {"tcp", HF_MA_TCP, PORT},
    {"ip6", HF_MA_IP6, IP6},
    {"ip6zone", HF_MA_IP6ZONE, NAME},
    {"dns", HF_MA_DNS, NAME},
    {"dns4", HF_MA_DNS4, NAME},
    {"dns6", HF_MA_DNS6, NAME},
    {"dnsaddr", HF_MA_DNSADDR, NAME},
    {"udp", HF_MA_UDP, PORT},
    {"webrtc-direct", HF_MA_WEBRTC_DIRECT, NOTHING},
    {"webrtc", HF_MA_WEBRTC, NOTHING},
    {"p2p-circuit", HF_MA_P2P_CIRCUIT, NOTHING},
    {"unix", HF_MA_UNIX, PATH},
    {"p2p", HF_MA_P2P, PEER},
    {"ipfs", HF_MA_P2P, PEER}, /* the older name; written as p2p, which stands first */
    {"tls", HF_MA_TLS, NOTHING},
    {"sni", HF_MA_SNI, NAME},
    {"quic", HF_MA_QUIC, NOTHING},
    {"quic-v1", HF_MA_QUIC_V1, NOTHING},
    {"webtransport", HF_MA_WEBTRANSPORT, NOTHING},
    {"certhash", HF_MA_CERTHASH, CERTHASH},
    {"ws", HF_MA_WS, NOTHING},
    {"wss", HF_MA_WSS, NOTHING},
    {"http", HF_MA_HTTP, NOTHING},
    {"http-path", HF_MA_HTTP_PATH, HTTP_PATH},
    {"memory", HF_MA_MEMORY, NAME},
};

static const protocol *by_code(uint64_t code) {
    for (size_t i = 0; i < HF_COUNT(PROTOCOLS); i++)
        if (PROTOCOLS[i].code == code) return &PROTOCOLS[i];
    return NULL;
}

static const protocol *by_name(hf_bytes name) {
    for (size_t i = 0; i < HF_COUNT(PROTOCOLS); i++)
        if (hf_eq(hf_str(PROTOCOLS[i].name), name)) return &PROTOCOLS[i];
    return NULL;
}

/* ---- checking a binary value ---- */

static bool is_clean(hf_bytes s) {
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < 0x20 || s.ptr[i] == 0x7f) return false;
    return s.len > 0 && hf_utf8_check(s);
}

/* libp2p peer-ids spec: the key itself (identity) or its sha2-256. In base58 these begin with 1 and Qm, and so are
 * told from CIDs. */
static bool is_peer_id(hf_bytes value) {
    return hf_multihash_valid(value) && (value.ptr[0] == HF_HASH_IDENTITY || hf_starts(value, HF_TEXT("\x12\x20")));
}

static bool value_fits(kind kind, hf_bytes value) {
    switch (kind) {
    case NAME: return is_clean(value) && hf_find(value, '/', 0) == value.len;
    case PATH: return is_clean(value) && value.ptr[0] == '/';
    case PEER: return is_peer_id(value) && value.len <= HF_BASE58_BYTES_MAX;
    case CERTHASH: return hf_multihash_valid(value) && value.len <= HF_BASE58_BYTES_MAX;
    case HTTP_PATH: return value.len > 0;
    default: return true;
    }
}

/* Bytes of a value of fixed length; the others have their length before them. */
static bool fixed_len(kind kind, size_t *ret) {
    switch (kind) {
    case NOTHING: *ret = 0; return true;
    case PORT: *ret = 2; return true;
    case IP4: *ret = 4; return true;
    case IP6: *ret = 16; return true;
    default: return false;
    }
}

/* ---- binary -> parts ---- */

static hf_err read_varint(hf_bytes bytes, size_t *at, uint64_t *ret, hf_fault *fault) {
    size_t len;
    if (hf_varint_read(hf_sub(bytes, *at, bytes.len), ret, &len))
        return hf_fail(fault, HF_MALFORMED, "broken varint", *at);
    *at += len;
    return HF_OK;
}

static hf_err read_part(hf_bytes bytes, size_t *at, hf_multiaddr_part *ret, hf_fault *fault) {
    uint64_t code, len64;
    size_t from = *at, len;
    hf_err err = read_varint(bytes, at, &code, fault);
    if (err) return err;
    const protocol *p = by_code(code);
    if (!p) return hf_fail(fault, HF_MALFORMED, "unknown protocol", from);
    if (!fixed_len(p->kind, &len)) {
        if ((err = read_varint(bytes, at, &len64, fault))) return err;
        len = len64 > bytes.len ? bytes.len + 1 : (size_t)len64;
    }
    if (len > bytes.len - *at)
        return hf_fail(fault, HF_MALFORMED, "the value is longer than the bytes that follow", from);
    *ret = (hf_multiaddr_part){p->code, hf_sub(bytes, *at, len)};
    if (!value_fits(p->kind, ret->value)) return hf_fail(fault, HF_MALFORMED, "not a value of this protocol", *at);
    *at += len;
    return HF_OK;
}

hf_err hf_multiaddr_read(hf_bytes bytes, hf_multiaddr *ret, hf_fault *fault) {
    hf_multiaddr addr = {.n = 0};
    if (bytes.len > HF_MULTIADDR_BYTES_MAX) return hf_fail(fault, HF_LIMIT, "too long", HF_MULTIADDR_BYTES_MAX);
    for (size_t at = 0; at < bytes.len;) {
        if (addr.n == HF_MULTIADDR_PARTS_MAX) return hf_fail(fault, HF_LIMIT, "too many parts", at);
        hf_err err = read_part(bytes, &at, &addr.parts[addr.n], fault);
        if (err) return err;
        addr.n++;
    }
    *ret = addr;
    return HF_OK;
}

const hf_multiaddr_part *hf_multiaddr_find(const hf_multiaddr *addr, uint32_t code) {
    for (size_t i = 0; i < addr->n; i++)
        if (addr->parts[i].code == code) return &addr->parts[i];
    return NULL;
}

/* ---- binary -> text ---- */

/* As encodeURIComponent does it. */
static void add_percent(hf_buf *buf, hf_bytes s) {
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i], letter = c | 0x20;
        bool plain =
            (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || hf_find(HF_TEXT("-_.!~*'()"), c, 0) < 9;
        if (plain) hf_buf_add_byte(buf, c);
        else hf_buf_add(buf, HF_BYTES(((char[]){'%', hex[c >> 4], hex[c & 15]}), 3));
    }
}

static void add_value_text(hf_buf *buf, kind kind, hf_bytes value) {
    switch (kind) {
    case IP4: hf_ip4_add(buf, value.ptr); break;
    case IP6: hf_ip6_add(buf, value.ptr); break;
    case PORT: hf_buf_add_u64(buf, (uint64_t)value.ptr[0] << 8 | value.ptr[1]); break;
    case HTTP_PATH: add_percent(buf, value); break;
    case PEER: hf_base_add(buf, HF_BASE58BTC, value); break;
    case CERTHASH: hf_multibase_add(buf, HF_BASE64URL, value); break;
    default: hf_buf_add(buf, value); break;
    }
}

hf_err hf_multiaddr_text(hf_bytes bytes, hf_buf *buf) {
    hf_multiaddr addr;
    size_t start = buf->len;
    hf_err err = hf_multiaddr_read(bytes, &addr, NULL);
    if (err) return err;
    for (size_t i = 0; i < addr.n; i++) {
        const protocol *p = by_code(addr.parts[i].code);
        hf_buf_add_byte(buf, '/');
        hf_buf_add_str(buf, p->name);
        if (p->kind != NOTHING && p->kind != PATH) hf_buf_add_byte(buf, '/'); /* a path brings its own */
        add_value_text(buf, p->kind, addr.parts[i].value);
    }
    if (buf->err) buf->len = start;
    return buf->err;
}

/* ---- text -> binary ---- */

static hf_err add_sized(hf_buf *buf, kind kind, hf_bytes value) {
    if (!value_fits(kind, value)) return HF_MALFORMED;
    hf_varint_add(buf, value.len);
    hf_buf_add(buf, value);
    return HF_OK;
}

static hf_err parse_port(hf_bytes text, hf_buf *buf) {
    uint64_t port;
    if (hf_parse_u64(text, &port) || port > 65535) return HF_MALFORMED;
    hf_buf_add_byte(buf, (uint8_t)(port >> 8));
    hf_buf_add_byte(buf, (uint8_t)port);
    return HF_OK;
}

static hf_err parse_ip4(hf_bytes text, hf_buf *buf) {
    uint8_t ip[4];
    if (hf_ip4_parse(text, ip)) return HF_MALFORMED;
    hf_buf_add(buf, HF_BYTES(ip, sizeof ip));
    return HF_OK;
}

static hf_err parse_ip6(hf_bytes text, hf_buf *buf) {
    uint8_t ip[16];
    if (hf_ip6_parse(text, ip)) return HF_MALFORMED;
    hf_buf_add(buf, HF_BYTES(ip, sizeof ip));
    return HF_OK;
}

/* libp2p peer-ids spec, "String representation": bare base58btc begins with 1 or Q, all else is a CID of codec
 * libp2p-key. */
static hf_err parse_peer(hf_bytes text, hf_buf *buf) {
    uint8_t bytes[HF_BASE58_BYTES_MAX];
    size_t len, skip = 0;
    bool bare = text.len && (text.ptr[0] == '1' || text.ptr[0] == 'Q');
    hf_err err = bare ? hf_base_read(HF_BASE58BTC, text, bytes, sizeof bytes, &len)
                      : hf_multibase_read(text, bytes, sizeof bytes, &len);
    if (err) return HF_MALFORMED;
    if (!bare) {
        if (len < 2 || bytes[0] != 1 || bytes[1] != HF_CODEC_LIBP2P_KEY) return HF_MALFORMED;
        skip = 2;
    }
    return add_sized(buf, PEER, HF_BYTES(bytes + skip, len - skip));
}

static hf_err parse_certhash(hf_bytes text, hf_buf *buf) {
    uint8_t bytes[HF_BASE58_BYTES_MAX];
    size_t len;
    if (hf_multibase_read(text, bytes, sizeof bytes, &len)) return HF_MALFORMED;
    return add_sized(buf, CERTHASH, HF_BYTES(bytes, len));
}

static int hex_digit(uint8_t c) {
    uint8_t letter = c | 0x20;
    return c >= '0' && c <= '9' ? c - '0' : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

static hf_err parse_http_path(hf_bytes text, hf_buf *buf) {
    uint8_t bytes[HF_MULTIADDR_BYTES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (n == sizeof bytes) return HF_LIMIT;
        if (c == '%') {
            int high = text.len - i > 2 ? hex_digit(text.ptr[i + 1]) : -1,
                low = high < 0 ? -1 : hex_digit(text.ptr[i + 2]);
            if (low < 0) return HF_MALFORMED;
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        bytes[n++] = c;
    }
    return add_sized(buf, HTTP_PATH, HF_BYTES(bytes, n));
}

static hf_err parse_value(kind kind, hf_bytes text, hf_buf *buf) {
    switch (kind) {
    case NOTHING: return HF_OK;
    case IP4: return parse_ip4(text, buf);
    case IP6: return parse_ip6(text, buf);
    case PORT: return parse_port(text, buf);
    case PEER: return parse_peer(text, buf);
    case CERTHASH: return parse_certhash(text, buf);
    case HTTP_PATH: return parse_http_path(text, buf);
    default: return add_sized(buf, kind, text);
    }
}

/* One "/name[/value]" at *at, which is moved behind it. */
static hf_err parse_part(hf_bytes text, size_t *at, hf_buf *buf, hf_fault *fault) {
    if (text.ptr[*at] != '/') return hf_fail(fault, HF_MALFORMED, "expected '/'", *at);
    size_t from = *at + 1, end = hf_find(text, '/', from), value_end = end;
    const protocol *p = by_name(hf_sub(text, from, end - from));
    if (!p) return hf_fail(fault, HF_MALFORMED, "unknown protocol", from);
    hf_bytes value = HF_BYTES("", 0);
    if (p->kind == PATH) { /* the rest, its first slash included */
        value_end = text.len;
        value = hf_sub(text, end, text.len);
    } else if (p->kind != NOTHING) {
        if (end == text.len) return hf_fail(fault, HF_MALFORMED, "the value is missing", end);
        value_end = hf_find(text, '/', end + 1);
        value = hf_sub(text, end + 1, value_end - end - 1);
    }
    hf_varint_add(buf, p->code);
    hf_err err = parse_value(p->kind, value, buf);
    if (err) return hf_fail(fault, err, "not a value of this protocol", end);
    *at = value_end;
    return HF_OK;
}

static hf_err parse(hf_bytes text, hf_buf *buf, size_t start, hf_fault *fault) {
    size_t n = 0;
    if (text.len == 0) return hf_fail(fault, HF_MALFORMED, "empty", 0);
    for (size_t at = 0; at < text.len; n++) {
        if (n == HF_MULTIADDR_PARTS_MAX) return hf_fail(fault, HF_LIMIT, "too many parts", at);
        hf_err err = parse_part(text, &at, buf, fault);
        if (err) return err;
        if (buf->len - start > HF_MULTIADDR_BYTES_MAX) return hf_fail(fault, HF_LIMIT, "too long", at);
    }
    return buf->err ? hf_fail(fault, buf->err, "no memory", text.len) : HF_OK;
}

hf_err hf_multiaddr_parse(hf_bytes text, hf_buf *ret_binary, hf_fault *fault) {
    size_t start = ret_binary->len;
    hf_err err = parse(text, ret_binary, start, fault);
    if (err) ret_binary->len = start;
    return err;
}
