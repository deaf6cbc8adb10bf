/* What libsodium's sources expect around them and the browser's module does not have or does not want:
 * randomness (the core's is handed in; nothing may fetch its own) and libsodium's message for a misuse. */
#include "core.h"
#include "randombytes.h"

#include "private/ed25519_ref10.h"

void sodium_misuse(void) { __builtin_trap(); }

void randombytes_buf(void *const buf, const size_t size) {
    (void)buf, (void)size;
    __builtin_trap();
}

/* libsodium multiplies the base point with the help of a 30 KB table that compression cannot shrink. Its general
 * multiplication is constant-time as well, and the browser makes few signatures of this kind. The library's function of
 * this name is renamed away when ed25519_ref10.c is compiled. The point: RFC 8032, 5.1, B = (x, 4/5) with even x. */
void ge25519_scalarmult_base(ge25519_p3 *h, const unsigned char *a) {
    static const unsigned char base_point[32] = {0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                                 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                                 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66};
    ge25519_p3 base;
    if (ge25519_frombytes(&base, base_point) != 0) __builtin_trap();
    ge25519_scalarmult(h, a, &base);
}
