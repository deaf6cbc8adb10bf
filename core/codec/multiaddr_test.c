/* Multiaddrs: js's own vectors, every protocol both ways, and each thing a stranger may get wrong in text and bytes. */
#include "../../tests/kit/check.h"
#include "multiaddr.h"

#include <string.h>

static hf_bytes hex(const char *text) { return hf_test_hex(hf_str(text)); }

static hf_bytes keep(hf_buf *buf) {
    hf_bytes kept = hf_arena_copy(hf_test_arena(), hf_buf_bytes(buf));
    hf_buf_deinit(buf);
    return kept;
}

static hf_bytes parse(hf_bytes text) {
    hf_buf buf;
    hf_fault fault = {"", 0};
    hf_buf_init(&buf, hf_test_mem());
    hf_err err = hf_multiaddr_parse(text, &buf, &fault);
    CHECK_MSG(!err, "%.*s: %s at %zu", (int)text.len, (const char *)text.ptr, fault.what, fault.at);
    return keep(&buf);
}

static hf_bytes text_of(hf_bytes binary) {
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    CHECK_ERR(hf_multiaddr_text(binary, &buf), HF_OK);
    return keep(&buf);
}

HF_TEST(multiaddr_vectors_of_js) {
    const hf_value *rows = hf_value_get(hf_test_json("orbitdb/peerid-multiaddr.json"), "multiaddrs");
    CHECK_U64(rows->as.list.n, 14);
    for (uint32_t i = 0; i < rows->as.list.n; i++) {
        const hf_value *row = &rows->as.list.items[i];
        hf_bytes binary = hf_test_hex(hf_value_as_text(hf_value_get(row, "bytes")));
        CHECK_BYTES(parse(hf_value_as_text(hf_value_get(row, "text"))), binary);
        CHECK_BYTES(text_of(binary), hf_value_as_text(hf_value_get(row, "normalised")));
    }
}

/* A peer named by its CID is the same peer. */
HF_TEST(multiaddr_peer_by_cid) {
    const hf_value *rows = hf_value_get(hf_test_json("orbitdb/peerid-multiaddr.json"), "peers");
    for (uint32_t i = 0; i < rows->as.list.n; i++) {
        char by_id[128] = "/p2p/", by_cid[128] = "/ipfs/";
        hf_bytes id = hf_value_as_text(hf_value_get(&rows->as.list.items[i], "peerIdBase58"));
        hf_bytes cid = hf_value_as_text(hf_value_get(&rows->as.list.items[i], "peerIdCidBase32"));
        strncat(by_id, (const char *)id.ptr, id.len);
        strncat(by_cid, (const char *)cid.ptr, cid.len);
        hf_bytes binary = parse(hf_str(by_id));
        CHECK_BYTES(binary, parse(hf_str(by_cid)));
        CHECK_BYTES(hf_sub(binary, 3, binary.len),
                    hf_test_hex(hf_value_as_text(hf_value_get(&rows->as.list.items[i], "multihash"))));
        CHECK_BYTES(text_of(binary), hf_str(by_id));
    }
}

/* Text, bytes, and the text that is written when it is another one. */
HF_TEST(multiaddr_every_protocol) {
    static const struct { const char *text, *hex, *written; } rows[] = {
        {"/ip4/1.2.3.4/tcp/0", "0401020304060000", NULL},
        {"/udp/65535", "9102ffff", NULL},
        {"/ip6zone/eth0/ip6/fe80::1", "2a046574683029fe800000000000000000000000000001", NULL},
        {"/ip6/::ffff:1.2.3.4", "2900000000000000000000ffff01020304", "/ip6/::ffff:102:304"},
        {"/dns/a.b/tls", "3503612e62c003", NULL},
        {"/sni/x", "c1030178", NULL},
        {"/quic", "cc03", NULL},
        {"/webrtc-direct/webrtc", "98029902", NULL},
        {"/http/ws/wss", "e003dd03de03", NULL},
        {"/http-path/a%2Fb%20c", "e10305612f622063", NULL},
        {"/http-path/a%2fb", "e10303612f62", "/http-path/a%2Fb"},
        {"/http-path/%C3%A9/tls", "e10302c3a9c003", NULL},
        {"/unix/tmp/p.sock", "90030b2f746d702f702e736f636b", NULL},
        {"/unix/a/tcp/1", "9003082f612f7463702f31", NULL},
        {"/memory/123", "890603313233", NULL},
        {"/p2p/QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",
         "a503221220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", NULL},
        {"/tcp/080", "060050", "/tcp/80"},
        {"/dns4/xn--bcher-kva.example", "3615786e2d2d62636865722d6b76612e6578616d706c65", NULL},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_bytes binary = parse(hf_str(rows[i].text));
        CHECK_BYTES(binary, hex(rows[i].hex));
        CHECK_BYTES(text_of(binary), hf_str(rows[i].written ? rows[i].written : rows[i].text));
    }
}

