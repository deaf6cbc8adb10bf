/* What webrtc-direct computes with OpenSSL: the vectors of STUN, and the certificate's life in its file. */
#include "webrtc_private.h"

#include "../tests/kit/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const hf_stun_mac MAC = {hf_webrtc_hmac_sha1, NULL};

static void check_vector(const char *hex, hf_stun_class kind, hf_stun_message *ret) {
    hf_bytes packet = hf_test_hex(hf_str(hex));
    CHECK_ERR(hf_stun_read(packet, ret, NULL), HF_OK);
    CHECK(ret->kind == kind && ret->fingerprinted);
    CHECK_ERR(hf_stun_check(packet, ret, HF_TEXT("VOkJxbRl1RmTxUk/WvJxBt"), MAC), HF_OK);
    CHECK_ERR(hf_stun_check(packet, ret, HF_TEXT("VOkJxbRl1RmTxUk/WvJxBT"), MAC), HF_DENIED);
}

HF_TEST(webrtc_stun_vectors_of_rfc_5769) {
    hf_stun_message m;
    check_vector("000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36"
                 "000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf",
                 HF_STUN_REQUEST, &m);
    CHECK_BYTES(m.username, HF_TEXT("evtj:h6vY"));
    CHECK(m.has_priority && m.priority == 0x6e0001ff && m.controlled && m.tie_breaker == 0x932ff9b151263b36);
    check_vector("0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b91f599fd9e90c3"
                 "8c7489f92af9ba53f06be7d780280004c07d4c96",
                 HF_STUN_SUCCESS, &m);
    CHECK(m.has_mapped && !m.mapped.v6 && m.mapped.port == 32853 && !memcmp(m.mapped.ip, "\xc0\0\2\1", 4));
    check_vector("010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
                 "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c",
                 HF_STUN_SUCCESS, &m);
    CHECK(m.has_mapped && m.mapped.v6 && m.mapped.port == 32853 && !memcmp(m.mapped.ip, "\x20\1\xd\xb8\x12\x34\x56\x78\0\x11\x22\x33\x44\x55\x66\x77", 16));
}

static void in_folder(void (*run)(const char *path)) {
    char dir[] = "/tmp/holdfast-webrtc-XXXXXX", path[64];
    CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/webrtc.pem", dir);
    run(path);
    unlink(path);
    CHECK(rmdir(dir) == 0);
}

static void try_keeping(const char *path) {
    hf_webrtc_cert first, again, fresh;
    const char *problem = "";
    struct stat about;
    CHECK_MSG(hf_webrtc_cert_open(&first, path, &problem), "%s", problem);
    CHECK(stat(path, &about) == 0 && (about.st_mode & 077) == 0);
    CHECK(hf_webrtc_cert_open(&again, path, &problem) && hf_webrtc_cert_open(&fresh, NULL, &problem));
    CHECK(!memcmp(first.digest, again.digest, 32) && memcmp(first.digest, fresh.digest, 32) != 0);
    CHECK(!hf_webrtc_cert_is_old(&first));
    /* eleven months and more later it is another */
    CHECK(X509_gmtime_adj(X509_getm_notAfter(again.x509), 29L * 24 * 3600) != NULL);
    CHECK(hf_webrtc_cert_is_old(&again));
    CHECK(X509_gmtime_adj(X509_getm_notAfter(again.x509), -10) != NULL);
    CHECK(hf_webrtc_cert_is_old(&again));
    hf_webrtc_cert_drop(&first);
    hf_webrtc_cert_drop(&again);
    hf_webrtc_cert_drop(&fresh);
}

static void try_damage(const char *path) {
    hf_webrtc_cert cert;
    const char *problem = "";
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fputs("-----BEGIN NOTHING-----\n", file) >= 0 && !fclose(file));
    CHECK(!hf_webrtc_cert_open(&cert, path, &problem)); /* not overwritten: it may be somebody's key */
    CHECK(strstr(problem, "holds no key") != NULL);
    CHECK(!hf_webrtc_cert_open(&cert, "/nowhere/at/all.pem", &problem));
}

HF_TEST(webrtc_certificate_is_kept) { in_folder(try_keeping); }
HF_TEST(webrtc_certificate_file_that_is_damaged) { in_folder(try_damage); }
