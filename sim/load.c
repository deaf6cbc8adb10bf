/* load: see load.h. */
#include "app.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

enum { TRIES_MAX = 12, ANSWER_MS = 6000, FORM_LEN = 128, PATH_LEN = 64 };

typedef struct form { char path[PATH_LEN], body[FORM_LEN], field[8], value[32], op[16]; } form;

/* What the form of an operation sends: the same each time. */
static void form_of(const hf_world *w, uint32_t number, form *ret) {
    static const char *const paths[] = {"/notes", "/notes/%s", "/notes/%s/toggle", "/notes/%s/delete", "/tallies", "/tallies/%s/count", "/board"};
    static const char *const fields[] = {"text", "text", "", "", "name", "", "text"};
    const hf_sim_op *op = &w->load.ops[number];
    const char *about = op->about == UINT32_MAX ? "" : w->load.ops[op->about].opid;
    const char *path = paths[op->what], *hole = strstr(path, "%s");
    size_t front = hole ? (size_t)(hole - path) : strlen(path);
    snprintf(ret->path, sizeof ret->path, "%.*s%s%s", (int)front, path, about, hole ? hole + 2 : "");
    snprintf(ret->op, sizeof ret->op, "o%u", (unsigned)number);
    snprintf(ret->field, sizeof ret->field, "%s", fields[op->what]);
    snprintf(ret->value, sizeof ret->value, "said-%u", (unsigned)number);
    snprintf(ret->body, sizeof ret->body, "op=%s%s%s%s%s", ret->op, *ret->field ? "&" : "", ret->field, *ret->field ? "=" : "",
                  *ret->field ? ret->value : "");
}

static void add_part(hf_sha256 *sha, const char *part) { hf_sha256_add(sha, HF_BYTES(part, strlen(part) + 1)); }

/* docs/reference/app-format.md, Forms: base32 of the first 16 bytes of SHA-256 over what was sent. */
static void opid_of(hf_world *w, uint32_t number) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    form f;
    hf_sha256 sha;
    uint8_t digest[32];
    form_of(w, number, &f);
    hf_sha256_init(&sha);
    add_part(&sha, "holdfast op");
    add_part(&sha, f.op);
    add_part(&sha, f.path);
    if (*f.field) {
        hf_sha256_add(&sha, hf_str(f.field));
        hf_sha256_add(&sha, HF_TEXT("="));
        add_part(&sha, f.value);
    }
    hf_sha256_end(&sha, digest);
    char *out = w->load.ops[number].opid;
    for (size_t i = 0; i < HF_OPID_LEN; i++) {
        size_t bit = i * 5;
        unsigned two = (unsigned)digest[bit / 8] << 8 | (bit / 8 + 1 < 16 ? digest[bit / 8 + 1] : 0);
        out[i] = letters[two >> (11 - bit % 8) & 31];
    }
    out[HF_OPID_LEN] = 0;
}

/* ---- who writes what, and when ---- */

static uint32_t earlier_of(hf_world *w, uint32_t before, hf_op_what what) {
    for (int i = 0; i < 20; i++) {
        uint32_t k = (uint32_t)hf_world_draw(w, before);
        if (w->load.ops[k].what == what) return k;
    }
    return UINT32_MAX;
}

static hf_op_what draw_what(hf_world *w) {
    static const unsigned char in_hundred[] = {25, 45, 60, 68, 74, 97, 100};
    unsigned at = (unsigned)hf_world_draw(w, 100), what = 0;
    while (at >= in_hundred[what]) what++;
    return (hf_op_what)what;
}

void hf_load_make(hf_world *w) {
    hf_load *load = &w->load;
    load->n = w->config.n_writes;
    load->ops = hf_world_alloc(w, (load->n + 1) * sizeof *load->ops);
    for (uint32_t i = 0; i < load->n; i++) {
        hf_sim_op *op = &load->ops[i];
        op->what = i < 2 ? (i ? HF_OP_TALLY : HF_OP_NOTE) : draw_what(w);
        op->about = UINT32_MAX;
        if (op->what == HF_OP_COUNT) op->about = earlier_of(w, i, HF_OP_TALLY);
        else if (op->what != HF_OP_NOTE && op->what != HF_OP_TALLY && op->what != HF_OP_POST) op->about = earlier_of(w, i, HF_OP_NOTE);
        bool nothing = op->about == UINT32_MAX;
        if (nothing && op->what == HF_OP_COUNT) op->what = HF_OP_TALLY;
        else if (nothing && op->what != HF_OP_TALLY && op->what != HF_OP_POST) op->what = HF_OP_NOTE;
        opid_of(w, i);
        hf_world_push(w, 2000 + (uint64_t)i * (w->end_ms - 2000) / load->n, HF_EVENT_USER, i, 0);
    }
    w->result->n_ops = load->n;
}

