/* Entries as js writes them, our own, and everything that must not pass. */
#include "log_kit.h"

#include "../codec/dag_cbor.h"
#include "link_text.h"

#include <string.h>

static hf_bytes text_of(const hf_value *map, const char *key) { return hf_value_as_text(hf_value_get(map, key)); }

static void check_links(const uint8_t (*got)[32], size_t n, const hf_value *want) {
    CHECK_U64(n, want->as.list.n);
    for (size_t i = 0; i < n; i++) {
        uint8_t digest[32];
        hf_kit_digest(hf_value_as_text(&want->as.list.items[i]), digest);
        CHECK_BYTES(HF_BYTES(got[i], 32), HF_BYTES(digest, 32));
    }
}

static void check_fields(const hf_entry *e, const hf_value *f) {
    uint8_t digest[32];
    CHECK_BYTES(e->id, text_of(f, "id"));
    CHECK_BYTES(e->key, text_of(f, "key"));
    CHECK_BYTES(e->sig, text_of(f, "sig"));
    CHECK_BYTES(e->clock_id, text_of(hf_value_get(f, "clock"), "id"));
    CHECK_U64(e->time, (uint64_t)hf_value_as_i64(hf_value_get(hf_value_get(f, "clock"), "time"), 0));
    check_links(e->next, e->n_next, hf_value_get(f, "next"));
    check_links(e->refs, e->n_refs, hf_value_get(f, "refs"));
    hf_kit_digest(text_of(f, "identity"), digest);
    CHECK_BYTES(HF_BYTES(e->identity_digest, 32), HF_BYTES(digest, 32));
}

static size_t writer_of(const hf_kit *kit, hf_bytes key) {
    size_t i = 0;
    while (i < HF_KIT_WRITERS && !hf_eq(HF_BYTES(kit->writers[i].public_key, HF_PUBLIC_KEY_HEX_LEN), key)) i++;
    CHECK(i < HF_KIT_WRITERS);
    return i;
}

/* Nonces are deterministic: made again from its parts an entry is the same block. */
static void check_rewritten(const hf_kit *kit, const hf_entry *e) {
    hf_buf buf;
    uint8_t digest[32];
    hf_buf_init(&buf, hf_test_mem());
    CHECK_ERR(hf_entry_create(&kit->writers[writer_of(kit, e->key)], e->id, e->next, e->n_next, e->refs, e->n_refs, e->time,
                              e->payload_bytes, &buf, digest),
              HF_OK);
    CHECK_BYTES(hf_buf_bytes(&buf), e->block);
    CHECK_BYTES(HF_BYTES(digest, 32), HF_BYTES(e->digest, 32));
    hf_buf_deinit(&buf);
}

static void check_verifies(const hf_kit *kit, const hf_entry *e) {
    hf_fault fault = {"", 0};
    hf_err err = hf_entry_verify(e, &kit->identities[writer_of(kit, e->key)], hf_test_arena(), &fault);
    CHECK_MSG(!err, "%s", fault.what);
}

/* The three with an encrypted block are byte strings for whoever has no key: refused as not an entry. */
HF_TEST(entries_of_js) {
    hf_kit kit;
    hf_kit_open(&kit);
    const hf_value *list = hf_value_get(hf_test_json("orbitdb/entries.json"), "entries");
    size_t n_read = 0;
    for (size_t i = 0; i < list->as.list.n; i++) {
        const hf_value *v = &list->as.list.items[i];
        hf_bytes block = hf_test_hex(text_of(v, "bytes")), message;
        uint8_t digest[32];
        hf_entry e;
        if (block.ptr[0] != 0xa9) {
            CHECK_ERR(hf_entry_read(block, hf_test_arena(), &e, NULL), HF_MALFORMED);
            continue;
        }
        CHECK_ERR(hf_entry_read(block, hf_test_arena(), &e, NULL), HF_OK);
        hf_kit_digest(text_of(v, "hash"), digest);
        CHECK_BYTES(HF_BYTES(e.digest, 32), HF_BYTES(digest, 32));
        CHECK_ERR(hf_entry_signed(&e, hf_test_arena(), &message), HF_OK);
        CHECK_BYTES(message, hf_test_hex(text_of(v, "signedBytes")));
        check_fields(&e, hf_value_get(v, "fields"));
        check_verifies(&kit, &e);
        check_rewritten(&kit, &e);
        n_read++;
    }
    CHECK_U64(list->as.list.n, 12);
    CHECK_U64(n_read, 10);
    hf_kit_close(&kit);
}

