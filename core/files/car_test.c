/* CARs against what @ipld/car wrote (tests/vectors/unixfs/make.mjs): read in any cut, written again the same bytes. */
#include "car.h"

#include "../../tests/kit/check.h"

#include <string.h>

static const hf_value *vector(void) { return &hf_value_get(hf_test_json("unixfs/unixfs.json"), "cars")->as.list.items[0]; }

static bool cid_is(hf_bytes cid, const hf_value *list, size_t i) {
    hf_cid a, b;
    return i < list->as.list.n && !hf_cid_read(cid, &a) && !hf_cid_parse(hf_value_as_text(&list->as.list.items[i]), &b) &&
           hf_cid_eq(&a, &b);
}

typedef struct outcome { size_t n_roots, n_blocks; hf_err end; const char *reason; bool as_listed; } outcome;

/* Reads in cuts of at most `cut_max`; with `copy`, writes what it reads. */
static outcome read_car(hf_bytes bytes, uint64_t seed, size_t cut_max, hf_buf *copy) {
    const hf_value *v = vector(), *roots = hf_value_get(v, "roots"), *blocks = hf_value_get(v, "blocks");
    outcome o = {.as_listed = true};
    hf_bytes told[4];
    hf_car *car = hf_car_new(hf_test_mem());
    for (size_t at = 0; at < bytes.len && !o.reason;) {
        hf_bytes cut = hf_sub(bytes, at, 1 + hf_test_random(&seed) % cut_max);
        at += cut.len;
        for (hf_car_out out; hf_car_recv(car, &cut, &out) && !o.reason;) {
            if (out.kind == HF_CAR_FAILED) o.reason = out.reason;
            if (out.kind == HF_CAR_ROOT) {
                o.as_listed = o.as_listed && cid_is(out.cid, roots, o.n_roots);
                if (o.n_roots < 4) told[o.n_roots] = out.cid;
                if (++o.n_roots == 2 && copy) hf_car_add_header(copy, told, 2);
            }
            if (out.kind != HF_CAR_BLOCK) continue;
            o.as_listed = o.as_listed && cid_is(out.cid, blocks, o.n_blocks++);
            if (copy) hf_car_add_section(copy, out.cid, out.block.len);
            if (copy) hf_buf_add(copy, out.block);
        }
    }
    o.end = hf_car_end(car);
    hf_car_free(car);
    return o;
}

HF_TEST(car_reads_and_writes_as_js) {
    hf_bytes bytes = hf_test_hex(hf_value_as_text(hf_value_get(vector(), "hex")));
    for (uint64_t seed = 1; seed < 40; seed++) {
        hf_buf copy;
        hf_buf_init(&copy, hf_test_mem());
        outcome o = read_car(bytes, seed, seed < 5 ? 1 : seed * 10, &copy);
        bool same = hf_eq(hf_buf_bytes(&copy), bytes);
        hf_buf_deinit(&copy);
        CHECK_MSG(!o.reason, "%s", o.reason);
        CHECK(o.n_roots == 2 && o.n_blocks == 5 && o.as_listed && same);
        CHECK_ERR(o.end, HF_OK);
    }
}

HF_TEST(car_reads_version_2) {
    hf_bytes bytes = hf_test_hex(hf_value_as_text(hf_value_get(vector(), "hex")));
    static const uint8_t pragma[] = {0x0a, 0xa1, 0x67, 'v', 'e', 'r', 's', 'i', 'o', 'n', 0x02};
    for (uint64_t seed = 1; seed < 20; seed++) {
        hf_buf v2;
        uint64_t gap = seed % 3 * 7;
        uint8_t fields[40] = {[16] = (uint8_t)(51 + gap), [24] = (uint8_t)bytes.len, [25] = (uint8_t)(bytes.len >> 8)};
        hf_buf_init(&v2, hf_test_mem());
        hf_buf_add(&v2, HF_BYTES(pragma, sizeof pragma));
        hf_buf_add(&v2, HF_BYTES(fields, sizeof fields));
        for (uint64_t i = 0; i < gap; i++) hf_buf_add_byte(&v2, 0xff);
        hf_buf_add(&v2, bytes);
        hf_buf_add_str(&v2, "an index of some kind");
        outcome o = read_car(hf_buf_bytes(&v2), seed, seed * 5, NULL);
        hf_buf_deinit(&v2);
        CHECK_MSG(!o.reason, "%s", o.reason);
        CHECK(o.n_roots == 2 && o.n_blocks == 5 && o.as_listed);
        CHECK_ERR(o.end, HF_OK);
    }
}

HF_TEST(car_tells_where_it_breaks_off) {
    hf_bytes bytes = hf_test_hex(hf_value_as_text(hf_value_get(vector(), "hex")));
    size_t n_whole = 0;
    for (size_t len = 0; len <= bytes.len; len++) {
        outcome o = read_car(hf_sub(bytes, 0, len), len, 50, NULL);
        CHECK_MSG(!o.reason, "%s", o.reason);
        CHECK(o.end == HF_OK || o.end == HF_TRUNCATED);
        n_whole += o.end == HF_OK;
    }
    CHECK_U64(n_whole, 6); /* behind the header, and behind each block */
}

HF_TEST(car_refuses_what_is_not_its_cid) {
    hf_bytes bytes = hf_test_hex(hf_value_as_text(hf_value_get(vector(), "hex")));
    uint8_t *changed = hf_arena_alloc(hf_test_arena(), bytes.len);
    for (size_t i = 0; i < bytes.len; i++) {
        memcpy(changed, bytes.ptr, bytes.len);
        changed[i] ^= 1;
        outcome o = read_car(HF_BYTES(changed, bytes.len), i, 90, NULL);
        CHECK_MSG(o.reason || o.end || !o.as_listed, "byte %zu", i);
    }
}

HF_TEST(car_survives_no_memory) {
    hf_bytes bytes = hf_test_hex(hf_value_as_text(hf_value_get(vector(), "hex")));
    for (size_t n = 1;; n++) {
        hf_test_mem_fail_at(n);
        hf_car *car = hf_car_new(hf_test_mem());
        hf_bytes rest = bytes;
        hf_car_out out = {.kind = HF_CAR_ROOT};
        while (car && out.kind && out.kind != HF_CAR_FAILED) hf_car_recv(car, &rest, &out);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        hf_car_free(car);
        CHECK(failed == (!car || out.kind == HF_CAR_FAILED));
        if (!failed) break;
    }
}
