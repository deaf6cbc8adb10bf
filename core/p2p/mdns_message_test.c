/* mdns_message: the packets js-libp2p writes, the forms others write, and packets made to hurt. */
#include "mdns_message.h"

#include "../../tests/kit/check.h"

#include <string.h>

#define SERVICE HF_TEXT("_p2p._udp.local")
#define PEER_NAME HF_TEXT("abcdefghijklmnopqrstuvwxyz0123456789")

/* ---- a small assembler: packets as others would write them, right or wrong ---- */

#define NAME_SERVICE "\x04_p2p\x04_udp\x05local\0"     /* 17 bytes; the first name of a packet stands at byte 12 */
#define TO_SERVICE "\xc0\x0c"
#define PTR_IN "\x00\x0c\x00\x01"
#define TXT_IN "\x00\x10\x00\x01"
#define TTL_120 "\x00\x00\x00\x78"
#define TTL_0 "\x00\x00\x00\x00"

typedef struct packet { uint8_t bytes[HF_MDNS_PACKET_MAX + 100]; size_t len; } packet;

static void put(packet *p, const void *bytes, size_t len) {
    memcpy(p->bytes + p->len, bytes, len);
    p->len += len;
}
#define PUT(p, literal) put((p), (literal), sizeof(literal) - 1)

static void begin(packet *p, unsigned flags, size_t qd, size_t an, size_t ns, size_t ar) {
    size_t numbers[] = {0, flags, qd, an, ns, ar};
    p->len = 0;
    for (size_t i = 0; i < HF_COUNT(numbers); i++) put(p, (uint8_t[]){(uint8_t)(numbers[i] >> 8), (uint8_t)numbers[i]}, 2);
}

static hf_err read_it(const packet *p, hf_mdns_message *ret, hf_fault *fault) { return hf_mdns_read(HF_BYTES(p->bytes, p->len), SERVICE, ret, fault); }

static void check_refused(const packet *p, hf_err want, const char *what) {
    hf_mdns_message message;
    hf_fault fault = {"", 0};
    hf_err got = read_it(p, &message, &fault);
    CHECK_MSG(got == want, "%s: got %s", what, hf_err_name(got));
    CHECK_MSG(strstr(fault.what, what) != NULL, "wanted '%s', got '%s'", what, fault.what);
    CHECK(fault.at <= p->len);
}

static void check_quiet(const packet *p) {
    hf_mdns_message message;
    CHECK_ERR(read_it(p, &message, NULL), HF_OK);
    CHECK(!message.asks);
    CHECK_U64(message.n_found, 0);
}

static void check_one(const packet *p, hf_bytes peer_name, hf_bytes multiaddr) {
    hf_mdns_message message;
    CHECK_ERR(read_it(p, &message, NULL), HF_OK);
    CHECK(!message.asks);
    CHECK_U64(message.n_found, 1);
    CHECK_BYTES(message.found[0].peer_name, peer_name);
    CHECK_BYTES(message.found[0].multiaddr, multiaddr);
}

/* ---- js ---- */

static hf_bytes vector(const char *key) {
    return hf_test_hex(hf_value_as_text(hf_value_get(hf_value_get(hf_test_json("orbitdb/mdns.json"), key), "packet")));
}

/* The dnsaddr texts of the vector, which stand behind the PTR. */
static size_t vector_addresses(hf_bytes ret[8]) {
    const hf_value *response = hf_value_get(hf_test_json("orbitdb/mdns.json"), "response");
    const hf_value *answers = hf_value_get(hf_value_get(response, "value"), "answers");
    size_t n = answers->as.list.n - 1;
    for (size_t i = 0; i < n; i++) {
        hf_bytes text = hf_value_as_text(hf_value_get(&answers->as.list.items[i + 1], "data"));
        ret[i] = hf_sub(text, strlen("dnsaddr="), text.len);
    }
    return n;
}

HF_TEST(mdns_writes_what_js_writes) {
    hf_bytes addresses[8] = {{NULL, 0}};
    size_t n = vector_addresses(addresses);
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    CHECK_ERR(hf_mdns_add_query(&buf, SERVICE), HF_OK);
    CHECK_BYTES(hf_buf_bytes(&buf), vector("query"));
    hf_buf_clear(&buf);
    CHECK_U64(n, 2);
    CHECK_ERR(hf_mdns_add_answer(&buf, SERVICE, PEER_NAME, addresses, n), HF_OK);
    CHECK_BYTES(hf_buf_bytes(&buf), vector("response"));
    hf_buf_deinit(&buf);
}

