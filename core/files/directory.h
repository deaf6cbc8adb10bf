/* directory: writing UnixFS directories: a list of names and CIDs becomes one node, or, when names and CIDs together are over 256 KiB, a
 * tree of shards, as helia and Kubo make them.
 *
 * Life:    new -> add* -> end -> free. Memory: the names and CIDs.
 */
#ifndef HF_DIRECTORY_H
#define HF_DIRECTORY_H
#include "import.h"

enum { HF_NAME_MAX = 255, HF_DIRECTORY_MAX = 1 << 20, HF_DIRECTORY_SHARD_BYTES = 256 << 10 }; /* bytes; entries; bytes */

typedef struct hf_directory hf_directory;
hf_directory *hf_directory_new(hf_mem *mem, hf_block_sink sink);
void hf_directory_free(hf_directory *directory); /* NULL allowed */
/* `dag_bytes`: of the whole DAG below. HF_MALFORMED: an empty name, ".", "..", one with '/' or NUL or over HF_NAME_MAX, or not a CID.
 * HF_LIMIT: too many. */
HF_MUST_USE hf_err hf_directory_add(hf_directory *directory, hf_bytes name, hf_bytes cid, uint64_t dag_bytes);
/* HF_EXISTS: a name twice. */
HF_MUST_USE hf_err hf_directory_end(hf_directory *directory, hf_imported *ret);
#endif
