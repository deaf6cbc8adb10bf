/* field: what the two halves of a field's rules share (field.c: values; field_parse.c: forms). Private to collections.
 * */
#ifndef HF_FIELD_H
#define HF_FIELD_H
#include "schema.h"

#define HF_FIELD_INT_MAX ((int64_t)1 << 53) /* what JavaScript's numbers and our floats hold exactly */
#define HF_FIELD_TIME_MAX                                                                                              \
    ((int64_t)8640000000000000) /* ms; what JavaScript's Date holds: 100,000,000 days either way */

bool hf_field_is_space(uint32_t code); /* Unicode White_Space */
bool hf_field_breaks_line(uint32_t code);
bool hf_field_allows_char(const hf_field *field, uint32_t code);
#endif