HF_TEST(entries_of_js_supporting_blocks) {
    hf_kit kit;
    hf_kit_open(&kit);
    const hf_value *list = hf_value_get(hf_test_json("orbitdb/entries.json"), "blocks");
    for (size_t i = 0; i < list->as.list.n; i++) {
        hf_entry e;
        CHECK_ERR(hf_entry_read(hf_test_hex(text_of(&list->as.list.items[i], "bytes")), hf_test_arena(), &e, NULL), HF_OK);
        check_verifies(&kit, &e);
        check_rewritten(&kit, &e);
    }
    CHECK_U64(list->as.list.n, 21);
    hf_kit_close(&kit);
}

/* ---- changed entries ---- */

static hf_bytes encode(const hf_value *value) {
    hf_buf buf;
    hf_buf_init(&buf, hf_test_arena()->mem);
    CHECK_ERR(hf_cbor_encode(value, &buf), HF_OK);
    hf_bytes copy = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&buf));
    hf_buf_deinit(&buf);
    return copy;
}

/* `block` with one field (of the map, or of the map within it) replaced, added, or (value NULL) left out. */
static hf_bytes with_field(hf_bytes block, const char *outer, const char *inner, const hf_value *value) {
    hf_arena *arena = hf_test_arena();
    hf_value map;
    CHECK_ERR(hf_cbor_decode(arena, block, &map, NULL), HF_OK);
    hf_value *in = outer ? (hf_value *)hf_value_get(&map, outer) : &map;
    hf_value changed = hf_value_map(arena, in->as.map.n + 1);
    for (size_t i = 0; i < in->as.map.n; i++)
        if (!hf_eq(in->as.map.pairs[i].key, hf_str(inner))) hf_map_add_bytes(&changed, in->as.map.pairs[i].key, in->as.map.pairs[i].value);
    if (value) hf_map_add(&changed, inner, *value);
    *in = changed;
    return encode(&map);
}

static hf_value list_of(size_t n, hf_value item) {
    hf_value list = hf_value_list(hf_test_arena(), n);
    for (size_t i = 0; i < n; i++) hf_list_add(&list, item);
    return list;
}

HF_TEST(entry_structure_verdicts) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_kit_entry root = hf_kit_make(&kit, 0, 0, NULL, 0, NULL, 0);
    const hf_kit_entry *parents[] = {&root};
    hf_kit_entry child = hf_kit_make(&kit, 0, 0, parents, 1, parents, 1);
    hf_value zero = hf_value_u64(0), one = hf_value_u64(1), text = hf_value_text(HF_TEXT("x")), empty = hf_value_text(HF_TEXT(""));
    hf_value minus = hf_value_i64(-5), half = hf_value_float(1.5), null = hf_value_null(), beyond = hf_value_u64(1ull << 53);
    hf_value bob = hf_value_text(HF_BYTES(kit.writers[1].public_key, HF_PUBLIC_KEY_HEX_LEN));
    hf_value link = hf_value_text(HF_TEXT("zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTdu9kQ3"));
    hf_value base32 = hf_value_text(HF_TEXT("bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"));
    hf_value bad_links = list_of(1, text), other_base = list_of(1, base32), many = list_of(HF_ENTRY_LINKS_MAX, link);
    hf_value too_many = list_of(HF_ENTRY_LINKS_MAX + 1, link), numbers = list_of(3, one);
    const struct {
        const char *outer, *inner;
        const hf_value *value;
        hf_err err;
    } rows[] = {
        {NULL, "v", NULL, HF_MALFORMED},          {NULL, "v", &one, HF_DENIED},             {NULL, "v", &text, HF_DENIED},
        {NULL, "id", NULL, HF_MALFORMED},         {NULL, "id", &empty, HF_MALFORMED},       {NULL, "id", &one, HF_MALFORMED},
        {NULL, "key", NULL, HF_MALFORMED},        {NULL, "key", &text, HF_MALFORMED},       {NULL, "key", &bob, HF_DENIED},
        {NULL, "sig", NULL, HF_MALFORMED},        {NULL, "sig", &empty, HF_MALFORMED},      {NULL, "sig", &text, HF_OK},
        {NULL, "next", NULL, HF_MALFORMED},       {NULL, "next", &text, HF_MALFORMED},      {NULL, "next", &bad_links, HF_MALFORMED},
        {NULL, "next", &numbers, HF_MALFORMED},   {NULL, "next", &other_base, HF_MALFORMED}, {NULL, "next", &many, HF_OK},
        {NULL, "next", &too_many, HF_LIMIT},      {NULL, "refs", NULL, HF_MALFORMED},       {NULL, "refs", &null, HF_MALFORMED},
        {NULL, "refs", &too_many, HF_LIMIT},      {NULL, "clock", NULL, HF_MALFORMED},      {NULL, "clock", &one, HF_MALFORMED},
        {"clock", "id", NULL, HF_DENIED},         {"clock", "id", &text, HF_DENIED},        {"clock", "id", &bob, HF_DENIED},
        {"clock", "time", NULL, HF_MALFORMED},    {"clock", "time", &zero, HF_DENIED},      {"clock", "time", &minus, HF_DENIED},
        {"clock", "time", &half, HF_DENIED},      {"clock", "time", &text, HF_DENIED},      {"clock", "time", &beyond, HF_DENIED},
        {"clock", "more", &one, HF_OK},           {NULL, "payload", NULL, HF_MALFORMED},    {NULL, "payload", &null, HF_OK},
        {NULL, "identity", NULL, HF_MALFORMED},   {NULL, "identity", &text, HF_MALFORMED},  {NULL, "identity", &one, HF_MALFORMED},
        {NULL, "more", &one, HF_OK},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_entry e;
        hf_fault fault = {NULL, 0};
        hf_err err = hf_entry_read(with_field(child.block, rows[i].outer, rows[i].inner, rows[i].value), hf_test_arena(), &e, &fault);
        CHECK_MSG(err == rows[i].err, "row %zu (%s): %s %s", i, rows[i].inner, hf_err_name(err), fault.what ? fault.what : "");
        CHECK_MSG(!err || fault.what, "row %zu gives no reason", i);
    }
    hf_kit_close(&kit);
}

