/* webrtc_channels: see webrtc_private.h. A channel is a pair of SCTP streams with one number; DTLS's client, who called, opens the even ones, the listener the
 * odd ones (RFC 8832 section 6). Channel 0 is there from the start: Noise runs on it. A channel ends when both sides have reset their stream (RFC 8831 section
 * 6.7); then its number can be used again. What SCTP does not take now waits in one queue, in order. */
#include "webrtc_private.h"

#include "../core/p2p/channels.h"
#include "../core/p2p/dcep.h"

#include <stdlib.h>
#include <string.h>

enum { REFUSED_MAX = 64 };

typedef struct channel {
    uint32_t number;           /* the owner's name for it */
    size_t queued_bytes;
    bool in_use, open;         /* open: neither the owner nor the browser has closed it */
    bool ended, resets, reset_in, reset_out, busy; /* ended: its end stands in the queue; resets: our reset was asked for, or is to be */
} channel;

typedef struct item { struct item *next; uint16_t stream; uint32_t ppid; size_t len, done; uint8_t bytes[]; } item; /* ppid 0: the stream's end; done: told as sent */

struct hf_webrtc_channels {
    hf_webrtc_conn *conn;
    item *first, **last;
    size_t queued_bytes;
    bool crowded;              /* a channel's queue is above its mark: the owner is told by the next flush */
    size_t dropped_bytes;      /* of records, to be told as sent */
    uint32_t refused[REFUSED_MAX]; /* channels of the owner's for which no number was free, to be told as closed */
    size_t n_refused;
    uint16_t to_reset[HF_WEBRTC_CHANNELS_MAX];
    size_t n_to_reset;
    channel at[HF_WEBRTC_CHANNELS_MAX];
};

hf_webrtc_channels *hf_webrtc_channels_new(hf_webrtc_conn *conn) {
    hf_webrtc_channels *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->conn = conn;
    c->last = &c->first;
    c->at[0] = (channel){.in_use = true, .open = true};
    return c;
}

void hf_webrtc_channels_free(hf_webrtc_channels *c) {
    for (item *i = c ? c->first : NULL, *next; i; i = next) {
        next = i->next;
        free(i);
    }
    free(c);
}

bool hf_webrtc_channels_is_empty(const hf_webrtc_channels *c) { return !c->first && !c->n_to_reset; }

static hf_webrtc_events *events_of(hf_webrtc_channels *c) { return &c->conn->webrtc->events; }
static bool is_told(const hf_webrtc_channels *c) { return c->conn->told && c->conn->state == HF_WEBRTC_UP; }

/* The first number of ours; the others follow in steps of two. */
static uint16_t first_of_ours(const hf_webrtc_channels *c) { return c->conn->outbound ? 0 : 1; }

/* ---- to SCTP ---- */

static void tell_busy(hf_webrtc_channels *c, channel *ch, bool busy) {
    ch->busy = busy;
    if (ch->open && is_told(c)) events_of(c)->channel_busy(events_of(c)->ctx, c->conn, ch->number, busy);
}

static void want_reset(hf_webrtc_channels *c, uint16_t stream) {
    channel *ch = &c->at[stream];
    if (ch->resets) return;
    ch->resets = true;
    c->to_reset[c->n_to_reset++] = stream;
}

static bool queue(hf_webrtc_channels *c, uint16_t stream, uint32_t ppid, hf_bytes message, size_t cost) {
    if (c->queued_bytes + message.len > HF_WEBRTC_QUEUE_MAX) return false;
    item *i = malloc(sizeof *i + message.len);
    if (!i) return false;
    *i = (item){.stream = stream, .ppid = ppid, .len = message.len, .done = cost};
    if (message.len) memcpy(i->bytes, message.ptr, message.len);
    *c->last = i;
    c->last = &i->next;
    c->queued_bytes += message.len;
    channel *ch = &c->at[stream];
    ch->queued_bytes += message.len;
    c->crowded |= !ch->busy && ch->queued_bytes > HF_WEBRTC_BUSY_ABOVE;
    return true;
}

static void pop(hf_webrtc_channels *c) {
    item *i = c->first;
    channel *ch = &c->at[i->stream];
    c->first = i->next;
    if (!c->first) c->last = &c->first;
    c->queued_bytes -= i->len;
    ch->queued_bytes -= i->len;
    size_t done = i->done;
    bool end = i->ppid == 0;
    uint16_t stream = i->stream;
    free(i);
    if (end) want_reset(c, stream);
    if (ch->busy && ch->queued_bytes < HF_WEBRTC_BUSY_BELOW) tell_busy(c, ch, false);
    if (done && is_told(c)) events_of(c)->sent(events_of(c)->ctx, c->conn, done);
}

