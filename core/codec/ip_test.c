/* IP addresses: RFC 5952's and RFC 4291's examples, and what is none. */
#include "../../tests/kit/check.h"
#include "ip.h"

static const struct { const char *text, *hex, *written; } IP6[] = {
    {"::", "00000000000000000000000000000000", "::"},
    {"::1", "00000000000000000000000000000001", "::1"},
    {"1::", "00010000000000000000000000000000", "1::"},
    {"0:0:0:0:0:0:0:1", "00000000000000000000000000000001", "::1"},
    {"2001:DB8:0:0:8:800:200C:417A", "20010db80000000000080800200c417a", "2001:db8::8:800:200c:417a"},
    {"2001:db8:0:1:1:1:1:1", "20010db8000000010001000100010001",
     "2001:db8:0:1:1:1:1:1"},                                                    /* 4.2.2: one group is not shortened */
    {"2001:0:0:1:0:0:0:1", "20010000000000010000000000000001", "2001:0:0:1::1"}, /* 4.2.3: the longest run */
    {"2001:db8:0:0:1:0:0:1", "20010db8000000000001000000000001", "2001:db8::1:0:0:1"}, /* 4.2.3: the first of equals */
    {"ff01::101", "ff010000000000000000000000000101", "ff01::101"},
    {"::ffff:129.144.52.38", "00000000000000000000ffff81903426", "::ffff:8190:3426"},
    {"1:2:3:4:5:6:1.2.3.4", "00010002000300040005000601020304", "1:2:3:4:5:6:102:304"},
    {"1:2:3:4:5:6:7::", "00010002000300040005000600070000", "1:2:3:4:5:6:7:0"},
    {"::2:3:4:5:6:7:8", "00000002000300040005000600070008", "0:2:3:4:5:6:7:8"},
    {"fe80::abcd:0012", "fe8000000000000000000000abcd0012", "fe80::abcd:12"},
};

HF_TEST(ip6_reads_and_writes) {
    for (size_t i = 0; i < HF_COUNT(IP6); i++) {
        uint8_t ip[16];
        hf_buf buf;
        CHECK_ERR(hf_ip6_parse(hf_str(IP6[i].text), ip), HF_OK);
        CHECK_BYTES(HF_BYTES(ip, 16), hf_test_hex(hf_str(IP6[i].hex)));
        hf_buf_init(&buf, hf_test_mem());
        hf_ip6_add(&buf, ip);
        CHECK_BYTES(hf_buf_bytes(&buf), hf_str(IP6[i].written));
        hf_buf_deinit(&buf);
    }
}

HF_TEST(ip6_refuses) {
    static const char *const rows[] = {"",
                                       ":",
                                       ":::",
                                       "1",
                                       "1:2:3:4:5:6:7",
                                       "1:2:3:4:5:6:7:8:9",
                                       "1:2:3:4:5:6:7:8::",
                                       "::1:2:3:4:5:6:7:8",
                                       "1::2::3",
                                       ":1::2",
                                       "1::2:",
                                       "12345::",
                                       "g::",
                                       "::1.2.3",
                                       "::1.2.3.4:5",
                                       "1.2.3.4::",
                                       "::1.2.3.256",
                                       "1:2:3:4:5:6:7:1.2.3.4",
                                       "fe80::1%eth0",
                                       "[::1]",
                                       " ::1",
                                       "1.2.3.4"};
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        uint8_t ip[16];
        CHECK_MSG(hf_ip6_parse(hf_str(rows[i]), ip) == HF_MALFORMED, "%s was read", rows[i]);
    }
}

HF_TEST(ip4_reads_and_writes) {
    static const char *const rows[] = {"0.0.0.0", "127.0.0.1", "255.255.255.255", "10.20.30.40"};
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        uint8_t ip[4];
        hf_buf buf;
        CHECK_ERR(hf_ip4_parse(hf_str(rows[i]), ip), HF_OK);
        hf_buf_init(&buf, hf_test_mem());
        hf_ip4_add(&buf, ip);
        CHECK_BYTES(hf_buf_bytes(&buf), hf_str(rows[i]));
        hf_buf_deinit(&buf);
    }
}

HF_TEST(ip4_refuses) {
    static const char *const rows[] = {"",         ".",         "1",        "1.2.3",     "1.2.3.",   "1.2.3.4.",
                                       ".1.2.3",   "1.2.3.4.5", "1..2.3",   "256.0.0.1", "1.2.3.04", "1.2.3.0004",
                                       "1.2.3.4 ", "1.2.3.x",   "-1.2.3.4", "0x1.2.3.4"};
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        uint8_t ip[4];
        CHECK_MSG(hf_ip4_parse(hf_str(rows[i]), ip) == HF_MALFORMED, "%s was read", rows[i]);
    }
}
