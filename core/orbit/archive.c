/* archive: see archive.h. */
#include "archive.h"

#include "../codec/dag_cbor.h"
#include "../log/entry.h"

#include <string.h>

typedef struct database {
    hf_archive_database about;
    uint8_t digest[32];          /* of its manifest */
    hf_bytes *write;             /* not guarded: who may */
    size_t n_write;
} database;

typedef struct identity { hf_identity known; bool here; } identity;
typedef struct list { uint8_t (*digests)[32]; size_t n, cap; } list;

struct hf_archive {
    hf_mem *mem;
    hf_block_source here;
    hf_arena arena, scratch;     /* what stays; for one call */
    hf_map others, identities, entries; /* digest -> block, identity, number of the entry + 1 */
    hf_bytes *other_list;
    size_t n_others, cap_others, others_bytes;
    hf_archive_entry *items;
    size_t n_items, cap_items;
    database *databases;
    size_t n_databases, cap_databases;
    list manifests, roots;
    uint32_t n_blocks;
    bool ended;
};

hf_archive *hf_archive_new(hf_mem *mem, uint64_t seed, hf_block_source here) {
    hf_archive *a = hf_alloc(mem, sizeof *a);
    if (!a) return NULL;
    *a = (hf_archive){.mem = mem, .here = here};
    hf_arena_init(&a->arena, mem);
    hf_arena_init(&a->scratch, mem);
    hf_map_init(&a->others, mem, seed);
    hf_map_init(&a->identities, mem, seed);
    hf_map_init(&a->entries, mem, seed);
    return a;
}

void hf_archive_free(hf_archive *a) {
    if (!a) return;
    hf_map_deinit(&a->others);
    hf_map_deinit(&a->identities);
    hf_map_deinit(&a->entries);
    hf_release(a->mem, a->other_list, a->cap_others * sizeof *a->other_list);
    hf_release(a->mem, a->items, a->cap_items * sizeof *a->items);
    hf_release(a->mem, a->databases, a->cap_databases * sizeof *a->databases);
    hf_release(a->mem, a->manifests.digests, a->manifests.cap * 32);
    hf_release(a->mem, a->roots.digests, a->roots.cap * 32);
    hf_arena_deinit(&a->scratch);
    hf_arena_deinit(&a->arena);
    hf_release(a->mem, a, sizeof *a);
}

static hf_err list_add(hf_archive *a, list *l, const uint8_t digest[32]) {
    hf_err err = hf_grow(a->mem, (void **)&l->digests, &l->cap, 32, l->n + 1);
    if (!err) memcpy(l->digests[l->n++], digest, 32);
    return err;
}

/* ---- as they come ---- */

static bool is_ours(hf_bytes cid, uint8_t ret_digest[32]) {
    static const uint8_t prefix[] = {0x01, 0x71, 0x12, 0x20};
    if (cid.len != HF_CID_LEN || memcmp(cid.ptr, prefix, sizeof prefix) != 0) return false;
    memcpy(ret_digest, cid.ptr + sizeof prefix, 32);
    return true;
}

hf_err hf_archive_root(hf_archive *a, hf_bytes cid) {
    uint8_t digest[32];
    return is_ours(cid, digest) ? list_add(a, &a->roots, digest) : HF_DENIED;
}

/* A manifest, an access list or an identity stays here: there are few. */
static hf_err keep_other(hf_archive *a, const uint8_t digest[32], hf_bytes block, hf_bytes *ret, hf_fault *fault) {
    a->others_bytes += block.len;
    if (a->others_bytes > HF_ARCHIVE_OTHERS_BYTES_MAX) return hf_fail(fault, HF_LIMIT, "more identities and manifests than an archive may have", 0);
    uint8_t *copy = hf_arena_alloc(&a->arena, 32 + block.len);
    hf_err err = copy ? hf_grow(a->mem, (void **)&a->other_list, &a->cap_others, sizeof *a->other_list, a->n_others + 1) : HF_NOMEM;
    if (err) return err;
    memcpy(copy, digest, 32);
    memcpy(copy + 32, block.ptr, block.len);
    a->other_list[a->n_others] = *ret = HF_BYTES(copy + 32, block.len);
    err = hf_map_put(&a->others, HF_BYTES(copy, 32), &copy[32]);
    if (!err) a->n_others++;
    return err;
}

static hf_err keep_identity(hf_archive *a, hf_bytes block, bool here, identity **ret, hf_fault *fault) {
    identity *i = hf_arena_alloc(&a->arena, sizeof *i);
    if (!i) return HF_NOMEM;
    i->here = here;
    hf_err err = hf_identity_read(block, &a->scratch, &i->known, fault);
    if (!err) err = hf_map_put(&a->identities, HF_BYTES(i->known.digest, 32), i);
    if (!err && ret) *ret = i;
    return err;
}

