/* ip: IPv4 and IPv6 addresses, bytes <-> text. IPv6 is written as RFC 5952 says (lower case, the longest run of two
 * or more zero groups, the first of equals, as "::") and read in every form of RFC 4291 section 2.2. */
#ifndef HF_IP_H
#define HF_IP_H
#include "../base/base.h"

/* "1.2.3.4": four numbers to 255, without leading zeros. */
HF_MUST_USE hf_err hf_ip4_parse(hf_bytes text, uint8_t ret[4]);
void hf_ip4_add(hf_buf *buf, const uint8_t ip[4]);
/* Without brackets or zone. */
HF_MUST_USE hf_err hf_ip6_parse(hf_bytes text, uint8_t ret[16]);
void hf_ip6_add(hf_buf *buf, const uint8_t ip[16]);
#endif