HF_TEST(mdns_reads_what_js_writes) {
    hf_mdns_message message;
    hf_bytes addresses[8] = {{NULL, 0}};
    CHECK_ERR(hf_mdns_read(vector("query"), SERVICE, &message, NULL), HF_OK);
    CHECK(message.asks);
    CHECK_U64(message.n_found, 0);
    CHECK_ERR(hf_mdns_read(vector("response"), SERVICE, &message, NULL), HF_OK);
    CHECK(!message.asks);
    CHECK_U64(message.n_found, vector_addresses(addresses));
    for (size_t i = 0; i < message.n_found; i++) {
        CHECK_BYTES(message.found[i].peer_name, PEER_NAME);
        CHECK_BYTES(message.found[i].multiaddr, addresses[i]);
    }
}

/* A datagram is whole or worthless. */
HF_TEST(mdns_refuses_a_packet_cut_anywhere) {
    static const char *const keys[] = {"query", "response"};
    for (size_t k = 0; k < HF_COUNT(keys); k++) {
        hf_bytes whole = vector(keys[k]);
        for (size_t cut = 0; cut < whole.len; cut++) {
            hf_mdns_message message;
            hf_fault fault = {NULL, 0};
            CHECK_ERR(hf_mdns_read(hf_sub(whole, 0, cut), SERVICE, &message, &fault), HF_MALFORMED);
            CHECK(fault.what != NULL && fault.at <= cut);
        }
    }
}

/* ---- what others write ---- */

HF_TEST(mdns_reads_compressed_names_and_additional_records) {
    packet p;
    begin(&p, 0x8400, 0, 1, 0, 1);
    PUT(&p, NAME_SERVICE PTR_IN TTL_120 "\x00\x05\x02me" TO_SERVICE); /* "me" stands at byte 39 */
    PUT(&p, "\xc0\x27" "\x00\x10\x80\x01" TTL_120 "\x00\x0c\x0b" "dnsaddr=/ab");  /* pointer to a pointer; cache flush */
    check_one(&p, HF_TEXT("me"), HF_TEXT("/ab"));
}

HF_TEST(mdns_reads_every_text_of_a_record_and_only_addresses) {
    packet p;
    hf_mdns_message message;
    begin(&p, 0x8400, 0, 2, 0, 0);
    PUT(&p, NAME_SERVICE PTR_IN TTL_120 "\x00\x05\x02me" TO_SERVICE);
    PUT(&p, "\xc0\x27" TXT_IN TTL_120 "\x00\x22" "\x09" "dnsaddr=a" "\x00" "\x05" "v=0.1" "\x07" "dnsaddr" "\x08" "dnsaddr=");
    CHECK_ERR(read_it(&p, &message, NULL), HF_OK);
    CHECK_U64(message.n_found, 2);
    CHECK_BYTES(message.found[0].multiaddr, HF_TEXT("a"));
    CHECK_U64(message.found[1].multiaddr.len, 0);
}

HF_TEST(mdns_names_differ_in_case_only) {
    packet p;
    hf_mdns_message message;
    begin(&p, 0, 1, 0, 0, 0);
    PUT(&p, "\x04_P2p\x04_uDP\x05LOCAL\0" PTR_IN);
    CHECK_ERR(read_it(&p, &message, NULL), HF_OK);
    CHECK(message.asks);
}

HF_TEST(mdns_knows_when_it_is_asked) {
    static const struct { const char *question; size_t len; bool asks; } cases[] = {
        {NAME_SERVICE "\x00\x0c\x80\x01", 21, true},                    /* PTR, wants unicast */
        {NAME_SERVICE "\x00\xff\x00\x01", 21, true},                    /* any type */
        {NAME_SERVICE "\x00\x0c\x00\xff", 21, true},                    /* any class */
        {NAME_SERVICE "\x00\x10\x00\x01", 21, false},                   /* TXT */
        {NAME_SERVICE "\x00\x0c\x00\x03", 21, false},                   /* class CHAOS */
        {"\x04_p2q\x04_udp\x05local\0" PTR_IN, 21, false},              /* another service */
        {"\x01x" NAME_SERVICE PTR_IN, 23, false},                       /* a name below */
        {"\x04_udp\x05local\0" PTR_IN, 16, false},                      /* a name above */
        {"\x0f_p2p._udp.local\0" PTR_IN, 21, false},                    /* one label with dots in it */
        {"\0" PTR_IN, 5, false},                                        /* the root */
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        packet p;
        hf_mdns_message message;
        begin(&p, 0, 1, 0, 0, 0);
        put(&p, cases[i].question, cases[i].len);
        CHECK_ERR(read_it(&p, &message, NULL), HF_OK);
        CHECK_MSG(message.asks == cases[i].asks, "question %zu", i);
    }
}

