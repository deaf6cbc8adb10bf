/* Frame headers as js writes them, and every kind that is refused. */
#include "yamux_frame.h"

#include "../../tests/kit/check.h"

static uint32_t number_of(const hf_value *v, const char *key) {
    return (uint32_t)hf_value_as_i64(hf_value_get(v, key), -1);
}

HF_TEST(yamux_frames_are_those_of_js) {
    const hf_value *frames = hf_value_get(hf_test_json("orbitdb/yamux.json"), "frames");
    CHECK(frames->as.list.n >= 17);
    for (size_t i = 0; i < frames->as.list.n; i++) {
        const hf_value *v = &frames->as.list.items[i];
        hf_bytes bytes = hf_test_hex(hf_value_as_text(hf_value_get(v, "frame")));
        hf_yamux_frame f;
        uint8_t again[HF_YAMUX_HEADER_LEN];
        CHECK_ERR(hf_yamux_frame_read(bytes.ptr, &f, NULL), HF_OK);
        CHECK_U64(f.type, number_of(v, "type"));
        CHECK_U64(f.flags, number_of(v, "flag"));
        CHECK_U64(f.stream, number_of(v, "streamID"));
        CHECK_U64(f.length, number_of(v, "length"));
        hf_yamux_frame_write(f, again);
        CHECK_BYTES(HF_BYTES(again, sizeof again), hf_sub(bytes, 0, HF_YAMUX_HEADER_LEN));
    }
}

HF_TEST(yamux_frames_that_are_refused) {
    static const struct {
        const char *hex;
        size_t at;
    } bad[] = {
        {"010000000000000100000000", 0}, /* version 1 */
        {"000400000000000100000000", 1}, /* type 4 */
        {"000000100000000100000000", 2}, /* flag 16 */
        {"000080000000000100000000", 2}, /* flag 32768 */
        {"000000000000000000000000", 4}, /* data on stream 0 */
        {"000100000000000000000000", 4}, /* window update on stream 0 */
        {"000200010000000100000000", 4}, /* ping on a stream */
        {"000300000000000100000000", 4}, /* go-away on a stream */
        {"000200000000000000000000", 2}, /* ping that is nothing */
        {"000200030000000000000000", 2}, /* ping that is both */
    };
    for (size_t i = 0; i < HF_COUNT(bad); i++) {
        hf_yamux_frame f;
        hf_fault fault = {NULL, 99};
        CHECK_MSG(hf_yamux_frame_read(hf_test_hex(hf_str(bad[i].hex)).ptr, &f, &fault) == HF_MALFORMED, "%s",
                  bad[i].hex);
        CHECK(fault.what != NULL);
        CHECK_U64(fault.at, bad[i].at);
    }
}
