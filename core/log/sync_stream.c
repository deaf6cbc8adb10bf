/* sync_stream: Holdfast's way, our half of it: the stream's life, what we say we have, and what we send.
 *
 * An item of our index is due to the peer when its clock time is above the highest one that the peer has of that
 * writer; since a writer's entries stand on each other, that is exact for honest writers. What it misses (one writer in
 * two places) the heads show, which follow whatever they belong to on the same stream, so that a head still unknown to
 * the one who hears it is missing there for good. */
#include "sync_private.h"

#include <string.h>

/* ---- the stream's life ---- */

static void release_lists(hf_sync *s, hf_sync_link *link) {
    hf_release(s->mem, link->times, link->times_cap * sizeof *link->times);
    hf_release(s->mem, link->claims, link->claims_cap * sizeof *link->claims);
    hf_release(s->mem, link->answers, link->answers_cap * sizeof *link->answers);
    hf_release(s->mem, link->asks, link->asks_cap * sizeof *link->asks);
    hf_release(s->mem, link->peer_heads, link->peer_heads_cap * sizeof *link->peer_heads);
    link->times = NULL, link->claims = NULL, link->answers = NULL, link->asks = NULL, link->peer_heads = NULL;
    link->n_times = link->times_cap = link->n_claims = link->claims_cap = 0;
    link->n_answers = link->answers_cap = link->n_asks = link->asks_cap = link->n_peer_heads = link->peer_heads_cap = 0;
}

void hf_sync_stream_drop(hf_sync *s, hf_sync_link *link) {
    release_lists(s, link);
    hf_buf_deinit(&link->in);
    hf_buf_deinit(&link->blocked);
    link->has_stream = link->outbound = link->told = link->heard = link->reading_off = link->behind_told = false;
    link->knows_peer_heads = false;
    link->in_at = link->message_end = link->n_ahead = link->cursor = link->told_items = link->told_writers = link->n_confirmed = 0;
    link->compare_ms = link->ask_ms = link->heads_asked = 0;
    link->ask_gap_ms = 0;
    link->heads_told = SIZE_MAX;
}

void hf_sync_link_deinit(hf_sync *s, hf_sync_link *link) {
    hf_sync_stream_drop(s, link);
    for (size_t i = 0; i < HF_SYNC_CANDIDATES; i++) hf_buf_deinit(&link->candidates[i]);
}

static void adopt(hf_sync *s, hf_sync_link *link, uint64_t stream, bool outbound) {
    hf_sync_stream_drop(s, link);
    link->has_stream = link->speaks_sync = true;
    link->stream = stream;
    link->outbound = outbound;
    link->open_ms = 0;
}

/* Lets go of our stream and tries again later; the clocks are exchanged anew then. */
static void lose(hf_sync *s, uint64_t now_ms, hf_sync_link *link) {
    hf_sync_wants_of_stream_failed(s, now_ms, link);
    bool ours = link->outbound;
    hf_sync_stream_drop(s, link);
    link->open_ms = now_ms + (ours ? HF_SYNC_REOPEN_MS : HF_SYNC_COMPARE_MS);
    hf_sync_due(s, link->open_ms);
}

/* Both may have dialled: then the stream of the lower peer ID is the one, and the other is finished. */
static void arrived(hf_sync *s, uint64_t now_ms, hf_sync_link *link, uint64_t stream) {
    bool we_are_lower = hf_cmp(hf_peer_id_bytes(hf_swarm_self(s->swarm)), hf_peer_id_bytes(&link->peer->id)) < 0;
    if (link->has_stream && link->outbound && we_are_lower) return hf_swarm_stream_finish(s->swarm, now_ms, stream);
    if (link->has_stream) {
        hf_swarm_stream_finish(s->swarm, now_ms, link->stream);
        hf_sync_wants_of_stream_failed(s, now_ms, link);
    }
    adopt(s, link, stream, false);
}

void hf_sync_stream_event(hf_sync *s, uint64_t now_ms, hf_sync_link *link, const hf_swarm_out *e) {
    if (e->kind == HF_SWARM_STREAM_OPEN && e->inbound) return arrived(s, now_ms, link, e->stream);
    if (!link->has_stream || link->stream != e->stream) return; /* one that was let go */
    switch (e->kind) {
    case HF_SWARM_STREAM_DATA: hf_sync_input(s, now_ms, link, e->bytes); break;
    case HF_SWARM_STREAM_FIN: hf_swarm_stream_finish(s->swarm, now_ms, link->stream); break;
    case HF_SWARM_STREAM_GONE: lose(s, now_ms, link); break;
    default: break; /* OPEN, DRAINED: waking the link is all there is to do */
    }
}

