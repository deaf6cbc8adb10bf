/* tls: see tls.h. */
#include "tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

static char problem[500];

static hf_tls *refuse(hf_tls *tls, const char *file) {
    char reason[200];
    ERR_error_string_n(ERR_peek_error(), reason, sizeof reason);
    ERR_clear_error();
    snprintf(problem, sizeof problem, "%.250s: %s", file, reason);
    SSL_CTX_free(tls);
    return NULL;
}

/* "http/1.1" or nothing: a client that wants something else goes on without. */
static int choose_protocol(SSL *link, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len, void *ctx) {
    static const unsigned char ours[] = "\x08http/1.1";
    (void)link, (void)ctx;
    unsigned char *chosen;
    int found = SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, in, in_len);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

hf_tls *hf_tls_open(const char *cert, const char *key, const char **ret_problem) {
    *ret_problem = problem;
    hf_tls *tls = SSL_CTX_new(TLS_server_method());
    if (!tls) return refuse(NULL, "TLS");
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(tls, choose_protocol, NULL);
    if (SSL_CTX_use_certificate_chain_file(tls, cert) != 1) return refuse(tls, cert);
    if (SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(tls) != 1) return refuse(tls, key);
    return tls;
}

void hf_tls_close(hf_tls *tls) { SSL_CTX_free(tls); }

hf_tls_link *hf_tls_link_open(hf_tls *tls, int fd) {
    hf_tls_link *link = SSL_new(tls);
    if (!link) return NULL;
    if (SSL_set_fd(link, fd) != 1) return SSL_free(link), NULL;
    SSL_set_accept_state(link);
    return link;
}

void hf_tls_link_close(hf_tls_link *link) { SSL_free(link); }

static ssize_t result(hf_tls_link *link, int n, bool *ret_wants_write) {
    *ret_wants_write = false;
    if (n > 0) return n;
    int why = SSL_get_error(link, n);
    ERR_clear_error();
    if (why == SSL_ERROR_ZERO_RETURN) return 0;
    *ret_wants_write = why == SSL_ERROR_WANT_WRITE;
    errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
    return -1;
}

/* Before each call the queue of errors is emptied: what others left there would be taken for this connection's. */

ssize_t hf_tls_read(hf_tls_link *link, void *bytes, size_t len, bool *ret_wants_write) {
    ERR_clear_error();
    return result(link, SSL_read(link, bytes, len > INT_MAX ? INT_MAX : (int)len), ret_wants_write);
}

ssize_t hf_tls_write(hf_tls_link *link, const void *bytes, size_t len, bool *ret_wants_write) {
    ERR_clear_error();
    return result(link, SSL_write(link, bytes, len > INT_MAX ? INT_MAX : (int)len), ret_wants_write);
}

void hf_tls_end(hf_tls_link *link) {
    if (SSL_is_init_finished(link)) SSL_shutdown(link);
    ERR_clear_error();
}
