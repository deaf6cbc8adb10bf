/* The bytes of /holdfast/sync/1.0.0: the layout spelled out, round trips, and what is refused. */
#include "sync_message.h"

#include "../../tests/kit/check.h"
#include "sync.h"

#include <string.h>

static uint8_t digest_a[32] = {0xaa}, digest_b[32] = {0xbb};

HF_TEST(sync_message_layout) {
    hf_buf have, frame;
    hf_buf_init(&have, hf_test_mem());
    hf_buf_init(&frame, hf_test_mem());
    hf_sync_clock clock = {.key = {2, 7}, .time = 300};
    hf_sync_add_clock(&have, &clock);
    hf_sync_add_head(&have, digest_a);
    hf_sync_add_entries(&have, 5);
    hf_sync_add_more(&have);
    CHECK_BYTES(hf_buf_bytes(&have),
                hf_test_hex(HF_TEXT("0a26"
                                    "0a21"
                                    "020700000000000000000000000000000000000000000000000000000000000000"
                                    "10ac02"
                                    "1220"
                                    "aa00000000000000000000000000000000000000000000000000000000000000"
                                    "1805"
                                    "2001")));
    hf_sync_begin(&frame);
    hf_sync_add_part(&frame, HF_SYNC_PART_IDENTITY, HF_TEXT("id"));
    hf_sync_add_part(&frame, HF_SYNC_PART_ENTRY, HF_TEXT("entry"));
    CHECK_BYTES(hf_sync_end(&frame), HF_TEXT("\x0b" "\x12\x02id" "\x1a\x05" "entry"));
    hf_buf_deinit(&have);
    hf_buf_deinit(&frame);
}

/* Frames of lengths around the varint's steps read back, and are cut anywhere. */
HF_TEST(sync_message_frames_at_any_cut) {
    static const size_t lens[] = {0, 1, 123, 125, 126, 200, 16380, 16383, 100000, HF_SYNC_MESSAGE_MAX - 4};
    static uint8_t zeros[HF_SYNC_MESSAGE_MAX];
    for (size_t i = 0; i < HF_COUNT(lens); i++) {
        hf_buf frame;
        hf_buf_init(&frame, hf_test_mem());
        hf_sync_begin(&frame);
        if (lens[i]) hf_sync_add_part(&frame, HF_SYNC_PART_ENTRY, HF_BYTES(zeros, lens[i]));
        hf_bytes wire = hf_sync_end(&frame), bytes;
        size_t at, len, from = 0;
        for (size_t cut = 0; cut < wire.len; cut += 1 + cut / 4)
            CHECK_ERR(hf_sync_frame(hf_sub(wire, 0, cut), &at, &len), HF_TRUNCATED);
        CHECK_ERR(hf_sync_frame(wire, &at, &len), HF_OK);
        CHECK_U64(at + len, wire.len);
        hf_sync_part part;
        hf_err err = hf_sync_part_next(hf_sub(wire, at, len), &from, &part, &bytes);
        CHECK_ERR(err, lens[i] ? HF_OK : HF_NOT_FOUND);
        if (lens[i]) CHECK(part == HF_SYNC_PART_ENTRY && bytes.len == lens[i] && from == len);
        hf_buf_deinit(&frame);
    }
    size_t at, len;
    CHECK_ERR(hf_sync_frame(HF_TEXT("\x81\x80\x40"), &at, &len), HF_LIMIT);
    CHECK_ERR(hf_sync_frame(HF_TEXT("\x81\x80\x00"), &at, &len), HF_MALFORMED);
    CHECK_ERR(hf_sync_frame(HF_TEXT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), &at, &len), HF_MALFORMED);
}

HF_TEST(sync_message_have_round_trip) {
    hf_buf b;
    hf_buf_init(&b, hf_test_mem());
    static const uint64_t times[] = {0, 1, 127, 128, 1u << 31, UINT64_MAX};
    for (size_t i = 0; i < HF_COUNT(times); i++)
        hf_sync_add_clock(&b, &(hf_sync_clock){.key = {3, (uint8_t)i}, .time = times[i]});
    hf_sync_add_head(&b, digest_a);
    hf_sync_add_head(&b, digest_b);
    hf_sync_add_entries(&b, 1u << 20);
    hf_sync_have have;
    CHECK_ERR(hf_sync_have_read(hf_buf_bytes(&b), &have), HF_OK);
    CHECK(have.n_clocks == HF_COUNT(times) && have.n_heads == 2 && have.tells_heads && have.n_entries == 1u << 20 &&
          !have.more);
    hf_pb_reader r = hf_pb_read(hf_buf_bytes(&b));
    hf_sync_clock clock;
    for (size_t i = 0; i < HF_COUNT(times); i++) {
        CHECK(hf_sync_clock_next(&r, &clock));
        CHECK(clock.key[1] == i && clock.time == times[i]);
    }
    CHECK(!hf_sync_clock_next(&r, &clock));
    r = hf_pb_read(hf_buf_bytes(&b));
    hf_bytes digest;
    CHECK(hf_sync_head_next(&r, &digest) && digest.ptr[0] == 0xaa && hf_sync_head_next(&r, &digest) &&
          !hf_sync_head_next(&r, &digest));
    hf_buf_deinit(&b);
}