static bool open_stream(hf_sync *s, uint64_t now_ms, hf_sync_link *link) {
    if (link->has_stream || !link->open_ms || link->open_ms > now_ms) return false;
    uint64_t stream;
    link->open_ms = 0;
    hf_sync_db *db = link->db;
    uint32_t tag = s->tag_first + 2 * db->number;
    hf_err err = hf_swarm_stream_open(s->swarm, now_ms, &link->peer->id, hf_buf_bytes(&db->sync_name), tag, &stream);
    if (!err) adopt(s, link, stream, true);
    else if (err != HF_NOT_FOUND) hf_sync_due(s, link->open_ms = now_ms + HF_SYNC_REOPEN_MS);
    return !err;
}

/* ---- writing ---- */

/* Writes the frame; one that the swarm has no room for is kept and goes first when it has. */
static void write_frame(hf_sync *s, uint64_t now_ms, hf_sync_link *link) {
    hf_bytes frame = hf_sync_end(&s->frame);
    hf_err err = frame.len ? hf_swarm_stream_write(s->swarm, now_ms, link->stream, frame) : HF_NOMEM;
    if (err == HF_LIMIT) {
        hf_buf_clear(&link->blocked);
        hf_buf_add(&link->blocked, frame);
        err = link->blocked.err;
    }
    if (err) hf_swarm_stream_reset(s->swarm, now_ms, link->stream); /* a lost frame must not be passed over: all anew */
}

/* True: nothing can be written now. */
static bool is_blocked(hf_sync *s, uint64_t now_ms, hf_sync_link *link) {
    if (!link->blocked.len) return false;
    hf_err err = hf_swarm_stream_write(s->swarm, now_ms, link->stream, hf_buf_bytes(&link->blocked));
    if (err == HF_LIMIT) return true;
    hf_buf_deinit(&link->blocked);
    return false;
}

/* ---- what we have ---- */

static void add_clock(hf_sync *s, hf_sync_db *db, uint32_t writer) {
    hf_sync_clock clock = {.time = db->writers[writer].durable_time};
    hf_sync_key(hf_log_writer_key(db->log, writer), clock.key);
    hf_sync_add_clock(&s->have, &clock);
}

/* The first Have names all writers, over as many messages as it takes. Returns whether more are to come. */
static bool add_all_clocks(hf_sync *s, hf_sync_link *link) {
    hf_sync_db *db = link->db;
    size_t n = db->n_durable ? hf_log_n_writers(db->log) : 0, n_added = 0;
    if (n > db->writers_cap) n = db->writers_cap;
    if (!link->told_writers) link->told_items = db->n_durable;
    for (; link->told_writers < n && n_added < HF_SYNC_CLOCKS_MAX; link->told_writers++) {
        if (!db->writers[link->told_writers].durable_time) continue;
        add_clock(s, db, (uint32_t)link->told_writers);
        n_added++;
    }
    return link->told_writers < n;
}

/* Later ones name those whose time rose. */
static void add_new_clocks(hf_sync *s, hf_sync_link *link) {
    hf_sync_db *db = link->db;
    db->stamp++;
    for (size_t n = 0; link->told_items < db->n_durable && n < HF_SYNC_CLOCKS_MAX; link->told_items++) {
        uint32_t writer = hf_log_item_at(db->log, (uint32_t)link->told_items)->writer;
        if (db->writers[writer].stamp == db->stamp) continue;
        db->writers[writer].stamp = db->stamp;
        add_clock(s, db, writer);
        n++;
    }
}

/* Heads are those of all entries, so they are told only when all are durable; and only when all that they stand on was
 * sent. */
static void add_heads(hf_sync *s, hf_sync_link *link) {
    hf_sync_db *db = link->db;
    uint32_t heads[HF_SYNC_HEADS_MAX];
    size_t n = hf_log_heads(db->log, heads, HF_COUNT(heads));
    if (db->n_durable < hf_log_n(db->log) || n > HF_COUNT(heads)) return;
    for (size_t i = 0; i < n; i++) hf_sync_add_head(&s->have, hf_log_item_at(db->log, heads[i])->digest);
    hf_sync_add_entries(&s->have, db->n_durable);
}

