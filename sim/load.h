/* load: people. Each operation is a form with an operation ID; without an answer it is sent again, the same, to somebody else. */
#ifndef HF_SIM_LOAD_H
#define HF_SIM_LOAD_H
#include "../core/base/base.h"

struct hf_world;
struct hf_sim_peer;

enum { HF_OPID_LEN = 26, HF_ACKS_MAX = 4 };
typedef enum hf_op_what { HF_OP_NOTE, HF_OP_EDIT, HF_OP_TOGGLE, HF_OP_DELETE, HF_OP_TALLY, HF_OP_COUNT, HF_OP_POST } hf_op_what;

typedef struct hf_sim_op {
    hf_op_what what;
    uint32_t about;             /* the operation that made the document; UINT32_MAX: none */
    char opid[HF_OPID_LEN + 1]; /* of the action, by docs/reference/app-format.md */
    uint32_t n_tries, n_acks;
    uint64_t acked_ms;
    bool over;                  /* nobody will send it again */
    struct { uint32_t peer, generation; } acks[HF_ACKS_MAX]; /* who said it is durable, on which disk */
} hf_sim_op;

typedef struct hf_load {
    hf_sim_op *ops;
    uint32_t n;
} hf_load;

void hf_load_make(struct hf_world *w);              /* all operations and when they are first sent */
void hf_load_free(struct hf_world *w);
void hf_load_send(struct hf_world *w, uint32_t op); /* to somebody who is up */
void hf_load_answered(struct hf_world *w, struct hf_sim_peer *p, uint32_t op);
uint32_t hf_load_database(const hf_sim_op *op);                          /* number of the database that it writes to */
hf_bytes hf_load_document(const struct hf_world *w, const hf_sim_op *op); /* id of the document that it makes or is about */
#endif
