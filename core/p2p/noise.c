/* noise: the handshake and the transport ciphers; noise_payload.c has what libp2p puts inside. Names h, ck, s, e, rs,
 * re, MixHash, MixKey are those of the Noise specification, section 5. */
#include "noise.h"

#include "../crypto/crypto.h"

#include <string.h>

#define PROTOCOL_NAME "Noise_XX_25519_ChaChaPoly_SHA256"
static const uint64_t nonce_end = 0xffffffffu;

/* ---- CipherState ---- */

/* "ChaChaPoly: The 96-bit nonce is formed by encoding 32 bits of zeros followed by little-endian encoding of n." */
static void make_nonce(uint64_t n, uint8_t ret[12]) {
    memset(ret, 0, 12);
    for (size_t i = 0; i < 8; i++) ret[4 + i] = (uint8_t)(n >> (8 * i));
}

static void seal(hf_noise_cipher *c, hf_bytes ad, hf_bytes bytes, uint8_t *ret) {
    uint8_t nonce[12];
    make_nonce(c->nonce++, nonce);
    hf_aead_seal(c->key, nonce, ad, bytes, ret);
}

static hf_err open(hf_noise_cipher *c, hf_bytes ad, hf_bytes bytes, uint8_t *ret) {
    uint8_t nonce[12];
    if (bytes.len < HF_NOISE_TAG_LEN) return HF_DENIED;
    make_nonce(c->nonce, nonce);
    hf_err err = hf_aead_open(c->key, nonce, ad, bytes, ret);
    if (!err) c->nonce++; /* "If an authentication failure occurs in DecryptWithAd() then n is not incremented" */
    return err;
}

/* ---- SymmetricState ---- */

static void mix_hash(hf_noise *n, hf_bytes data) {
    hf_sha256 sha;
    hf_sha256_init(&sha);
    hf_sha256_add(&sha, HF_BYTES(n->h, 32));
    hf_sha256_add(&sha, data);
    hf_sha256_end(&sha, n->h);
}

static void hkdf2(const uint8_t ck[32], hf_bytes ikm, uint8_t ret[64]) {
    hf_err err = hf_hkdf_sha256(HF_BYTES(ck, 32), ikm, HF_BYTES("", 0), ret, 64);
    HF_ASSERT(!err);
}

static void mix_key(hf_noise *n, const uint8_t ikm[32]) {
    uint8_t two[64];
    hkdf2(n->ck, HF_BYTES(ikm, 32), two);
    memcpy(n->ck, two, 32);
    memcpy(n->cipher.key, two + 32, 32);
    n->cipher.nonce = 0;
    n->keyed = true;
    hf_wipe(two, sizeof two);
}

static hf_err mix_dh(hf_noise *n, const uint8_t secret[32], const uint8_t peer_public[32]) {
    uint8_t shared[32];
    hf_err err = hf_x25519(secret, peer_public, shared);
    if (!err) mix_key(n, shared);
    hf_wipe(shared, sizeof shared);
    return err;
}

/* EncryptAndHash straight into the message; before the first key it is the plain text. */
static void encrypt_and_hash(hf_noise *n, hf_bytes plain, hf_buf *out) {
    size_t len = plain.len + (n->keyed ? HF_NOISE_TAG_LEN : 0);
    uint8_t *p = hf_buf_extend(out, len);
    if (!p) return;
    if (n->keyed)
        seal(&n->cipher, HF_BYTES(n->h, 32), plain, p);
    else if (plain.len)
        memcpy(p, plain.ptr, plain.len);
    mix_hash(n, HF_BYTES(p, len));
}

static hf_err decrypt_and_hash(hf_noise *n, hf_bytes cipher, uint8_t *ret) {
    uint8_t h_next[32];
    hf_sha256 sha;
    hf_sha256_init(&sha);
    hf_sha256_add(&sha, HF_BYTES(n->h, 32));
    hf_sha256_add(&sha, cipher);
    hf_sha256_end(&sha, h_next); /* before `ret` may overwrite it */
    if (!n->keyed) {
        if (cipher.len) memmove(ret, cipher.ptr, cipher.len);
    } else if (open(&n->cipher, HF_BYTES(n->h, 32), cipher, ret))
        return HF_DENIED;
    memcpy(n->h, h_next, 32);
    return HF_OK;
}

/* ---- HandshakeState: XX as a table; 'E' and 'S' send keys, the rest are Diffie-Hellmans named initiator's key first
 * ---- */

static const char *const pattern[3] = {"E", "ErSt", "Sw"}; /* r: ee, t: es, w: se */

static hf_err mix_token(hf_noise *n, char token) {
    if (token == 'r') return mix_dh(n, n->e, n->re);
    bool own_static = (token == 'w') == n->initiator; /* se: the initiator's static; es: the responder's */
    return own_static ? mix_dh(n, n->s, n->re) : mix_dh(n, n->e, n->rs);
}

