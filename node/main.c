/* main: the command line, from one table. Exit status: 0 done, 1 failed, 2 wrong usage. */
#include "../sim/sim.h"
#include "ask.h"
#include "call.h"
#include "crypto_start.h"
#include "file_command.h"
#include "id.h"
#include "new.h"
#include "node.h"
#include "p2pd.h"
#include "say.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define VERSION "0.1.0"

static char **program_argv;

static int serve(int argc, char **argv) {
    static hf_options options;
    const char *problem;
    if (argc == 1 && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))) return fputs(hf_options_help(), stdout), 0;
    if (!hf_options_read(&options, argc, argv, &problem)) return fprintf(stderr, "holdfast: %s\n", problem), 2;
    hf_say_setup(options.log_level, options.log_json);
    int status = hf_node_run(&options);
    if (status != HF_NODE_AGAIN) return status;
    execv("/proc/self/exe", program_argv); /* SIGHUP: the same process, from its start */
    perror("holdfast: cannot start again");
    return 1;
}

static int version(int argc, char **argv) {
    (void)argc, (void)argv;
    puts("holdfast " VERSION);
    return 0;
}

static int help(int argc, char **argv);

/* What runs by itself; the verbs that ask a running node stand in verbs.c. */
static const struct verb { const char *name, *words, *help; int (*run)(int argc, char **argv); } VERBS[] = {
    {"serve", "[APP] [FLAG]...", "serve an app folder and replicate it; see serve --help", serve},
    {"new", "NAME", "make an app folder that runs at once", hf_new_app},
    {"id", "[--dir DIR] [--json]", "print a node's peer ID, and with --json where it listens", hf_show_id},
    {"file", "add|get|list|drop", "files and folders, as IPFS keeps them", hf_file_command},
    {"block", "put|get", "single blocks", hf_block_command},
    {"car", "import|export", "archives of blocks", hf_car_command},
    {"p2pd", "[FLAG]...", "a bare libp2p peer, driven over a socket like go-libp2p-daemon", hf_p2pd_run},
    {"sim", "[FLAG]...", "a network of peers under virtual time, with faults; see sim --help", hf_sim_command},
    {"version", "", "print the version", version},
    {"help", "", "print this", help},
};

static int help(int argc, char **argv) {
    (void)argc, (void)argv;
    puts("holdfast: web apps that outlive their servers\n");
    for (size_t i = 0; i < sizeof VERBS / sizeof *VERBS; i++) hf_verb_print(VERBS[i].name, VERBS[i].words, VERBS[i].help);
    puts("\nAsked of a node that runs:\n");
    hf_verb_print_help();
    return 0;
}

int main(int argc, char **argv) {
    program_argv = argv;
#ifdef M_MMAP_THRESHOLD
    mallopt(M_MMAP_THRESHOLD, 128 << 10); /* fixed: buffers of connections go back to the system when they are given back */
#endif
    const char *word = argc > 1 ? argv[1] : "help";
    if (!strcmp(word, "--version")) word = "version";
    if (!strcmp(word, "--help") || !strcmp(word, "-h")) word = "help";
    for (size_t i = 0; i < sizeof VERBS / sizeof *VERBS; i++)
        if (!strcmp(word, VERBS[i].name)) return hf_crypto_start() ? VERBS[i].run(argc - 2, argv + 2) : 1;
    if (hf_verb_is_known(word)) return hf_call(argc - 1, argv + 1); /* which mostly asks a node: that needs no crypto */
    fprintf(stderr, "holdfast: no verb '%s'; see holdfast help\n", word);
    return 2;
}
