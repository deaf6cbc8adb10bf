/* dag-cbor: every encoding and every verdict that js gave, then the forms beside them, any cut, depth, greed and
 * failing memory. The IPLD project's own fixtures are in ipld_test.c. */
#include "../../tests/kit/check.h"
#include "cid.h"
#include "dag_cbor.h"
#include "json.h"

#include <string.h>

static hf_bytes hex(const char *text) { return hf_test_hex(hf_str(text)); }
static hf_bytes hex_of(const hf_value *map, const char *key) {
    return hf_test_hex(hf_value_as_text(hf_value_get(map, key)));
}

static hf_bytes encode(const hf_value *v) {
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    CHECK_ERR(hf_cbor_encode(v, &buf), HF_OK);
    hf_bytes kept = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&buf));
    hf_buf_deinit(&buf);
    return kept;
}

static hf_err decode(hf_bytes bytes, hf_value *ret, hf_fault *fault) {
    return hf_cbor_decode(hf_test_arena(), bytes, ret, fault);
}

/* {"$bytes": hex} and {"$bigint": text}, as the vectors write what JSON has no word for. */
static hf_value from_vector(const hf_value *v) {
    const hf_value *bytes = hf_value_get(v, "$bytes"), *big = hf_value_get(v, "$bigint");
    if (bytes) return hf_value_bytes(hf_test_hex(bytes->as.s));
    if (!big) return *v;
    hf_bytes s = big->as.s;
    bool negative = s.ptr[0] == '-';
    if (hf_eq(s, HF_TEXT("-18446744073709551616")))
        return (hf_value){.kind = HF_INT, .negative = true, .as.u = UINT64_MAX};
    uint64_t u;
    CHECK_ERR(hf_parse_u64(hf_sub(s, negative, s.len), &u), HF_OK);
    return (hf_value){.kind = HF_INT, .negative = negative, .as.u = negative ? u - 1 : u};
}

/* Where js has no JSON form for a value ("-0", "Date", a link), the vector's value is a description; the bytes alone
 * are tested. */
static bool value_is_described(hf_bytes name) {
    static const char *const names[] = {"1.0 (js cannot",  "-0",    "lone surrogate", "CID link",
                                        "map with a link", "js Map"};
    for (size_t i = 0; i < HF_COUNT(names); i++)
        if (hf_starts(name, hf_str(names[i]))) return true;
    return false;
}

/* js writes an integral number beyond 2^53 as a float; our JSON reader keeps it an integer, which here is the
 * BigInt. */
static hf_value as_js_number(hf_value v) {
    if (v.kind == HF_INT && v.as.u > (v.negative ? 9007199254740990u : 9007199254740991u))
        return hf_value_float(v.negative ? -1 - (double)v.as.u : (double)v.as.u);
    return v;
}

static void check_encoding(const hf_value *row) {
    hf_bytes name = hf_value_as_text(hf_value_get(row, "name")), bytes = hex_of(row, "bytes");
    const hf_value *given = hf_value_get(row, "value");
    hf_value decoded, wanted = given->kind == HF_INT ? as_js_number(*given) : from_vector(given);
    uint8_t cid[HF_CID_LEN];
    char text[HF_CID_TEXT_LEN];
    CHECK_ERR(decode(bytes, &decoded, NULL), HF_OK);
    CHECK_BYTES(encode(&decoded), bytes);
    hf_cid_of(bytes, cid);
    hf_cid_text(cid, text);
    CHECK_BYTES(HF_BYTES(text, sizeof text), hf_value_as_text(hf_value_get(row, "cid")));
    if (value_is_described(name)) return;
    CHECK_MSG(hf_value_eq(&decoded, &wanted), "%.*s decodes to something else", (int)name.len, (const char *)name.ptr);
    CHECK_BYTES(encode(&wanted), bytes);
}

HF_TEST(dag_cbor_writes_what_js_writes) {
    const hf_value *rows = hf_value_get(hf_test_json("orbitdb/dag-cbor.json"), "encode");
    size_t n = 0;
    for (uint32_t i = 0; i < rows->as.list.n; i++) {
        if (hf_value_get(&rows->as.list.items[i], "error")) continue;
        check_encoding(&rows->as.list.items[i]);
        n++;
    }
    CHECK_U64(n, 68);
}