void hf_noise_init(hf_noise *noise, bool initiator, hf_bytes prologue, const uint8_t static_secret[32],
                   const uint8_t static_public[32], const uint8_t ephemeral_secret[32]) {
    *noise = (hf_noise){.initiator = initiator};
    memcpy(noise->h, PROTOCOL_NAME, 32); /* the name is exactly HASHLEN bytes, so it is not hashed */
    memcpy(noise->ck, noise->h, 32);
    memcpy(noise->s, static_secret, 32);
    memcpy(noise->s_public, static_public, 32);
    memcpy(noise->e, ephemeral_secret, 32);
    hf_x25519_public(noise->e, noise->e_public);
    mix_hash(noise, prologue);
}

void hf_noise_deinit(hf_noise *noise) { hf_wipe(noise, sizeof *noise); }

bool hf_noise_done(const hf_noise *noise) { return noise->step == HF_COUNT(pattern); }

bool hf_noise_my_turn(const hf_noise *noise) {
    return !hf_noise_done(noise) && (noise->step % 2 == 0) == noise->initiator;
}

static void write_key(hf_noise *n, char token, hf_buf *out) {
    if (token == 'S') {
        encrypt_and_hash(n, HF_BYTES(n->s_public, 32), out);
        return;
    }
    hf_buf_add(out, HF_BYTES(n->e_public, 32));
    mix_hash(n, HF_BYTES(n->e_public, 32));
}

hf_err hf_noise_write(hf_noise *noise, hf_bytes payload, hf_buf *out) {
    if (!hf_noise_my_turn(noise)) return HF_STATE;
    if (payload.len > HF_NOISE_PAYLOAD_MAX) return HF_LIMIT;
    size_t start = out->len;
    if (!hf_buf_extend(out, 2)) return HF_NOMEM;
    for (const char *token = pattern[noise->step]; *token; token++) {
        hf_err err = HF_OK;
        if (*token == 'E' || *token == 'S')
            write_key(noise, *token, out);
        else
            err = mix_token(noise, *token);
        if (err) return err;
    }
    encrypt_and_hash(noise, payload, out);
    if (out->err) return out->err;
    size_t len = out->len - start - 2;
    out->ptr[start] = (uint8_t)(len >> 8);
    out->ptr[start + 1] = (uint8_t)len;
    noise->step++;
    return HF_OK;
}

/* Takes one public key from the front of *message. */
static hf_err read_key(hf_noise *n, char token, hf_bytes *message) {
    size_t len = token == 'S' && n->keyed ? 32 + HF_NOISE_TAG_LEN : 32;
    if (message->len < len) return HF_MALFORMED;
    hf_bytes part = hf_sub(*message, 0, len);
    *message = hf_sub(*message, len, message->len);
    if (token == 'S') return decrypt_and_hash(n, part, n->rs);
    memcpy(n->re, part.ptr, 32);
    mix_hash(n, part);
    return HF_OK;
}

hf_err hf_noise_read(hf_noise *noise, hf_bytes message, uint8_t *ret, size_t *ret_len) {
    if (hf_noise_done(noise) || hf_noise_my_turn(noise)) return HF_STATE;
    for (const char *token = pattern[noise->step]; *token; token++) {
        bool key = *token == 'E' || *token == 'S';
        hf_err err = key ? read_key(noise, *token, &message) : mix_token(noise, *token);
        if (err) return err;
    }
    if (noise->keyed && message.len < HF_NOISE_TAG_LEN) return HF_MALFORMED;
    size_t len = message.len - (noise->keyed ? HF_NOISE_TAG_LEN : 0);
    if (decrypt_and_hash(noise, message, ret)) return HF_DENIED;
    noise->step++;
    *ret_len = len;
    return HF_OK;
}

void hf_noise_split(hf_noise *noise, hf_noise_cipher *ret_tx, hf_noise_cipher *ret_rx) {
    HF_ASSERT(hf_noise_done(noise));
    uint8_t two[64];
    hkdf2(noise->ck, HF_BYTES("", 0), two); /* the first key is the initiator's for sending */
    memcpy(ret_tx->key, noise->initiator ? two : two + 32, 32);
    memcpy(ret_rx->key, noise->initiator ? two + 32 : two, 32);
    ret_tx->nonce = ret_rx->nonce = 0;
    hf_wipe(two, sizeof two);
    hf_noise_deinit(noise);
}

/* ---- transport messages ---- */

static const hf_bytes no_ad = {(const uint8_t *)"", 0};

hf_err hf_noise_seal(hf_noise_cipher *cipher, hf_bytes bytes, hf_buf *out) {
    while (bytes.len) {
        size_t len = bytes.len < HF_NOISE_PLAIN_MAX ? bytes.len : HF_NOISE_PLAIN_MAX;
        if (cipher->nonce >= nonce_end) return HF_LIMIT;
        uint8_t *p = hf_buf_extend(out, 2 + len + HF_NOISE_TAG_LEN);
        if (!p) return HF_NOMEM;
        p[0] = (uint8_t)((len + HF_NOISE_TAG_LEN) >> 8);
        p[1] = (uint8_t)(len + HF_NOISE_TAG_LEN);
        seal(cipher, no_ad, hf_sub(bytes, 0, len), p + 2);
        bytes = hf_sub(bytes, len, bytes.len);
    }
    return HF_OK;
}

hf_err hf_noise_open(hf_noise_cipher *cipher, hf_bytes message, uint8_t *ret) {
    if (cipher->nonce >= nonce_end) return HF_LIMIT;
    return open(cipher, no_ad, message, ret);
}
