/* bundle: see bundle.h. */
#include "bundle.h"

#include "../codec/dag_cbor.h"

hf_err hf_bundle_encode(hf_arena *scratch, const hf_file *files, size_t n_files, hf_buf *buf) {
    hf_value all = hf_value_map(scratch, 1), map = hf_value_map(scratch, n_files);
    if (!all.as.map.pairs || (n_files && !map.as.map.pairs)) return HF_NOMEM;
    for (size_t i = 0; i < n_files; i++) hf_map_add_bytes(&map, files[i].path, hf_value_bytes(files[i].bytes));
    hf_map_add(&all, "files", map);
    return hf_cbor_encode(&all, buf);
}

hf_err hf_bundle_decode(hf_arena *arena, hf_bytes bundle, hf_file **ret_files, size_t *ret_n, hf_fault *fault) {
    if (bundle.len > HF_BUNDLE_BYTES_MAX) return hf_fail(fault, HF_LIMIT, "a bundle longer than allowed", 0);
    hf_value all;
    hf_err err = hf_cbor_decode(arena, bundle, &all, fault);
    if (err) return err;
    const hf_value *map = hf_value_get(&all, "files");
    if (!map || map->kind != HF_MAP) return hf_fail(fault, HF_MALFORMED, "no map of files", 0);
    size_t n = map->as.map.n;
    if (n > HF_BUNDLE_FILES_MAX) return hf_fail(fault, HF_LIMIT, "more files than allowed", 0);
    hf_file *files = hf_arena_alloc(arena, (n ? n : 1) * sizeof *files);
    if (!files) return HF_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const hf_pair *pair = &map->as.map.pairs[i];
        if (pair->value.kind != HF_BYTES_VALUE) return hf_fail(fault, HF_MALFORMED, "a file that is not bytes", 0);
        files[i] = (hf_file){pair->key, pair->value.as.s};
    }
    *ret_files = files;
    *ret_n = n;
    return HF_OK;
}