/* Every bit of a block counts: whatever is flipped, it is no longer this entry, and its signature does not fit unless the flip was in what is
 * not signed (and then it is another identity or key). */
HF_TEST(entry_with_any_bit_flipped_is_refused) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_kit_entry root = hf_kit_make(&kit, 0, 0, NULL, 0, NULL, 0);
    const hf_kit_entry *parents[] = {&root};
    hf_kit_entry child = hf_kit_make(&kit, 1, 0, parents, 1, parents, 1);
    uint8_t *copy = hf_arena_alloc(hf_test_arena(), child.block.len);
    for (size_t i = 0; i < child.block.len; i++) {
        hf_entry e;
        memcpy(copy, child.block.ptr, child.block.len);
        copy[i] ^= (uint8_t)(1u << (i % 8));
        hf_err err = hf_entry_read(HF_BYTES(copy, child.block.len), hf_test_arena(), &e, NULL);
        if (!err) err = hf_entry_verify(&e, &kit.identities[1], hf_test_arena(), NULL);
        CHECK_MSG(err != HF_OK, "byte %zu", i);
    }
    hf_kit_close(&kit);
}

HF_TEST(entry_cut_anywhere_is_refused) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_kit_entry root = hf_kit_make(&kit, 0, 0, NULL, 0, NULL, 0);
    hf_entry e;
    for (size_t len = 0; len < root.block.len; len++)
        CHECK_ERR(hf_entry_read(hf_sub(root.block, 0, len), hf_test_arena(), &e, NULL), HF_MALFORMED);
    uint8_t *longer = hf_arena_alloc(hf_test_arena(), HF_ENTRY_BYTES_MAX + 1);
    memcpy(longer, root.block.ptr, root.block.len);
    CHECK_ERR(hf_entry_read(HF_BYTES(longer, root.block.len + 1), hf_test_arena(), &e, NULL), HF_MALFORMED);
    CHECK_ERR(hf_entry_read(HF_BYTES(longer, HF_ENTRY_BYTES_MAX + 1), hf_test_arena(), &e, NULL), HF_LIMIT);
    hf_kit_close(&kit);
}

/* Section 2: the signature is over the canonical form of what was read. Reversing the keys changes the block and its CID, not what was
 * signed; fields of `clock` that nobody knows are signed too. */
