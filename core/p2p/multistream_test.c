/* multistream-select: lines as js writes them, whole negotiations at every cut, and what is no negotiation. */
#include "multistream.h"

#include "../../tests/kit/check.h"

static hf_bytes text_of(const hf_value *v, const char *key) { return hf_value_as_text(hf_value_get(v, key)); }

HF_TEST(multistream_lines_are_those_of_js) {
    const hf_value *messages = hf_value_get(hf_test_json("orbitdb/multistream.json"), "messages");
    CHECK(messages->as.list.n >= 14);
    for (size_t i = 0; i < messages->as.list.n; i++) {
        hf_bytes text = text_of(&messages->as.list.items[i], "text"),
                 bytes = hf_test_hex(text_of(&messages->as.list.items[i], "bytes")), got;
        hf_buf buf;
        size_t len = 0;
        hf_buf_init(&buf, hf_test_mem());
        hf_multistream_add(&buf, text);
        CHECK_BYTES(hf_buf_bytes(&buf), bytes);
        CHECK_ERR(hf_multistream_read(bytes, &got, &len, NULL), HF_OK);
        CHECK_BYTES(got, text);
        CHECK_U64(len, bytes.len);
        for (size_t cut = 0; cut < bytes.len; cut++)
            CHECK_ERR(hf_multistream_read(hf_sub(bytes, 0, cut), &got, &len, NULL), HF_TRUNCATED);
        hf_buf_deinit(&buf);
    }
}

HF_TEST(multistream_refuses_bad_lines) {
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"\x00", 1}, /* empty */
        {"\x02"
         "ab",
         3}, /* no newline */
        {"\x04"
         "a\nb\n",
         5}, /* one inside */
        {"\x81\x08"
         "x",
         3},                 /* 1,025 bytes */
        {"\xff\xff\xff", 3}, /* longer still */
        {"\x80\x00"
         "x",
         3}, /* overlong varint */
    };
    hf_bytes text;
    size_t len;
    hf_fault fault = {NULL, 0};
    for (size_t i = 0; i < HF_COUNT(bad); i++) {
        CHECK_MSG(hf_multistream_read(HF_BYTES(bad[i].bytes, bad[i].len), &text, &len, &fault) == HF_MALFORMED,
                  "case %zu", i);
        CHECK(fault.what != NULL);
    }
}

/* A listener that knows /yes; what it is fed in, what it answered, how it ended. */
typedef struct outcome {
    hf_multistream_kind kind;
    hf_buf out;
    size_t rest;
} outcome;

static outcome listen_to(hf_bytes script, size_t cut) {
    outcome o = {.kind = HF_MULTISTREAM_MORE};
    hf_multistream ms;
    hf_buf_init(&o.out, hf_test_mem());
    hf_multistream_listen(&ms, hf_test_mem());
    bool done = false;
    for (size_t at = 0; at < script.len && !done;) {
        hf_bytes part = hf_sub(script, at, cut), rest = part;
        CHECK_ERR(hf_multistream_recv(&ms, &rest, &o.out, &o.kind), HF_OK);
        at += part.len - rest.len;
        if (o.kind == HF_MULTISTREAM_PROPOSED)
            hf_multistream_answer(&ms, done = hf_eq(ms.text, HF_TEXT("/yes")), &o.out);
        if (o.kind == HF_MULTISTREAM_BROKEN) done = true;
        o.rest = script.len - at;
    }
    hf_multistream_deinit(&ms);
    return o;
}

HF_TEST(multistream_listener_at_any_cut) {
    hf_bytes script = HF_TEXT("\x13/multistream/1.0.0\n\x04/no\n\x05/yes\nHELLO");
    hf_bytes want = HF_TEXT("\x13/multistream/1.0.0\n\x03na\n\x05/yes\n");
    for (size_t cut = 1; cut <= script.len; cut++) {
        outcome o = listen_to(script, cut);
        CHECK_U64(o.kind, HF_MULTISTREAM_PROPOSED);
        CHECK_BYTES(hf_buf_bytes(&o.out), want);
        CHECK_U64(o.rest, 5);
        hf_buf_deinit(&o.out);
    }
}

HF_TEST(multistream_listener_answers_the_header_alone) {
    outcome o = listen_to(HF_TEXT("\x13/multistream/1.0.0\n"), 100);
    CHECK_BYTES(hf_buf_bytes(&o.out), HF_TEXT("\x13/multistream/1.0.0\n"));
    hf_buf_deinit(&o.out);
}

