/* The daemon protocol's messages, byte for byte. That js reads and writes the same ones, tests/interop/p2pd shows. */
#include "daemon_message.h"

#include "../../tests/kit/check.h"
#include "../codec/varint.h"

static hf_daemon_request read(const char *hex) {
    hf_daemon_request r;
    CHECK_ERR(hf_daemon_read(hf_test_hex(hf_str(hex)), &r, NULL), HF_OK);
    return r;
}

HF_TEST(daemon_message_reads_requests) {
    hf_daemon_request r = read("0800");
    CHECK(r.type == HF_DAEMON_IDENTIFY && !r.there);
    r = read("0801120e0a02122012026162120263641803"); /* peer 1220, addrs ab, cd, timeout 3 */
    CHECK(r.type == HF_DAEMON_CONNECT && r.there && r.n_addrs == 2 && r.timeout_s == 3);
    CHECK_BYTES(r.peer, HF_BYTES("\x12\x20", 2));
    CHECK_BYTES(r.addrs[1], HF_TEXT("cd"));
    r = read("08021a0a0a02122012022f6112" "00");
    CHECK(r.type == HF_DAEMON_STREAM_OPEN && r.n_protocols == 2);
    CHECK_BYTES(r.protocols[0], HF_TEXT("/a"));
    r = read("080322080a0261621202" "2f61");
    CHECK(r.type == HF_DAEMON_STREAM_HANDLER && r.n_protocols == 1);
    CHECK_BYTES(r.addr, HF_TEXT("ab"));
    r = read("08042a0e0807220261622a02636430053806");
    CHECK(r.type == HF_DAEMON_DHT && r.kind == HF_DAEMON_PUT_VALUE && r.count == 5 && r.timeout_s == 6);
    CHECK_BYTES(r.key, HF_TEXT("ab"));
    CHECK_BYTES(r.value, HF_TEXT("cd"));
    r = read("0805");
    CHECK(r.type == HF_DAEMON_LIST_PEERS);
    r = read("0806321008011202122" "01a02616220ffffffff07");
    CHECK(r.type == HF_DAEMON_CONNMANAGER && r.kind == HF_DAEMON_UNTAG && r.weight == 0x7fffffff);
    r = read("08073a040a021220");
    CHECK(r.type == HF_DAEMON_DISCONNECT && r.peer.len == 2);
    r = read("0808420808021202616" "21a00");
    CHECK(r.type == HF_DAEMON_PUBSUB && r.kind == HF_DAEMON_PUBLISH && r.data.ptr && r.data.len == 0);
    r = read("08094a0608011202" "1220");
    CHECK(r.type == HF_DAEMON_PEERSTORE && r.kind == HF_DAEMON_PROTOCOLS && r.peer.len == 2);
}

HF_TEST(daemon_message_refuses_other_things) {
    static const char *const bad[] = {"", "0a00", "08", "08011205", "080112020a05", "0801120b"};
    hf_daemon_request r;
    for (size_t i = 0; i < HF_COUNT(bad); i++) CHECK_MSG(hf_daemon_read(hf_test_hex(hf_str(bad[i])), &r, NULL) == HF_MALFORMED, "%s", bad[i]);
    hf_buf many, message;
    hf_buf_init(&many, hf_test_mem());
    hf_buf_init(&message, hf_test_mem());
    for (size_t i = 0; i <= HF_DAEMON_ITEMS_MAX; i++) hf_buf_add(&many, HF_BYTES("\x12\x01\x61", 3));
    hf_buf_add(&message, HF_BYTES("\x08\x01\x12", 3));
    hf_varint_add(&message, many.len);
    hf_buf_add(&message, hf_buf_bytes(&many));
    CHECK_ERR(hf_daemon_read(hf_buf_bytes(&message), &r, NULL), HF_LIMIT);
    hf_buf_deinit(&many);
    hf_buf_deinit(&message);
}

