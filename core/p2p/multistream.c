/* multistream: see multistream.h. */
#include "multistream.h"

#include "../codec/varint.h"

void hf_multistream_add(hf_buf *out, hf_bytes text) {
    hf_varint_add(out, text.len + 1);
    hf_buf_add(out, text);
    hf_buf_add_byte(out, '\n');
}

hf_err hf_multistream_read(hf_bytes bytes, hf_bytes *ret_text, size_t *ret_len, hf_fault *fault) {
    uint64_t len = 0;
    size_t head = 0;
    hf_err err = hf_varint_read(bytes, &len, &head);
    if (err == HF_TRUNCATED && bytes.len < 2) return err;
    if (err) return hf_fail(fault, HF_MALFORMED, "multistream: bad length", 0);
    if (len == 0) return hf_fail(fault, HF_MALFORMED, "multistream: empty line", 0);
    if (len > HF_MULTISTREAM_LINE_MAX) return hf_fail(fault, HF_MALFORMED, "multistream: line too long", 0);
    hf_bytes line = hf_sub(bytes, head, (size_t)len);
    size_t newline = hf_find(line, '\n', 0);
    if (newline < line.len ? newline != len - 1 : line.len == len) /* said as soon as it is seen */
        return hf_fail(fault, HF_MALFORMED, "multistream: newline not at the end", head);
    if (line.len < len) return HF_TRUNCATED;
    *ret_text = HF_BYTES(line.ptr, line.len - 1);
    *ret_len = head + (size_t)len;
    return HF_OK;
}

void hf_multistream_listen(hf_multistream *ms, hf_mem *mem) {
    *ms = (hf_multistream){.dialer = false};
    hf_buf_init(&ms->line, mem);
    hf_buf_init(&ms->proposal, mem);
}

hf_err hf_multistream_dial(hf_multistream *ms, hf_mem *mem, hf_bytes protocol, hf_buf *out) {
    hf_multistream_listen(ms, mem);
    ms->dialer = true;
    bool possible =
        protocol.len && protocol.len < HF_MULTISTREAM_LINE_MAX && hf_find(protocol, '\n', 0) == protocol.len;
    if (!possible) return HF_MALFORMED;
    hf_buf_add(&ms->proposal, protocol);
    hf_multistream_add(out, HF_TEXT(HF_MULTISTREAM_HEADER));
    hf_multistream_add(out, protocol);
    return ms->proposal.err ? ms->proposal.err : out->err;
}

void hf_multistream_deinit(hf_multistream *ms) {
    if (!ms->line.mem) return;
    hf_buf_deinit(&ms->line);
    hf_buf_deinit(&ms->proposal);
}

/* One whole line from the front of *bytes, joined with what came before. Mostly the line lies whole in *bytes: then
 * nothing is copied. */
static hf_err next_line(hf_multistream *ms, hf_bytes *bytes) {
    size_t len = 0;
    if (ms->line.len == 0) {
        hf_err err = hf_multistream_read(*bytes, &ms->text, &len, &ms->fault);
        if (!err) *bytes = hf_sub(*bytes, len, bytes->len);
        if (err != HF_TRUNCATED) return err;
    }
    /* byte by byte, so that what follows the line stays with the caller; a line is short */
    while (bytes->len) {
        hf_buf_add_byte(&ms->line, bytes->ptr[0]);
        if (ms->line.err) return ms->line.err;
        *bytes = hf_sub(*bytes, 1, bytes->len);
        hf_err err = hf_multistream_read(hf_buf_bytes(&ms->line), &ms->text, &len, &ms->fault);
        if (err != HF_TRUNCATED) return err;
    }
    return HF_TRUNCATED;
}

static hf_multistream_kind broken(hf_multistream *ms, const char *what) {
    ms->fault = (hf_fault){what, 0};
    return HF_MULTISTREAM_BROKEN;
}

static hf_multistream_kind take_header(hf_multistream *ms, hf_buf *out) {
    if (!hf_eq(ms->text, HF_TEXT(HF_MULTISTREAM_HEADER))) return broken(ms, "multistream: not a multistream header");
    ms->header_seen = true;
    if (!ms->dialer) hf_multistream_add(out, HF_TEXT(HF_MULTISTREAM_HEADER));
    return HF_MULTISTREAM_MORE;
}

static hf_multistream_kind take_line(hf_multistream *ms, hf_buf *out) {
    if (!ms->header_seen) return take_header(ms, out);
    if (!ms->dialer)
        return ++ms->n_proposals > HF_MULTISTREAM_PROPOSALS_MAX ? broken(ms, "multistream: too many proposals")
                                                                : HF_MULTISTREAM_PROPOSED;
    if (hf_eq(ms->text, hf_buf_bytes(&ms->proposal))) return HF_MULTISTREAM_AGREED;
    if (hf_eq(ms->text, HF_TEXT("na"))) return HF_MULTISTREAM_REFUSED;
    return broken(ms, "multistream: answer is neither the proposal nor na");
}

hf_err hf_multistream_recv(hf_multistream *ms, hf_bytes *bytes, hf_buf *out, hf_multistream_kind *ret_kind) {
    *ret_kind = HF_MULTISTREAM_MORE;
    while (*ret_kind == HF_MULTISTREAM_MORE) {
        if (ms->line_done) hf_buf_clear(&ms->line); /* the text of the line before was still on loan */
        ms->line_done = false;
        hf_err err = next_line(ms, bytes);
        if (err == HF_TRUNCATED) return HF_OK;
        if (err == HF_NOMEM) return err;
        ms->line_done = true;
        *ret_kind = err ? HF_MULTISTREAM_BROKEN : take_line(ms, out);
    }
    return out->err;
}

void hf_multistream_answer(hf_multistream *ms, bool accept, hf_buf *out) {
    hf_multistream_add(out, accept ? ms->text : HF_TEXT("na"));
}
