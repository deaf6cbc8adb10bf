/* crypto_start: the libraries of cryptography made ready. OpenSSL makes its parts when they are first used, and follows a null pointer when there is no
 * memory for them just then; so they are made at the start, where having none is told and ends the program. False: libsodium is of no use here. */
#ifndef HF_NODE_CRYPTO_START_H
#define HF_NODE_CRYPTO_START_H
#include <stdbool.h>

bool hf_crypto_start(void);
#endif