/* The one verdict that differs, and the one value: see dag_cbor.h. */
static bool differs_from_js(hf_bytes name) {
    return hf_eq(name, HF_TEXT("deep nesting 1000 arrays")) || hf_eq(name, HF_TEXT("map key __proto__"));
}

static void check_verdict(const hf_value *row) {
    hf_bytes name = hf_value_as_text(hf_value_get(row, "name")), bytes = hex_of(row, "bytes");
    bool accepted = hf_value_as_bool(hf_value_get(row, "accepted"), false);
    const hf_value *want = hf_value_get(row, "value");
    hf_value v;
    hf_fault fault = {NULL, 0};
    hf_err err = decode(bytes, &v, &fault);
    CHECK_MSG((err == HF_OK) == accepted, "%.*s: %s", (int)name.len, (const char *)name.ptr, hf_err_name(err));
    if (!accepted) {
        CHECK_MSG(fault.what && fault.at <= bytes.len && (err == HF_MALFORMED || err == HF_TRUNCATED), "%.*s",
                  (int)name.len, (const char *)name.ptr);
        return;
    }
    hf_value wanted = want ? from_vector(want) : v;
    CHECK_BYTES(encode(&v), hex_of(row, "reencoded"));
    CHECK_MSG(hf_eq(hf_value_as_text(want), HF_TEXT("null")) ? v.kind == HF_NULL
                                                             : v.kind == HF_LINK || hf_value_eq(&v, &wanted),
              "%.*s: another value", (int)name.len, (const char *)name.ptr);
}

HF_TEST(dag_cbor_reads_what_js_reads) {
    const hf_value *rows = hf_value_get(hf_test_json("orbitdb/dag-cbor.json"), "decode");
    size_t n = 0, n_different = 0;
    for (uint32_t i = 0; i < rows->as.list.n; i++, n++) {
        if (differs_from_js(hf_value_as_text(hf_value_get(&rows->as.list.items[i], "name")))) n_different++;
        else check_verdict(&rows->as.list.items[i]);
    }
    CHECK_U64(n, 49);
    CHECK_U64(n_different, 2);
}

HF_TEST(dag_cbor_differences_from_js) {
    hf_value v;
    CHECK_ERR(decode(hex("a1695f5f70726f746f5f5f01"), &v, NULL), HF_OK);
    CHECK_BYTES(encode(&v), hex("a1695f5f70726f746f5f5f01"));
    uint8_t nested[HF_VALUE_DEPTH_MAX + 2];
    memset(nested, 0x81, sizeof nested);
    nested[HF_VALUE_DEPTH_MAX] = 0;
    CHECK_ERR(decode(HF_BYTES(nested, HF_VALUE_DEPTH_MAX + 1), &v, NULL), HF_OK);
    CHECK_BYTES(encode(&v), HF_BYTES(nested, HF_VALUE_DEPTH_MAX + 1));
    nested[HF_VALUE_DEPTH_MAX] = 0x81;
    nested[HF_VALUE_DEPTH_MAX + 1] = 0;
    hf_fault fault = {NULL, 0};
    CHECK_ERR(decode(HF_BYTES(nested, sizeof nested), &v, &fault), HF_LIMIT);
    CHECK_U64(fault.at, HF_VALUE_DEPTH_MAX);
}

/* What the vectors leave out; `again` is the canonical form. */
HF_TEST(dag_cbor_reads) {
    static const struct { const char *in, *again; } rows[] = {
        {"f90001", "fb3e70000000000000"},
        {"f98001", "fbbe70000000000000"},
        {"f903ff", "fb3f0ff80000000000"},
        {"f90400", "fb3f10000000000000"},
        {"f97bff", "19ffe0"},
        {"f93c00", "01"},
        {"f98000", "00"},
        {"f93555", "fb3fd5540000000000"},
        {"fa00000001", "fb36a0000000000000"},
        {"fa7f7fffff", "fb47efffffe0000000"},
        {"fbc340000000000000", "fbc340000000000000"},
        {"fb433fffffffffffff", "1b001fffffffffffff"},
        {"fbc33fffffffffffff", "3b001ffffffffffffe"},
        {"60", "60"},
        {"62efbb", "63efbfbd"},
        {"a162ffff01", "a166efbfbdefbfbd01"},
        {"d82a4500015500"
         "00",
         "d82a450001550000"},
        {"a361620261630361610"
         "1",
         "a3616101616202616303"},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_value v;
        hf_fault fault = {"", 0};
        hf_err err = decode(hex(rows[i].in), &v, &fault);
        CHECK_MSG(!err, "%s: %s at %zu", rows[i].in, fault.what, fault.at);
        CHECK_BYTES(encode(&v), hex(rows[i].again));
    }
}

