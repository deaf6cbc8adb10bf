/* db_import: what the two ways of `holdfast db import` share. */
#ifndef HF_NODE_DB_IMPORT_H
#define HF_NODE_DB_IMPORT_H
#include "../core/files/car.h"
#include "../core/orbit/archive.h"
#include "verbs.h"

#include "../core/log/entry.h"

/* db_lines.c: `--into DATABASE`; fd is a file to put down what comes, closed in the end. */
void hf_db_import_lines(hf_ask *ask, int fd);
/* False: the ask has failed. */
bool hf_import_write(hf_ask *ask, int fd, hf_bytes bytes);
bool hf_import_read(hf_ask *ask, int fd, uint64_t at, size_t len, uint8_t *ret);
#endif
