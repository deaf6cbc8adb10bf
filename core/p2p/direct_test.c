/* webrtc-direct's words: the specification's vectors, both versions of the USERNAME, data channels' OPEN and ACK. */
#include "direct.h"

#include "../../tests/kit/check.h"
#include "dcep.h"

#define PASSWORD "0123456789abcdefghij+/"

HF_TEST(direct_prologue_is_the_specifications) {
    hf_bytes browser = hf_test_hex(HF_TEXT("3e79af40d6059617a0d83b83a52ce73b0c1f37a72c6043ad2969e2351bdca870"));
    hf_bytes listener = hf_test_hex(HF_TEXT("30fc9f469c207419dfdd0aab5f27a86c973c94e40548db9375cca2e915973b99"));
    hf_bytes want = hf_test_hex(HF_TEXT("6c69627032702d7765627274632d6e6f6973653a12203e79af40d6059617a0d83b83a52ce73b0c1f37a72c6043ad2969e2351bdca870"
                                        "122030fc9f469c207419dfdd0aab5f27a86c973c94e40548db9375cca2e915973b99"));
    uint8_t got[HF_DIRECT_PROLOGUE_LEN];
    hf_direct_prologue(browser.ptr, listener.ptr, got);
    CHECK_BYTES(HF_BYTES(got, sizeof got), want);
}

/* As js-libp2p writes it. */
HF_TEST(direct_certhash_is_what_js_writes) {
    hf_bytes digest = hf_test_hex(HF_TEXT("aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899"));
    hf_buf text;
    hf_buf_init(&text, hf_test_mem());
    hf_direct_add_certhash(&text, digest.ptr);
    CHECK_BYTES(hf_buf_bytes(&text), HF_TEXT("/webrtc-direct/certhash/uEiCqu8zd7v8AESIzRFVmd4iZqrvM3e7_ABEiM0RVZneImQ"));
    hf_buf_deinit(&text);
}

HF_TEST(direct_reads_both_versions) {
    hf_direct_username name;
    CHECK_ERR(hf_direct_username_read(HF_TEXT("libp2p+webrtc+v1/abcdefgh:libp2p+webrtc+v1/abcdefgh"), &name), HF_OK);
    CHECK_U64(name.version, 1);
    CHECK_BYTES(name.listener, HF_TEXT("libp2p+webrtc+v1/abcdefgh"));
    CHECK_BYTES(name.browser_password, HF_TEXT("libp2p+webrtc+v1/abcdefgh"));
    CHECK_ERR(hf_direct_username_read(HF_TEXT("libp2p+webrtc+v2/" PASSWORD ":wxyz"), &name), HF_OK);
    CHECK_U64(name.version, 2);
    CHECK_BYTES(name.browser, HF_TEXT("wxyz"));
    CHECK_BYTES(name.browser_password, HF_TEXT(PASSWORD));
}

HF_TEST(direct_refuses_other_usernames) {
    static uint8_t text[600];
    hf_direct_username name;
    CHECK_ERR(hf_direct_username_read(HF_TEXT("libp2p+webrtc+v3/" PASSWORD ":wxyz"), &name), HF_DENIED);
    CHECK_ERR(hf_direct_username_read(HF_TEXT("evtjevtjevtjevtjevtjevtj:h6vY"), &name), HF_DENIED);
    CHECK_ERR(hf_direct_username_read(HF_TEXT("libp2p+webrtc+v2/short:wxyz"), &name), HF_MALFORMED);
    CHECK_ERR(hf_direct_username_read(HF_TEXT("libp2p+webrtc+v2/" PASSWORD ":wxy"), &name), HF_MALFORMED);
    CHECK_ERR(hf_direct_username_read(HF_TEXT("libp2p+webrtc+v2/" PASSWORD), &name), HF_MALFORMED);
    CHECK_ERR(hf_direct_username_read(HF_TEXT("libp2p+webrtc+v2/" PASSWORD ":wx:yz"), &name), HF_MALFORMED);
    CHECK_ERR(hf_direct_username_read(HF_TEXT("libp2p+webrtc+v1/ab\r\na=x:libp2p"), &name), HF_MALFORMED);
    CHECK_ERR(hf_direct_username_read(HF_TEXT(""), &name), HF_MALFORMED);
    CHECK_ERR(hf_direct_username_read(HF_TEXT("libp2p+webrtc+v1/abcd:libp2p+webrtc+v1/abcd"), &name), HF_MALFORMED);
    for (size_t i = 0; i < sizeof text; i++) text[i] = 'a';
    text[300] = ':';
    CHECK_ERR(hf_direct_username_read(HF_BYTES(text, sizeof text), &name), HF_MALFORMED);
}

HF_TEST(dcep_reads_open_and_ack) {
    hf_dcep dcep;
    hf_buf out;
    hf_buf_init(&out, hf_test_mem());
    hf_dcep_add_open(&out);
    CHECK_ERR(hf_dcep_read(hf_buf_bytes(&out), &dcep), HF_OK);
    CHECK(dcep.open && dcep.reliable && dcep.ordered && !dcep.label.len && !dcep.protocol.len);
    hf_buf_clear(&out);
    hf_dcep_add_ack(&out);
    CHECK_ERR(hf_dcep_read(hf_buf_bytes(&out), &dcep), HF_OK);
    CHECK(!dcep.open);
    hf_buf_deinit(&out);
    CHECK_ERR(hf_dcep_read(HF_BYTES("\3\x81\0\0\0\0\0\1\0\2\0\1abc", 15), &dcep), HF_OK);
    CHECK(dcep.open && !dcep.reliable && !dcep.ordered);
    CHECK_BYTES(dcep.label, HF_TEXT("ab"));
    CHECK_BYTES(dcep.protocol, HF_TEXT("c"));
}

HF_TEST(dcep_refuses_what_is_none) {
    static uint8_t large[HF_DCEP_BYTES_MAX + 1] = {3};
    hf_dcep dcep;
    CHECK_ERR(hf_dcep_read(HF_BYTES("", 0), &dcep), HF_MALFORMED);
    CHECK_ERR(hf_dcep_read(HF_BYTES("\2\2", 2), &dcep), HF_MALFORMED);
    CHECK_ERR(hf_dcep_read(HF_BYTES("\4", 1), &dcep), HF_MALFORMED);
    CHECK_ERR(hf_dcep_read(HF_BYTES("\3\3\0\0\0\0\0\0\0\0\0\0", 12), &dcep), HF_MALFORMED);
    CHECK_ERR(hf_dcep_read(HF_BYTES("\3\0\0\0\0\0\0\0\0\1\0\0", 12), &dcep), HF_MALFORMED);
    CHECK_ERR(hf_dcep_read(HF_BYTES("\3\0\0\0\0\0\0\0\0\0\0\0x", 13), &dcep), HF_MALFORMED);
    CHECK_ERR(hf_dcep_read(HF_BYTES(large, sizeof large), &dcep), HF_LIMIT);
}
