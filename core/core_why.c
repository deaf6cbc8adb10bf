/* core_why: where an entry or a peer stands, and what it waits for. */
#include "core_private.h"

static bool look_in(const hf_core_db *d, const uint8_t digest[32], hf_core_entry_about *ret) {
    uint32_t index = hf_log_find(d->log, digest);
    if (index != UINT32_MAX) {
        const hf_log_item *item = hf_log_item_at(d->log, index);
        ret->standing = index < d->n_durable ? HF_CORE_KEPT : HF_CORE_JOINED;
        ret->time = item->time;
        ret->head = item->head;
        ret->writer = hf_log_writer_key(d->log, item->writer);
    } else if (hf_log_waiting(d->log, digest)) {
        ret->standing = HF_CORE_WAITS;
        ret->n_missing = hf_log_waits_for(d->log, digest, ret->missing, HF_CORE_MISSING_MAX, &ret->waits_for_grant);
    }
    return ret->standing != HF_CORE_UNKNOWN;
}

void hf_core_entry_info(const hf_core *core, const uint8_t digest[32], hf_core_entry_about *ret) {
    *ret = (hf_core_entry_about){.standing = HF_CORE_UNKNOWN};
    for (uint32_t i = 1; i <= core->n_databases && !ret->standing; i++) {
        const hf_core_db *d = hf_core_db_at(core, i);
        if (d && d->log && look_in(d, digest, ret)) ret->database = i;
    }
}

static bool speaks_sync(const hf_core *core, const hf_peer_id *peer) {
    hf_buf name;
    bool speaks = false;
    hf_buf_init(&name, core->mem);
    for (uint32_t i = 1; i <= core->n_databases && !speaks; i++) {
        if (!hf_core_db_at(core, i)) continue;
        hf_buf_clear(&name);
        hf_buf_add_str(&name, HF_SYNC_PROTOCOL);
        hf_buf_add(&name, hf_core_address(core, i));
        speaks = !name.err && hf_swarm_peer_speaks(core->swarm, peer, hf_buf_bytes(&name));
    }
    hf_buf_deinit(&name);
    return speaks;
}

void hf_core_peer_info(const hf_core *core, const hf_peer_id *peer, hf_core_peer_about *ret) {
    uint64_t conn;
    *ret = (hf_core_peer_about){.connected = hf_swarm_connected(core->swarm, peer), .rtt_ms = UINT32_MAX, .n_behind = SIZE_MAX};
    if (!ret->connected) return;
    ret->speaks_sync = speaks_sync(core, peer);
    ret->n_behind = hf_sync_behind(core->sync, peer);
    if (hf_swarm_peer_conn(core->swarm, peer, 0, &conn)) ret->rtt_ms = hf_swarm_conn_rtt_ms(core->swarm, conn);
}
