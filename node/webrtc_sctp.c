/* webrtc_sctp: see webrtc_private.h. usrsctp without threads of its own: packets go in by hand, time too, and what came is fetched, so that nothing of ours
 * runs inside of it but the sending of a packet. It is one per process, and so is the table of associations here: usrsctp knows each by a number and not
 * by a pointer, for it may hold on to one longer than we do. */
#include "webrtc_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <usrsctp.h>

enum { PORT = 5000, TABLE = 1024, RESETS_AT_ONCE = 64, ACK_MS = 50, ENDING_STEPS = 100, ENDING_STEP_MS = 1000, RESET_ALLOWED = SCTP_ENABLE_RESET_STREAM_REQ };

struct hf_webrtc_sctp {
    hf_webrtc_sctp *next;      /* in the table */
    uintptr_t id;
    hf_webrtc_conn *conn;
    struct socket *socket;
    bool up;
};

static struct { hf_webrtc_sctp *table[TABLE]; uintptr_t last_id; size_t n; uint64_t time_ms; bool running; } all;

static hf_webrtc_sctp **slot_of(uintptr_t id) {
    hf_webrtc_sctp **at = &all.table[id % TABLE];
    while (*at && (*at)->id != id) at = &(*at)->next;
    return at;
}

/* ---- packets ---- */

/* Inside of usrsctp: only DTLS is called. */
static int packet_out(void *address, void *bytes, size_t len, uint8_t tos, uint8_t no_fragments) {
    (void)tos, (void)no_fragments;
    hf_webrtc_sctp *s = *slot_of((uintptr_t)address);
    if (!s || !s->conn->ssl || len > HF_WEBRTC_PACKET_MAX) return 0;
    SSL_write(s->conn->ssl, bytes, (int)len); /* what is lost is sent again */
    return 0;
}

static void begin(void) {
    if (all.running) return;
    all.running = true;
    usrsctp_init_nothreads(0, packet_out, NULL);
    usrsctp_sysctl_set_sctp_blackhole(2);      /* no answer to packets of no association */
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    usrsctp_sysctl_set_sctp_asconf_enable(0);
    usrsctp_sysctl_set_sctp_auth_enable(0);
    usrsctp_sysctl_set_sctp_nrsack_enable(0);
    usrsctp_sysctl_set_sctp_pktdrop_enable(0);
    usrsctp_sysctl_set_sctp_sendspace(HF_WEBRTC_WINDOW);
    usrsctp_sysctl_set_sctp_recvspace(HF_WEBRTC_WINDOW);
    usrsctp_sysctl_set_sctp_delayed_sack_time_default(ACK_MS);
    usrsctp_sysctl_set_sctp_heartbeat_interval_default(15 * 1000);
}

void hf_webrtc_sctp_time(uint64_t now_ms) {
    if (!all.running) return;
    uint64_t passed = now_ms - all.time_ms;
    if (!passed) return;
    all.time_ms = now_ms;
    usrsctp_handle_timers((uint32_t)(passed < 1000 ? passed : 1000));
}

void hf_webrtc_sctp_input(hf_webrtc_sctp *s, hf_bytes packet) {
    usrsctp_conninput((void *)s->id, packet.ptr, packet.len, 0);
}

/* ---- life ---- */

static bool set(struct socket *socket, int level, int option, const void *value, size_t len) {
    return usrsctp_setsockopt(socket, level, option, value, (socklen_t)len) == 0;
}

static bool set_up(struct socket *socket) {
    static const uint16_t events[] = {SCTP_ASSOC_CHANGE, SCTP_STREAM_RESET_EVENT};
    struct linger at_once = {1, 0};
    int on = 1;
    struct sctp_assoc_value resets = {.assoc_id = SCTP_ALL_ASSOC, .assoc_value = RESET_ALLOWED};
    struct sctp_initmsg init = {.sinit_num_ostreams = HF_WEBRTC_CHANNELS_MAX, .sinit_max_instreams = HF_WEBRTC_CHANNELS_MAX};
    bool ok = !usrsctp_set_non_blocking(socket, 1) && set(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) &&
              set(socket, IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET, &resets, sizeof resets) && set(socket, IPPROTO_SCTP, SCTP_NODELAY, &on, sizeof on) &&
              set(socket, IPPROTO_SCTP, SCTP_RECVRCVINFO, &on, sizeof on) && set(socket, IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof init);
    for (size_t i = 0; ok && i < HF_COUNT(events); i++) {
        struct sctp_event event = {.se_assoc_id = SCTP_FUTURE_ASSOC, .se_type = events[i], .se_on = 1};
        ok = set(socket, IPPROTO_SCTP, SCTP_EVENT, &event, sizeof event);
    }
    return ok;
}