HF_TEST(multiaddr_parts) {
    hf_multiaddr addr;
    hf_bytes binary =
        parse(HF_TEXT("/ip4/1.2.3.4/tcp/4001/p2p/12D3KooWAsK6AytDZUSMpuvBBi4JKYDsgaBrph7QtJ32vsBQkVPN/p2p-circuit"));
    CHECK_ERR(hf_multiaddr_read(binary, &addr, NULL), HF_OK);
    CHECK_U64(addr.n, 4);
    CHECK_BYTES(hf_multiaddr_find(&addr, HF_MA_IP4)->value, HF_TEXT("\x01\x02\x03\x04"));
    CHECK_BYTES(hf_multiaddr_find(&addr, HF_MA_TCP)->value, HF_TEXT("\x0f\xa1"));
    CHECK_U64(hf_multiaddr_find(&addr, HF_MA_P2P_CIRCUIT)->value.len, 0);
    CHECK_U64(hf_multiaddr_find(&addr, HF_MA_P2P)->value.len, 38);
    CHECK(hf_multiaddr_find(&addr, HF_MA_UDP) == NULL);
    CHECK_ERR(hf_multiaddr_read(HF_TEXT(""), &addr, NULL), HF_OK);
    CHECK_U64(addr.n, 0);
}

HF_TEST(multiaddr_refuses_text) {
    static const struct { const char *text; size_t at; } rows[] = {
        {"", 0},
        {"/", 1},
        {"ip4/1.2.3.4", 0},
        {"//ip4/1.2.3.4", 1},
        {"/ip4", 4},
        {"/ip4/", 4},
        {"/ip4/1.2.3", 4},
        {"/ip4/1.2.3.4/", 13},
        {"/ip4/::1", 4},
        {"/ip6/1.2.3.4", 4},
        {"/ip6/::1%eth0", 4},
        {"/tcp/65536", 4},
        {"/tcp/-1", 4},
        {"/tcp/x", 4},
        {"/tcp/99999999999999999999", 4},
        {"/tcp", 4},
        {"/nothing/1", 1},
        {"/IP4/1.2.3.4", 1},
        {"/dns4//tcp/1", 5},
        {"/dns4/a\nb", 5},
        {"/dns4/\xff", 5},
        {"/unix", 5},
        {"/unix/\x01", 5},
        {"/p2p/", 4},
        {"/p2p/12D3KooW", 4},
        {"/p2p/Qm", 4},
        {"/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx50", 4},
        {"/p2p/zdpuAsqdMj9hWqbLYYE8HwPQWEtqi4WhCXGbmYCGyYefCRCag", 4}, /* a CID, but not of a key */
        {"/p2p/bafzaajaiaejcad446k4azp66nqj6ro32qyb36txyfxzfefag3jgjsm6yyp6agbd", 4},
        {"/p2p/f0172", 4},
        {"/p2p/f01", 4},
        {"/certhash/", 9},
        {"/certhash/uEiAk", 9},
        {"/certhash/EiAkH5a4", 9},
        {"/certhash/u", 9},
        {"/http-path/", 10},
        {"/http-path/%", 10},
        {"/http-path/%4", 10},
        {"/http-path/%4g", 10},
        {"/tcp/1/ws/x", 10},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_buf buf;
        hf_fault fault = {NULL, 0};
        hf_buf_init(&buf, hf_test_mem());
        hf_buf_add_str(&buf, "kept");
        hf_err err = hf_multiaddr_parse(hf_str(rows[i].text), &buf, &fault);
        CHECK_MSG(err == HF_MALFORMED, "%s: %s", rows[i].text, hf_err_name(err));
        CHECK_MSG(fault.what && fault.at == rows[i].at, "%s: at %zu", rows[i].text, fault.at);
        CHECK_BYTES(keep(&buf), HF_TEXT("kept"));
    }
}

HF_TEST(multiaddr_refuses_bytes) {
    static const char *const rows[] = {
        "04010203",
        "06",
        "0600",
        "29",
        "2a",
        "2a00",
        "3501",
        "35012f",
        "350100",
        "3501ff",
        "35017f",
        "36ffffffffffffffff7f",
        "8400",
        "00",
        "ffff7f",
        "80",
        "ffffffffffffffffffff",
        "a503",
        "a50300",
        "a5030112",
        "a503021201",
        "a5030412010000",
        "a50303120100",
        "a50303200100",
        "d20300",
        "d2030101",
        "90030161",
        "900300",
        "e10300",
        "890600",
        "04010203040600",
        "dd0301",
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_multiaddr addr = {.n = 42};
        hf_fault fault = {NULL, 0};
        hf_buf buf;
        hf_err err = hf_multiaddr_read(hex(rows[i]), &addr, &fault);
        CHECK_MSG(err == HF_MALFORMED && addr.n == 42, "%s: %s", rows[i], hf_err_name(err));
        CHECK_MSG(fault.what && fault.at <= hex(rows[i]).len, "%s", rows[i]);
        hf_buf_init(&buf, hf_test_mem());
        CHECK_ERR(hf_multiaddr_text(hex(rows[i]), &buf), HF_MALFORMED);
        CHECK_U64(keep(&buf).len, 0);
    }
}

