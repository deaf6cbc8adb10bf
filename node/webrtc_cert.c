/* webrtc_cert: see webrtc_private.h. Self-signed, P-256, a year: nobody looks at anything in it but its digest, which stands in our address, so it is
 * kept as long as possible. */
#include "webrtc_private.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DAY_S = 24 * 3600, VALID_DAYS = 365, RENEW_DAYS = 30 };

static char problem[512];

static bool complain(const char *path, const char *what, const char **ret_problem) {
    ERR_clear_error();
    snprintf(problem, sizeof problem, "%.300s%s%s", path ? path : "", path ? ": " : "", what);
    *ret_problem = problem;
    return false;
}

void hf_webrtc_cert_drop(hf_webrtc_cert *cert) {
    X509_free(cert->x509);
    EVP_PKEY_free(cert->key);
    *cert = (hf_webrtc_cert){.x509 = NULL};
}

bool hf_webrtc_cert_is_old(const hf_webrtc_cert *cert) {
    int days = 0, seconds = 0;
    return !ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert->x509)) || days < RENEW_DAYS;
}

static bool take_digest(hf_webrtc_cert *cert) {
    unsigned len = 0;
    return X509_digest(cert->x509, EVP_sha256(), cert->digest, &len) && len == sizeof cert->digest;
}

/* The name says nothing: a certificate that is the same for years must not tell more than it has to. */
static bool fill(X509 *x509, EVP_PKEY *key) {
    uint8_t serial[8];
    X509_NAME *name = X509_get_subject_name(x509);
    if (RAND_bytes(serial, sizeof serial) != 1) return false;
    serial[0] &= 0x7f;
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) && X509_set_version(x509, 2) &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"WebRTC", -1, -1, 0) && X509_set_issuer_name(x509, name) &&
              X509_gmtime_adj(X509_getm_notBefore(x509), -DAY_S) && X509_gmtime_adj(X509_getm_notAfter(x509), (long)VALID_DAYS * DAY_S) &&
              X509_set_pubkey(x509, key) && X509_sign(x509, key, EVP_sha256());
    BN_free(number);
    return ok;
}

static bool make(hf_webrtc_cert *ret) {
    *ret = (hf_webrtc_cert){.x509 = X509_new(), .key = EVP_EC_gen("P-256")};
    if (ret->x509 && ret->key && fill(ret->x509, ret->key) && take_digest(ret)) return true;
    hf_webrtc_cert_drop(ret);
    return false;
}

static bool read_file(hf_webrtc_cert *ret, const char *path) {
    FILE *file = fopen(path, "r");
    *ret = (hf_webrtc_cert){.x509 = NULL};
    if (!file) return false;
    ret->key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    ret->x509 = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    if (ret->key && ret->x509 && EVP_PKEY_is_a(ret->key, "EC") && X509_check_private_key(ret->x509, ret->key) == 1 && take_digest(ret)) return true;
    hf_webrtc_cert_drop(ret);
    return false;
}

/* Whole or not at all. */
static bool write_file(const hf_webrtc_cert *cert, const char *path) {
    char next[4200];
    if (snprintf(next, sizeof next, "%s.new", path) >= (int)sizeof next) return errno = ENAMETOOLONG, false;
    mode_t before = umask(077);
    FILE *file = fopen(next, "w");
    umask(before);
    if (!file) return false;
    bool ok = PEM_write_PrivateKey(file, cert->key, NULL, NULL, 0, NULL, NULL) && PEM_write_X509(file, cert->x509) && !fflush(file) && !fsync(fileno(file));
    ok = !fclose(file) && ok && !rename(next, path);
    if (!ok) unlink(next);
    return ok;
}

bool hf_webrtc_cert_open(hf_webrtc_cert *ret, const char *path, const char **ret_problem) {
    if (path && read_file(ret, path)) {
        if (!hf_webrtc_cert_is_old(ret)) return true;
        hf_webrtc_cert_drop(ret);
    } else if (path && !access(path, F_OK)) return complain(path, "holds no key with its certificate", ret_problem);
    if (!make(ret)) return complain(NULL, "no certificate could be made", ret_problem);
    if (!path || write_file(ret, path)) return true;
    hf_webrtc_cert_drop(ret);
    return complain(path, strerror(errno), ret_problem);
}
