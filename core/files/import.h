/* import: bytes of a file, in any cut, become blocks: chunks of one size as raw leaves, above them balanced nodes. Same bytes, same
 * settings, same CIDs as helia and Kubo give. A block goes to the sink as soon as it is whole.
 *
 * Life:    new -> add* -> end -> free. After an error only free.
 * Memory:  one chunk, and for each level of the tree the links of one node: 2 MiB and a little for any file.
 */
#ifndef HF_IMPORT_H
#define HF_IMPORT_H
#include "../codec/block.h"

typedef struct hf_import_config {
    uint32_t chunk_bytes; /* of a leaf; at most 1 MiB */
    uint32_t links_max;   /* of a node; 2 to 8,192 */
} hf_import_config;

extern const hf_import_config HF_IMPORT_HELIA; /* 1 MiB, 1,024 links: @helia/unixfs as it comes */
extern const hf_import_config HF_IMPORT_KUBO;  /* 256 KiB, 174 links: `ipfs add --cid-version=1` */

typedef struct hf_imported {
    uint8_t cid[HF_CID_LEN];
    uint64_t file_bytes, dag_bytes; /* dag_bytes: with the nodes; what a directory's link says as Tsize */
} hf_imported;

typedef struct hf_import hf_import;
hf_import *hf_import_new(hf_mem *mem, const hf_import_config *config, hf_block_sink sink);
void hf_import_free(hf_import *import); /* NULL allowed */
HF_MUST_USE hf_err hf_import_add(hf_import *import, hf_bytes bytes);
/* The file is over. */
HF_MUST_USE hf_err hf_import_end(hf_import *import, hf_imported *ret);
#endif
