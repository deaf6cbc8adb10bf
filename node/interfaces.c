/* interfaces: see interfaces.h. */
#include "interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

static size_t len_of(const struct ifaddrs *one) {
    if (!one->ifa_addr || !(one->ifa_flags & IFF_UP) || !(one->ifa_flags & IFF_RUNNING)) return 0;
    return one->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in) : one->ifa_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : 0;
}

int hf_interfaces(uv_interface_address_t **ret, int *ret_n) {
    struct ifaddrs *all;
    size_t n = 0;
    if (getifaddrs(&all)) return UV_ENOMEM;
    for (const struct ifaddrs *one = all; one; one = one->ifa_next) n += len_of(one) > 0;
    *ret_n = 0;
    *ret = calloc(n + 1, sizeof **ret);
    for (const struct ifaddrs *one = all; *ret && one; one = one->ifa_next) {
        if (!len_of(one)) continue;
        uv_interface_address_t *to = &(*ret)[(*ret_n)++];
        memcpy(&to->address, one->ifa_addr, len_of(one));
        if (one->ifa_netmask) memcpy(&to->netmask, one->ifa_netmask, len_of(one));
        to->is_internal = (one->ifa_flags & IFF_LOOPBACK) != 0;
    }
    freeifaddrs(all);
    return *ret ? 0 : UV_ENOMEM;
}
