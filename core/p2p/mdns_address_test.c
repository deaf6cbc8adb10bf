/* mdns_address: what a stranger on the LAN can make us dial, and what not. */
#include "mdns_address.h"

#include "../../tests/kit/check.h"

#define ID "/p2p/12D3KooWAsK6AytDZUSMpuvBBi4JKYDsgaBrph7QtJ32vsBQkVPN"

HF_TEST(mdns_address_takes_near_ones_only) {
    static const struct { const char *text; hf_err want; hf_mdns_reach reach; } cases[] = {
        {"/ip4/10.0.0.1/tcp/4001" ID, HF_OK, HF_MDNS_PRIVATE},
        {"/ip4/10.255.255.255/tcp/65535" ID, HF_OK, HF_MDNS_PRIVATE},
        {"/ip4/172.16.0.1/tcp/1" ID, HF_OK, HF_MDNS_PRIVATE},
        {"/ip4/172.31.255.1/tcp/4001" ID, HF_OK, HF_MDNS_PRIVATE},
        {"/ip4/192.168.1.10/tcp/4001" ID, HF_OK, HF_MDNS_PRIVATE},
        {"/ip4/169.254.3.4/tcp/4001" ID, HF_OK, HF_MDNS_LINK_LOCAL},
        {"/ip4/127.0.0.1/tcp/4001" ID, HF_OK, HF_MDNS_LOOPBACK},
        {"/ip6/fd12:3456::1/tcp/4001" ID, HF_OK, HF_MDNS_PRIVATE},
        {"/ip6/fc00::1/tcp/4001" ID, HF_OK, HF_MDNS_PRIVATE},
        {"/ip6/fe80::1/tcp/4001" ID, HF_OK, HF_MDNS_LINK_LOCAL},
        {"/ip6/febf::1/tcp/4001" ID, HF_OK, HF_MDNS_LINK_LOCAL},
        {"/ip6/::1/tcp/4001" ID, HF_OK, HF_MDNS_LOOPBACK},
        {"/ip4/192.168.1.10/tcp/4001/ipfs/12D3KooWAsK6AytDZUSMpuvBBi4JKYDsgaBrph7QtJ32vsBQkVPN", HF_OK, HF_MDNS_PRIVATE},
        /* public, or nobody's */
        {"/ip4/8.8.8.8/tcp/4001" ID, HF_DENIED, 0},
        {"/ip4/9.255.255.255/tcp/4001" ID, HF_DENIED, 0},
        {"/ip4/11.0.0.1/tcp/4001" ID, HF_DENIED, 0},
        {"/ip4/172.15.255.255/tcp/4001" ID, HF_DENIED, 0},
        {"/ip4/172.32.0.1/tcp/4001" ID, HF_DENIED, 0},
        {"/ip4/192.167.1.1/tcp/4001" ID, HF_DENIED, 0},
        {"/ip4/193.168.1.1/tcp/4001" ID, HF_DENIED, 0},
        {"/ip4/169.253.1.1/tcp/4001" ID, HF_DENIED, 0},
        {"/ip4/100.64.0.1/tcp/4001" ID, HF_DENIED, 0},
        {"/ip4/0.0.0.0/tcp/4001" ID, HF_DENIED, 0},
        {"/ip4/224.0.0.251/tcp/4001" ID, HF_DENIED, 0},
        {"/ip4/255.255.255.255/tcp/4001" ID, HF_DENIED, 0},
        {"/ip6/2001:db8::1/tcp/4001" ID, HF_DENIED, 0},
        {"/ip6/fec0::1/tcp/4001" ID, HF_DENIED, 0},
        {"/ip6/::/tcp/4001" ID, HF_DENIED, 0},
        {"/ip6/::ffff:10.0.0.1/tcp/4001" ID, HF_DENIED, 0},
        {"/ip6/ff02::fb/tcp/4001" ID, HF_DENIED, 0},
        /* not a TCP address of a named peer */
        {"/ip4/10.0.0.1/tcp/4001", HF_DENIED, 0},
        {"/ip4/10.0.0.1/tcp/0" ID, HF_DENIED, 0},
        {"/ip4/10.0.0.1/udp/4001" ID, HF_DENIED, 0},
        {"/ip4/10.0.0.1/tcp/4001/ws" ID, HF_DENIED, 0},
        {"/ip4/10.0.0.1/tcp/4001" ID "/p2p-circuit", HF_DENIED, 0},
        {"/dns4/localhost/tcp/4001" ID, HF_DENIED, 0},
        {"/ip4/10.0.0.1" ID, HF_DENIED, 0},
        {"/p2p/12D3KooWAsK6AytDZUSMpuvBBi4JKYDsgaBrph7QtJ32vsBQkVPN", HF_DENIED, 0},
        /* no addresses */
        {"", HF_MALFORMED, 0},
        {"10.0.0.1:4001", HF_MALFORMED, 0},
        {"/ip4/10.0.0.256/tcp/4001" ID, HF_MALFORMED, 0},
        {"/ip4/10.0.0.1/tcp/4001/p2p/x", HF_MALFORMED, 0},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_mdns_address address;
        hf_err got = hf_mdns_address_read(hf_test_mem(), hf_str(cases[i].text), &address);
        CHECK_MSG(got == cases[i].want, "%s: %s", cases[i].text, hf_err_name(got));
        if (!got) CHECK_MSG(address.reach == cases[i].reach, "%s: reach %d", cases[i].text, address.reach);
        CHECK_U64(hf_test_mem_out(), 0);
    }
}

HF_TEST(mdns_address_says_who_and_where) {
    hf_mdns_address address;
    hf_peer_id peer;
    CHECK_ERR(hf_mdns_address_read(hf_test_mem(), HF_TEXT("/ip4/192.168.1.10/tcp/4001" ID), &address), HF_OK);
    CHECK_ERR(hf_peer_id_parse(HF_TEXT("12D3KooWAsK6AytDZUSMpuvBBi4JKYDsgaBrph7QtJ32vsBQkVPN"), &peer), HF_OK);
    CHECK(hf_peer_id_eq(&address.peer, &peer));
    CHECK(!address.v6);
    CHECK_BYTES(HF_BYTES(address.ip, 4), hf_test_hex(HF_TEXT("c0a8010a")));
    CHECK_ERR(hf_mdns_address_read(hf_test_mem(), HF_TEXT("/ip6/fd00::2/tcp/4001" ID), &address), HF_OK);
    CHECK(address.v6);
    CHECK_BYTES(HF_BYTES(address.ip, 16), hf_test_hex(HF_TEXT("fd000000000000000000000000000002")));
}

HF_TEST(mdns_address_survives_no_memory) {
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        hf_mdns_address address;
        hf_test_mem_fail_at(n);
        hf_err err = hf_mdns_address_read(hf_test_mem(), HF_TEXT("/ip4/192.168.1.10/tcp/4001" ID), &address);
        failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK_ERR(err, failed ? HF_NOMEM : HF_OK);
        CHECK_U64(hf_test_mem_out(), 0);
    }
}