HF_TEST(dag_cbor_refuses_and_says_where) {
    static const struct { const char *hex; hf_err err; size_t at; } rows[] = {
        {"8301181702", HF_MALFORMED, 2},
        {"1900ff", HF_MALFORMED, 0},
        {"1b00000000ffffffff", HF_MALFORMED, 0},
        {"3817", HF_MALFORMED, 0},
        {"581701", HF_MALFORMED, 0},
        {"1d", HF_MALFORMED, 0},
        {"3e", HF_MALFORMED, 0},
        {"dc", HF_MALFORMED, 0},
        {"1f", HF_MALFORMED, 0},
        {"fc", HF_MALFORMED, 0},
        {"e0", HF_MALFORMED, 0},
        {"f3", HF_MALFORMED, 0},
        {"f818", HF_MALFORMED, 0},
        {"f8ff", HF_MALFORMED, 0},
        {"f97c00", HF_MALFORMED, 0},
        {"f9fc00", HF_MALFORMED, 0},
        {"f9ffff", HF_MALFORMED, 0},
        {"fa7f800000", HF_MALFORMED, 0},
        {"faffc00000", HF_MALFORMED, 0},
        {"fbfff0000000000000", HF_MALFORMED, 0},
        {"82f4fb7ff8000000000001", HF_MALFORMED, 2},
        {"a2616101616101", HF_MALFORMED, 0},
        {"81a2616101616101", HF_MALFORMED, 1},
        {"a261ff0161fe01", HF_MALFORMED, 0}, /* both keys U+FFFD */
        {"a3616101616201616101", HF_MALFORMED, 0},
        {"a1f401", HF_MALFORMED, 1},
        {"a18001", HF_MALFORMED, 1},
        {"a1d82a450001550000"
         "01",
         HF_MALFORMED, 1},
        {"d82a40", HF_MALFORMED, 2},
        {"d82a4100", HF_MALFORMED, 2},
        {"d82a44000155"
         "00",
         HF_MALFORMED, 2},
        {"d82a46000155000000", HF_MALFORMED, 2},
        {"d82ad82a450001550000", HF_MALFORMED, 2},
        {"d82a01", HF_MALFORMED, 2},
        {"d82b450001550000", HF_MALFORMED, 0},
        {"d9d9f700", HF_MALFORMED, 0},
        {"0000", HF_MALFORMED, 1},
        {"", HF_TRUNCATED, 0},
        {"18", HF_TRUNCATED, 0},
        {"1901", HF_TRUNCATED, 0},
        {"fb00", HF_TRUNCATED, 0},
        {"a16161", HF_TRUNCATED, 3},
        {"d82a", HF_TRUNCATED, 2},
        {"8261", HF_TRUNCATED, 0},
        {"7affffffff", HF_TRUNCATED, 0},
        {"5bffffffffffffffff", HF_TRUNCATED, 0},
        {"9affffffff00", HF_TRUNCATED, 0},
        {"bbffffffffffffffff6000", HF_TRUNCATED, 0},
        {"bb80000000000000006000", HF_TRUNCATED, 0},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_value v = hf_value_u64(42);
        hf_fault fault = {NULL, 0};
        hf_err err = decode(hex(rows[i].hex), &v, &fault);
        CHECK_MSG(err == rows[i].err, "%s: %s", rows[i].hex, hf_err_name(err));
        CHECK_MSG(fault.what && fault.at == rows[i].at, "%s: at %zu", rows[i].hex, fault.at);
        CHECK_U64(v.as.u, 42);
    }
}

