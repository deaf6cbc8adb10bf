/* rights: what the database behind OrbitDB's `orbitdb` access controller says. Its keys are capabilities ("write", "admin", any other), its values
 * lists of identity ids; ids of its own (ipfs) access list count as "admin". Interop notes section 5.
 *
 * Who stands in "write" or "admin", or when "*" does, may write. Besides the present lists it remembers who ever stood there: see
 * hf_log_access for what that is good for. Limits: 65,536 ids remembered; what is above is forgotten, which only makes it stricter. */
#ifndef HF_ORBIT_RIGHTS_H
#define HF_ORBIT_RIGHTS_H
#include "../log/log.h"

enum { HF_ORBIT_EVER_MAX = 65536, HF_ORBIT_ID_BYTES_MAX = 256 };

typedef struct hf_orbit_rights hf_orbit_rights;

/* admins: the access list of the database itself, copied. NULL: no memory. */
hf_orbit_rights *hf_orbit_rights_new(hf_mem *mem, const hf_bytes *admins, size_t n_admins, uint64_t seed);
void hf_orbit_rights_free(hf_orbit_rights *rights); /* NULL allowed */

/* An entry of that database. decides: it is the newest of its key now (hf_orbit_state_apply). *ret_changed: somebody's rights changed. */
HF_MUST_USE hf_err hf_orbit_rights_apply(hf_orbit_rights *rights, const hf_value *payload, bool decides, bool *ret_changed);
/* What this identity may do; hf_log_config.access with the rights as ctx. */
hf_log_access hf_orbit_rights_of(void *rights, hf_bytes id);
/* The list under a capability as it stands in the database (admins of the access list are not added); valid until the next apply. */
const hf_bytes *hf_orbit_rights_list(const hf_orbit_rights *rights, hf_bytes capability, size_t *ret_n);
/* The list with `id` added or taken away, as an operation to be appended: canonical dag-cbor. HF_EXISTS: it is so already. */
HF_MUST_USE hf_err hf_orbit_rights_grant(const hf_orbit_rights *rights, hf_bytes capability, hf_bytes id, hf_buf *payload);
HF_MUST_USE hf_err hf_orbit_rights_revoke(const hf_orbit_rights *rights, hf_bytes capability, hf_bytes id, hf_buf *payload);
#endif
