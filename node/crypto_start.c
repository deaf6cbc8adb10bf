/* crypto_start: see crypto_start.h. */
#include "crypto_start.h"

#include "../core/crypto/crypto.h"

#include <openssl/crypto.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONG_MESSAGE = 4096 /* OpenSSL's work: core/crypto/aead_native.c */ };

static bool starting;

static void *checked(void *ptr) {
    static const char TEXT[] = "holdfast: no memory to start\n";
    if (ptr || !starting) return ptr;
    (void)!write(STDERR_FILENO, TEXT, sizeof TEXT - 1);
    _exit(1);
}

static void *take(size_t len, const char *file, int line) {
    (void)file, (void)line;
    return len ? checked(malloc(len)) : NULL;
}

static void *resize(void *ptr, size_t len, const char *file, int line) {
    (void)file, (void)line;
    if (len) return checked(realloc(ptr, len));
    free(ptr);
    return NULL;
}

static void give_back(void *ptr, const char *file, int line) {
    (void)file, (void)line;
    free(ptr);
}

bool hf_crypto_start(void) {
    static const uint8_t KEY[32], NONCE[12];
    uint8_t message[LONG_MESSAGE + 16];
    memset(message, 0, sizeof message);
    CRYPTO_set_mem_functions(take, resize, give_back);
    starting = true;
    OPENSSL_init_crypto(0, NULL);
    hf_aead_seal(KEY, NONCE, HF_BYTES(NULL, 0), HF_BYTES(message, LONG_MESSAGE), message);
    starting = false;
    return sodium_init() >= 0; /* picks the fastest code for this processor; the core must not */
}