HF_TEST(dag_cbor_any_cut_is_truncated) {
    const hf_value *rows = hf_value_get(hf_test_json("orbitdb/dag-cbor.json"), "encode");
    for (uint32_t i = 0; i < rows->as.list.n; i++) {
        if (hf_value_get(&rows->as.list.items[i], "error")) continue;
        hf_bytes bytes = hex_of(&rows->as.list.items[i], "bytes");
        for (size_t cut = 0; cut < bytes.len; cut++) {
            hf_value v;
            size_t len;
            uint8_t *exact = hf_alloc(hf_test_mem(), cut + 1); /* so that reading one byte too many is seen */
            memcpy(exact, bytes.ptr, cut);
            hf_err whole = decode(HF_BYTES(exact, cut), &v, NULL);
            hf_err prefix = hf_cbor_decode_prefix(hf_test_arena(), HF_BYTES(exact, cut), &v, &len, NULL);
            hf_release(hf_test_mem(), exact, cut + 1);
            CHECK_ERR(whole, HF_TRUNCATED);
            CHECK_ERR(prefix, HF_TRUNCATED);
        }
    }
}

HF_TEST(dag_cbor_prefix_says_how_much_it_took) {
    hf_value v;
    size_t len;
    CHECK_ERR(hf_cbor_decode_prefix(hf_test_arena(), hex("820102ff00"), &v, &len, NULL), HF_OK);
    CHECK_U64(len, 3);
    CHECK_U64(v.as.list.n, 2);
}

