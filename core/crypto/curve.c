/* X25519 (RFC 7748) and Ed25519 (RFC 8032) over libsodium.
 *
 * Refuses: an X25519 result of all zeroes (RFC 7748, 6.1, "MAY check": we do, since a peer that can force the shared
 * secret needs no key); Ed25519 signatures with S >= L, non-canonical or small-order keys, small-order R. */
#include "crypto.h"

#include <sodium/crypto_scalarmult_curve25519.h>
#include <sodium/crypto_sign_ed25519.h>
#include <string.h>

enum { SEED_LEN = 32, PUBLIC_LEN = 32, SIGNATURE_LEN = 64, SECRET_LEN = SEED_LEN + PUBLIC_LEN };

void hf_x25519_public(const uint8_t secret[32], uint8_t ret_public[32]) {
    crypto_scalarmult_curve25519_base(ret_public, secret);
}

hf_err hf_x25519(const uint8_t secret[32], const uint8_t peer_public[32], uint8_t ret_shared[32]) {
    uint8_t shared[32];
    hf_err err = crypto_scalarmult_curve25519(shared, secret, peer_public) ? HF_DENIED : HF_OK;
    if (!err) memcpy(ret_shared, shared, sizeof shared);
    hf_wipe(shared, sizeof shared);
    return err;
}

void hf_ed25519_public(const uint8_t seed[32], uint8_t ret_public[32]) {
    uint8_t secret[SECRET_LEN];
    crypto_sign_ed25519_seed_keypair(ret_public, secret, seed);
    hf_wipe(secret, sizeof secret);
}

void hf_ed25519_sign(const uint8_t seed[32], const uint8_t public_key[32], hf_bytes message,
                     uint8_t ret_signature[64]) {
    uint8_t secret[SECRET_LEN]; /* libsodium keeps seed and public key side by side */
    memcpy(secret, seed, SEED_LEN);
    memcpy(secret + SEED_LEN, public_key, PUBLIC_LEN);
    crypto_sign_ed25519_detached(ret_signature, NULL, message.ptr, message.len, secret);
    hf_wipe(secret, sizeof secret);
}

hf_err hf_ed25519_verify(const uint8_t public_key[32], hf_bytes message, hf_bytes signature) {
    if (signature.len != SIGNATURE_LEN) return HF_DENIED;
    int bad = crypto_sign_ed25519_verify_detached(signature.ptr, message.ptr, message.len, public_key);
    return bad ? HF_DENIED : HF_OK;
}
