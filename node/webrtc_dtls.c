/* webrtc_dtls: see webrtc_private.h. DTLS 1.2; who listens is the server, because the browser, who offers, is the active side (a=setup:passive stands in the
 * answer that it makes up for us). Its certificate is asked for, but nothing in it is believed: its digest goes into Noise's prologue, and Noise says who it is. */
#include "webrtc_private.h"

#include "../core/crypto/crypto.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>

enum { COOKIE_MAC_LEN = 16, COOKIE_LEN = 4 + sizeof(hf_webrtc_place) + COOKIE_MAC_LEN, CERTIFICATE_MAX = 8 * 1024, LINK_MTU = HF_WEBRTC_MTU + 64 };

/* ---- packets: a BIO that is one datagram in, and hands each write out as one ---- */

static int bio_read(BIO *bio, char *out, int len) {
    hf_webrtc_pipe *pipe = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!pipe->in.len) return BIO_set_retry_read(bio), -1;
    size_t n = pipe->in.len < (size_t)len ? pipe->in.len : (size_t)len;
    memcpy(out, pipe->in.ptr, n);
    pipe->in = HF_BYTES(NULL, 0); /* a datagram that is cut is not continued */
    return (int)n;
}

static int bio_write(BIO *bio, const char *bytes, int len) {
    hf_webrtc_pipe *pipe = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (len > 0) pipe->out(pipe->ctx, HF_BYTES(bytes, (size_t)len));
    return len;
}

static long bio_ctrl(BIO *bio, int what, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    switch (what) {
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DGRAM_SET_CONNECTED: return 1;
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
    case BIO_CTRL_DGRAM_QUERY_MTU: return LINK_MTU;
    default: return 0;
    }
}

static int bio_create(BIO *bio) {
    BIO_set_init(bio, 1);
    return 1;
}

/* Made once and kept: OpenSSL gives each method of this kind a number of the process. */
static const BIO_METHOD *bio_method(void) {
    static BIO_METHOD *method;
    if (method) return method;
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams");
    if (!m) return NULL;
    if (BIO_meth_set_read(m, bio_read) && BIO_meth_set_write(m, bio_write) && BIO_meth_set_ctrl(m, bio_ctrl) && BIO_meth_set_create(m, bio_create)) return method = m;
    BIO_meth_free(m);
    return NULL;
}

/* ---- cookies: when, for which address, and that we said so for this ufrag ---- */

static void cookie_mac(const hf_webrtc_visit *v, const uint8_t *said, uint8_t ret[32]) {
    uint8_t text[4 + sizeof(hf_webrtc_place) + sizeof(hf_webrtc_tag)];
    memcpy(text, said, COOKIE_LEN - COOKIE_MAC_LEN);
    memcpy(text + COOKIE_LEN - COOKIE_MAC_LEN, &v->tag, sizeof v->tag);
    hf_hmac_sha256(HF_BYTES(v->secret, 32), HF_BYTES(text, sizeof text), ret);
}

static int make_cookie(SSL *ssl, unsigned char *cookie, unsigned *ret_len) {
    const hf_webrtc_visit *v = SSL_get_app_data(ssl);
    uint8_t mac[32];
    if (!v) return 0;
    memcpy(cookie, &v->now_s, 4);
    memcpy(cookie + 4, &v->place, sizeof v->place);
    cookie_mac(v, cookie, mac);
    memcpy(cookie + COOKIE_LEN - COOKIE_MAC_LEN, mac, COOKIE_MAC_LEN);
    *ret_len = COOKIE_LEN;
    return 1;
}

/* The address may be another by now, when the browser has several that reach us: the ufrag, which it chose at random, says that it is the same browser. */
static int check_cookie(SSL *ssl, const unsigned char *cookie, unsigned len) {
    hf_webrtc_visit *v = SSL_get_app_data(ssl);
    uint8_t mac[32];
    uint32_t made_s;
    if (!v || len != COOKIE_LEN) return 0;
    memcpy(&made_s, cookie, 4);
    cookie_mac(v, cookie, mac);
    if (!hf_equal_ct(mac, cookie + COOKIE_LEN - COOKIE_MAC_LEN, COOKIE_MAC_LEN) || v->now_s - made_s > HF_WEBRTC_COOKIE_S) return 0;
    memcpy(&v->proven, cookie + 4, sizeof v->proven);
    return 1;
}

