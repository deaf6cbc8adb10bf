/* pubsub's bytes against what js wrote, and what is refused. */
#include "gossip_message.h"

#include "../../tests/kit/check.h"
#include "../codec/varint.h"
#include "../crypto/crypto.h"

#include <string.h>

static hf_bytes member(const hf_value *v, const char *key) { return hf_test_hex(hf_value_as_text(hf_value_get(v, key))); }
static hf_bytes text(const hf_value *v, const char *key) { return hf_value_as_text(hf_value_get(v, key)); }

static const hf_value *list(const hf_value *v, const char *key) {
    const hf_value *l = hf_value_get(v, key);
    CHECK(l && l->kind == HF_LIST);
    return l;
}

static hf_err verify(const hf_gossip_message *m, hf_gossip_verified *author, const char **reason) {
    hf_err err = hf_gossip_author(m, author, reason);
    if (err) return err;
    hf_buf input;
    hf_buf_init(&input, hf_test_mem());
    hf_gossip_add_signed(&input, m);
    err = hf_public_key_verify(HF_BYTES(author->key, author->key_len), hf_buf_bytes(&input), m->signature);
    hf_buf_deinit(&input);
    return err;
}

static void check_message(const hf_value *v) {
    hf_gossip_reader r = hf_gossip_read(member(v, "rpc"));
    hf_gossip_item item;
    CHECK(hf_gossip_read_next(&r, &item) == HF_GOSSIP_ITEM_PUBLISH);
    const hf_gossip_message *m = &item.message;
    CHECK_BYTES(m->from, member(v, "from"));
    CHECK_BYTES(m->seqno, member(v, "seqno"));
    CHECK_BYTES(m->topic, text(v, "topic"));
    CHECK_BYTES(m->data, member(v, "data"));
    CHECK_BYTES(m->key, member(v, "key"));
    CHECK_BYTES(m->signature, member(v, "signature"));
    hf_gossip_verified author;
    const char *reason;
    CHECK_ERR(verify(m, &author, &reason), HF_OK);
    uint8_t id[HF_GOSSIP_ID_MAX];
    size_t len = hf_gossip_id_of(&author, m->seqno, false, id);
    CHECK_BYTES(HF_BYTES(id, len), member(v, "messageId"));
    len = hf_gossip_id_of(&author, m->seqno, true, id);
    CHECK_BYTES(hf_sub(HF_BYTES(id, len), 0, len - 8), m->from);
    hf_buf out;
    hf_buf_init(&out, hf_test_mem());
    hf_gossip_add_signed(&out, m);
    CHECK_BYTES(hf_buf_bytes(&out), member(v, "signatureInput"));
    hf_buf_clear(&out);
    hf_gossip_add_publish(&out, m);
    CHECK_BYTES(hf_buf_bytes(&out), member(v, "rpc"));
    hf_buf_deinit(&out);
}

HF_TEST(gossip_message_reads_and_writes_what_js_signs) {
    const hf_value *messages = list(hf_test_json("orbitdb/gossipsub.json"), "messages");
    CHECK(messages->as.list.n >= 3);
    for (size_t i = 0; i < messages->as.list.n; i++) check_message(&messages->as.list.items[i]);
}

/* A message of ours equals js's with the same key, so js's signature is ours. */
HF_TEST(gossip_message_refuses_what_js_refuses) {
    const hf_value *cases = list(hf_test_json("orbitdb/gossipsub.json"), "invalid");
    for (size_t i = 0; i < cases->as.list.n; i++) {
        const hf_value *v = &cases->as.list.items[i];
        hf_gossip_reader r = hf_gossip_read(member(v, "rpc"));
        hf_gossip_item item;
        hf_gossip_verified author;
        const char *reason = "";
        CHECK(hf_gossip_read_next(&r, &item) == HF_GOSSIP_ITEM_PUBLISH);
        hf_err err = verify(&item.message, &author, &reason);
        bool valid = hf_eq(text(v, "result"), HF_TEXT("valid"));
        CHECK_MSG((err == HF_OK) == valid, "%.*s: %s", (int)text(v, "name").len, (const char *)text(v, "name").ptr, hf_err_name(err));
    }
}

static void write_ids(hf_buf *control, const hf_gossip_item *item) {
    hf_bytes ids[8];
    size_t n = 0;
    hf_pb_reader body = hf_pb_read(item->body);
    while (n < 8 && hf_gossip_next_id(&body, item->kind, &ids[n])) n++;
    hf_gossip_add_ids(control, item->kind, item->topic, ids, n);
}

