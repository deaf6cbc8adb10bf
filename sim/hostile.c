/* hostile: see hostile.h. */
#include "hostile.h"

#include "app.h"
#include "world.h"

#include <string.h>

enum { HEARD_MAX = HF_HEARD_MAX };

static uint32_t victim(hf_world *w) { return (uint32_t)hf_world_draw(w, w->n_honest); }

/* ---- life ---- */

void hf_hostile_start(hf_world *w, hf_sim_peer *p) {
    if (!p->spoils) p->spoils = hf_world_alloc(w, sizeof *p->spoils);
    if (p->role == HF_ROLE_STREAMS) {
        hf_swarm_config config = {.ed25519_seed = p->secrets.peer, .agent = HF_TEXT("hostile"), .random = hf_random_fill, .random_ctx = &p->random};
        p->swarm = hf_swarm_new(&p->mem, &config);
        HF_ASSERT(p->swarm);
    }
    hf_world_push(w, w->now_ms + 500 + hf_world_draw(w, 1000), HF_EVENT_ATTACK, p->index, p->life);
}

void hf_hostile_stop(hf_sim_peer *p) {
    hf_swarm_free(p->swarm);
    p->swarm = NULL;
}

/* ---- STREAMS: a real connection, and anything on it ---- */

static void remember(hf_sim_peer *p, const hf_identify *identify) {
    p->spoils->n_protocols = 0;
    for (size_t i = 0; i < identify->n_protocols && p->spoils->n_protocols < HF_PROTOCOLS_MAX; i++) {
        hf_bytes name = identify->protocols[i];
        if (name.len >= sizeof p->spoils->protocols[0]) continue;
        memcpy(p->spoils->protocols[p->spoils->n_protocols], name.ptr, name.len);
        p->spoils->protocols[p->spoils->n_protocols++][name.len] = 0;
    }
}

static void heard(hf_sim_peer *p, hf_bytes bytes) {
    p->spoils->n_heard = bytes.len < sizeof p->spoils->heard ? bytes.len : sizeof p->spoils->heard;
    memcpy(p->spoils->heard, bytes.ptr, p->spoils->n_heard);
}

static void pump(hf_world *w, hf_sim_peer *p) {
    hf_swarm_out out;
    while (hf_swarm_next(p->swarm, &out)) {
        if (out.kind == HF_SWARM_SEND) hf_sim_link_send(w, p->index, out.conn, out.bytes);
        if (out.kind == HF_SWARM_CONN_CLOSE) hf_sim_link_close(w, p->index, out.conn);
        if (out.kind == HF_SWARM_IDENTIFIED) remember(p, out.identify);
        if (out.kind == HF_SWARM_STREAM_DATA && out.bytes.len) heard(p, out.bytes);
    }
    hf_sim_link_flush(w, p->index);
}

/* Random bytes, random bytes behind a length that fits, or what a peer said, with some bits turned. */
static size_t nonsense(hf_world *w, hf_sim_peer *p, uint8_t *ret, size_t max) {
    size_t len = 1 + hf_world_draw(w, hf_world_chance(w, 100) ? max : 300);
    unsigned kind = (unsigned)hf_world_draw(w, 3);
    hf_random_fill(&w->random, ret, len);
    if (kind == 1 && len > 2) {
        size_t rest = len - 2;
        ret[0] = (uint8_t)(0x80 | (rest & 0x7f));
        ret[1] = (uint8_t)(rest >> 7 & 0x7f);
    } else if (kind == 2 && p->spoils->n_heard) {
        len = p->spoils->n_heard;
        memcpy(ret, p->spoils->heard, len);
        for (uint64_t n = hf_world_draw(w, 4); n; n--) ret[hf_world_draw(w, len)] ^= (uint8_t)(1u << hf_world_draw(w, 8));
    }
    return len;
}

