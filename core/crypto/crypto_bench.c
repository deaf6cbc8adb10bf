/* How fast the crypto is here: `make bench` runs this natively and in WebAssembly. */
#define _POSIX_C_SOURCE 199309L
#include "crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BULK_LEN = 65536, ROUND_NS = 200000000 };

static const uint8_t secret[32] = {5}, nonce[12] = {0};
static uint8_t bulk[BULK_LEN + 16], der[HF_DER_MAX], public_key[33], ed_public[32], ed_signature[64], shared[32];
static size_t der_len;
static hf_secp *secp;
static hf_err failed;

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

static void secp_sign(void) { failed |= hf_secp_sign(secp, secret, HF_TEXT("entry"), der, &der_len); }
static void secp_verify(void) {
    hf_secp_key key;
    failed |= hf_secp_parse(HF_BYTES(public_key, 33), &key);
    failed |= hf_secp_verify(&key, HF_TEXT("entry"), HF_BYTES(der, der_len));
}
static void ed25519_sign(void) { hf_ed25519_sign(secret, ed_public, HF_TEXT("entry"), ed_signature); }
static void ed25519_verify(void) { failed |= hf_ed25519_verify(ed_public, HF_TEXT("entry"), HF_BYTES(ed_signature, 64)); }
static void x25519(void) { failed |= hf_x25519(secret, ed_public, shared); }
static void x25519_public(void) { hf_x25519_public(secret, shared); }
static void sha256_short(void) { hf_sha256_of(HF_BYTES(bulk, 200), shared); }
static void sha256_bulk(void) { hf_sha256_of(HF_BYTES(bulk, BULK_LEN), shared); }
static void aead_bulk(void) { hf_aead_seal(secret, nonce, HF_TEXT(""), HF_BYTES(bulk, BULK_LEN), bulk); }

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Calls a second, the best of three rounds: what the machine's other work cannot spoil. */
static double rate(void (*run)(void)) {
    double best = 0;
    for (int round = 0; round < 3; round++) {
        uint64_t from = now_ns(), n = 0, ns;
        do {
            run();
            n++;
            ns = now_ns() - from;
        } while (ns < ROUND_NS);
        double got = (double)n * 1e9 / (double)ns;
        if (got > best) best = got;
    }
    return best;
}

int main(void) {
    static const struct { const char *name; void (*run)(void); bool is_bulk; } rows[] = {
        {"secp256k1 sign", secp_sign, false},        {"secp256k1 parse key, verify", secp_verify, false},
        {"Ed25519 sign", ed25519_sign, false},       {"Ed25519 verify", ed25519_verify, false},
        {"X25519", x25519, false},                   {"X25519 public key", x25519_public, false},
        {"SHA-256 of 200 bytes", sha256_short, false}, {"SHA-256", sha256_bulk, true},
        {"ChaCha20-Poly1305", aead_bulk, true},
    };
    hf_mem mem = {resize, NULL};
    secp = hf_secp_new(&mem, secret);
    failed |= secp ? hf_secp_public(secp, secret, public_key) : HF_NOMEM;
    if (failed) return 1;
    hf_ed25519_public(secret, ed_public);
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        double per_second = rate(rows[i].run);
        if (rows[i].is_bulk) printf("  %-28s %9.0f MB/s\n", rows[i].name, per_second * BULK_LEN / 1e6);
        else printf("  %-28s %9.0f /s\n", rows[i].name, per_second);
    }
    hf_secp_free(secp);
    return failed != HF_OK;
}