static void send_have(hf_sync *s, uint64_t now_ms, hf_sync_link *link) {
    hf_buf_clear(&s->have);
    bool more = false;
    if (!link->told) more = add_all_clocks(s, link);
    else add_new_clocks(s, link);
    if (more) hf_sync_add_more(&s->have);
    else add_heads(s, link);
    if (link->told) link->heads_told = link->db->n_durable;
    link->told = !more;
    link->behind_told = false;
    hf_sync_begin(&s->frame);
    hf_sync_add_part(&s->frame, HF_SYNC_PART_HAVE, hf_buf_bytes(&s->have));
    if (s->have.err) s->frame.err = s->have.err;
    write_frame(s, now_ms, link);
    link->compare_ms = now_ms + HF_SYNC_COMPARE_MS;
    hf_sync_due(s, link->compare_ms);
}

/* After the first: when all is sent and the peer could still learn something; at a quiet moment or when it is time to
 * compare. The heads of the first one do not count: what they stand on had not been sent then. */
static bool have_is_due(uint64_t now_ms, const hf_sync_link *link) {
    size_t n = link->db->n_durable;
    if (!link->told) return true;
    if (!link->heard || link->cursor < n || (link->told_items == n && link->heads_told == n)) return false;
    return (link->behind_told && link->in_at == link->in.len) || now_ms >= link->compare_ms;
}

/* ---- what we send ---- */

static hf_err get_block(hf_sync *s, const uint8_t digest[32], hf_bytes *ret) {
    uint8_t cid[HF_CID_LEN];
    hf_cid_from_digest(digest, cid);
    return s->blocks.get(s->blocks.ctx, HF_BYTES(cid, sizeof cid), ret);
}

/* The writer's identity block, before the first entry of that writer. Which one it is, any of the entries says. */
static void add_identity(hf_sync *s, hf_sync_db *db, uint32_t writer, hf_bytes entry_block) {
    hf_sync_writer *w = &db->writers[writer];
    hf_bytes block;
    if (!w->identity_known) {
        hf_entry entry;
        hf_arena_clear(&s->arena);
        hf_err err = hf_entry_read(entry_block, &s->arena, &entry, NULL);
        if (!err) memcpy(w->identity, entry.identity_digest, 32);
        w->identity_known = !err;
        hf_arena_clear(&s->arena);
    }
    if (w->identity_known && !get_block(s, w->identity, &block))
        hf_sync_add_part(&s->frame, HF_SYNC_PART_IDENTITY, block);
}

/* Adds the item at the cursor to the batch, unless the peer has it. An entry that the store lost is passed over: others
 * may have it. */
static void add_item(hf_sync *s, hf_sync_link *link, const hf_log_item *item) {
    hf_sync_times *times = &link->times[item->writer];
    hf_bytes block;
    if (item->time <= times->sent) {
        link->behind_told = true;
        return;
    }
    if (get_block(s, item->digest, &block)) return;
    if (!times->sent) {
        add_identity(s, link->db, item->writer, block);
        if (get_block(s, item->digest, &block)) return; /* a source lends one block at a time */
    }
    hf_sync_add_part(&s->frame, HF_SYNC_PART_ENTRY, block);
    times->sent = item->time;
}

static bool send_batch(hf_sync *s, uint64_t now_ms, hf_sync_link *link) {
    hf_sync_db *db = link->db;
    if (!link->heard || link->cursor >= db->n_durable || hf_sync_times_reserve(s, link)) return false;
    size_t empty = HF_SYNC_FRAME_HEAD_MAX;
    hf_sync_begin(&s->frame);
    for (size_t n = 0; link->cursor < db->n_durable && n < HF_SYNC_BATCH_SCAN && s->frame.len < HF_SYNC_BATCH_BYTES;
         n++)
        add_item(s, link, hf_log_item_at(db->log, (uint32_t)link->cursor++));
    if (!s->frame.err && s->frame.len == empty) return true;
    if (link->cursor == db->n_durable && link->told) {
        /* The heads ride along with the last entries, so that the peer knows at once whether it is level with us. */
        hf_buf_clear(&s->have);
        add_heads(s, link);
        if (s->have.len && !s->have.err) {
            hf_sync_add_part(&s->frame, HF_SYNC_PART_HAVE, hf_buf_bytes(&s->have));
            link->heads_told = db->n_durable;
        }
        if (!link->behind_told) link->told_items = db->n_durable;
    }
    write_frame(s, now_ms, link);
    return true;
}

/* ---- what the peer asked for, and what we ask it for ---- */

/* With more in a frame, ancestors are left out: two more entries still fit into a message. */
enum { ANSWER_BYTES = 256 << 10 };

