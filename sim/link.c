/* link: see link.h. A number is a place in the table and how often that place was used, so that an event for a channel that is gone finds nothing. */
#include "world.h"

#include <string.h>

enum { PLACE_BITS = 24 };

static hf_sim_link *link_of(hf_world *w, uint64_t number) {
    size_t place = number & ((1u << PLACE_BITS) - 1);
    hf_sim_link *l = place < w->links.n ? &w->links.items[place] : NULL;
    return l && l->number == number ? l : NULL;
}

static unsigned end_of(const hf_sim_link *l, uint32_t peer) { return l->ends[0].peer == peer ? 0 : 1; }

static hf_sim_link *link_new(hf_world *w) {
    hf_sim_links *links = &w->links;
    size_t place;
    if (links->n_free) place = links->free[--links->n_free];
    else {
        hf_world_grow(w, (void **)&links->items, &links->cap, sizeof *links->items, links->n + 1);
        place = links->n++;
    }
    hf_sim_link *l = &links->items[place];
    memset(l, 0, sizeof *l);
    l->number = ++links->n_made << PLACE_BITS | place;
    hf_buf_init(&l->ends[0].out, &w->mem);
    hf_buf_init(&l->ends[1].out, &w->mem);
    return l;
}

static hf_sim_packet *packet_take(hf_sim_link_end *from) {
    hf_sim_packet *packet = from->first;
    from->first = packet->next;
    if (!from->first) from->last = NULL;
    return packet;
}

static void packet_free(hf_world *w, hf_sim_packet *packet) { hf_release(&w->mem, packet, sizeof *packet + packet->len); }

static void link_free(hf_world *w, hf_sim_link *l) {
    hf_sim_links *links = &w->links;
    for (unsigned end = 0; end < 2; end++) {
        hf_buf_deinit(&l->ends[end].out);
        while (l->ends[end].first) packet_free(w, packet_take(&l->ends[end]));
    }
    l->number = 0;
    hf_world_grow(w, (void **)&links->free, &links->free_cap, sizeof *links->free, links->n_free + 1);
    links->free[links->n_free++] = (uint32_t)(l - links->items);
}

/* This end knows nothing of it any more; with the second end the channel is gone. */
static void end_close(hf_world *w, hf_sim_link *l, unsigned end, bool tell) {
    if (!l->ends[end].open) return;
    l->ends[end].open = false;
    hf_sim_peer *p = &w->peers[l->ends[end].peer];
    uint64_t number = l->number;
    bool gone = !l->ends[!end].open;
    if (gone) link_free(w, l), w->links.n_open--;
    hf_peer_link_gone(w, p, number, end == 0, tell);
}

bool hf_sim_link_between(const hf_world *w, uint32_t a, uint32_t b) {
    const hf_sim_peer *p = &w->peers[a];
    for (size_t i = 0; i < p->n_links; i++) {
        const hf_sim_link *l = &w->links.items[p->links[i] & ((1u << PLACE_BITS) - 1)];
        if (l->number == p->links[i] && (l->ends[0].peer == b || l->ends[1].peer == b)) return true;
    }
    return false;
}

uint64_t hf_sim_link_dial_of(const hf_world *w, uint64_t number) { return w->links.items[number & ((1u << PLACE_BITS) - 1)].dial; }

uint32_t hf_sim_link_other(const hf_world *w, uint64_t number, uint32_t peer) {
    const hf_sim_link *l = &w->links.items[number & ((1u << PLACE_BITS) - 1)];
    return l->ends[!end_of(l, peer)].peer;
}

bool hf_sim_link_has_whole(const hf_world *w, const hf_sim_peer *p) {
    for (size_t i = 0; i < p->n_links; i++) {
        const hf_sim_link *l = &w->links.items[p->links[i] & ((1u << PLACE_BITS) - 1)];
        if (l->number == p->links[i] && l->ends[0].open && l->ends[1].open) return true;
    }
    return false;
}

/* ---- life ---- */

static bool dial(hf_world *w, uint32_t from, uint32_t to, bool introduced, uint64_t number) {
    const hf_sim_peer *target = &w->peers[to];
    w->result->n_dials++;
    bool reachable = introduced || (target->role != HF_ROLE_BROWSER && !target->natted);
    if (from == to || !target->up || !reachable || hf_part_apart(w, from, to) || hf_sim_link_between(w, from, to)) return false;
    hf_sim_link *l = link_new(w);
    l->latency_ms = 5 + (uint32_t)hf_world_draw(w, hf_world_chance(w, 200) ? 250 : 50);
    l->bytes_per_ms = 100 + (uint32_t)hf_world_draw(w, hf_world_chance(w, 200) ? 200 : 10000);
    l->dial = number;
    l->ends[0].peer = from, l->ends[0].life = w->peers[from].life;
    l->ends[1].peer = to, l->ends[1].life = target->life;
    hf_world_push(w, w->now_ms + 3 * l->latency_ms, HF_EVENT_UP, l->number, 0);
    return true;
}