/* Well-formed packets from which nothing is learned. */
HF_TEST(mdns_ignores_what_is_not_said_to_it) {
    packet p;
    begin(&p, 0x8400, 0, 1, 0, 0);
    PUT(&p, "\x02me" NAME_SERVICE TXT_IN TTL_0 "\x00\x0a\x09" "dnsaddr=a"); /* goodbye */
    check_quiet(&p);
    begin(&p, 0x8400, 0, 1, 0, 0);
    PUT(&p, "\x02me" "\x04_p2q\x04_udp\x05local\0" TXT_IN TTL_120 "\x00\x0a\x09" "dnsaddr=a"); /* another service */
    check_quiet(&p);
    begin(&p, 0x8400, 0, 1, 0, 0);
    PUT(&p, NAME_SERVICE TXT_IN TTL_120 "\x00\x0a\x09" "dnsaddr=a"); /* of the service itself: nobody's */
    check_quiet(&p);
    begin(&p, 0x8400, 0, 0, 1, 0);
    PUT(&p, "\x02me" NAME_SERVICE TXT_IN TTL_120 "\x00\x0a\x09" "dnsaddr=a"); /* authority section */
    check_quiet(&p);
    begin(&p, 0, 0, 1, 0, 0);
    PUT(&p, "\x02me" NAME_SERVICE TXT_IN TTL_120 "\x00\x0a\x09" "dnsaddr=a"); /* what a querier knows already */
    check_quiet(&p);
    begin(&p, 0x8400, 1, 0, 0, 0);
    PUT(&p, NAME_SERVICE PTR_IN); /* a question repeated in an answer */
    check_quiet(&p);
    begin(&p, 0x8400, 0, 1, 0, 0);
    PUT(&p, "\x02me" NAME_SERVICE TXT_IN TTL_120 "\x00\x00"); /* no text at all */
    check_quiet(&p);
    begin(&p, 0, 0, 0, 0, 0);
    check_quiet(&p);
}

/* ---- hostile ---- */

HF_TEST(mdns_refuses_names_that_do_not_end) {
    packet p;
    begin(&p, 0, 1, 0, 0, 0);
    PUT(&p, "\xc0\x0c" PTR_IN); /* to itself */
    check_refused(&p, HF_MALFORMED, "backwards");
    begin(&p, 0, 1, 0, 0, 0);
    PUT(&p, "\x01x\xc0\x0c" PTR_IN); /* to its own beginning */
    check_refused(&p, HF_MALFORMED, "backwards");
    begin(&p, 0, 1, 0, 0, 0);
    PUT(&p, "\xc0\x0e\xc0\x0c" PTR_IN); /* forwards */
    check_refused(&p, HF_MALFORMED, "backwards");
    begin(&p, 0, 1, 0, 0, 0);
    PUT(&p, "\xff\xff" PTR_IN); /* outside */
    check_refused(&p, HF_MALFORMED, "backwards");
    begin(&p, 0, 2, 0, 0, 0);
    PUT(&p, "\x01x\0" PTR_IN "\x01y\xc0\x13" PTR_IN); /* into the middle of itself */
    check_refused(&p, HF_MALFORMED, "backwards");
}

HF_TEST(mdns_refuses_labels_of_unknown_kind) {
    static const char *const firsts[] = {"\x40x\0", "\x80x\0"};
    for (size_t i = 0; i < HF_COUNT(firsts); i++) {
        packet p;
        begin(&p, 0, 1, 0, 0, 0);
        put(&p, firsts[i], 3);
        PUT(&p, PTR_IN);
        check_refused(&p, HF_MALFORMED, "neither a length nor a pointer");
    }
}

/* The whole name may have 255 bytes with its closing 0, no more: here 1 + 3 * 64 + 62 and then one more. */
HF_TEST(mdns_bounds_a_name) {
    uint8_t label[64] = {63};
    memset(label + 1, 'x', 63);
    for (uint8_t last = 61; last <= 62; last++) {
        packet p;
        begin(&p, 0, 1, 0, 0, 0);
        for (int i = 0; i < 3; i++) put(&p, label, sizeof label);
        put(&p, &last, 1);
        put(&p, label + 1, last);
        PUT(&p, "\0" PTR_IN);
        if (last == 61) check_quiet(&p);
        else check_refused(&p, HF_LIMIT, "longer than 255");
    }
}

