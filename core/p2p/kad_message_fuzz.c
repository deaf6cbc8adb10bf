/* Fuzz: a message; when it reads, its head and peers written again read the same. */
#include "kad_message.h"

#include "../../tests/kit/fuzz.h"
#include "kad_address.h"

static hf_mem mem = {hf_fuzz_resize, NULL};

static size_t write_peers(hf_buf *out, hf_kad_peers peers, bool providers) {
    size_t n = 0;
    for (hf_kad_peer peer; hf_kad_peers_next(&peers, &peer); n++) {
        hf_kad_addresses a = {NULL, 0, 0};
        hf_pb_reader r = hf_kad_peer_addresses(&peer);
        for (hf_bytes address; hf_kad_address_next(&r, &address);) {
            HF_ASSERT(!hf_kad_addresses_add(&mem, &a, HF_KAD_TAKES_PUBLIC | HF_KAD_TAKES_PRIVATE, &peer.id, address));
            hf_kad_group group = hf_kad_group_of(address);
            HF_ASSERT((group.len > 0) == (hf_kad_scope_of(address) != HF_KAD_NOWHERE));
        }
        HF_ASSERT(a.len <= HF_KAD_ADDRESSES_BYTES_MAX);
        if (providers)
            hf_kad_add_provider(out, &peer.id, hf_kad_addresses_packed(&a));
        else
            hf_kad_add_closer(out, &peer.id, hf_kad_addresses_packed(&a));
        hf_kad_addresses_clear(&mem, &a);
    }
    return n;
}

static size_t count(hf_kad_peers peers) {
    size_t n = 0;
    for (hf_kad_peer peer; hf_kad_peers_next(&peers, &peer);) n++;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_kad_message m, again;
    hf_kad_record record;
    if (!hf_kad_record_read(HF_BYTES(data, len), &record, NULL)) HF_ASSERT(record.key.len + record.value.len <= len);
    if (hf_kad_read(HF_BYTES(data, len), &m, NULL)) return 0;
    hf_buf out;
    hf_buf_init(&out, &mem);
    hf_kad_add_head(&out, m.type, m.key, m.has_record ? &m.record : NULL);
    size_t n_closer = write_peers(&out, hf_kad_closer(&m), false),
           n_providers = write_peers(&out, hf_kad_providers(&m), true);
    HF_ASSERT(!out.err && !hf_kad_read(hf_buf_bytes(&out), &again, NULL));
    HF_ASSERT(again.type == m.type && hf_eq(again.key, m.key) && again.has_record == m.has_record &&
              hf_eq(again.record, m.record));
    HF_ASSERT(count(hf_kad_closer(&again)) == n_closer && count(hf_kad_providers(&again)) == n_providers);
    hf_buf_deinit(&out);
    return 0;
}
