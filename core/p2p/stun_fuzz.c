/* What reads lies in the packet and within the bounds; written again it reads the same. */
#include "direct.h"

#include "../../tests/kit/fuzz.h"
#include "stun.h"

#include <stdlib.h>
#include <string.h>

static void mac_of(void *ctx, hf_bytes key, hf_bytes bytes, uint8_t ret[20]) {
    (void)ctx;
    memset(ret, (int)(key.len + bytes.len), 20);
}

static void check_username(hf_bytes username) {
    hf_direct_username name;
    if (hf_direct_username_read(username, &name)) return;
    if (name.listener.len + 1 + name.browser.len != username.len || name.listener.len < 22 || name.browser.len < 4 || name.version < 1 || name.version > 2) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static hf_stun_message m, again;
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_buf packet;
    hf_bytes bytes = HF_BYTES(data, len);
    check_username(bytes);
    if (hf_stun_read(bytes, &m, NULL)) return 0;
    if (m.username.len && (m.username.ptr < data || m.username.ptr + m.username.len > data + len)) abort();
    if (m.integrity_at && m.integrity_at + 24 > len) abort();
    (void)!hf_stun_check(bytes, &m, HF_TEXT("p"), (hf_stun_mac){mac_of, NULL});
    hf_buf_init(&packet, &mem);
    if (hf_stun_write(&packet, &m, HF_TEXT("p"), (hf_stun_mac){mac_of, NULL})) abort();
    if (hf_stun_read(hf_buf_bytes(&packet), &again, NULL) || !again.fingerprinted || !again.integrity_at) abort();
    if (again.kind != m.kind || !hf_eq(again.username, m.username)) abort();
    if (again.has_mapped != m.has_mapped || again.mapped.v6 != m.mapped.v6 || again.mapped.port != m.mapped.port) abort();
    if (memcmp(again.mapped.ip, m.mapped.ip, sizeof m.mapped.ip) != 0) abort();
    if (again.priority != m.priority || again.error != m.error || again.controlling != m.controlling || again.controlled != m.controlled) abort();
    hf_buf_deinit(&packet);
    return 0;
}