static void write_prune(hf_buf *control, const hf_gossip_item *item) {
    hf_gossip_px px[8];
    size_t n = 0;
    hf_pb_reader body = hf_pb_read(item->body);
    while (n < 8 && hf_gossip_next_peer(&body, &px[n].peer_id, &px[n].record)) n++;
    hf_gossip_add_prune(control, item->topic, px, n, item->backoff_s);
}

/* Everything read is written again, one RPC out of one. */
static void write_again(hf_bytes rpc, hf_buf *ret) {
    hf_buf control;
    hf_buf_init(&control, hf_test_mem());
    hf_gossip_reader r = hf_gossip_read(rpc);
    for (hf_gossip_item item; hf_gossip_read_next(&r, &item);) switch (item.kind) {
        case HF_GOSSIP_ITEM_SUBSCRIPTION: hf_gossip_add_subscription(ret, item.topic, item.subscribe); break;
        case HF_GOSSIP_ITEM_PUBLISH: hf_gossip_add_publish(ret, &item.message); break;
        case HF_GOSSIP_ITEM_GRAFT: hf_gossip_add_graft(&control, item.topic); break;
        case HF_GOSSIP_ITEM_PRUNE: write_prune(&control, &item); break;
        default: write_ids(&control, &item);
        }
    if (control.len) hf_gossip_add_control(ret, hf_buf_bytes(&control));
    hf_buf_deinit(&control);
}

HF_TEST(gossip_message_writes_control_as_js) {
    const hf_value *rpcs = list(hf_test_json("orbitdb/gossipsub.json"), "rpcs");
    CHECK(rpcs->as.list.n >= 10);
    for (size_t i = 0; i < rpcs->as.list.n; i++) {
        hf_bytes rpc = member(&rpcs->as.list.items[i], "rpc");
        hf_buf out;
        hf_buf_init(&out, hf_test_mem());
        CHECK_ERR(hf_gossip_check(rpc), HF_OK);
        write_again(rpc, &out);
        CHECK_BYTES(hf_buf_bytes(&out), rpc);
        hf_buf_deinit(&out);
    }
}

HF_TEST(gossip_message_refuses_what_is_no_rpc) {
    static const char *const bad[] = {
        "0a05",           /* ends within a subscription */
        "0a03080112",     /* length that is not there */
        "1a0222050a",     /* prune cut off */
        "1a0422021207",   /* a peer that is cut off */
        "1a0622041202ff01", "12020aff", "1a031a020aff", "00", "0b",
    };
    for (size_t i = 0; i < HF_COUNT(bad); i++) CHECK_MSG(hf_gossip_check(hf_test_hex(hf_str(bad[i]))) != HF_OK, "%s", bad[i]);
    CHECK_ERR(hf_gossip_check(HF_TEXT("")), HF_OK);
}

HF_TEST(gossip_message_wants_the_author_of_the_key) {
    uint8_t seed[32] = {1}, public_key[32];
    hf_ed25519_public(seed, public_key);
    hf_buf key;
    hf_buf_init(&key, hf_test_mem());
    hf_public_key_add(&key, public_key);
    hf_peer_id id;
    CHECK_ERR(hf_peer_id_of_key(hf_buf_bytes(&key), &id), HF_OK);
    hf_gossip_message m = {.from = hf_peer_id_bytes(&id), .seqno = HF_TEXT("12345678"), .signature = HF_TEXT("s"), .topic = HF_TEXT("t")};
    hf_gossip_verified author;
    const char *reason;
    CHECK_ERR(hf_gossip_author(&m, &author, &reason), HF_OK);
    CHECK_BYTES(HF_BYTES(author.key, author.key_len), hf_buf_bytes(&key));
    m.key = HF_TEXT("");
    CHECK_ERR(hf_gossip_author(&m, &author, &reason), HF_MALFORMED); /* a key that is there and empty is no key */
    m.key = (hf_bytes){0};
    uint8_t hashed[34] = {0x12, 0x20}; /* an RSA peer's id: its key is not in it */
    m.from = HF_BYTES(hashed, sizeof hashed);
    CHECK_ERR(hf_gossip_author(&m, &author, &reason), HF_MALFORMED);
    hf_buf_deinit(&key);
}