/* Announced counts cost nothing: nested containers that each promise everything that is left must not add up. */
HF_TEST(dag_cbor_memory_is_bounded_by_the_input) {
    size_t len = 200000;
    uint8_t *bytes = hf_arena_alloc(hf_test_arena(), len);
    for (int kind = 0; kind < 4; kind++) {
        hf_arena arena;
        hf_value v;
        memset(bytes, kind == 2 ? 0x80 : 0, len);
        for (size_t i = 0; i + 5 < 5 * 100;
             i += 5) { /* "a list of nearly all bytes that are left", 100 times, one within the other */
            uint32_t n = (uint32_t)(kind == 0 ? len - i - 5 : 1000);
            uint8_t head[5] = {0x9a, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
            if (kind == 0) memcpy(bytes + i, head, 5);
        }
        if (kind == 1) memset(bytes, 0x81, 100), bytes[100] = 0x80; /* then trailing bytes */
        if (kind == 2)
            bytes[0] = 0x9a, bytes[1] = 0, bytes[2] = 3, bytes[3] = 0x0d, bytes[4] = 0x3b; /* 199,995 empty lists */
        if (kind == 3)
            bytes[0] = 0x7a, bytes[1] = 0, bytes[2] = 3, bytes[3] = 0x0d, bytes[4] = 0x3b,
            memset(bytes + 5, 0xff, len - 5);
        hf_arena_init(&arena, hf_test_mem());
        hf_err err = hf_cbor_decode(&arena, HF_BYTES(bytes, len), &v, NULL);
        CHECK_ERR(err, kind == 0 ? HF_TRUNCATED : kind == 1 ? HF_MALFORMED : HF_OK);
        CHECK_MSG(hf_test_mem_out() < 60 * len, "%zu bytes for %zu", hf_test_mem_out(), len);
        hf_arena_deinit(&arena);
    }
}

HF_TEST(dag_cbor_sorts_many_keys) {
    enum { N = 1000 };
    uint16_t *keys = hf_arena_alloc(hf_test_arena(), N * sizeof *keys);
    hf_value map = hf_value_map(hf_test_arena(), N + 1), v;
    for (uint32_t i = 0; i < N; i++) {
        uint32_t k = i * 7919 % N; /* each once, in no order */
        ((uint8_t *)&keys[i])[0] = (uint8_t)(k / 100 + '0');
        ((uint8_t *)&keys[i])[1] = (uint8_t)(k % 100);
        hf_map_add_bytes(&map, HF_BYTES(&keys[i], 2), hf_value_u64(k));
    }
    CHECK_ERR(decode(encode(&map), &v, NULL), HF_OK);
    for (uint32_t i = 0; i < N; i++) CHECK_U64(v.as.map.pairs[i].value.as.u, i);
    hf_map_add_bytes(&map, HF_BYTES(&keys[17], 2), hf_value_null());
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    CHECK_ERR(hf_cbor_encode(&map, &buf), HF_MALFORMED);
    hf_buf_deinit(&buf);
}

HF_TEST(dag_cbor_encode_refuses_and_adds_nothing) {
    hf_value deep = hf_value_null(), twice = hf_value_map(hf_test_arena(), 2), list = hf_value_list(hf_test_arena(), 2);
    for (int i = 0; i <= HF_VALUE_DEPTH_MAX; i++) {
        hf_value outer = hf_value_list(hf_test_arena(), 1);
        hf_list_add(&outer, deep);
        deep = outer;
    }
    hf_map_add(&twice, "a", hf_value_null());
    hf_map_add(&twice, "a", hf_value_null());
    hf_list_add(&list, hf_value_text(HF_TEXT("some text before")));
    hf_list_add(&list, hf_value_float(__builtin_nan("")));
    struct { hf_value v; hf_err err; } rows[] = {
        {hf_value_float(__builtin_nan("")), HF_MALFORMED},
        {hf_value_float(__builtin_inf()), HF_MALFORMED},
        {hf_value_float(-__builtin_inf()), HF_MALFORMED},
        {list, HF_MALFORMED},
        {twice, HF_MALFORMED},
        {hf_value_text(HF_TEXT("\xc3(")), HF_MALFORMED},
        {deep, HF_LIMIT},
        {{.kind = HF_LINK, .as.s = HF_TEXT("")}, HF_MALFORMED},
        {{.kind = HF_LINK, .as.s = HF_TEXT("\x01\x55\x00\x01")}, HF_MALFORMED},
        {hf_value_list(hf_test_arena(), SIZE_MAX), HF_NOMEM},
        {hf_value_map(hf_test_arena(), SIZE_MAX), HF_NOMEM},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_buf buf;
        hf_buf_init(&buf, hf_test_mem());
        hf_buf_add_str(&buf, "kept");
        hf_err err = hf_cbor_encode(&rows[i].v, &buf);
        CHECK_MSG(err == rows[i].err, "row %zu: %s", i, hf_err_name(err));
        CHECK_BYTES(hf_buf_bytes(&buf), HF_TEXT("kept"));
        hf_buf_deinit(&buf);
    }
}

HF_TEST(dag_cbor_straight_writing) {
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    hf_cbor_add_head(&buf, 5, 2);
    hf_cbor_add_text(&buf, HF_TEXT("v"));
    hf_cbor_add_u64(&buf, 300);
    hf_cbor_add_text(&buf, HF_TEXT("sig"));
    hf_cbor_add_bytes(&buf, HF_TEXT("\x01\x02"));
    CHECK_BYTES(hf_buf_bytes(&buf), hex("a2617619012c63736967420102"));
    hf_buf_deinit(&buf);
}

HF_TEST(dag_cbor_without_memory) {
    hf_bytes text = HF_TEXT("{\"list\":[1,[2,[3,\"x\"]],{\"k\":null}],\"text\":\"\\u00e9\",\"a\":1,\"b\":1,\"c\":1,"
                            "\"d\":1,\"e\":1,\"f\":1,\"g\":1,"
                            "\"h\":1,\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1,\"q\":1,\"r\":1,"
                            "\"s\":1,\"t\":1,\"u\":1,\"w\":1}");
    hf_value v, again;
    size_t n_failures = 0;
    CHECK_ERR(hf_json_decode(hf_test_arena(), text, &v, NULL), HF_OK);
    uint8_t unsorted_broken[] = {0xa2, 0x61, 'b', 0x61, 0xff, 0x61, 'a', 0x00};
    for (size_t n = 1;; n++) {
        hf_arena arena;
        hf_buf buf;
        hf_arena_init(&arena, hf_test_mem());
        hf_buf_init(&buf, hf_test_mem());
        hf_test_mem_fail_at(n);
        hf_err err = hf_cbor_encode(&v, &buf);
        if (!err) err = hf_cbor_decode(&arena, hf_buf_bytes(&buf), &again, NULL);
        if (!err) err = hf_cbor_decode(&arena, HF_BYTES(unsorted_broken, sizeof unsorted_broken), &again, NULL);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK_ERR(err, failed ? HF_NOMEM : HF_OK);
        hf_buf_deinit(&buf);
        hf_arena_deinit(&arena);
        if (!failed) break;
        n_failures++;
    }
    CHECK(n_failures > 2);
}
