/* action: POST routes. A form becomes one operation and an answer 303 See Other; what cannot be taken becomes the
 * page of `failed` again (422). */
#ifndef HF_ACTION_H
#define HF_ACTION_H
#include "inside.h"

HF_MUST_USE hf_err hf_action_post(hf_call *call, const hf_app_action *action);
#endif
