/* Fuzz: a frame; when its parts read, written again they read the same. */
#include "sync_message.h"

#include "../../tests/kit/fuzz.h"

#include <string.h>

/* Reads a Have and writes it again. */
static void rewrite_have(hf_bytes bytes, hf_buf *ret) {
    hf_sync_have have, again;
    if (hf_sync_have_read(bytes, &have)) return;
    hf_pb_reader r = hf_pb_read(bytes);
    hf_buf_clear(ret);
    for (hf_sync_clock clock; hf_sync_clock_next(&r, &clock);) hf_sync_add_clock(ret, &clock);
    r = hf_pb_read(bytes);
    for (hf_bytes digest; hf_sync_head_next(&r, &digest);) hf_sync_add_head(ret, digest.ptr);
    if (have.tells_heads) hf_sync_add_entries(ret, have.n_entries);
    if (have.more) hf_sync_add_more(ret);
    HF_ASSERT(!hf_sync_have_read(hf_buf_bytes(ret), &again));
    HF_ASSERT(have.n_clocks == again.n_clocks && have.n_heads == again.n_heads && have.n_entries == again.n_entries &&
              have.more == again.more);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_buf frame, have;
    hf_buf_init(&frame, &mem);
    hf_buf_init(&have, &mem);
    size_t from, n, at = 0;
    if (!hf_sync_frame(HF_BYTES(data, len), &from, &n)) {
        hf_bytes message = HF_BYTES(data + from, n), bytes, again;
        hf_sync_part part, part_again;
        hf_sync_begin(&frame);
        while (!hf_sync_part_next(message, &at, &part, &bytes)) {
            hf_sync_add_part(&frame, part, bytes);
            if (part == HF_SYNC_PART_HAVE) rewrite_have(bytes, &have);
        }
        size_t at_again = 0, n_again, from_again;
        hf_bytes wire = frame.len <= HF_SYNC_MESSAGE_MAX ? hf_sync_end(&frame) : HF_BYTES(NULL, 0);
        if (wire.len) HF_ASSERT(!hf_sync_frame(wire, &from_again, &n_again) && n_again == wire.len - from_again);
        for (at = 0; wire.len && !hf_sync_part_next(message, &at, &part, &bytes);) {
            HF_ASSERT(!hf_sync_part_next(hf_sub(wire, from_again, n_again), &at_again, &part_again, &again));
            HF_ASSERT(part == part_again && hf_eq(bytes, again));
        }
    }
    hf_buf_deinit(&frame);
    hf_buf_deinit(&have);
    return 0;
}