/* Which database, by its manifest; made when it is new. */
static hf_err find_database(hf_archive *a, const uint8_t digest[32], uint32_t *ret, hf_fault *fault) {
    for (*ret = 0; *ret < a->n_databases; ++*ret)
        if (!memcmp(a->databases[*ret].digest, digest, 32)) return HF_OK;
    if (a->n_databases == HF_ARCHIVE_DATABASES_MAX) return hf_fail(fault, HF_LIMIT, "more databases than an archive may have", 0);
    hf_err err = hf_grow(a->mem, (void **)&a->databases, &a->cap_databases, sizeof *a->databases, a->n_databases + 1);
    if (err) return err;
    database *d = &a->databases[a->n_databases++];
    *d = (database){.n_write = 0};
    uint8_t cid[HF_CID_LEN];
    memcpy(d->digest, digest, 32);
    hf_cid_from_digest(digest, cid);
    hf_manifest_address(cid, d->about.address);
    return HF_OK;
}

static hf_err keep_entry(hf_archive *a, hf_bytes block, uint64_t place, hf_fault *fault) {
    hf_entry entry;
    uint8_t manifest[32];
    hf_archive_entry item = {.place = place, .len = (uint32_t)block.len, .number = a->n_blocks};
    if (block.len > HF_ENTRY_BYTES_MAX) return hf_fail(fault, HF_LIMIT, "entry: block too big", 0);
    if (a->n_items == HF_ARCHIVE_ENTRIES_MAX) return hf_fail(fault, HF_LIMIT, "more entries than an archive may have", 0);
    hf_err err = hf_entry_read(block, &a->scratch, &entry, fault);
    if (err) return err;
    if (hf_address_parse(entry.id, manifest)) return hf_fail(fault, HF_MALFORMED, "entry: its id is no address of a database", 0);
    err = find_database(a, manifest, &item.database, fault);
    if (!err && !hf_eq(entry.id, HF_BYTES(a->databases[item.database].about.address, HF_ADDRESS_LEN)))
        return hf_fail(fault, HF_MALFORMED, "entry: its id is no address of a database", 0);
    if (!err) err = hf_grow(a->mem, (void **)&a->items, &a->cap_items, sizeof *a->items, a->n_items + 1);
    if (err) return err;
    item.time = entry.time;
    memcpy(item.digest, entry.digest, 32);
    a->items[a->n_items++] = item;
    return HF_OK;
}

static bool has_text(const hf_value *map, const char *key) {
    const hf_value *v = hf_value_get(map, key);
    return v && v->kind == HF_TEXT_VALUE;
}

static hf_err take_other(hf_archive *a, const hf_value *map, const uint8_t digest[32], hf_bytes block, hf_fault *fault) {
    bool manifest = has_text(map, "accessController"), who = hf_value_get(map, "signatures") != NULL, access = hf_value_get(map, "write") != NULL;
    if (!manifest && !who && !access) return hf_fail(fault, HF_DENIED, "neither an entry, an identity, a manifest nor an access list", 0);
    hf_manifest m;
    hf_bytes *write, kept;
    size_t n;
    hf_err err = manifest ? hf_manifest_read(block, &a->scratch, &m, fault) : access && !who ? hf_access_read(block, &a->scratch, &write, &n, fault) : HF_OK;
    if (!err) err = keep_other(a, digest, block, &kept, fault);
    if (!err && who) err = keep_identity(a, kept, false, NULL, fault);
    if (!err && manifest) err = list_add(a, &a->manifests, digest);
    return err;
}

hf_err hf_archive_block(hf_archive *a, hf_bytes cid, hf_bytes block, uint64_t place, hf_fault *fault) {
    uint8_t digest[32];
    hf_value value;
    a->n_blocks++;
    if (!is_ours(cid, digest)) return hf_fail(fault, HF_DENIED, "a block that is not dag-cbor under sha2-256, so none of a database", 0);
    if (hf_map_get(&a->others, HF_BYTES(digest, 32))) return HF_OK;
    hf_arena_clear(&a->scratch);
    hf_err err = hf_cbor_decode(&a->scratch, block, &value, fault);
    if (err) return err == HF_TRUNCATED ? HF_MALFORMED : err;
    if (value.kind == HF_MAP && hf_value_get(&value, "sig") && hf_value_get(&value, "clock")) return keep_entry(a, block, place, fault);
    if (value.kind != HF_MAP) return hf_fail(fault, HF_DENIED, "neither an entry, an identity, a manifest nor an access list", 0);
    return take_other(a, &value, digest, block, fault);
}