static void attack_streams(hf_world *w, hf_sim_peer *p) {
    uint64_t clock = hf_peer_clock(w, p);
    hf_swarm_tick(p->swarm, clock);
    if (p->n_links < 3) hf_sim_link_dial(w, p->index, victim(w), false);
    const hf_peer_id *peer = hf_swarm_peer(p->swarm, hf_world_draw(w, hf_swarm_n_peers(p->swarm) + 1));
    for (int i = 0; peer && p->spoils->n_protocols && i < 8; i++) {
        uint8_t bytes[HEARD_MAX];
        uint64_t stream;
        const char *name = p->spoils->protocols[hf_world_draw(w, p->spoils->n_protocols)];
        if (hf_swarm_stream_open(p->swarm, clock, peer, hf_str(name), 1, &stream)) break;
        for (uint64_t n = 1 + hf_world_draw(w, 4); n; n--)
            if (hf_swarm_stream_write(p->swarm, clock, stream, HF_BYTES(bytes, nonsense(w, p, bytes, sizeof bytes)))) break;
        if (hf_world_chance(w, 300)) hf_swarm_stream_finish(p->swarm, clock, stream);
        else if (hf_world_chance(w, 300)) hf_swarm_stream_reset(p->swarm, clock, stream);
    }
    pump(w, p);
}

/* ---- GARBAGE: no handshake ---- */

static void attack_garbage(hf_world *w, hf_sim_peer *p) {
    uint8_t bytes[HEARD_MAX];
    if (p->n_links < 3) hf_sim_link_dial(w, p->index, victim(w), false);
    for (size_t i = 0; i < p->n_links; i++) hf_sim_link_send(w, p->index, p->links[i], HF_BYTES(bytes, nonsense(w, p, bytes, sizeof bytes)));
    hf_sim_link_flush(w, p->index);
}

/* ---- FORGER: entries handed in with forms ---- */

typedef enum forgery { FORGED_SIGNATURE, FORGED_WRITER, FORGED_CLOCK, FORGED_RULES, FORGED_BYTES, FORGERIES } forgery;

static void payload_of(hf_world *w, hf_buf *buf, uint64_t number) {
    hf_arena arena;
    hf_arena_init(&arena, &w->mem);
    char id[32] = HF_FORBIDDEN;
    for (size_t i = 0; i < 10; i++, number /= 10) id[9 + i] = (char)('0' + number % 10);
    hf_value value = hf_value_map(&arena, 1);
    hf_map_add(&value, "done", hf_value_bool(true)); /* no text, which is required */
    hf_err err = hf_operation_encode(buf, "NEW", HF_BYTES(id, 19), &value, HF_BYTES(id, 19), 1, HF_TEXT(""));
    HF_ASSERT(!err);
    hf_arena_deinit(&arena);
}

static void forge(hf_world *w, hf_sim_peer *p, hf_sim_peer *to, forgery what, const hf_writer *writer) {
    hf_buf payload, block;
    hf_fault fault = {"", 0};
    uint8_t digest[32];
    hf_buf_init(&payload, &w->mem);
    hf_buf_init(&block, &w->mem);
    payload_of(w, &payload, hf_world_draw(w, UINT32_MAX));
    hf_bytes address = hf_core_address(to->core, what == FORGED_WRITER ? HF_SIM_BOARD : HF_SIM_NOTES);
    uint64_t time = what == FORGED_CLOCK ? (uint64_t)1 << 40 : 1;
    hf_err err = hf_entry_create(writer, address, NULL, 0, NULL, 0, time, hf_buf_bytes(&payload), &block, digest);
    HF_ASSERT(!err);
    if (what == FORGED_SIGNATURE) { /* one hex digit of it, which stands somewhere behind "sig" */
        size_t at = 0;
        while (at + 4 < block.len && memcmp(block.ptr + at, "csig", 4)) at++;
        if (at + 40 < block.len) block.ptr[at + 40] = block.ptr[at + 40] == '0' ? '1' : '0';
    } else if (what == FORGED_BYTES) block.ptr[hf_world_draw(w, block.len)] ^= (uint8_t)(1 + hf_world_draw(w, 255));
    uint64_t clock = hf_peer_clock(w, to);
    err = hf_core_offer(to->core, clock, hf_buf_bytes(&block), &fault);
    hf_world_note(w, 'f', (uint64_t)p->index << 32 | to->index, (uint64_t)what << 8 | err);
    if (err == HF_OK && what <= FORGED_CLOCK) hf_world_fail(w, "forgeries are refused", "peer %u takes forgery %d", (unsigned)to->index, (int)what);
    hf_buf_deinit(&payload);
    hf_buf_deinit(&block);
    hf_peer_pump(w, to);
}

