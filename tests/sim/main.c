/* The verb `sim` alone, for builds other than the node's: sanitized, and in WebAssembly. */
#include "../../sim/sim.h"

int main(int argc, char **argv) { return hf_sim_command(argc - 1, argv + 1); }