static void send_resets(hf_webrtc_channels *c) {
    size_t n = c->n_to_reset ? hf_webrtc_sctp_reset(c->conn->sctp, c->to_reset, c->n_to_reset) : 0;
    c->n_to_reset -= n;
    memmove(c->to_reset, c->to_reset + n, c->n_to_reset * sizeof c->to_reset[0]);
}

/* What could not be said while the owner's records were read: telling it anything would take them away. */
static void tell(hf_webrtc_channels *c) {
    size_t dropped = c->dropped_bytes;
    c->dropped_bytes = 0;
    while (c->n_refused) {
        uint32_t number = c->refused[--c->n_refused];
        if (is_told(c)) events_of(c)->channel_closed(events_of(c)->ctx, c->conn, number);
    }
    for (size_t i = 0; c->crowded && i < HF_WEBRTC_CHANNELS_MAX; i++)
        if (!c->at[i].busy && c->at[i].queued_bytes > HF_WEBRTC_BUSY_ABOVE) tell_busy(c, &c->at[i], true);
    c->crowded = false;
    if (dropped && is_told(c)) events_of(c)->sent(events_of(c)->ctx, c->conn, dropped);
}

bool hf_webrtc_channels_flush(hf_webrtc_channels *c) {
    while (c->first) {
        const item *i = c->first;
        hf_webrtc_sending how = i->ppid ? hf_webrtc_sctp_send(c->conn->sctp, i->stream, i->ppid, HF_BYTES(i->bytes, i->len)) : HF_WEBRTC_SENT;
        if (how == HF_WEBRTC_BROKEN) return false;
        if (how == HF_WEBRTC_FULL) break;
        pop(c);
    }
    send_resets(c);
    tell(c);
    return true;
}

/* ---- channels ---- */

static void free_if_over(channel *ch) {
    if (ch->in_use && ch->reset_in && ch->reset_out && !ch->queued_bytes) *ch = (channel){.in_use = false};
}

/* Once: what is still queued for it goes out, then the stream's end. */
static bool end(hf_webrtc_channels *c, uint16_t stream, size_t cost) {
    channel *ch = &c->at[stream];
    ch->open = false;
    if (ch->ended) return true;
    ch->ended = true;
    return queue(c, stream, 0, HF_BYTES(NULL, 0), cost);
}

static void close_by_browser(hf_webrtc_channels *c, uint16_t stream) {
    channel *ch = &c->at[stream];
    bool was_open = ch->open;
    uint32_t number = ch->number;
    (void)!end(c, stream, 0);
    if (was_open && is_told(c)) events_of(c)->channel_closed(events_of(c)->ctx, c->conn, number);
}

void hf_webrtc_channels_reset_in(hf_webrtc_channels *c, uint16_t stream) {
    if (stream >= HF_WEBRTC_CHANNELS_MAX || !c->at[stream].in_use) return;
    c->at[stream].reset_in = true;
    close_by_browser(c, stream);
    free_if_over(&c->at[stream]);
}

void hf_webrtc_channels_reset_out(hf_webrtc_channels *c, uint16_t stream) {
    if (stream >= HF_WEBRTC_CHANNELS_MAX || !c->at[stream].resets) return;
    c->at[stream].reset_out = true;
    free_if_over(&c->at[stream]);
}

/* ---- from the browser ---- */

static bool opened(hf_webrtc_channels *c, uint16_t stream, const char **ret_reason) {
    channel *ch = &c->at[stream];
    hf_buf ack;
    *ret_reason = "a channel was opened that is open, or with a number that is not the other side's";
    /* It may know that both sides are reset before we do, when the answer to our reset was lost. */
    if ((ch->in_use && !(ch->reset_in && ch->resets)) || stream % 2 == first_of_ours(c)) return false;
    *ch = (channel){.in_use = true, .open = true, .number = stream};
    hf_buf_init(&ack, &c->conn->webrtc->mem);
    hf_dcep_add_ack(&ack);
    bool ok = !ack.err && queue(c, stream, HF_PPID_DCEP, hf_buf_bytes(&ack), 0);
    hf_buf_deinit(&ack);
    *ret_reason = "no memory for a channel";
    if (ok && is_told(c)) events_of(c)->channel_opened(events_of(c)->ctx, c->conn, stream);
    return ok;
}

