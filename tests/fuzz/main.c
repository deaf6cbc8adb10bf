/* Every fuzz target in one program: the first argument is a target's name ("core/p2p/stun"), the others are libFuzzer's. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int target_fn(const uint8_t *data, size_t len);

#define TARGET(name, fn) target_fn fn;
#include "targets.inc"
#undef TARGET

static const struct { const char *name; target_fn *fn; } targets[] = {
#define TARGET(name, fn) {name, fn},
#include "targets.inc"
#undef TARGET
};

static target_fn *target;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    const char *name = *argc > 1 ? (*argv)[1] : "";
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (!strcmp(targets[i].name, name)) target = targets[i].fn;
    if (!target) {
        fprintf(stderr, "no such target: %s\n", name);
        exit(2); /* libFuzzer goes on whatever is returned */
    }
    (*argv)[1] = (*argv)[0];
    ++*argv, --*argc;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) { return target ? target(data, len) : -1; }
