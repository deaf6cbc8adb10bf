/* How fast the codecs are on an entry of the log, as the log makes them: `make bench` runs this natively and in
 * WebAssembly. */
#define _POSIX_C_SOURCE 199309L
#include "cid.h"
#include "dag_cbor.h"
#include "json.h"
#include "multibase.h"
#include "number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 1000, ROUND_NS = 100000000 };

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

static hf_mem mem = {resize, NULL};
static hf_arena arena, kept;
static hf_buf out;
static hf_value entry;
static uint8_t entry_bytes[2048], cid[HF_CID_LEN];
static size_t entry_len;
static char cid_text[HF_CID_TEXT_LEN], text[600];
static hf_err failed;

static hf_value text_of(char fill, size_t len) {
    uint8_t *p = hf_arena_alloc(&kept, len);
    memset(p, fill, len);
    return hf_value_text(HF_BYTES(p, len));
}

static void make_entry(void) {
    hf_value clock = hf_value_map(&kept, 2), next = hf_value_list(&kept, 1), refs = hf_value_list(&kept, 1);
    entry = hf_value_map(&kept, 9);
    hf_map_add(&clock, "id", text_of('c', 66));
    hf_map_add(&clock, "time", hf_value_u64(12345));
    hf_list_add(&next, text_of('n', 49));
    hf_list_add(&refs, text_of('r', 49));
    hf_map_add(&entry, "v", hf_value_u64(2));
    hf_map_add(&entry, "id", text_of('i', 58));
    hf_map_add(&entry, "key", text_of('k', 66));
    hf_map_add(&entry, "sig", text_of('s', 142));
    hf_map_add(&entry, "next", next);
    hf_map_add(&entry, "refs", refs);
    hf_map_add(&entry, "clock", clock);
    hf_map_add(&entry, "payload", text_of('p', 40));
    hf_map_add(&entry, "identity", text_of('h', 49));
}

static void cbor_encode(void) {
    hf_buf_clear(&out);
    failed |= hf_cbor_encode(&entry, &out);
}
static void cbor_decode(void) {
    hf_value v;
    hf_arena_clear(&arena);
    failed |= hf_cbor_decode(&arena, HF_BYTES(entry_bytes, entry_len), &v, NULL);
}
static void cid_to_text(void) { hf_cid_text(cid, cid_text); }
static void cid_from_text(void) {
    uint8_t digest[32];
    failed |= hf_cid_digest(HF_BYTES(cid_text, sizeof cid_text), digest);
}
static void json_text(void) {
    hf_buf_clear(&out);
    hf_json_add_text(&out, HF_BYTES(text, sizeof text));
}
static void json_number(double f) {
    char digits[HF_NUMBER_TEXT_MAX];
    double again;
    failed |= hf_number_parse(HF_BYTES(digits, hf_number_print(f, digits)), &again);
}
static void json_short_number(void) { json_number(19.99); }
static void json_long_number(void) { json_number(0.30000000000000004e-200); }

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Nanoseconds a call, the best of three rounds: what the machine's other work cannot spoil. */
static double cost_ns(void (*run)(void)) {
    double best = 1e30;
    for (int round = 0; round < 3; round++) {
        uint64_t from = now_ns(), n = 0, ns;
        do {
            for (int i = 0; i < BATCH; i++) run();
            n += BATCH;
            ns = now_ns() - from;
        } while (ns < ROUND_NS);
        double got = (double)ns / (double)n;
        if (got < best) best = got;
    }
    return best;
}

int main(void) {
    static const struct { const char *name; void (*run)(void); } rows[] = {
        {"dag-cbor encode, entry", cbor_encode},  {"dag-cbor decode, entry", cbor_decode},
        {"CID to text (base58)", cid_to_text},    {"CID from text", cid_from_text},
        {"JSON text, 600 bytes", json_text},      {"JSON number 19.99, both ways", json_short_number},
        {"JSON number 3e-201…, both ways", json_long_number},
    };
    hf_arena_init(&arena, &mem);
    hf_arena_init(&kept, &mem);
    hf_buf_init(&out, &mem);
    make_entry();
    cbor_encode();
    memcpy(entry_bytes, out.ptr, entry_len = out.len);
    hf_cid_of(HF_BYTES(entry_bytes, entry_len), cid);
    hf_cid_text(cid, cid_text);
    memset(text, 'x', sizeof text);
    printf("an entry of %zu bytes\n", entry_len);
    for (size_t i = 0; i < HF_COUNT(rows); i++) printf("%-34s %8.0f ns\n", rows[i].name, cost_ns(rows[i].run));
    hf_buf_deinit(&out);
    hf_arena_deinit(&arena);
    hf_arena_deinit(&kept);
    return failed != HF_OK;
}
