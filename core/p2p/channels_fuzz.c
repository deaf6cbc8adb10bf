/* A message that reads writes and reads the same; a session told whatever a peer can make the shell tell stays within its bounds.
 * The input is steps: op and channel (one byte: 3 and 5 bits), for messages their length, bytes. */
#include "channels.h"

#include "../../tests/kit/fuzz.h"

#include <stdlib.h>

static size_t mem_out;
static hf_mem mem = {hf_fuzz_resize, &mem_out};

static void check_again(hf_bytes bytes) {
    hf_channel_message m, again;
    hf_buf out;
    if (hf_channel_message_read(&bytes, &m)) return;
    hf_buf_init(&out, &mem);
    hf_channel_message_add(&out, &m);
    hf_bytes written = hf_buf_bytes(&out);
    HF_ASSERT(!hf_channel_message_read(&written, &again) && written.len == 0);
    HF_ASSERT(again.flag == m.flag && hf_eq(again.payload, m.payload));
    hf_buf_deinit(&out);
}

/* Echoes what it hears, ends streams when asked to, so that our own side moves too. */
static void react(hf_mux m, uint64_t now_ms, const hf_mux_event *event) {
    void *s = event->stream;
    if (event->kind == HF_MUX_OPENED) m.table->set_owner(s, s);
    if (event->kind == HF_MUX_DATA) {
        HF_ASSERT(m.table->owner(s) == s);
        uint8_t first = event->bytes.ptr[0];
        hf_err err = hf_mux_write(m, now_ms, s, event->bytes);
        HF_ASSERT(!err || err == HF_LIMIT || err == HF_STATE);
        if (first == 'n' || first == 'y') m.table->reading(m.self, now_ms, s, first == 'y');
        if (first == 'r') m.table->drop(m.self, now_ms, s);
    }
    if (event->kind == HF_MUX_FIN) hf_mux_finish(m, s);
    if (event->kind == HF_MUX_RESET || (event->kind == HF_MUX_FIN && hf_mux_over(m, s))) m.table->drop(m.self, now_ms, s);
}

static void drain(hf_mux m, uint64_t now_ms) {
    hf_mux_event event = {.kind = HF_MUX_OPENED};
    bool drained;
    void *over;
    while (event.kind != HF_MUX_NONE) {
        HF_ASSERT(!m.table->next(m.self, now_ms, &(hf_bytes){NULL, 0}, &event));
        react(m, now_ms, &event);
        while ((over = m.table->notice(m.self, &drained)))
            if (hf_mux_over(m, over)) m.table->drop(m.self, now_ms, over);
    }
}

static void step(hf_channels *c, uint64_t now_ms, uint8_t what, hf_bytes message) {
    hf_mux m = hf_channels_mux(c);
    uint32_t channel = what & 16 ? HF_CHANNEL_OURS | (what & 3) : what & 15;
    void *own = NULL;
    hf_err err = HF_OK;
    switch (what >> 5) {
        case 0: err = hf_channels_opened(c, now_ms, channel); break;
        case 1: hf_channels_closed(c, now_ms, channel); break;
        case 2: hf_channels_busy(c, now_ms, channel, what & 8); break;
        case 3:
            if (!m.table->open(m.self, NULL, &own)) m.table->set_owner(own, own);
            break;
        case 4: m.table->tick(m.self, now_ms); break;
        case 5: hf_channels_release(c); break;
        case 6: m.table->block(m.self, now_ms, what & 8); break;
        default: err = hf_channels_recv(c, now_ms, channel, message); break;
    }
    HF_ASSERT(!err || err == HF_EXISTS);
    drain(m, now_ms);
    if (!(what & 4)) m.table->taken(m.self, now_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_channels_config config = {.streams_in_max = 8, .streams_out_max = 2, .send_buffer_bytes_max = 4096};
    hf_bytes in = HF_BYTES(data, len);
    check_again(in);
    hf_channels *c = hf_channels_new(&mem, &config, 0);
    for (uint64_t now_ms = 0; in.len; now_ms += 700) {
        uint8_t what = in.ptr[0];
        size_t n = what >> 5 == 7 && in.len > 1 ? in.ptr[1] : 0, head = what >> 5 == 7 ? 2 : 1;
        step(c, now_ms, what, hf_sub(in, head, n));
        in = hf_sub(in, head + n, in.len);
        HF_ASSERT(mem_out < 8u << 20);
    }
    hf_channels_mux(c).table->free(c);
    HF_ASSERT(mem_out == 0);
    return 0;
}