static void put_pointer(packet *p, size_t to) { put(p, (uint8_t[]){(uint8_t)(0xc0 | to >> 8), (uint8_t)to}, 2); }

/* The first record's data is a chain of pointers, each to the one before; the second's name is a pointer to its end. */
HF_TEST(mdns_bounds_the_pointers_of_a_name) {
    for (size_t n = 127; n <= 128; n++) {
        packet p;
        size_t data_len = 1 + 2 * (n - 1);
        begin(&p, 0x8400, 0, 2, 0, 0);
        PUT(&p, "\0" TXT_IN TTL_120);
        put(&p, (uint8_t[]){(uint8_t)(data_len >> 8), (uint8_t)data_len}, 2);
        PUT(&p, "\0");
        for (size_t i = 0, to = p.len - 1; i < n; i++, to = p.len - 2) put_pointer(&p, to);
        PUT(&p, TXT_IN TTL_120 "\x00\x00");
        if (n == 127) check_quiet(&p);
        else check_refused(&p, HF_LIMIT, "pointers");
    }
}

HF_TEST(mdns_bounds_records_addresses_and_the_packet) {
    packet p;
    for (size_t n = HF_MDNS_RECORDS_MAX; n <= HF_MDNS_RECORDS_MAX + 1; n++) {
        begin(&p, 0, n - 1, 0, 0, 1);
        for (size_t i = 0; i + 1 < n; i++) PUT(&p, "\0" PTR_IN);
        PUT(&p, "\0" TXT_IN TTL_120 "\x00\x00");
        if (n == HF_MDNS_RECORDS_MAX) check_quiet(&p);
        else check_refused(&p, HF_LIMIT, "more than 64");
    }
    for (size_t n = HF_MDNS_ADDRESSES_MAX; n <= HF_MDNS_ADDRESSES_MAX + 1; n++) {
        hf_mdns_message message;
        begin(&p, 0x8400, 0, 1, 0, 0);
        PUT(&p, "\x02me" NAME_SERVICE TXT_IN TTL_120);
        put(&p, (uint8_t[]){(uint8_t)(n * 10 >> 8), (uint8_t)(n * 10)}, 2);
        for (size_t i = 0; i < n; i++) PUT(&p, "\x09" "dnsaddr=a");
        if (n > HF_MDNS_ADDRESSES_MAX) check_refused(&p, HF_LIMIT, "more than 63 addresses");
        else CHECK_ERR(read_it(&p, &message, NULL), HF_OK);
    }
    begin(&p, 0, 0, 0, 0, 0);
    memset(p.bytes + p.len, 0, sizeof p.bytes - p.len);
    p.len = HF_MDNS_PACKET_MAX;
    check_quiet(&p); /* bytes behind the last record say nothing */
    p.len++;
    check_refused(&p, HF_LIMIT, "9,000");
}

HF_TEST(mdns_refuses_data_that_lies_about_its_length) {
    packet p;
    begin(&p, 0x8400, 0, 1, 0, 0);
    PUT(&p, "\x02me" NAME_SERVICE TXT_IN TTL_120 "\x00\x0b\x09" "dnsaddr=a"); /* longer than the packet */
    check_refused(&p, HF_MALFORMED, "ends inside");
    begin(&p, 0x8400, 0, 2, 0, 0);
    PUT(&p, "\x02me" NAME_SERVICE TXT_IN TTL_120 "\x00\x09\x09" "dnsaddr=a" "\0" TXT_IN TTL_120 "\x00\x00"); /* its text reaches into the next */
    check_refused(&p, HF_MALFORMED, "longer than its record");
    begin(&p, 0x7800, 0, 0, 0, 0);
    check_refused(&p, HF_MALFORMED, "opcode");
    begin(&p, 0x8403, 0, 0, 0, 0);
    check_refused(&p, HF_MALFORMED, "opcode");
}