HF_TEST(multiaddr_any_cut) {
    hf_bytes binary = parse(HF_TEXT(
        "/ip6/::1/udp/9090/dns4/example.com/webrtc-direct/certhash/uEiAkH5a4DPGKUuOBjYw0CgwjvcJCJMD2K_1aluKR_tpevQ"));
    size_t n_whole = 0;
    for (size_t cut = 0; cut < binary.len; cut++) {
        hf_multiaddr addr;
        uint8_t *exact = hf_alloc(hf_test_mem(), cut + 1);
        memcpy(exact, binary.ptr, cut);
        hf_err err = hf_multiaddr_read(HF_BYTES(exact, cut), &addr, NULL);
        hf_release(hf_test_mem(), exact, cut + 1);
        CHECK(err == HF_OK || err == HF_MALFORMED);
        n_whole += !err;
    }
    CHECK_U64(n_whole, 5); /* between parts it is a shorter address */
}

HF_TEST(multiaddr_limits) {
    char text[8 * HF_MULTIADDR_BYTES_MAX] = "";
    hf_buf buf;
    hf_multiaddr addr;
    hf_buf_init(&buf, hf_test_mem());
    for (size_t i = 0; i < HF_MULTIADDR_PARTS_MAX; i++) memcpy(text + 3 * i, "/ws", 4);
    CHECK_ERR(hf_multiaddr_parse(hf_str(text), &buf, NULL), HF_OK);
    CHECK_ERR(hf_multiaddr_read(hf_buf_bytes(&buf), &addr, NULL), HF_OK);
    memcpy(text + 3 * HF_MULTIADDR_PARTS_MAX, "/ws", 4);
    CHECK_ERR(hf_multiaddr_parse(hf_str(text), &buf, NULL), HF_LIMIT);
    hf_buf_add(&buf, HF_TEXT("\xdd\x03"));
    CHECK_ERR(hf_multiaddr_read(hf_buf_bytes(&buf), &addr, NULL), HF_LIMIT);
    hf_buf_clear(&buf);
    memcpy(text, "/dns/", 6);
    memset(text + 5, 'a', HF_MULTIADDR_BYTES_MAX - 3);
    CHECK_ERR(hf_multiaddr_parse(HF_BYTES(text, 5 + HF_MULTIADDR_BYTES_MAX - 3), &buf, NULL), HF_OK);
    CHECK_ERR(hf_multiaddr_read(hf_buf_bytes(&buf), &addr, NULL), HF_OK);
    memset(text + 5, 'a', HF_MULTIADDR_BYTES_MAX - 2);
    hf_buf_clear(&buf);
    CHECK_ERR(hf_multiaddr_parse(HF_BYTES(text, 5 + HF_MULTIADDR_BYTES_MAX - 2), &buf, NULL), HF_LIMIT);
    CHECK_U64(buf.len, 0);
    memcpy(text, "/http-path/", 11);
    memset(text + 11, 'a', 2 * HF_MULTIADDR_BYTES_MAX);
    CHECK_ERR(hf_multiaddr_parse(HF_BYTES(text, 11 + 2 * HF_MULTIADDR_BYTES_MAX), &buf, NULL), HF_LIMIT);
    memset(text, 0, sizeof text);
    CHECK_ERR(hf_multiaddr_read(HF_BYTES(text, HF_MULTIADDR_BYTES_MAX + 1), &addr, NULL), HF_LIMIT);
    hf_buf_deinit(&buf);
}

HF_TEST(multiaddr_without_memory) {
    hf_bytes text =
        HF_TEXT("/ip6/2001:db8::1/udp/9090/webrtc-direct/certhash/uEiAkH5a4DPGKUuOBjYw0CgwjvcJCJMD2K_1aluKR_tpevQ/p2p/"
                "12D3KooWAsK6AytDZUSMpuvBBi4JKYDsgaBrph7QtJ32vsBQkVPN");
    size_t n_failures = 0;
    for (size_t n = 1;; n++) {
        hf_buf binary, again;
        hf_buf_init(&binary, hf_test_mem());
        hf_buf_init(&again, hf_test_mem());
        hf_test_mem_fail_at(n);
        hf_err err = hf_multiaddr_parse(text, &binary, NULL);
        if (!err) err = hf_multiaddr_text(hf_buf_bytes(&binary), &again);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK_ERR(err, failed ? HF_NOMEM : HF_OK);
        if (!failed) CHECK_BYTES(hf_buf_bytes(&again), text);
        hf_buf_deinit(&binary);
        hf_buf_deinit(&again);
        if (!failed) break;
        n_failures++;
    }
    CHECK(n_failures > 2);
}
