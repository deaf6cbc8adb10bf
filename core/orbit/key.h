/* key: keys of OrbitDB's keyvalue and documents as JavaScript sees them. Two views of one value decide there: `===` (get) and the text that
 * a value becomes when it names a member of an object (iterator, all). Interop notes section 9. */
#ifndef HF_ORBIT_KEY_H
#define HF_ORBIT_KEY_H
#include "../codec/value.h"

/* Appends what is the same for keys that are `===`, and only for these: canonical dag-cbor. False (nothing appended): a key that equals
 * nothing: lists, maps, bytes and links are compared by identity there. Out of memory sticks to `buf`. */
bool hf_orbit_key_add_exact(hf_buf *buf, const hf_value *key);
/* Appends String(key); NULL is `undefined`. */
void hf_orbit_key_add_name(hf_buf *buf, const hf_value *key);
/* Members that every JavaScript object has: entries under these names do not show in iterator and all. */
bool hf_orbit_key_is_hidden(hf_bytes name);
#endif
