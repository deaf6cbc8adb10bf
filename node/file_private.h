/* file_private: what the files of file_command share: the opened store, CIDs as text, complaints. */
#ifndef HF_NODE_FILE_PRIVATE_H
#define HF_NODE_FILE_PRIVATE_H
#include "../core/files/import.h"
#include "store_blocks.h"

#include <stdio.h>

typedef struct hf_file_job {
    const char *dir, *output, *codec; /* --dir, -o, --codec; NULL: not said */
    bool kubo;
    char **words;                     /* the rest */
    int n_words;
    hf_mem mem;
    int lock;                         /* while it writes */
    hf_blocks *blocks;
} hf_file_job;

typedef struct hf_file_verb { const char *name, *usage; int words_min, words_max; int (*run)(hf_file_job *job); bool writes; } hf_file_verb;

/* Reads the words after the verb's name, opens the store, runs. `group`: "file", for complaints. */
int hf_file_run(const char *group, const hf_file_verb *verbs, size_t n_verbs, int argc, char **argv);
int hf_file_fail(const char *what, const char *why);
/* Binary form of a CID's text ("CID" or "CID/a/b": *ret_names, or NULL to refuse a path). False: it was complained about. */
bool hf_file_cid(hf_file_job *job, const char *word, hf_buf *ret, const char **ret_names);
void hf_file_print_cid(hf_bytes cid, const char *after);
hf_block_source hf_file_source(hf_file_job *job);
hf_block_sink hf_file_sink(hf_file_job *job);
/* file_add.c, file_get.c */
int hf_file_add(hf_file_job *job);
int hf_file_get(hf_file_job *job);
#endif
