/* host_named: see host_named.h. */
#include "host_named.h"

#include "reach.h"

size_t hf_host_believed(const hf_bytes *addrs, size_t n_addrs, hf_bytes remote, hf_bytes ret[HF_BOOK_ADDRESSES_MAX]) {
    size_t n = 0;
    for (size_t i = 0; i < n_addrs && n < HF_BOOK_ADDRESSES_MAX; i++)
        if (hf_reach_is_believed(addrs[i], remote)) ret[n++] = addrs[i];
    return n;
}

bool hf_host_named(hf_host *host, hf_mem *mem, uint64_t now_ms, uint64_t conn, const hf_peer_id *peer, hf_bytes record) {
    hf_arena arena;
    hf_peer_record said;
    hf_bytes believed[HF_BOOK_ADDRESSES_MAX];
    hf_arena_init(&arena, mem);
    bool sound = !hf_peer_record_open(&arena, record, &said) && hf_peer_id_eq(&said.peer, peer);
    if (sound) {
        said.n_addresses = hf_host_believed(said.addresses, said.n_addresses, hf_swarm_conn_remote(hf_host_swarm(host), conn), believed);
        said.addresses = believed;
        (void)!hf_book_certify(hf_host_book(host), now_ms, &said, false, HF_BOOK_NAMED_MS); /* what the book has no room for is not known */
    }
    hf_arena_deinit(&arena);
    return sound;
}