/* Both sides call: RFC 8831 section 5 leaves no roles, and SCTP makes one association of two calls. */
static bool call(hf_webrtc_sctp *s) {
    struct sockaddr_conn address = {.sconn_family = AF_CONN, .sconn_port = htons(PORT), .sconn_addr = (void *)s->id};
    struct sctp_paddrparams path = {.spp_flags = SPP_PMTUD_DISABLE, .spp_pathmtu = HF_WEBRTC_MTU};
    if (usrsctp_bind(s->socket, (struct sockaddr *)&address, sizeof address)) return false;
    if (usrsctp_connect(s->socket, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) return false;
    memcpy(&path.spp_address, &address, sizeof address);
    return set(s->socket, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof path);
}

bool hf_webrtc_sctp_open(hf_webrtc_conn *conn) {
    begin();
    hf_webrtc_sctp *s = calloc(1, sizeof *s);
    if (!s) return false;
    s->id = ++all.last_id;
    s->conn = conn;
    s->next = all.table[s->id % TABLE];
    all.table[s->id % TABLE] = s;
    all.n++;
    conn->sctp = s;
    usrsctp_register_address((void *)s->id);
    s->socket = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
    return s->socket && set_up(s->socket) && call(s);
}

void hf_webrtc_sctp_free(hf_webrtc_sctp *s) {
    if (!s) return;
    if (s->socket) usrsctp_close(s->socket);
    usrsctp_deregister_address((void *)s->id);
    *slot_of(s->id) = s->next;
    all.n--;
    free(s);
}

/* What it still has to free it frees by its timers; then it can end, and what it holds with it. */
void hf_webrtc_sctp_end(void) {
    if (!all.running || all.n) return;
    for (int i = 0; i < ENDING_STEPS && usrsctp_finish(); i++) usrsctp_handle_timers(ENDING_STEP_MS);
    all.running = false;
}

/* ---- reading ---- */

static bool changed(hf_webrtc_sctp *s, const struct sctp_assoc_change *change, const char **ret_reason) {
    switch (change->sac_state) {
    case SCTP_COMM_UP:
        *ret_reason = "SCTP came up twice";
        if (s->up) return false;
        *ret_reason = "the connection is not wanted";
        s->up = true;
        return hf_webrtc_conn_up(s->conn);
    case SCTP_RESTART: return *ret_reason = "the other side began SCTP anew", false;
    case SCTP_CANT_STR_ASSOC: return *ret_reason = "SCTP does not begin", false;
    default: return *ret_reason = "the other side ended the connection", false;
    }
}

static void was_reset(hf_webrtc_sctp *s, const struct sctp_stream_reset_event *event) {
    if (event->strreset_flags & (SCTP_STREAM_RESET_DENIED | SCTP_STREAM_RESET_FAILED) || !s->conn->channels) return;
    size_t n = (event->strreset_length - sizeof *event) / sizeof event->strreset_stream_list[0];
    uint16_t streams[HF_WEBRTC_CHANNELS_MAX];
    if (n > HF_COUNT(streams)) n = HF_COUNT(streams);
    memcpy(streams, event->strreset_stream_list, n * sizeof streams[0]);
    bool everything = n == 0;
    if (everything) n = HF_COUNT(streams);
    for (size_t i = 0; i < n; i++) {
        uint16_t stream = everything ? (uint16_t)i : streams[i];
        if (event->strreset_flags & SCTP_STREAM_RESET_OUTGOING_SSN) hf_webrtc_channels_reset_out(s->conn->channels, stream);
        if (event->strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN) hf_webrtc_channels_reset_in(s->conn->channels, stream);
    }
}

static bool notified(hf_webrtc_sctp *s, const union sctp_notification *news, size_t len, const char **ret_reason) {
    if (len < sizeof news->sn_header || news->sn_header.sn_length != len) return true;
    switch (news->sn_header.sn_type) {
    case SCTP_ASSOC_CHANGE: return len < sizeof news->sn_assoc_change || changed(s, &news->sn_assoc_change, ret_reason);
    case SCTP_STREAM_RESET_EVENT:
        if (len >= sizeof news->sn_strreset_event) was_reset(s, &news->sn_strreset_event);
        return true;
    default: return true;
    }
}

bool hf_webrtc_sctp_read(hf_webrtc_sctp *s, const char **ret_reason) {
    static _Alignas(8) uint8_t bytes[HF_WEBRTC_MESSAGE_MAX]; /* nothing that is called with it comes back here */
    for (;;) {
        struct sctp_rcvinfo info;
        socklen_t info_len = sizeof info, from_len = sizeof(struct sockaddr_conn);
        struct sockaddr_conn from;
        unsigned kind = SCTP_RECVV_NOINFO;
        int flags = 0;
        if (s->conn->state == HF_WEBRTC_DEAD || hf_webrtc_conn_waits(s->conn)) return true;
        ssize_t n = usrsctp_recvv(s->socket, bytes, sizeof bytes, (struct sockaddr *)&from, &from_len, &info, &info_len, &kind, &flags);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOTCONN)) return true;
        if (n <= 0) return *ret_reason = "the other side ended the connection", false;
        if (!(flags & MSG_EOR)) return *ret_reason = "a message of more than 64 KiB", false;
        if (flags & MSG_NOTIFICATION) {
            if (!notified(s, (const union sctp_notification *)bytes, (size_t)n, ret_reason)) return false;
        } else if (kind == SCTP_RECVV_RCVINFO && s->conn->channels &&
                   !hf_webrtc_channels_message(s->conn->channels, info.rcv_sid, ntohl(info.rcv_ppid), HF_BYTES(bytes, (size_t)n), ret_reason))
            return false;
    }
}