HF_TEST(daemon_message_has_a_length) {
    hf_bytes message;
    size_t len;
    CHECK_ERR(hf_daemon_unframe(HF_BYTES("\x02\x08\x05zz", 5), &message, &len), HF_OK);
    CHECK(len == 3 && message.len == 2);
    CHECK_ERR(hf_daemon_unframe(HF_BYTES("\x02\x08", 2), &message, &len), HF_TRUNCATED);
    CHECK_ERR(hf_daemon_unframe(HF_BYTES("", 0), &message, &len), HF_TRUNCATED);
    CHECK_ERR(hf_daemon_unframe(HF_BYTES("\xff\xff\xff\x7f", 4), &message, &len), HF_LIMIT);
}

/* The bytes, with their lengths; each failure of memory sticks. */
static void check_written(void (*write)(hf_buf *out), const char *hex) {
    hf_buf out;
    hf_buf_init(&out, hf_test_mem());
    write(&out);
    CHECK_BYTES(hf_buf_bytes(&out), hf_test_hex(hf_str(hex)));
    hf_buf_deinit(&out);
    for (size_t n = 1;; n++) {
        hf_buf_init(&out, hf_test_mem());
        hf_test_mem_fail_at(n);
        write(&out);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK(failed == (out.err == HF_NOMEM));
        hf_buf_deinit(&out);
        if (!failed) break;
    }
}

static const hf_bytes some[] = {{(const uint8_t *)"ab", 2}, {(const uint8_t *)"cd", 2}};
static const hf_daemon_peer peer = {{(const uint8_t *)"ID", 2}, some, 2};

static void write_ok(hf_buf *out) { hf_daemon_add_ok(out); }
static void write_error(hf_buf *out) { hf_daemon_add_error(out, HF_TEXT("no")); }
static void write_identify(hf_buf *out) { hf_daemon_add_identify(out, &peer); }
static void write_peers(hf_buf *out) { hf_daemon_add_peers(out, &peer, 1); }
static void write_stream(hf_buf *out) { hf_daemon_add_stream(out, true, some[0], some[1], HF_TEXT("/e")); }
static void write_bare_stream(hf_buf *out) { hf_daemon_add_stream(out, false, some[0], some[1], HF_TEXT("/e")); }
static void write_protocols(hf_buf *out) { hf_daemon_add_peerstore(out, NULL, some, 2); }
static void write_topics(hf_buf *out) { hf_daemon_add_topics(out, some, 1, some + 1, 1); }
static void write_nothing(hf_buf *out) { hf_daemon_add_topics(out, NULL, 0, NULL, 0); }
static void write_begin(hf_buf *out) { hf_daemon_add_dht(out, true, 0, NULL, NULL); }
static void write_found(hf_buf *out) { hf_daemon_add_dht(out, false, 1, &peer, NULL); }
static void write_value(hf_buf *out) { hf_daemon_add_dht(out, true, 1, NULL, &some[0]); }
static void write_news(hf_buf *out) { hf_daemon_add_news(out, &(hf_daemon_news){.from = some[0], .data = some[1], .topic = HF_TEXT("t")}); }

HF_TEST(daemon_message_writes_responses) {
    check_written(write_ok, "020800");
    check_written(write_error, "08080112040a026e6f");
    check_written(write_identify, "100800220c0a0249441202616212026364");
    check_written(write_peers, "100800320c0a0249441202616212026364");
    check_written(write_stream, "1008001a0c0a02616212026364" "1a022f65");
    check_written(write_bare_stream, "0c0a02616212026364" "1a022f65");
    check_written(write_protocols, "0c0800420812026162" "12026364");
    check_written(write_topics, "0c08003a080a026162" "12026364");
    check_written(write_nothing, "0408003a00");
    check_written(write_begin, "0608002a020800");
    check_written(write_found, "100801120c0a0249441202616212026364");
    check_written(write_value, "0a08002a0608011a026162");
    check_written(write_news, "0b0a02616212026364220174");
}