#define ZERO_30 "000000000000000000000000000000000000000000000000000000000000"

HF_TEST(sync_message_refuses) {
    static const struct {
        const char *what, *hex; hf_err err;
    } parts[] = {
        {"an end within a field", "1a05ab", HF_MALFORMED},
        {"a want of 1 byte", "2201aa", HF_MALFORMED},
        {"a missing of 0 bytes", "2a00", HF_MALFORMED},
        {"a want that is a number", "2001", HF_MALFORMED},
        {"an entry that is a number", "1801", HF_MALFORMED},
        {"a group", "0b", HF_MALFORMED},
        {"field 0", "0200", HF_MALFORMED},
        {"nothing", "", HF_NOT_FOUND},
        {"unknown fields only", "3201aa3801", HF_NOT_FOUND},
        {"an empty entry", "1a00", HF_OK},
        {"an unknown field first", "38011a01ff", HF_OK},
        {"a want", "2220aaaa" ZERO_30, HF_OK},
    };
    for (size_t i = 0; i < HF_COUNT(parts); i++) {
        size_t at = 0;
        hf_sync_part part;
        hf_bytes bytes;
        hf_err err = hf_sync_part_next(hf_test_hex(hf_str(parts[i].hex)), &at, &part, &bytes);
        CHECK_MSG(err == parts[i].err, "%s: %s", parts[i].what, hf_err_name(err));
    }
    static const struct {
        const char *what, *hex; hf_err err;
    } haves[] = {
        {"a clock without writer", "0a021001", HF_MALFORMED},
        {"a clock with a short key", "0a040a020203", HF_MALFORMED},
        {"a head of 31 bytes", "121faa" ZERO_30, HF_MALFORMED},
        {"heads without a count", "1220aaaa" ZERO_30, HF_MALFORMED},
        {"a count that is bytes", "1a0161", HF_MALFORMED},
        {"a clock that is a number", "0801", HF_MALFORMED},
        {"cut", "0a", HF_MALFORMED},
        {"nothing", "", HF_OK},
        {"an empty log", "1800", HF_OK},
        {"one head", "1220aaaa" ZERO_30 "1801", HF_OK},
        {"unknown", "2a0161", HF_OK},
    };
    for (size_t i = 0; i < HF_COUNT(haves); i++) {
        hf_sync_have have;
        hf_err err = hf_sync_have_read(hf_test_hex(hf_str(haves[i].hex)), &have);
        CHECK_MSG(err == haves[i].err, "%s: %s", haves[i].what, hf_err_name(err));
    }
}

HF_TEST(sync_message_limits) {
    hf_buf b;
    hf_buf_init(&b, hf_test_mem());
    hf_sync_have have;
    hf_sync_add_entries(&b, 65);
    for (size_t i = 0; i < HF_SYNC_HEADS_MAX; i++) hf_sync_add_head(&b, digest_a);
    CHECK_ERR(hf_sync_have_read(hf_buf_bytes(&b), &have), HF_OK);
    hf_sync_add_head(&b, digest_a);
    CHECK_ERR(hf_sync_have_read(hf_buf_bytes(&b), &have), HF_LIMIT);
    hf_buf_clear(&b);
    hf_sync_clock clock = {.key = {2}, .time = UINT64_MAX};
    for (size_t i = 0; i < HF_SYNC_CLOCKS_MAX; i++) hf_sync_add_clock(&b, &clock);
    CHECK(b.len < HF_SYNC_MESSAGE_MAX - 4096); /* the longest clocks and all heads fit into a message */
    CHECK_ERR(hf_sync_have_read(hf_buf_bytes(&b), &have), HF_OK);
    hf_sync_add_clock(&b, &clock);
    CHECK_ERR(hf_sync_have_read(hf_buf_bytes(&b), &have), HF_LIMIT);
    hf_buf_deinit(&b);
}
