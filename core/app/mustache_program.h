/* The compiled form, shared by mustache.c (writes it) and mustache_render.c (runs it). */
#ifndef HF_MUSTACHE_PROGRAM_H
#define HF_MUSTACHE_PROGRAM_H
#include "mustache.h"

typedef enum hf_step_kind {
    HF_STEP_TEXT,     /* text */
    HF_STEP_VALUE,    /* name, escaped */
    HF_STEP_RAW,      /* name, as it is */
    HF_STEP_SECTION,  /* name; steps up to `end` */
    HF_STEP_INVERTED, /* name; steps up to `end` */
    HF_STEP_END,
    HF_STEP_PARTIAL, /* text: the indentation of a partial that has its line alone */
} hf_step_kind;

typedef struct hf_step {
    hf_step_kind kind;
    bool starts_line; /* the first thing of a line: an indented partial indents here */
    bool alone;       /* PARTIAL: has its line alone */
    uint32_t n_path;  /* parts of the name; 0: the name is "." */
    const hf_name *const *path;
    size_t end; /* SECTION, INVERTED: index of its END */
    size_t at;  /* in the source, for messages */
    hf_bytes text, partial_name;
    const hf_template *partial;
} hf_step;

struct hf_template {
    hf_template *next;
    hf_bytes name;
    hf_step *steps;
    size_t n_steps, cap;
};
#endif
