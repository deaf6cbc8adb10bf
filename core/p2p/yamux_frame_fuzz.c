/* A header that reads writes the same bytes; a session fed with the rest stays within its bounds. */
#include "yamux.h"

#include "../../tests/kit/fuzz.h"
#include "yamux_frame.h"

#include <stdlib.h>
#include <string.h>

/* Echoes what it hears, ends streams when asked to, so that our own side moves too. */
static void react(hf_yamux *y, uint64_t now_ms, const hf_yamux_event *event) {
    hf_yamux_stream *s = event->stream;
    if (event->kind == HF_YAMUX_DATA) {
        hf_err err = hf_yamux_write(y, now_ms, s, event->bytes);
        if (err && err != HF_LIMIT && err != HF_STATE) abort();
        if (event->bytes.ptr[0] == 'r')
            hf_yamux_drop(y, s);
        else if (event->bytes.ptr[0] == 'n')
            hf_yamux_reading(y, now_ms, s, false);
    }
    if (event->kind == HF_YAMUX_FIN) hf_yamux_finish(y, s);
    if (event->kind == HF_YAMUX_RESET || (event->kind == HF_YAMUX_FIN && hf_yamux_over(s))) hf_yamux_drop(y, s);
}

static void session(hf_mem *mem, hf_bytes bytes) {
    hf_yamux_config config = {.streams_in_max = 8, .streams_out_max = 2, .send_buffer_bytes_max = 4096};
    hf_yamux *y = hf_yamux_new(mem, &config, 0);
    hf_yamux_stream *own;
    hf_yamux_event event = {.kind = HF_YAMUX_OPENED};
    bool drained;
    if (hf_yamux_open(y, NULL, &own)) abort();
    for (uint64_t now_ms = 0; event.kind != HF_YAMUX_NONE; now_ms += 7) {
        if (hf_yamux_recv(y, now_ms, &bytes, &event)) abort();
        react(y, now_ms, &event);
        hf_yamux_stream *over;
        while ((over = hf_yamux_notice(y, &drained)))
            if (hf_yamux_over(over)) hf_yamux_drop(y, over);
    }
    hf_yamux_free(y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_yamux_frame f;
    uint8_t again[HF_YAMUX_HEADER_LEN];
    if (len >= HF_YAMUX_HEADER_LEN && !hf_yamux_frame_read(data, &f, NULL)) {
        hf_yamux_frame_write(f, again);
        if (memcmp(again, data, sizeof again) != 0) abort();
    }
    session(&mem, HF_BYTES(data, len));
    return 0;
}
