/* id: see id.h. */
#include "id.h"

#include "../core/codec/json.h"
#include "../core/crypto/crypto.h"
#include "lock.h"
#include "options.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

static hf_mem mem = {resize, NULL};

static int fail(const char *dir, const char *why) {
    fprintf(stderr, "holdfast: %s: %s\n", dir, why);
    return 1;
}

static hf_err id_of_seed(const uint8_t seed[32], hf_buf *ret) {
    uint8_t public[32];
    hf_peer_id id;
    hf_buf message;
    hf_buf_init(&message, &mem);
    hf_ed25519_public(seed, public);
    hf_public_key_add(&message, public);
    hf_err err = hf_peer_id_of_key(hf_buf_bytes(&message), &id);
    if (!err) hf_peer_id_add_text(ret, &id);
    hf_buf_deinit(&message);
    return err;
}

static void ignore_stored(void *ctx, uint64_t seq) { (void)ctx, (void)seq; }
static void ignore_failed(void *ctx, const char *why) { (void)ctx, (void)why; }

/* NULL: the peer ID's text was added. */
static const char *id_from_store(const char *dir, hf_buf *ret) {
    char path[4096];
    const char *why = "no memory";
    hf_secrets secrets;
    snprintf(path, sizeof path, "%s/holdfast.db", dir);
    if (access(path, R_OK | W_OK)) return "no node's data here, or not ours to read";
    hf_store *store = hf_store_open(NULL, dir, ignore_stored, ignore_failed, NULL, &why);
    if (!store) return why;
    bool ok = !hf_store_secrets_get(store, &secrets) && !id_of_seed(secrets.peer, ret);
    memset(&secrets, 0, sizeof secrets);
    hf_store_close(store);
    return ok ? NULL : "its keys are not in the store";
}

static void print_line(hf_bytes text) { printf("%.*s\n", (int)text.len, (const char *)text.ptr); }

static int print_running(hf_bytes described, bool json) {
    hf_arena arena;
    hf_value value;
    hf_fault fault;
    hf_arena_init(&arena, &mem);
    bool ok = !hf_json_decode(&arena, described, &value, &fault);
    const hf_value *id = ok ? hf_value_get(&value, "peerId") : NULL;
    ok = id && hf_value_as_text(id).len;
    if (ok) print_line(json ? hf_sub(described, 0, hf_find(described, '\n', 0)) : hf_value_as_text(id));
    hf_arena_deinit(&arena);
    return ok ? 0 : 1;
}

static int print_resting(const char *dir, bool json) {
    hf_buf id;
    hf_buf_init(&id, &mem);
    const char *bad = id_from_store(dir, &id);
    int len = (int)id.len;
    if (!bad) printf(json ? "{\"peerId\":\"%.*s\",\"addresses\":[]}\n" : "%.*s\n", len, (const char *)id.ptr);
    hf_buf_deinit(&id);
    return bad ? fail(dir, bad) : 0;
}

int hf_show_id(int argc, char **argv) {
    const char *dir, *problem;
    bool json;
    if (!hf_options_read_dir(argc, argv, &dir, &json, &problem)) return fprintf(stderr, "holdfast: %s\n", problem), 2;
    hf_buf described;
    hf_buf_init(&described, &mem);
    bool running = hf_lock_read(dir, &described);
    int status = running ? print_running(hf_buf_bytes(&described), json) : print_resting(dir, json);
    hf_buf_deinit(&described);
    return status;
}