bool hf_sim_link_dial(hf_world *w, uint32_t from, uint32_t to, bool introduced) { return dial(w, from, to, introduced, 0); }
bool hf_sim_link_dial_as(hf_world *w, uint32_t from, uint32_t to, uint64_t number) { return dial(w, from, to, false, number); }

static void know(hf_world *w, hf_sim_peer *p, uint64_t number) {
    hf_world_grow(w, (void **)&p->links, &p->links_cap, sizeof *p->links, p->n_links + 1);
    p->links[p->n_links++] = number;
}

void hf_sim_link_up(hf_world *w, uint64_t number) {
    hf_sim_link *l = link_of(w, number);
    if (!l) return;
    hf_sim_peer *a = &w->peers[l->ends[0].peer], *b = &w->peers[l->ends[1].peer];
    bool same = a->up && b->up && a->life == l->ends[0].life && b->life == l->ends[1].life;
    if (!same || hf_part_apart(w, a->index, b->index)) {
        bool dialing = a->up && a->life == l->ends[0].life;
        uint64_t failed = l->dial;
        link_free(w, l);
        if (dialing) hf_peer_dial_failed(w, a, failed);
        return;
    }
    l->ends[0].open = l->ends[1].open = true;
    w->links.n_open++;
    w->result->n_links++;
    know(w, a, number);
    know(w, b, number);
    a->n_dialled++;
    hf_world_note(w, 'u', a->index, b->index);
    hf_peer_opened(w, b, number, false);
    if ((l = link_of(w, number)) && l->ends[0].open) hf_peer_opened(w, a, number, true);
}

/* ---- bytes ---- */

static void wrote_to(hf_world *w, hf_sim_peer *p, uint64_t number) {
    hf_world_grow(w, (void **)&p->written, &p->written_cap, sizeof *p->written, p->n_written + 1);
    p->written[p->n_written++] = number;
}

void hf_sim_link_send(hf_world *w, uint32_t from, uint64_t number, hf_bytes bytes) {
    hf_sim_link *l = link_of(w, number);
    if (!l) return;
    hf_sim_link_end *e = &l->ends[end_of(l, from)];
    if (!e->open) return;
    if (!e->out.len) wrote_to(w, &w->peers[from], number);
    hf_buf_add(&e->out, bytes);
    HF_ASSERT(!e->out.err);
    e->n_queued += bytes.len;
    if (e->n_queued > w->links.busiest) w->links.busiest = e->n_queued;
    if (e->n_queued > HF_LINK_QUEUE_MAX && hf_peer_honest(&w->peers[from]))
        hf_world_fail(w, "bounded queues", "peer %u has %zu bytes under way on one connection", (unsigned)from, e->n_queued);
    if (e->busy || e->n_queued < HF_LINK_HIGH) return;
    e->busy = true;
    hf_peer_busy(w, &w->peers[from], number, true);
}

static uint64_t later(uint64_t a, uint64_t b) { return a > b ? a : b; }

static void put_on_wire(hf_world *w, hf_sim_link *l, unsigned end) {
    hf_sim_link_end *e = &l->ends[end];
    if (!e->out.len) return;
    hf_sim_packet *packet = hf_world_alloc(w, sizeof *packet + e->out.len);
    packet->len = e->out.len;
    packet->next = NULL;
    memcpy(packet->bytes, e->out.ptr, e->out.len);
    e->sent_ms = later(e->sent_ms, w->now_ms) + e->out.len / l->bytes_per_ms;
    uint64_t due = e->sent_ms + l->latency_ms + hf_world_draw(w, 1 + l->latency_ms / 4);
    if (hf_world_harms(w, HF_HARM_DELAY) && hf_world_chance(w, 10)) {
        due += 200u << hf_world_draw(w, 4); /* lost, and sent again after 200 ms, 400 ms … */
        hf_world_count(w, HF_HARM_DELAY);
    }
    for (unsigned n = 0; w->config.loss && n < 6 && hf_world_chance(w, w->config.loss); n++) due += 200u << n;
    e->due_ms = later(e->due_ms, due);
    w->result->n_packets++;
    w->result->n_bytes += packet->len;
    hf_world_note(w, 's', l->number << 1 | end, hf_world_hash(hf_buf_bytes(&e->out)));
    hf_buf_deinit(&e->out);
    hf_buf_init(&e->out, &w->mem);
    if (e->last) e->last->next = packet;
    else e->first = packet;
    e->last = packet;
    hf_world_push(w, e->due_ms, HF_EVENT_PACKET, l->number, !end);
}