/* RFC 8832: OPEN on a new stream, ACK for ours. Channels that lose or mix up messages are not for streams of bytes. */
static bool take_dcep(hf_webrtc_channels *c, uint16_t stream, hf_bytes message, const char **ret_reason) {
    hf_dcep dcep;
    *ret_reason = "a malformed message of the data channel establishment protocol";
    if (hf_dcep_read(message, &dcep)) return false;
    if (!dcep.open) return c->at[stream].in_use;
    *ret_reason = "a channel that is not reliable and ordered";
    return dcep.reliable && dcep.ordered && opened(c, stream, ret_reason);
}

bool hf_webrtc_channels_message(hf_webrtc_channels *c, uint16_t stream, uint32_t ppid, hf_bytes message, const char **ret_reason) {
    if (stream >= HF_WEBRTC_CHANNELS_MAX) return *ret_reason = "a message on a stream that was not agreed on", false;
    if (ppid == HF_PPID_DCEP) return take_dcep(c, stream, message, ret_reason);
    channel *ch = &c->at[stream];
    *ret_reason = "a message on a channel that is not open";
    if (!ch->in_use || ch->reset_in) return false;
    *ret_reason = "a message of an unknown kind";
    if (ppid == HF_PPID_STRING_EMPTY || ppid == HF_PPID_BINARY_EMPTY) message.len = 0;
    else if (ppid != HF_PPID_BINARY && ppid != HF_PPID_STRING) return false;
    if (ch->open && is_told(c)) events_of(c)->received(events_of(c)->ctx, c->conn, ch->number, message);
    return true;
}

/* ---- from the owner ---- */

static channel *find(hf_webrtc_channels *c, uint32_t number, uint16_t *ret_stream) {
    bool ours = number & HF_CHANNEL_OURS;
    if (!ours && number >= HF_WEBRTC_CHANNELS_MAX) return NULL;
    size_t i = ours ? first_of_ours(c) : number;
    while (ours && i < HF_WEBRTC_CHANNELS_MAX && !(c->at[i].in_use && c->at[i].number == number)) i += 2;
    if (i >= HF_WEBRTC_CHANNELS_MAX || !c->at[i].open || c->at[i].number != number) return NULL;
    *ret_stream = (uint16_t)i;
    return &c->at[i];
}

static bool open_one(hf_webrtc_channels *c, uint32_t number) {
    uint16_t stream = first_of_ours(c);
    hf_buf open;
    while (stream < HF_WEBRTC_CHANNELS_MAX && c->at[stream].in_use) stream += 2;
    if (stream >= HF_WEBRTC_CHANNELS_MAX) {
        if (c->n_refused == REFUSED_MAX) return false;
        c->refused[c->n_refused++] = number;
        c->dropped_bytes += HF_CHANNEL_RECORD_LEN;
        return true;
    }
    c->at[stream] = (channel){.in_use = true, .open = true, .number = number};
    hf_buf_init(&open, &c->conn->webrtc->mem);
    hf_dcep_add_open(&open);
    bool ok = !open.err && queue(c, stream, HF_PPID_DCEP, hf_buf_bytes(&open), HF_CHANNEL_RECORD_LEN);
    hf_buf_deinit(&open);
    return ok;
}

static uint32_t u32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

/* What is for a channel that the browser has closed meanwhile is dropped. */
static bool record(hf_webrtc_channels *c, uint32_t number, uint8_t op, hf_bytes bytes) {
    uint16_t stream;
    if (op == HF_CHANNEL_OPEN) return open_one(c, number);
    channel *ch = find(c, number, &stream);
    if (!ch || (op == HF_CHANNEL_MESSAGE && !bytes.len)) return c->dropped_bytes += bytes.len + HF_CHANNEL_RECORD_LEN, true;
    if (op == HF_CHANNEL_CLOSE) return end(c, stream, HF_CHANNEL_RECORD_LEN);
    return op == HF_CHANNEL_MESSAGE && queue(c, stream, HF_PPID_BINARY, bytes, bytes.len + HF_CHANNEL_RECORD_LEN);
}

bool hf_webrtc_channels_records(hf_webrtc_channels *c, hf_bytes records) {
    while (records.len) {
        if (records.len < HF_CHANNEL_RECORD_LEN || u32(records.ptr + 5) > records.len - HF_CHANNEL_RECORD_LEN) return false;
        uint32_t len = u32(records.ptr + 5);
        if (!record(c, u32(records.ptr), records.ptr[4], hf_sub(records, HF_CHANNEL_RECORD_LEN, len))) return false;
        records = hf_sub(records, HF_CHANNEL_RECORD_LEN + len, records.len);
    }
    return true;
}