void hf_load_free(hf_world *w) {
    if (w->load.ops) hf_release(&w->mem, w->load.ops, (w->load.n + 1) * sizeof *w->load.ops);
}

/* ---- sending ---- */

/* Only the owner can write to the board; the others can be asked by anybody. */
static hf_sim_peer *somebody(hf_world *w, const hf_sim_op *op) {
    for (int i = 0; i < 40; i++) {
        hf_sim_peer *p = &w->peers[op->what == HF_OP_POST ? 0 : hf_world_draw(w, w->n_honest)];
        if (p->core && p->asleep_until_ms <= w->now_ms) return p;
    }
    return NULL;
}

static hf_request request_of(const hf_world *w, const hf_sim_peer *p, const form *f) {
    return (hf_request){.method = HF_TEXT("POST"), .path = hf_str(f->path), .origin = HF_TEXT("http://localhost"),
                        .content_type = HF_TEXT("application/x-www-form-urlencoded"), .body = hf_str(f->body), .now_ms = hf_peer_wall(w, p)};
}

static void send_to(hf_world *w, hf_sim_peer *p, uint32_t number) {
    hf_sim_op *op = &w->load.ops[number];
    form f;
    form_of(w, number, &f);
    hf_request request = request_of(w, p, &f);
    hf_response response = {0};
    uint64_t seq;
    p->writing = true;
    hf_err err = hf_core_handle(p->core, hf_peer_clock(w, p), &request, &response, &seq);
    hf_world_note(w, 'h', (uint64_t)p->index << 32 | number, response.status);
    if (!err && response.status == 410) op->over = true;
    else if (!err && response.status == 303) {
        if (!seq) hf_load_answered(w, p, number);
        else if (p->n_waiting < HF_WAITING_MAX) {
            p->waiting[p->n_waiting].seq = seq;
            p->waiting[p->n_waiting++].op = number;
        }
    } else if (!err && response.status != 404) /* 404: the document has not come there yet */
        hf_world_fail(w, "forms are answered", "peer %u answers %u to %s", (unsigned)p->index, response.status, f.path);
    hf_peer_pump(w, p);
    p->writing = false;
}

void hf_load_send(hf_world *w, uint32_t number) {
    hf_sim_op *op = &w->load.ops[number];
    bool again = op->n_acks > 0;
    if (op->over || (again && !hf_world_harms(w, HF_HARM_TWICE))) return;
    if (w->mended || op->n_tries >= TRIES_MAX) return;
    hf_sim_peer *p = somebody(w, op);
    op->n_tries++;
    w->result->n_tries++;
    if (again) {
        hf_world_count(w, HF_HARM_TWICE);
        op->over = true;
    } else hf_world_push(w, w->now_ms + ANSWER_MS + hf_world_draw(w, ANSWER_MS), HF_EVENT_USER, number, 0);
    if (p) send_to(w, p, number);
}

void hf_load_answered(hf_world *w, hf_sim_peer *p, uint32_t number) {
    hf_sim_op *op = &w->load.ops[number];
    if (!op->n_acks) {
        w->result->n_acked++;
        op->acked_ms = w->now_ms;
        /* The event of its next try stands already; one in five is then sent again, as by somebody whose answer was lost. */
        if (!hf_world_chance(w, 200)) op->over = true;
    }
    if (op->n_acks < HF_ACKS_MAX) {
        op->acks[op->n_acks].peer = p->index;
        op->acks[op->n_acks++].generation = p->disk.generation;
    }
    hf_world_note(w, 'a', p->index, number);
}

uint32_t hf_load_database(const hf_sim_op *op) {
    if (op->what == HF_OP_POST) return HF_SIM_BOARD;
    return op->what == HF_OP_TALLY || op->what == HF_OP_COUNT ? HF_SIM_TALLIES : HF_SIM_NOTES;
}

hf_bytes hf_load_document(const hf_world *w, const hf_sim_op *op) {
    return HF_BYTES(op->about == UINT32_MAX ? op->opid : w->load.ops[op->about].opid, HF_OPID_LEN);
}