/* ---- writing ---- */

hf_webrtc_sending hf_webrtc_sctp_send(hf_webrtc_sctp *s, uint16_t stream, uint32_t ppid, hf_bytes message) {
    struct sctp_sendv_spa info = {.sendv_flags = SCTP_SEND_SNDINFO_VALID, .sendv_sndinfo = {.snd_sid = stream, .snd_flags = SCTP_EOR, .snd_ppid = htonl(ppid)}};
    ssize_t n = usrsctp_sendv(s->socket, message.ptr, message.len, NULL, 0, &info, sizeof info, SCTP_SENDV_SPA, 0);
    if (n == (ssize_t)message.len) return HF_WEBRTC_SENT;
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? HF_WEBRTC_FULL : HF_WEBRTC_BROKEN;
}

size_t hf_webrtc_sctp_reset(hf_webrtc_sctp *s, const uint16_t *streams, size_t n) {
    _Alignas(struct sctp_reset_streams) uint8_t bytes[sizeof(struct sctp_reset_streams) + RESETS_AT_ONCE * sizeof *streams] = {0};
    struct sctp_reset_streams *request = (struct sctp_reset_streams *)bytes;
    if (n > RESETS_AT_ONCE) n = RESETS_AT_ONCE;
    request->srs_flags = SCTP_STREAM_RESET_OUTGOING;
    request->srs_number_streams = (uint16_t)n;
    memcpy(request->srs_stream_list, streams, n * sizeof *streams);
    return set(s->socket, IPPROTO_SCTP, SCTP_RESET_STREAMS, request, sizeof *request + n * sizeof *streams) ? n : 0;
}

bool hf_webrtc_sctp_is_dry(hf_webrtc_sctp *s) {
    struct sctp_status status = {.sstat_assoc_id = SCTP_CURRENT_ASSOC};
    socklen_t len = sizeof status;
    return usrsctp_getsockopt(s->socket, IPPROTO_SCTP, SCTP_STATUS, &status, &len) || !(status.sstat_unackdata + status.sstat_penddata);
}
