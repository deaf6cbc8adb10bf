/* archive: what the blocks of an archive of OrbitDB databases (a CAR) must be before anything of them is taken: manifests, access lists, identities and
 * entries, each what it says, signed by whom it says, with everything that it stands on. Spec: interop notes sections 3 to 8.
 *
 * Entries are not kept: the caller hands them in as they come, and once more, in order of their clocks, when all have come.
 *      block*, root* -> end -> for each entry: check -> the caller takes what others() and entries name, in this order
 * Whoever may write where rights are granted at run time is judged when the entry is joined, not here.
 * Limits: 2^22 entries, 64 databases, 64 MiB of other blocks. Memory: about 100 bytes an entry. */
#ifndef HF_ARCHIVE_H
#define HF_ARCHIVE_H
#include "../codec/block.h"
#include "../log/manifest.h"

enum { HF_ARCHIVE_ENTRIES_MAX = 1 << 22, HF_ARCHIVE_DATABASES_MAX = 64, HF_ARCHIVE_OTHERS_BYTES_MAX = 64 << 20 };

typedef struct hf_archive hf_archive;

typedef struct hf_archive_entry {
    uint8_t digest[32];
    uint64_t time, place;        /* place: the caller's */
    uint32_t len, number;        /* number: of the block, from 1, as it came */
    uint32_t database;
} hf_archive_entry;

typedef struct hf_archive_database {
    char address[HF_ADDRESS_LEN];
    bool guarded, guards;        /* by another; another */
    uint32_t guard;              /* which, when guarded */
    size_t n_entries;
} hf_archive_database;

/* `here`: blocks that need not be in the archive, because the caller has them. NULL: no memory. */
hf_archive *hf_archive_new(hf_mem *mem, uint64_t seed, hf_block_source here);
void hf_archive_free(hf_archive *archive); /* NULL allowed */

/* A root of the archive: a block of this CID must come, or be here. */
HF_MUST_USE hf_err hf_archive_root(hf_archive *archive, hf_bytes cid);
/* A block that fits its CID. HF_MALFORMED, HF_DENIED, HF_LIMIT with a reason. The same one again is no error. */
HF_MUST_USE hf_err hf_archive_block(hf_archive *archive, hf_bytes cid, hf_bytes block, uint64_t place, hf_fault *fault);
/* All have come: puts them in order. HF_MISSING and others with a reason; *ret_entry: the entry it is about, NULL: none. */
HF_MUST_USE hf_err hf_archive_end(hf_archive *archive, hf_fault *fault, const hf_archive_entry **ret_entry);

/* In an order in which they can be joined: those of a database that guards another first; in one database the oldest first. */
size_t hf_archive_n_entries(const hf_archive *archive);
const hf_archive_entry *hf_archive_entry_at(const hf_archive *archive, size_t i);
/* Judges the i-th entry: its signature, its writer's right to write where that is fixed, all that it stands on. */
HF_MUST_USE hf_err hf_archive_check(hf_archive *archive, size_t i, hf_bytes block, hf_fault *fault);

/* After the end: */
size_t hf_archive_n_databases(const hf_archive *archive);
const hf_archive_database *hf_archive_database_at(const hf_archive *archive, size_t i);
size_t hf_archive_n_others(const hf_archive *archive);   /* manifests, access lists, identities */
hf_bytes hf_archive_other_at(const hf_archive *archive, size_t i);
#endif
