/* verify: how long libsecp256k1 alone takes for N signatures over N different digests: the least that taking N entries from a stranger can cost.
 *      verify N      prints the seconds, and the seconds of processor time */
#include <secp256k1.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void must(int ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "failed: %s\n", what);
    exit(1);
}

int main(int argc, char **argv) {
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
    unsigned char secret[32], digest[32] = {0};
    secp256k1_ecdsa_signature *signatures = calloc(n, sizeof *signatures);
    secp256k1_context *context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    secp256k1_pubkey key;
    memset(secret, 7, sizeof secret);
    must(signatures && secp256k1_ec_pubkey_create(context, &key, secret), "public key");
    for (size_t i = 0; i < n; i++) {
        memcpy(digest, &i, sizeof i);
        must(secp256k1_ecdsa_sign(context, &signatures[i], digest, secret, NULL, NULL), "sign");
    }
    double from = seconds(CLOCK_MONOTONIC), used = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < n; i++) {
        memcpy(digest, &i, sizeof i);
        must(secp256k1_ecdsa_verify(context, &signatures[i], digest, &key), "verify");
    }
    printf("%.6f %.6f\n", seconds(CLOCK_MONOTONIC) - from, seconds(CLOCK_PROCESS_CPUTIME_ID) - used);
    free(signatures);
    secp256k1_context_destroy(context);
    return 0;
}