/* ---- settings ---- */

static int accept_any(X509_STORE_CTX *store, void *ctx) {
    (void)store, (void)ctx;
    return 1;
}

SSL_CTX *hf_webrtc_dtls_open(const hf_webrtc_cert *cert, bool client) {
    SSL_CTX *dtls = SSL_CTX_new(client ? DTLS_client_method() : DTLS_server_method());
    if (!dtls) return NULL;
    SSL_CTX_set_min_proto_version(dtls, DTLS1_2_VERSION);
    SSL_CTX_set_options(dtls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET | SSL_OP_NO_QUERY_MTU | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(dtls, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(dtls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(dtls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(dtls, accept_any, NULL);
    SSL_CTX_set_max_cert_list(dtls, CERTIFICATE_MAX);
    SSL_CTX_set_cookie_generate_cb(dtls, make_cookie);
    SSL_CTX_set_cookie_verify_cb(dtls, check_cookie);
    bool ok = SSL_CTX_set_cipher_list(dtls, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305") == 1 &&
              SSL_CTX_set1_groups_list(dtls, "X25519:P-256") == 1 && SSL_CTX_use_certificate(dtls, cert->x509) == 1 && SSL_CTX_use_PrivateKey(dtls, cert->key) == 1;
    if (ok) return dtls;
    SSL_CTX_free(dtls);
    ERR_clear_error();
    return NULL;
}

static SSL *make(SSL_CTX *dtls, hf_webrtc_pipe *pipe) {
    SSL *ssl = SSL_new(dtls);
    const BIO_METHOD *method = bio_method();
    BIO *bio = ssl && method ? BIO_new(method) : NULL;
    if (!bio) return SSL_free(ssl), NULL;
    BIO_set_data(bio, pipe);
    SSL_set_bio(ssl, bio, bio);
    DTLS_set_link_mtu(ssl, LINK_MTU);
    return ssl;
}

SSL *hf_webrtc_dtls_new(SSL_CTX *dtls, hf_webrtc_pipe *pipe, hf_webrtc_visit *visit) {
    SSL *ssl = make(dtls, pipe);
    if (!ssl) return NULL;
    SSL_set_app_data(ssl, visit);
    SSL_set_accept_state(ssl);
    return ssl;
}

SSL *hf_webrtc_dtls_call(SSL_CTX *dtls, hf_webrtc_pipe *pipe) {
    SSL *ssl = make(dtls, pipe);
    if (ssl) SSL_set_connect_state(ssl);
    return ssl;
}

void hf_webrtc_dtls_hand_over(SSL *ssl, hf_webrtc_pipe *pipe) {
    BIO_set_data(SSL_get_rbio(ssl), pipe);
}

hf_webrtc_greeting hf_webrtc_dtls_greet(SSL *ssl) {
    BIO_ADDR *nobody = BIO_ADDR_new();
    if (!nobody) return HF_WEBRTC_UNGREETED;
    ERR_clear_error();
    int n = DTLSv1_listen(ssl, nobody);
    BIO_ADDR_free(nobody);
    ERR_clear_error();
    return n > 0 ? HF_WEBRTC_GREETED : n == 0 ? HF_WEBRTC_UNGREETED : HF_WEBRTC_SPOILT;
}

bool hf_webrtc_dtls_peer_digest(SSL *ssl, uint8_t ret[32]) {
    X509 *x509 = SSL_get1_peer_certificate(ssl);
    unsigned len = 0;
    bool ok = x509 && X509_digest(x509, EVP_sha256(), ret, &len) && len == 32;
    X509_free(x509);
    return ok;
}
