/* call: a verb of the command line, asked of the node that runs in --dir, or, when none runs, of one started for it without network. */
#ifndef HF_NODE_CALL_H
#define HF_NODE_CALL_H

/* `argv` from the verb on, with --dir and --json anywhere. Exit status. */
int hf_call(int argc, char **argv);
#endif
