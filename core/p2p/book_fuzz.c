/* An address book under any sequence of calls (what, peer, length, that many bytes), and restored from any bytes: within its bounds, and what is saved is restored. */
#include "book.h"

#include "../../tests/kit/fuzz.h"

enum { PEERS = 8, STEPS_MAX = 64 };

static size_t mem_out;
static hf_mem mem = {hf_fuzz_resize, &mem_out};

static hf_peer_id peer_of(uint8_t i) {
    hf_peer_id id = {{0x12, 0x20, i}, 34};
    return id;
}

static void each(void *ctx, const hf_peer_id *peer) {
    HF_ASSERT(peer->len);
    ++*(size_t *)ctx;
}

/* What one book saves another reads, and saves the same peers. */
static void check_saved(const hf_book *book, uint64_t now_ms) {
    hf_buf saved;
    size_t n = 0, n_again = 0;
    hf_book *other = hf_book_new(&mem, 2), *third = hf_book_new(&mem, 3);
    hf_buf_init(&saved, &mem);
    hf_book_save(book, 100, &saved);
    HF_ASSERT(!hf_book_restore(other, now_ms, hf_buf_bytes(&saved), 1000, each, &n) && n <= hf_book_n_peers(book) && n == hf_book_n_peers(other));
    HF_ASSERT(!hf_book_restore(third, now_ms, hf_buf_bytes(&saved), 1000, each, &n_again) && n == n_again);
    hf_buf_deinit(&saved);
    hf_book_free(other);
    hf_book_free(third);
}

static void step(hf_book *book, uint64_t now_ms, uint8_t what, const hf_peer_id *peer, hf_bytes bytes) {
    hf_bytes view, halves[2] = {hf_sub(bytes, 0, bytes.len / 2), hf_sub(bytes, bytes.len / 2, bytes.len)};
    size_t n = 0;
    hf_err err = HF_OK;
    switch (what % 8) {
    case 0: case 1: err = hf_book_add(book, now_ms, peer, (hf_book_source)(what / 8 % 4), &bytes, 1, 5000); break;
    case 2: err = hf_book_add(book, now_ms, peer, (hf_book_source)(what / 8 % 4), halves, 2, 5000); break;
    case 3: err = hf_book_speaks(book, now_ms, peer, halves, 2); break;
    case 4: hf_book_keep(book, now_ms, peer, what & 8); break;
    case 5: err = hf_book_restore(book, now_ms, bytes, 1000, each, &n); break;
    case 6: hf_book_dialled(book, now_ms, peer, bytes, what & 8); break;
    default: (void)hf_book_rests_until(book, peer, bytes);
    }
    HF_ASSERT(err != HF_NOMEM);
    for (n = 0; hf_book_address(book, now_ms, peer, n, &view); n++) HF_ASSERT(view.len && view.len <= HF_BOOK_ADDRESS_BYTES_MAX);
    HF_ASSERT(n <= HF_BOOK_ADDRESSES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_bytes in = HF_BYTES(data, len);
    hf_book *book = hf_book_new(&mem, 1);
    uint64_t now_ms = 1;
    const uint8_t *head;
    hf_bytes bytes;
    for (size_t i = 0; i < STEPS_MAX && hf_fuzz_step(&in, 1, &head, &bytes); i++, now_ms += 777) {
        hf_peer_id peer = peer_of(head[1] % PEERS);
        step(book, now_ms, head[0], &peer, bytes);
    }
    HF_ASSERT(hf_book_n_peers(book) <= HF_BOOK_PEERS_MAX);
    check_saved(book, now_ms);
    hf_book_free(book);
    HF_ASSERT(mem_out == 0);
    return 0;
}
