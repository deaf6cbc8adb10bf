/* What reads is within the bounds, and its addresses, written as our answer, read back the same. */
#include "mdns_address.h"

#include "../../tests/kit/fuzz.h"
#include "mdns_message.h"

#include <stdlib.h>

static void check_again(hf_mem *mem, const hf_mdns_message *message) {
    static hf_mdns_message again;
    hf_bytes service = HF_TEXT("_p2p._udp.local"), peer_name = HF_TEXT("abcdefghijklmnopqrstuvwxyz0123456789");
    hf_bytes addresses[HF_MDNS_ADDRESSES_MAX];
    for (size_t i = 0; i < message->n_found; i++) addresses[i] = message->found[i].multiaddr;
    hf_buf packet;
    hf_buf_init(&packet, mem);
    hf_err err = hf_mdns_add_answer(&packet, service, peer_name, addresses, message->n_found);
    if (!err) {
        if (hf_mdns_read(hf_buf_bytes(&packet), service, &again, NULL) || again.asks || again.n_found != message->n_found) abort();
        for (size_t i = 0; i < again.n_found; i++)
            if (!hf_eq(again.found[i].multiaddr, addresses[i]) || !hf_eq(again.found[i].peer_name, peer_name)) abort();
    } else if (err != HF_LIMIT) abort(); /* long texts may be too many for one packet of ours */
    hf_buf_deinit(&packet);
}

static void check_found(hf_mem *mem, const hf_mdns_found *found) {
    hf_mdns_address address;
    if (!found->peer_name.len || found->peer_name.len > HF_MDNS_LABEL_MAX || found->multiaddr.len > HF_MDNS_TEXT_MAX) abort();
    if (!hf_mdns_address_read(mem, found->multiaddr, &address) && address.reach == HF_MDNS_NOWHERE) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static hf_mdns_message message;
    hf_mem mem = {hf_fuzz_resize, NULL};
    if (hf_mdns_read(HF_BYTES(data, len), HF_TEXT("_p2p._udp.local"), &message, NULL)) return 0;
    if (message.n_found > HF_MDNS_ADDRESSES_MAX || (message.asks && message.n_found)) abort();
    for (size_t i = 0; i < message.n_found; i++) check_found(&mem, &message.found[i]);
    check_again(&mem, &message);
    return 0;
}