/* ---- when all have come ---- */

/* A block of the archive that is no entry, or one that is here; borrowed until the next call. */
static hf_err find_block(const hf_archive *a, const uint8_t digest[32], hf_bytes *ret) {
    for (size_t i = 0; hf_map_get(&a->others, HF_BYTES(digest, 32)) && i < a->n_others; i++)
        if (!memcmp(a->other_list[i].ptr - 32, digest, 32)) return *ret = a->other_list[i], HF_OK;
    uint8_t cid[HF_CID_LEN];
    hf_cid_from_digest(digest, cid);
    return a->here.get ? a->here.get(a->here.ctx, HF_BYTES(cid, sizeof cid), ret) : HF_NOT_FOUND;
}

static bool is_here(const hf_archive *a, const uint8_t digest[32]) {
    hf_bytes block;
    return !find_block(a, digest, &block);
}

static hf_err read_access(hf_archive *a, database *d, const uint8_t digest[32], hf_fault *fault) {
    hf_bytes block;
    if (find_block(a, digest, &block)) return hf_fail(fault, HF_MISSING, "the access list of its database is not in the archive", 0);
    block = hf_arena_copy(&a->arena, block);
    return block.ptr ? hf_access_read(block, &a->arena, &d->write, &d->n_write, fault) : HF_NOMEM;
}

static hf_err read_database(hf_archive *a, size_t i, hf_fault *fault) {
    hf_bytes block;
    hf_manifest m;
    uint32_t guard = 0;
    if (find_block(a, a->databases[i].digest, &block)) return hf_fail(fault, HF_MISSING, "the manifest of its database is not in the archive", 0);
    hf_arena_clear(&a->scratch);
    hf_err err = hf_manifest_read(block, &a->scratch, &m, fault);
    if (err) return err;
    if (!m.guarded) return read_access(a, &a->databases[i], m.access_digest, fault);
    if (a->databases[i].about.guards) return hf_fail(fault, HF_DENIED, "the database that says who may write is itself guarded by another", 0);
    err = find_database(a, m.access_digest, &guard, fault);
    if (err) return err;
    if (guard == i || a->databases[guard].about.guarded) return hf_fail(fault, HF_DENIED, "the database that says who may write is itself guarded by another", 0);
    a->databases[i].about.guarded = true;
    a->databases[i].about.guard = guard;
    a->databases[guard].about.guards = true;
    return HF_OK;
}

static int compare(const hf_archive *a, const hf_archive_entry *x, const hf_archive_entry *y) {
    const database *dx = &a->databases[x->database], *dy = &a->databases[y->database];
    if (dx->about.guards != dy->about.guards) return dx->about.guards ? -1 : 1;
    if (x->database != y->database) return x->database < y->database ? -1 : 1;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    return memcmp(x->digest, y->digest, 32);
}

static void sink(hf_archive *a, size_t at, size_t n) {
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && compare(a, &a->items[child], &a->items[child + 1]) < 0) child++;
        if (compare(a, &a->items[at], &a->items[child]) >= 0) return;
        hf_archive_entry t = a->items[at];
        a->items[at] = a->items[child];
        a->items[child] = t;
    }
}

/* Heapsort: the order in which they come is a stranger's choice. Then one that came twice goes. */
static hf_err put_in_order(hf_archive *a) {
    size_t n = 0;
    for (size_t i = a->n_items / 2; i-- > 0;) sink(a, i, a->n_items);
    for (size_t end = a->n_items; end-- > 1;) {
        hf_archive_entry t = a->items[0];
        a->items[0] = a->items[end];
        a->items[end] = t;
        sink(a, 0, end);
    }
    for (size_t i = 0; i < a->n_items; i++)
        if (!n || memcmp(a->items[n - 1].digest, a->items[i].digest, 32) != 0) a->items[n++] = a->items[i];
    a->n_items = n;
    for (size_t i = 0; i < n; i++) {
        hf_err err = hf_map_put(&a->entries, HF_BYTES(a->items[i].digest, 32), &a->items[i]);
        if (err) return err;
        a->databases[a->items[i].database].about.n_entries++;
    }
    return HF_OK;
}

static const hf_archive_entry *first_of(const hf_archive *a, size_t number) {
    for (size_t i = 0; i < a->n_items; i++)
        if (a->items[i].database == number) return &a->items[i];
    return NULL;
}