HF_TEST(mdns_names_a_service_that_is_none) {
    char longest[200];
    memset(longest, 'x', sizeof longest);
    for (size_t i = 63; i < sizeof longest; i += 64) longest[i] = '.';
    const struct { hf_bytes service; hf_err want; } cases[] = {
        {HF_TEXT("a"), HF_OK},
        {HF_TEXT(""), HF_MALFORMED},
        {HF_TEXT("."), HF_MALFORMED},
        {HF_TEXT("_p2p._udp.local."), HF_MALFORMED},
        {HF_TEXT("_p2p.._udp.local"), HF_MALFORMED},
        {HF_TEXT("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.local"), HF_MALFORMED}, /* 64 */
        {HF_BYTES(longest, 189), HF_OK},             /* 189 + 1, a peer name's 64, and the closing 0 make 255 */
        {HF_BYTES(longest, 190), HF_MALFORMED},
    };
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_mdns_message message;
        hf_buf_clear(&buf);
        CHECK_ERR(hf_mdns_add_query(&buf, cases[i].service), cases[i].want);
        if (cases[i].want) CHECK_U64(buf.len, 0);
        if (cases[i].want) CHECK_ERR(hf_mdns_add_answer(&buf, cases[i].service, PEER_NAME, NULL, 0), cases[i].want);
        CHECK_ERR(hf_mdns_read(vector("query"), cases[i].service, &message, NULL), cases[i].want);
    }
    hf_buf_deinit(&buf);
}

HF_TEST(mdns_bounds_what_it_writes) {
    char text[HF_MDNS_TEXT_MAX] = {0};
    memset(text, 'x', sizeof text);
    hf_bytes addresses[HF_MDNS_ADDRESSES_MAX + 1];
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    hf_buf_add_str(&buf, "before");
    size_t room = HF_MDNS_TEXT_MAX - strlen("dnsaddr=");
    for (size_t i = 0; i < HF_COUNT(addresses); i++) addresses[i] = HF_BYTES(text, 1);
    CHECK_ERR(hf_mdns_add_answer(&buf, SERVICE, hf_sub(PEER_NAME, 0, 31), addresses, 1), HF_LIMIT);
    CHECK_ERR(hf_mdns_add_answer(&buf, SERVICE, HF_BYTES(text, 64), addresses, 1), HF_LIMIT);
    CHECK_ERR(hf_mdns_add_answer(&buf, SERVICE, PEER_NAME, addresses, HF_MDNS_ADDRESSES_MAX + 1), HF_LIMIT);
    addresses[1] = HF_BYTES(text, room + 1);
    CHECK_ERR(hf_mdns_add_answer(&buf, SERVICE, PEER_NAME, addresses, 2), HF_LIMIT);
    for (size_t i = 0; i < HF_COUNT(addresses); i++) addresses[i] = HF_BYTES(text, room);
    CHECK_ERR(hf_mdns_add_answer(&buf, SERVICE, PEER_NAME, addresses, HF_MDNS_ADDRESSES_MAX), HF_LIMIT); /* over 9,000 bytes */
    CHECK_BYTES(hf_buf_bytes(&buf), HF_TEXT("before"));
    CHECK_ERR(hf_mdns_add_answer(&buf, SERVICE, HF_BYTES(text, 63), addresses, 1), HF_OK);
    CHECK_ERR(hf_mdns_add_answer(&buf, SERVICE, HF_BYTES(text, 32), addresses, 0), HF_OK);
    hf_buf_deinit(&buf);
}

HF_TEST(mdns_writing_survives_no_memory) {
    hf_bytes address = HF_TEXT("/ip4/192.168.1.10/tcp/4001");
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        hf_buf buf;
        hf_buf_init(&buf, hf_test_mem());
        hf_test_mem_fail_at(n);
        hf_err err = hf_mdns_add_query(&buf, SERVICE);
        if (!err) err = hf_mdns_add_answer(&buf, SERVICE, PEER_NAME, &address, 1);
        failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK_ERR(err, failed ? HF_NOMEM : HF_OK);
        hf_buf_deinit(&buf);
    }
}

/* Any bytes at all: bounded, and never more than was there. */
HF_TEST(mdns_survives_noise) {
    uint64_t seed = 7;
    hf_bytes whole = vector("response");
    packet p;
    for (int round = 0; round < 20000; round++) {
        hf_mdns_message message;
        p.len = 0;
        put(&p, whole.ptr, whole.len);
        for (uint64_t n = 1 + hf_test_random(&seed) % 4; n; n--) p.bytes[hf_test_random(&seed) % whole.len] = (uint8_t)hf_test_random(&seed);
        hf_err err = read_it(&p, &message, NULL);
        CHECK(err == HF_OK || err == HF_MALFORMED || err == HF_LIMIT);
        for (size_t i = 0; !err && i < message.n_found; i++) {
            hf_bytes text = message.found[i].multiaddr;
            CHECK(text.ptr >= p.bytes && text.ptr + text.len <= p.bytes + p.len);
        }
    }
}