void hf_sim_link_flush(hf_world *w, uint32_t from) {
    hf_sim_peer *p = &w->peers[from];
    for (size_t i = 0; i < p->n_written; i++) {
        hf_sim_link *l = link_of(w, p->written[i]);
        if (l && l->ends[end_of(l, from)].open) put_on_wire(w, l, end_of(l, from));
    }
    p->n_written = 0;
}

static void arrived(hf_world *w, hf_sim_link *l, unsigned from, size_t len) {
    hf_sim_link_end *e = &l->ends[from];
    e->n_queued -= len < e->n_queued ? len : e->n_queued;
    if (!e->open || !e->busy || e->n_queued > HF_LINK_LOW) return;
    e->busy = false;
    hf_peer_busy(w, &w->peers[e->peer], l->number, false);
    hf_peer_pump(w, &w->peers[e->peer]);
}

/* What a partition or a sleeping process holds back comes when that is over; one packet an event, so that order holds. */
static uint64_t held_until(const hf_world *w, const hf_sim_link *l, uint64_t end) {
    const hf_sim_peer *to = &w->peers[l->ends[end].peer];
    uint64_t at = hf_part_stops(w, l->ends[!end].peer, to->index);
    return later(at ? at + 2 * l->latency_ms : 0, to->asleep_until_ms);
}

void hf_sim_link_arrive(hf_world *w, uint64_t number, uint64_t end) {
    hf_sim_link *l = link_of(w, number);
    if (!l || !l->ends[end].open) return;
    uint64_t until = held_until(w, l, end);
    if (until > w->now_ms) {
        l->ends[!end].due_ms = later(l->ends[!end].due_ms, until);
        hf_world_push(w, until, HF_EVENT_PACKET, number, end);
        return;
    }
    hf_sim_packet *packet = packet_take(&l->ends[!end]);
    hf_sim_peer *to = &w->peers[l->ends[end].peer];
    bool cut = l->cut;
    to->source = l->ends[!end].peer;
    hf_peer_received(w, to, number, HF_BYTES(packet->bytes, cut ? hf_world_draw(w, packet->len) : packet->len));
    to->source = UINT32_MAX;
    if ((l = link_of(w, number))) arrived(w, l, !end, packet->len);
    if (cut && (l = link_of(w, number))) end_close(w, l, (unsigned)end, true);
    packet_free(w, packet);
}

/* ---- endings ---- */

void hf_sim_link_close(hf_world *w, uint32_t from, uint64_t number) {
    hf_sim_link *l = link_of(w, number);
    if (!l) return;
    unsigned end = end_of(l, from);
    put_on_wire(w, l, end);
    hf_world_push(w, later(l->ends[end].due_ms, w->now_ms + l->latency_ms), HF_EVENT_LOST, number, !end);
    end_close(w, l, end, false);
}

void hf_sim_link_lost(hf_world *w, uint64_t number, uint64_t end) {
    hf_sim_link *l = link_of(w, number);
    if (!l || !l->ends[end].open) return;
    const hf_sim_peer *p = &w->peers[l->ends[end].peer];
    if (p->asleep_until_ms > w->now_ms) hf_world_push(w, p->asleep_until_ms, HF_EVENT_LOST, number, end);
    else end_close(w, l, (unsigned)end, true);
}

void hf_sim_link_cut_of(hf_world *w, uint32_t peer, uint64_t number) {
    hf_sim_link *l = link_of(w, number);
    if (!l) return;
    l->cut = true;
    hf_world_note(w, 'c', peer, number);
    for (unsigned end = 0; end < 2; end++)
        hf_world_push(w, w->now_ms + l->latency_ms + hf_world_draw(w, 200), HF_EVENT_LOST, number, end);
}

void hf_sim_link_drop_all(hf_world *w, uint32_t peer, bool silent) {
    hf_sim_peer *p = &w->peers[peer];
    p->n_written = 0;
    while (p->n_links) {
        uint64_t number = p->links[p->n_links - 1];
        hf_sim_link *l = link_of(w, number);
        HF_ASSERT(l);
        unsigned end = end_of(l, peer);
        hf_buf_clear(&l->ends[end].out);
        if (!silent) hf_world_push(w, w->now_ms + l->latency_ms, HF_EVENT_LOST, number, !end);
        end_close(w, l, end, false);
    }
}

void hf_sim_links_free(hf_world *w) {
    for (size_t i = 0; i < w->links.n; i++)
        if (w->links.items[i].number) link_free(w, &w->links.items[i]);
    hf_release(&w->mem, w->links.items, w->links.cap * sizeof *w->links.items);
    hf_release(&w->mem, w->links.free, w->links.free_cap * sizeof *w->links.free);
}