static void attack_forger(hf_world *w, hf_sim_peer *p) {
    hf_sim_peer *to = &w->peers[victim(w)];
    if (!to->core) return;
    uint8_t seed[32] = {2};
    hf_writer writer;
    hf_fault fault;
    hf_secp *secp = hf_secp_new(&w->mem, seed);
    HF_ASSERT(secp);
    hf_err err = hf_writer_init(&writer, &w->mem, secp, p->secrets.root, p->secrets.signing);
    HF_ASSERT(!err);
    err = hf_core_offer(to->core, hf_peer_clock(w, to), hf_buf_bytes(&writer.block), &fault); /* its identity is in order */
    hf_world_note(w, 'i', to->index, err);
    forge(w, p, to, (forgery)hf_world_draw(w, FORGERIES), &writer);
    hf_writer_deinit(&writer);
    hf_secp_free(secp);
}

/* ---- LOOSE: an app without rules, otherwise a good citizen ---- */

static void attack_loose(hf_world *w, hf_sim_peer *p) {
    static const char *const texts[] = {"text=FORBIDDEN-0123456789-0123456789-0123456789", "done=FORBIDDEN", ""};
    static const char *const tallies[] = {"n=1000000", "name=FORBIDDEN-0123456789-0123456789-0123456789"};
    if (!p->core || !w->load.n) return;
    char path[64] = "/notes";
    const hf_sim_op *op = &w->load.ops[hf_world_draw(w, w->load.n)];
    bool tally = op->what == HF_OP_TALLY;
    if (tally) memcpy(path, "/tallies/", 10);
    else if (op->what == HF_OP_NOTE) memcpy(path, "/notes/", 8);
    if (tally || op->what == HF_OP_NOTE) memcpy(path + strlen(path), op->opid, HF_OPID_LEN + 1);
    const char *body = tally ? tallies[hf_world_draw(w, 2)] : texts[hf_world_draw(w, 3)];
    hf_request request = {.method = HF_TEXT("POST"), .path = hf_str(path), .origin = HF_TEXT("http://localhost"),
                          .content_type = HF_TEXT("application/x-www-form-urlencoded"), .body = hf_str(body), .now_ms = hf_peer_wall(w, p)};
    hf_response response = {0};
    uint64_t seq;
    hf_err err = hf_core_handle(p->core, hf_peer_clock(w, p), &request, &response, &seq);
    hf_world_note(w, 'l', p->index, err ? err : response.status);
    hf_peer_pump(w, p);
}

/* ---- what the world tells ---- */

void hf_hostile_attack(hf_world *w, hf_sim_peer *p) {
    if (w->mended) return; /* peers of these roles stop with the faults */
    hf_world_push(w, w->now_ms + 200 + hf_world_draw(w, 1500), HF_EVENT_ATTACK, p->index, p->life);
    if (!p->up) return;
    hf_world_count(w, HF_HARM_HOSTILE);
    if (p->role == HF_ROLE_STREAMS) attack_streams(w, p);
    else if (p->role == HF_ROLE_GARBAGE) attack_garbage(w, p);
    else if (p->role == HF_ROLE_FORGER) attack_forger(w, p);
    else if (p->role == HF_ROLE_LOOSE) attack_loose(w, p);
}

void hf_hostile_opened(hf_world *w, hf_sim_peer *p, uint64_t conn, bool dialer) {
    if (!p->swarm) return;
    if (hf_swarm_conn_open(p->swarm, hf_peer_clock(w, p), conn, dialer, NULL, HF_BYTES(NULL, 0))) hf_sim_link_close(w, p->index, conn);
    pump(w, p);
}

void hf_hostile_received(hf_world *w, hf_sim_peer *p, uint64_t conn, hf_bytes bytes) {
    if (!p->swarm) return heard(p, bytes);
    hf_err err = hf_swarm_conn_recv(p->swarm, hf_peer_clock(w, p), conn, bytes);
    (void)err;
    pump(w, p);
}

void hf_hostile_lost(hf_world *w, hf_sim_peer *p, uint64_t conn) {
    if (p->swarm) hf_swarm_conn_lost(p->swarm, hf_peer_clock(w, p), conn);
}
