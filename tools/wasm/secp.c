/* libsecp256k1 for the browser, as one unit: the library's own sources, with its two tables computed at start by its own
 * code instead of being shipped. The tables are 40 to 80 KB of random-looking bytes, which no compression makes smaller;
 * computing them takes a few milliseconds (docs/explanation/crypto-in-wasm.md). Compiled with -I of the library's src/. */
#define SECP256K1_BUILD
#include "../include/secp256k1.h"
#include "assumptions.h"
#include "util.h"

#include "ecmult.h"
#include "ecmult_gen.h"
#include "group.h"

/* In place of the two headers that declare the shipped tables as constants. */
#define SECP256K1_PRECOMPUTED_ECMULT_H
#define SECP256K1_PRECOMPUTED_ECMULT_GEN_H
#define WINDOW_G ECMULT_WINDOW_SIZE
enum { GEN_N = ECMULT_GEN_PREC_N(ECMULT_GEN_PREC_BITS), GEN_G = ECMULT_GEN_PREC_G(ECMULT_GEN_PREC_BITS) };
static secp256k1_ge_storage secp256k1_pre_g[ECMULT_TABLE_SIZE(WINDOW_G)];
static secp256k1_ge_storage secp256k1_pre_g_128[ECMULT_TABLE_SIZE(WINDOW_G)];
static secp256k1_ge_storage secp256k1_ecmult_gen_prec_table[GEN_N][GEN_G];

#include "secp256k1.c"

#include "ecmult_compute_table_impl.h"
#include "ecmult_gen_compute_table_impl.h"

__attribute__((constructor)) static void compute_tables(void) {
    secp256k1_ecmult_compute_two_tables(secp256k1_pre_g, secp256k1_pre_g_128, WINDOW_G, &secp256k1_ge_const_g);
    secp256k1_ecmult_gen_compute_table(&secp256k1_ecmult_gen_prec_table[0][0], &secp256k1_ge_const_g,
                                       ECMULT_GEN_PREC_BITS);
}

/* USE_EXTERNAL_DEFAULT_CALLBACKS: the library's own ones print to stderr, which would import a host function. */
void secp256k1_default_illegal_callback_fn(const char *message, void *data) {
    (void)message, (void)data;
    __builtin_trap();
}

void secp256k1_default_error_callback_fn(const char *message, void *data) {
    (void)message, (void)data;
    __builtin_trap();
}