HF_TEST(multistream_listener_ends_what_is_none) {
    static const char *const scripts[] = {"\x04/no\n", "\x13/multistream/2.0.0\n", "GET / HTTP/1.1\r\n",
                                          "\x13/multistream/1.0.0\n\x03xxx\n"};
    for (size_t i = 0; i < HF_COUNT(scripts); i++) {
        outcome o = listen_to(hf_str(scripts[i]), 3);
        CHECK_MSG(o.kind == HF_MULTISTREAM_BROKEN, "%s", scripts[i]);
        hf_buf_deinit(&o.out);
    }
}

HF_TEST(multistream_listener_hears_so_many_proposals) {
    hf_buf script;
    hf_buf_init(&script, hf_test_mem());
    hf_multistream_add(&script, HF_TEXT(HF_MULTISTREAM_HEADER));
    for (int i = 0; i < HF_MULTISTREAM_PROPOSALS_MAX + 1; i++) hf_multistream_add(&script, HF_TEXT("/no"));
    outcome o = listen_to(hf_buf_bytes(&script), 1000);
    CHECK_U64(o.kind, HF_MULTISTREAM_BROKEN);
    hf_buf_deinit(&o.out);
    hf_buf_deinit(&script);
}

HF_TEST(multistream_dialer_at_any_cut) {
    static const struct {
        const char *answer;
        hf_multistream_kind kind;
        size_t rest;
    } cases[] = {
        {"\x13/multistream/1.0.0\n\x05/yes\nHELLO", HF_MULTISTREAM_AGREED, 5},
        {"\x13/multistream/1.0.0\n\x03na\n", HF_MULTISTREAM_REFUSED, 0},
        {"\x13/multistream/1.0.0\n\x04/no\n", HF_MULTISTREAM_BROKEN, 0},
        {"\x05/yes\n", HF_MULTISTREAM_BROKEN, 0},
        {"\x13/multistream/1.0.0\n\x05/ye", HF_MULTISTREAM_MORE, 0},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++)
        for (size_t cut = 1; cut < 32; cut++) {
            hf_multistream ms;
            hf_buf out;
            hf_multistream_kind kind = HF_MULTISTREAM_MORE;
            hf_buf_init(&out, hf_test_mem());
            CHECK_ERR(hf_multistream_dial(&ms, hf_test_mem(), HF_TEXT("/yes"), &out), HF_OK);
            CHECK_BYTES(hf_buf_bytes(&out), HF_TEXT("\x13/multistream/1.0.0\n\x05/yes\n"));
            hf_bytes script = hf_str(cases[i].answer);
            while (script.len && kind == HF_MULTISTREAM_MORE) {
                hf_bytes part = hf_sub(script, 0, cut), rest = part;
                CHECK_ERR(hf_multistream_recv(&ms, &rest, &out, &kind), HF_OK);
                script = hf_sub(script, part.len - rest.len, script.len);
            }
            CHECK_U64(kind, cases[i].kind);
            CHECK_U64(script.len, cases[i].rest);
            hf_multistream_deinit(&ms);
            hf_buf_deinit(&out);
        }
}

HF_TEST(multistream_dialer_refuses_impossible_names) {
    static const char *const names[] = {"", "/a\nb"};
    for (size_t i = 0; i < HF_COUNT(names); i++) {
        hf_multistream ms;
        hf_buf out;
        hf_buf_init(&out, hf_test_mem());
        CHECK_ERR(hf_multistream_dial(&ms, hf_test_mem(), hf_str(names[i]), &out), HF_MALFORMED);
        hf_multistream_deinit(&ms);
        hf_buf_deinit(&out);
    }
}

HF_TEST(multistream_without_memory) {
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        hf_multistream ms;
        hf_buf out;
        hf_multistream_kind kind = HF_MULTISTREAM_MORE;
        hf_buf_init(&out, hf_test_mem());
        hf_test_mem_fail_at(n);
        hf_err err = hf_multistream_dial(&ms, hf_test_mem(), HF_TEXT("/yes"), &out);
        hf_bytes script = HF_TEXT("\x13/multistream/1.0.0\n\x05/yes\n");
        while (!err && script.len) {
            hf_bytes part = hf_sub(script, 0, 1);
            err = hf_multistream_recv(&ms, &part, &out, &kind);
            script = hf_sub(script, 1, script.len);
        }
        failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK_ERR(err, failed ? HF_NOMEM : HF_OK);
        CHECK(failed || kind == HF_MULTISTREAM_AGREED);
        hf_multistream_deinit(&ms);
        hf_buf_deinit(&out);
    }
}
