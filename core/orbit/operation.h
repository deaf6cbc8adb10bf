/* operation: what js's add, put and del write into an entry: {op, key, value}. Interop notes section 9: what is written is checked, what is read
 * is not. */
#ifndef HF_ORBIT_OPERATION_H
#define HF_ORBIT_OPERATION_H
#include "state.h"

typedef enum hf_orbit_op { HF_ORBIT_ADD, HF_ORBIT_PUT, HF_ORBIT_DEL } hf_orbit_op;

/* Appends the canonical payload. ADD (events): value. PUT (keyvalue): key, value; (documents): value is the document, key the text of the field
 * that names it (NULL: "_id"). DEL: key; in documents it must be there. NULL value: null.
 * HF_STATE: not an operation of this type. HF_MALFORMED: a key or document that cannot be written, with a reason. HF_NOT_FOUND: no such document. */
HF_MUST_USE hf_err hf_orbit_operation(const hf_orbit_state *state, hf_orbit_type type, hf_orbit_op op, const hf_value *key, const hf_value *value,
                                      hf_buf *buf, hf_fault *fault);
/* The part before the value, for a key that is text. */
void hf_orbit_operation_head(hf_buf *buf, const char *op, hf_bytes key);
#endif