HF_TEST(entry_not_canonical_verifies_over_the_canonical_form) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_kit_entry root = hf_kit_make(&kit, 2, 0, NULL, 0, NULL, 0);
    hf_value map;
    hf_entry straight, e;
    hf_bytes want, got;
    CHECK_ERR(hf_entry_read(root.block, hf_test_arena(), &straight, NULL), HF_OK);
    CHECK_ERR(hf_entry_signed(&straight, hf_test_arena(), &want), HF_OK);
    CHECK_ERR(hf_cbor_decode(hf_test_arena(), root.block, &map, NULL), HF_OK);
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    hf_cbor_add_head(&buf, 5, map.as.map.n);
    for (size_t i = map.as.map.n; i-- > 0;) {
        hf_cbor_add_text(&buf, map.as.map.pairs[i].key);
        CHECK_ERR(hf_cbor_encode(&map.as.map.pairs[i].value, &buf), HF_OK);
    }
    CHECK_ERR(hf_entry_read(hf_buf_bytes(&buf), hf_test_arena(), &e, NULL), HF_OK);
    CHECK(e.signed_parts[0].len == 0);
    CHECK_BYTES(e.payload_bytes, straight.payload_bytes);
    hf_value payload;
    CHECK_ERR(hf_entry_payload(hf_buf_bytes(&buf), e.digest, hf_test_arena(), &payload), HF_OK);
    CHECK(hf_value_eq(&payload, &straight.payload));
    CHECK_ERR(hf_entry_signed(&e, hf_test_arena(), &got), HF_OK);
    CHECK_BYTES(got, want);
    CHECK_ERR(hf_entry_verify(&e, &kit.identities[2], hf_test_arena(), NULL), HF_OK);
    hf_buf_deinit(&buf);
    hf_value one = hf_value_u64(1);
    CHECK_ERR(hf_entry_read(with_field(root.block, "clock", "more", &one), hf_test_arena(), &e, NULL), HF_OK);
    CHECK_ERR(hf_entry_verify(&e, &kit.identities[2], hf_test_arena(), NULL), HF_DENIED);
    CHECK_ERR(hf_entry_read(with_field(root.block, NULL, "more", &one), hf_test_arena(), &e, NULL), HF_OK);
    CHECK_ERR(hf_entry_verify(&e, &kit.identities[2], hf_test_arena(), NULL), HF_OK);
    hf_kit_close(&kit);
}

/* The payload alone is what the whole entry has, whichever bit of it turns. */
HF_TEST(entry_payload_alone_is_that_of_the_whole) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_kit_entry a = hf_kit_make(&kit, 0, 0, NULL, 0, NULL, 0);
    const hf_kit_entry *on[] = {&a};
    hf_kit_entry b = hf_kit_make(&kit, 1, 0, on, 1, on, 1);
    uint8_t *block = hf_arena_alloc(hf_test_arena(), b.block.len);
    hf_arena arena;
    hf_arena_init(&arena, hf_test_mem());
    memcpy(block, b.block.ptr, b.block.len);
    for (size_t bit = 0; bit <= 8 * b.block.len; bit++) {
        hf_entry e;
        hf_value payload;
        if (bit) block[(bit - 1) / 8] ^= (uint8_t)(1u << (bit - 1) % 8);
        hf_err whole = hf_entry_read(HF_BYTES(block, b.block.len), &arena, &e, NULL);
        hf_err alone = hf_entry_payload(HF_BYTES(block, b.block.len), b.digest, &arena, &payload);
        CHECK(whole || (!alone && hf_value_eq(&payload, &e.payload)));
        CHECK(bit || !whole);
        if (bit) block[(bit - 1) / 8] ^= (uint8_t)(1u << (bit - 1) % 8);
        hf_arena_clear(&arena);
    }
    hf_arena_deinit(&arena);
    hf_kit_close(&kit);
}

HF_TEST(entry_verify_names_the_reason) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_kit_entry root = hf_kit_make(&kit, 0, 0, NULL, 0, NULL, 0);
    hf_entry e;
    hf_fault fault = {NULL, 0};
    CHECK_ERR(hf_entry_read(root.block, hf_test_arena(), &e, NULL), HF_OK);
    CHECK_ERR(hf_entry_verify(&e, &kit.identities[1], hf_test_arena(), &fault), HF_DENIED);
    CHECK_BYTES(hf_str(fault.what), HF_TEXT("entry: names another identity"));
    hf_identity forged = kit.identities[1]; /* bob's key under alice's identity hash */
    memcpy(forged.digest, kit.identities[0].digest, 32);
    CHECK_ERR(hf_entry_verify(&e, &forged, hf_test_arena(), &fault), HF_DENIED);
    CHECK_BYTES(hf_str(fault.what), HF_TEXT("entry: key is not the identity's"));
    hf_value upper = hf_value_text(HF_TEXT("3044ABCD"));
    CHECK_ERR(hf_entry_read(with_field(root.block, NULL, "sig", &upper), hf_test_arena(), &e, NULL), HF_OK);
    CHECK_ERR(hf_entry_verify(&e, &kit.identities[0], hf_test_arena(), &fault), HF_DENIED);
    CHECK_BYTES(hf_str(fault.what), HF_TEXT("entry: sig is not lower-case hex"));
    hf_kit_close(&kit);
}