hf_err hf_archive_end(hf_archive *a, hf_fault *fault, const hf_archive_entry **ret_entry) {
    uint32_t number;
    hf_err err = HF_OK;
    *ret_entry = NULL;
    for (size_t i = 0; i < a->manifests.n && !err; i++) err = find_database(a, a->manifests.digests[i], &number, fault);
    for (size_t i = 0; i < a->n_databases && !err; i++) { /* guards come behind those that they guard */
        err = read_database(a, i, fault);
        if (err) *ret_entry = first_of(a, i);
    }
    if (!err && !a->n_databases) err = hf_fail(fault, HF_MISSING, "no database is in the archive", 0);
    if (!err) err = put_in_order(a);
    for (size_t i = 0; i < a->roots.n && !err; i++) {
        bool there = hf_map_get(&a->entries, HF_BYTES(a->roots.digests[i], 32)) || is_here(a, a->roots.digests[i]);
        if (!there) err = hf_fail(fault, HF_MISSING, "a root is not in the archive", i);
    }
    a->ended = !err;
    return err;
}

/* ---- one by one ---- */

static hf_err identity_of(hf_archive *a, const uint8_t digest[32], identity **ret, hf_fault *fault) {
    hf_bytes block;
    *ret = hf_map_get(&a->identities, HF_BYTES(digest, 32));
    if (*ret) return HF_OK;
    if (find_block(a, digest, &block)) return hf_fail(fault, HF_MISSING, "entry: its writer's identity is not in the archive", 0);
    return keep_identity(a, block, true, ret, fault);
}

static hf_err check_parents(const hf_archive *a, const hf_archive_entry *item, const uint8_t (*digests)[32], size_t n, hf_fault *fault) {
    for (size_t i = 0; i < n; i++) {
        const hf_archive_entry *parent = hf_map_get(&a->entries, HF_BYTES(digests[i], 32));
        if (!parent && !is_here(a, digests[i])) return hf_fail(fault, HF_MISSING, "entry: one that it stands on is not in the archive", i);
        if (parent && parent->database != item->database) return hf_fail(fault, HF_DENIED, "entry: it stands on one of another database", i);
        if (parent && parent->time >= item->time) return hf_fail(fault, HF_DENIED, "entry: clock.time is not above a parent's", i);
    }
    return HF_OK;
}

static bool may_write(const database *d, const hf_identity *who) {
    bool may = d->about.guarded;
    for (size_t i = 0; i < d->n_write && !may; i++)
        may = hf_eq(d->write[i], HF_TEXT("*")) || hf_eq(d->write[i], HF_BYTES(who->id, HF_PUBLIC_KEY_HEX_LEN));
    return may;
}

hf_err hf_archive_check(hf_archive *a, size_t i, hf_bytes block, hf_fault *fault) {
    hf_entry entry;
    identity *who = NULL;
    const hf_archive_entry *item = &a->items[i];
    HF_ASSERT(a->ended && i < a->n_items);
    hf_arena_clear(&a->scratch);
    hf_err err = hf_entry_read(block, &a->scratch, &entry, fault);
    if (!err && memcmp(entry.digest, item->digest, 32) != 0) return hf_fail(fault, HF_MALFORMED, "entry: another block than came first", 0);
    if (!err) err = identity_of(a, entry.identity_digest, &who, fault);
    if (!err && !hf_eq(entry.key, HF_BYTES(who->known.public_key, HF_PUBLIC_KEY_HEX_LEN)))
        return hf_fail(fault, HF_DENIED, "entry: key is not the identity's", 0);
    if (!err && !may_write(&a->databases[item->database], &who->known)) return hf_fail(fault, HF_DENIED, "entry: its writer may not write to this database", 0);
    if (!err) err = check_parents(a, item, entry.next, entry.n_next, fault);
    if (!err) err = check_parents(a, item, entry.refs, entry.n_refs, fault);
    return err ? err : hf_entry_verify(&entry, &who->known, &a->scratch, fault);
}

/* ---- looking in ---- */

size_t hf_archive_n_entries(const hf_archive *a) { return a->n_items; }
const hf_archive_entry *hf_archive_entry_at(const hf_archive *a, size_t i) { return &a->items[i]; }
size_t hf_archive_n_databases(const hf_archive *a) { return a->n_databases; }
const hf_archive_database *hf_archive_database_at(const hf_archive *a, size_t i) { return &a->databases[i].about; }
size_t hf_archive_n_others(const hf_archive *a) { return a->n_others; }
hf_bytes hf_archive_other_at(const hf_archive *a, size_t i) { return a->other_list[i]; }
