/* observed: see observed.h. */
#include "observed.h"

#include "../codec/multiaddr.h"
#include "reach.h"

#include <string.h>

static hf_bytes view(const hf_observed_addr *a) { return HF_BYTES(a->bytes, a->len); }

static void set(hf_observed_addr *a, hf_bytes addr) {
    memcpy(a->bytes, addr.ptr, addr.len);
    a->len = (uint8_t)addr.len;
}

void hf_observed_note(hf_observed *o, const hf_peer_id *self, const hf_swarm_out *e, bool any) {
    hf_bytes addr = e->identify->observed;
    if (e->relayed || !addr.len || addr.len > HF_OBSERVED_ADDR_MAX || !hf_reach_is_dialable(addr, hf_peer_id_bytes(self), any)) return;
    size_t at = 0;
    while (at < HF_OBSERVED_MAX && !(hf_peer_id_eq(&o->seen[at].by, &e->peer) && o->seen[at].inbound == e->inbound)) at++;
    if (at == HF_OBSERVED_MAX) at = o->next++ % HF_OBSERVED_MAX;
    o->seen[at].by = e->peer;
    o->seen[at].inbound = e->inbound;
    set(&o->seen[at].addr, addr);
}

typedef struct list { hf_observed_addr *items; size_t n, n_max; } list;

static void add(list *l, hf_bytes addr) {
    if (l->n == l->n_max || !addr.len || addr.len > HF_OBSERVED_ADDR_MAX) return;
    for (size_t i = 0; i < l->n; i++)
        if (hf_eq(view(&l->items[i]), addr)) return;
    set(&l->items[l->n++], addr);
}

/* Of /ip4|ip6/…/tcp/PORT, two bytes; empty: it is none. */
static hf_bytes port_of(hf_bytes addr) {
    hf_multiaddr ma;
    bool ok = !hf_multiaddr_read(addr, &ma, NULL) && ma.n > 1 && ma.parts[1].code == HF_MA_TCP && ma.parts[1].value.len == 2;
    return ok ? ma.parts[1].value : HF_BYTES(NULL, 0);
}

static hf_bytes listening_port(const hf_swarm *swarm, size_t ip_len) {
    hf_bytes addr;
    for (size_t i = 0; (addr = hf_swarm_address(swarm, i)).len; i++)
        if (hf_reach_ip(addr).len == ip_len && port_of(addr).len) return port_of(addr);
    return HF_BYTES(NULL, 0);
}

static void add_guess(list *l, const hf_swarm *swarm, const hf_observed_addr *seen) {
    hf_observed_addr guess = *seen;
    hf_bytes theirs = port_of(view(&guess)), ours = listening_port(swarm, hf_reach_ip(view(seen)).len);
    if (!theirs.len || !ours.len) return;
    memcpy(guess.bytes + (theirs.ptr - guess.bytes), ours.ptr, 2);
    add(l, view(&guess));
}

static bool is_agreed(const hf_observed *o, size_t at) {
    for (size_t i = 0; i < HF_OBSERVED_MAX; i++)
        if (i != at && o->seen[i].by.len && !o->seen[i].inbound && !hf_peer_id_eq(&o->seen[i].by, &o->seen[at].by) &&
            hf_eq(view(&o->seen[i].addr), view(&o->seen[at].addr)))
            return true;
    return false;
}

size_t hf_observed_list(const hf_observed *o, const hf_swarm *swarm, bool any, hf_observed_addr *ret, size_t n_max) {
    hf_bytes self = hf_peer_id_bytes(hf_swarm_self(swarm)), addr;
    list l = {ret, 0, n_max};
    for (size_t i = 0; (addr = hf_swarm_address(swarm, i)).len; i++)
        if (hf_reach_is_dialable(addr, self, any)) add(&l, addr);
    for (size_t i = 0; i < HF_OBSERVED_MAX; i++)
        if (o->seen[i].by.len && o->seen[i].inbound) add(&l, view(&o->seen[i].addr));
    for (size_t i = 0; i < HF_OBSERVED_MAX; i++)
        if (o->seen[i].by.len && !o->seen[i].inbound) add_guess(&l, swarm, &o->seen[i].addr);
    for (size_t i = 0; i < HF_OBSERVED_MAX; i++)
        if (o->seen[i].by.len && !o->seen[i].inbound && is_agreed(o, i)) add(&l, view(&o->seen[i].addr));
    return l.n;
}