HF_TEST(entry_create_refuses) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_buf buf;
    uint8_t digest[32];
    hf_buf_init(&buf, hf_test_mem());
    uint8_t(*links)[32] = hf_arena_alloc(hf_test_arena(), (HF_ENTRY_LINKS_MAX + 1) * 32);
    const uint8_t(*next)[32] = (const uint8_t(*)[32])links;
    const hf_writer *w = &kit.writers[0];
    hf_bytes log_id = HF_TEXT(HF_KIT_ADDRESS), null = HF_TEXT("\xf6");
    CHECK_ERR(hf_entry_create(w, log_id, next, HF_ENTRY_LINKS_MAX + 1, NULL, 0, 1, null, &buf, digest), HF_LIMIT);
    CHECK_ERR(hf_entry_create(w, log_id, NULL, 0, next, HF_ENTRY_LINKS_MAX + 1, 1, null, &buf, digest), HF_LIMIT);
    CHECK_ERR(hf_entry_create(w, log_id, NULL, 0, NULL, 0, 1, HF_TEXT(""), &buf, digest), HF_MALFORMED);
    CHECK_ERR(hf_entry_create(w, log_id, NULL, 0, NULL, 0, 1, HF_TEXT("\xf6\xf6"), &buf, digest), HF_MALFORMED);
    CHECK_ERR(hf_entry_create(w, log_id, NULL, 0, NULL, 0, 1, HF_TEXT("\xf7"), &buf, digest), HF_MALFORMED);
    hf_buf big;
    hf_buf_init(&big, hf_test_mem());
    hf_cbor_add_head(&big, 2, HF_ENTRY_BYTES_MAX - 100);
    CHECK(hf_buf_extend(&big, HF_ENTRY_BYTES_MAX - 100) != NULL);
    CHECK_ERR(hf_entry_create(w, log_id, NULL, 0, NULL, 0, 1, hf_buf_bytes(&big), &buf, digest), HF_LIMIT);
    CHECK_U64(buf.len, 0);
    CHECK_ERR(hf_entry_create(w, log_id, next, HF_ENTRY_LINKS_MAX, next, HF_ENTRY_LINKS_MAX, 1, null, &buf, digest), HF_OK);
    hf_entry e;
    CHECK_ERR(hf_entry_read(hf_buf_bytes(&buf), hf_test_arena(), &e, NULL), HF_OK);
    hf_buf_deinit(&big);
    hf_buf_deinit(&buf);
    hf_kit_close(&kit);
}

/* Reading, verifying and writing, canonical and not, with the n-th allocation failing. */
static hf_err all_of_it(const hf_kit *kit, hf_bytes block) {
    hf_arena arena;
    hf_buf buf;
    hf_entry e;
    uint8_t digest[32];
    hf_arena_init(&arena, hf_test_mem());
    hf_buf_init(&buf, hf_test_mem());
    hf_err err = hf_entry_read(block, &arena, &e, NULL);
    if (!err) err = hf_entry_verify(&e, &kit->identities[0], &arena, NULL);
    if (!err) err = hf_entry_create(&kit->writers[0], e.id, e.next, e.n_next, e.refs, e.n_refs, e.time, e.payload_bytes, &buf, digest);
    CHECK(!err || buf.len == 0);
    hf_buf_deinit(&buf);
    hf_arena_deinit(&arena);
    return err;
}

HF_TEST(entry_without_memory) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_value one = hf_value_u64(1);
    hf_kit_entry root = hf_kit_make(&kit, 0, 0, NULL, 0, NULL, 0);
    hf_bytes blocks[] = {root.block, with_field(root.block, NULL, "more", &one)};
    for (size_t i = 0; i < HF_COUNT(blocks); i++) {
        hf_err err = HF_NOMEM;
        size_t n = 1;
        for (; err == HF_NOMEM; n++) {
            hf_test_mem_fail_at(n);
            err = all_of_it(&kit, blocks[i]);
        }
        CHECK_ERR(err, HF_OK);
        CHECK(n > 3);
    }
    hf_test_mem_fail_at(0);
    hf_kit_close(&kit);
}