/* The wanted entry and some of its nearest ancestors: somebody who lacks one usually lacks those before it too. */
static size_t gather(hf_sync *s, hf_sync_db *db, uint32_t wanted, uint32_t list[HF_SYNC_ANCESTORS]) {
    size_t n = 0;
    list[n++] = wanted;
    for (size_t i = 0; i < n && n < HF_SYNC_ANCESTORS; i++) {
        hf_bytes block;
        hf_entry entry;
        hf_arena_clear(&s->arena);
        if (get_block(s, hf_log_item_at(db->log, list[i])->digest, &block) ||
            hf_entry_read(block, &s->arena, &entry, NULL))
            continue;
        for (size_t k = 0; k < entry.n_next && n < HF_SYNC_ANCESTORS; k++) {
            uint32_t parent = hf_log_find(db->log, entry.next[k]);
            size_t j = 0;
            while (j < n && list[j] != parent) j++;
            if (j == n && parent != UINT32_MAX) list[n++] = parent;
        }
    }
    hf_arena_clear(&s->arena);
    return n;
}

/* In index order: ancestors first. */
static void sort_items(uint32_t *list, size_t n) {
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j && list[j - 1] > list[j]; j--) {
            uint32_t t = list[j];
            list[j] = list[j - 1];
            list[j - 1] = t;
        }
}

/* False: it is not here. */
static bool add_entry(hf_sync *s, hf_sync_db *db, uint32_t index) {
    hf_bytes block;
    if (get_block(s, hf_log_item_at(db->log, index)->digest, &block)) return false;
    hf_sync_add_part(&s->frame, HF_SYNC_PART_ENTRY, block);
    return true;
}

static bool add_wanted_entry(hf_sync *s, hf_sync_db *db, const uint8_t digest[32]) {
    uint32_t index = hf_log_find(db->log, digest), list[HF_SYNC_ANCESTORS];
    if (index >= db->n_durable) return false; /* also when there is none */
    size_t n = gather(s, db, index, list);
    sort_items(list, n); /* the wanted one is the last */
    for (size_t i = 0; i + 1 < n && s->frame.len < ANSWER_BYTES; i++) (void)add_entry(s, db, list[i]);
    return add_entry(s, db, index);
}

static bool add_wanted_identity(hf_sync *s, hf_sync_db *db, const uint8_t digest[32]) {
    hf_bytes block;
    if (!hf_log_knows_identity(db->log, digest) || get_block(s, digest, &block)) return false;
    hf_sync_add_part(&s->frame, HF_SYNC_PART_IDENTITY, block);
    return true;
}

static void add_answer(hf_sync *s, hf_sync_db *db, const uint8_t digest[32]) {
    if (!add_wanted_entry(s, db, digest) && !add_wanted_identity(s, db, digest))
        hf_sync_add_part(&s->frame, HF_SYNC_PART_MISSING, HF_BYTES(digest, 32));
}

static bool send_answers(hf_sync *s, uint64_t now_ms, hf_sync_link *link) {
    if (!link->n_answers) return false;
    hf_sync_begin(&s->frame);
    size_t n = 0;
    while (n < link->n_answers && s->frame.len < HF_SYNC_BATCH_BYTES) add_answer(s, link->db, link->answers[n++]);
    link->n_answers -= n;
    memmove(link->answers, link->answers + n, link->n_answers * sizeof *link->answers);
    write_frame(s, now_ms, link);
    return true;
}

static bool send_asks(hf_sync *s, uint64_t now_ms, hf_sync_link *link) {
    if (!link->n_asks) return false;
    hf_sync_begin(&s->frame);
    for (size_t i = 0; i < link->n_asks; i++)
        hf_sync_add_part(&s->frame, HF_SYNC_PART_WANT, HF_BYTES(link->asks[i], 32));
    link->n_asks = 0;
    write_frame(s, now_ms, link);
    return true;
}

bool hf_sync_stream_work(hf_sync *s, uint64_t now_ms, hf_sync_link *link) {
    if (open_stream(s, now_ms, link)) return true;
    if (!link->has_stream || is_blocked(s, now_ms, link)) return false;
    if (link->ask_ms && link->ask_ms <= now_ms) hf_sync_ask_for_heads(s, now_ms, link);
    if (link->told && (send_asks(s, now_ms, link) || send_answers(s, now_ms, link) || send_batch(s, now_ms, link)))
        return true;
    if (!have_is_due(now_ms, link)) return false;
    send_have(s, now_ms, link);
    return true;
}
