/* gossip_cache: which messages were seen, and the bytes of those that somebody may still want. */
#include "gossip_private.h"

#include "../codec/varint.h"

/* ---- seen ---- */

static hf_bytes seen_key(const hf_gossip_seen *seen) { return HF_BYTES(seen->id.bytes, seen->id.len); }

hf_gossip_seen *hf_gossip_seen_of(const hf_gossip *g, hf_bytes id) { return hf_map_get(&g->seen_map, id); }

void hf_gossip_unsee(hf_gossip *g, hf_gossip_seen *seen) {
    if (seen->prev) seen->prev->next = seen->next;
    else g->first_seen = seen->next;
    if (seen->next) seen->next->prev = seen->prev;
    else g->last_seen = seen->prev;
    hf_map_remove(&g->seen_map, seen_key(seen));
    if (seen->kept) seen->kept->seen = NULL;
    hf_release(g->mem, seen, sizeof *seen);
}

hf_err hf_gossip_see(hf_gossip *g, uint64_t now_ms, const hf_gossip_id *id, uint64_t source, hf_gossip_kept *kept) {
    hf_gossip_seen *seen = hf_alloc(g->mem, sizeof *seen);
    if (!seen) return HF_NOMEM;
    *seen = (hf_gossip_seen){.id = *id, .seen_ms = now_ms, .source = source, .prev = g->last_seen, .kept = kept};
    if (hf_map_put(&g->seen_map, seen_key(seen), seen)) {
        hf_release(g->mem, seen, sizeof *seen);
        return HF_NOMEM;
    }
    if (seen->prev) seen->prev->next = seen;
    else g->first_seen = seen;
    g->last_seen = seen;
    kept->seen = seen;
    return HF_OK;
}

/* A message without a verdict goes with its memory of it; beyond the bound the oldest go. */
void hf_gossip_seen_tick(hf_gossip *g, uint64_t now_ms) {
    while (g->first_seen) {
        hf_gossip_seen *seen = g->first_seen;
        if (g->seen_map.n <= g->config.seen_max && now_ms - seen->seen_ms < g->config.seen_ms) return;
        hf_gossip_kept *pending = seen->kept && seen->kept->pending ? seen->kept : NULL;
        hf_gossip_unsee(g, seen);
        if (pending) hf_gossip_settle_pending(g, now_ms, pending, HF_GOSSIP_IGNORE);
    }
}

/* ---- bytes ---- */

static hf_err add_frame(hf_gossip *g, const hf_gossip_message *message, hf_buf *frame) {
    hf_buf_clear(&g->scratch);
    hf_gossip_add_publish(&g->scratch, message);
    if (g->scratch.err) return HF_NOMEM;
    hf_varint_add(frame, g->scratch.len);
    hf_buf_add(frame, hf_buf_bytes(&g->scratch));
    return frame->err;
}

/* Where the data ended up: the message is field 2, its data field 2 there. */
static void find_data(hf_gossip_kept *kept) {
    uint64_t len;
    size_t head;
    hf_bytes frame = HF_BYTES(kept->frame, kept->frame_len);
    if (hf_varint_read(frame, &len, &head)) return;
    hf_gossip_reader r = hf_gossip_read(hf_sub(frame, head, frame.len));
    hf_gossip_item item;
    if (!hf_gossip_read_next(&r, &item) || !item.message.data.ptr) return;
    kept->data_at = (size_t)(item.message.data.ptr - kept->frame);
    kept->data_len = item.message.data.len;
}

hf_gossip_kept *hf_gossip_keep(hf_gossip *g, hf_gossip_topic *topic, const hf_gossip_message *message) {
    hf_gossip_kept *kept = hf_alloc(g->mem, sizeof *kept);
    if (!kept) return NULL;
    hf_buf frame;
    hf_buf_init(&frame, g->mem);
    if (add_frame(g, message, &frame)) {
        hf_buf_deinit(&frame);
        hf_release(g->mem, kept, sizeof *kept);
        return NULL;
    }
    *kept = (hf_gossip_kept){.topic = topic, .refs = 1, .frame = frame.ptr, .frame_len = frame.len, .frame_cap = frame.cap};
    find_data(kept);
    topic->n_kept++;
    return kept;
}

void hf_gossip_kept_release(hf_gossip *g, hf_gossip_kept *kept) {
    if (--kept->refs) return;
    hf_gossip_topic *topic = kept->topic;
    if (kept->seen) kept->seen->kept = NULL;
    hf_release(g->mem, kept->frame, kept->frame_cap);
    hf_release(g->mem, kept->served, kept->served_cap * sizeof *kept->served);
    hf_release(g->mem, kept, sizeof *kept);
    topic->n_kept--;
    hf_gossip_topic_settle(g, topic);
}

/* ---- the history: what can be fetched ---- */

static void history_drop_first(hf_gossip *g) {
    hf_gossip_kept *kept = g->first_kept;
    hf_gossip_topic *topic = kept->topic;
    g->first_kept = kept->next;
    if (g->first_kept) g->first_kept->prev = NULL;
    else g->last_kept = NULL;
    topic->first_kept = kept->next_of_topic;
    if (!topic->first_kept) topic->last_kept = NULL;
    kept->next = kept->next_of_topic = NULL;
    kept->in_history = false;
    g->n_history--;
    g->history_bytes -= kept->frame_len;
    hf_gossip_kept_release(g, kept);
}

void hf_gossip_history_add(hf_gossip *g, hf_gossip_kept *kept) {
    kept->beat = g->beat;
    kept->in_history = true;
    kept->refs++;
    kept->prev = g->last_kept;
    if (kept->prev) kept->prev->next = kept;
    else g->first_kept = kept;
    g->last_kept = kept;
    hf_gossip_topic *topic = kept->topic;
    if (topic->last_kept) topic->last_kept->next_of_topic = kept;
    else topic->first_kept = kept;
    topic->last_kept = kept;
    g->n_history++;
    g->history_bytes += kept->frame_len;
    while (g->history_bytes > g->config.history_bytes_max && g->first_kept != kept) history_drop_first(g);
}

void hf_gossip_history_tick(hf_gossip *g) {
    while (g->first_kept && g->beat - g->first_kept->beat >= g->config.history) history_drop_first(g);
}

uint32_t hf_gossip_serve_count(hf_gossip *g, hf_gossip_kept *kept, const hf_gossip_peer *peer) {
    for (size_t i = 0; i < kept->n_served; i++)
        if (kept->served[i].peer == peer->number) return ++kept->served[i].n;
    if (hf_grow(g->mem, (void **)&kept->served, &kept->served_cap, sizeof *kept->served, kept->n_served + 1)) return UINT32_MAX;
    kept->served[kept->n_served++] = (struct hf_gossip_serve){peer->number, 1};
    return 1;
}
