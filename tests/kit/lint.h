/* For `make lint` only: tells the analyser, which sees one file at a time, that hf_fail gives back the error it was given.
 * Without it every decoder looks as if it might fail and say HF_OK. */
#include "../../core/base/base.h"
#define hf_fail(fault, err, what, at) ((void)(hf_fail)((fault), (err), (what), (at)), (err))
