/* tls: TLS 1.2 and 1.3 on a connection's descriptor, by OpenSSL. Offers http/1.1 only, as that is what we write. */
#ifndef HF_NODE_TLS_H
#define HF_NODE_TLS_H
#include <stdbool.h>
#include <sys/types.h>

typedef struct ssl_ctx_st hf_tls;
typedef struct ssl_st hf_tls_link;

/* Certificate chain and key in PEM. NULL: *ret_problem. */
hf_tls *hf_tls_open(const char *cert, const char *key, const char **ret_problem);
void hf_tls_close(hf_tls *tls);
/* The server's side over a descriptor that stays the caller's; shakes hands with the first reads. NULL: no memory. */
hf_tls_link *hf_tls_link_open(hf_tls *tls, int fd);
void hf_tls_link_close(hf_tls_link *link);
/* As read(2) and write(2) without blocking: -1 with EAGAIN: *ret_wants_write says for what. */
ssize_t hf_tls_read(hf_tls_link *link, void *bytes, size_t len, bool *ret_wants_write);
ssize_t hf_tls_write(hf_tls_link *link, const void *bytes, size_t len, bool *ret_wants_write);
/* Says goodbye, if that can be done at once. */
void hf_tls_end(hf_tls_link *link);
#endif
