/* file_command: the verbs about files and blocks in a data folder, whether a node is using it or not (they work on its
 * blocks.db beside it):
 *
 *     file add [--kubo] PATH...   file get CID[/PATH] [-o PATH]   file list   file drop CID...
 *     block put [--codec raw|dag-pb|dag-cbor] [FILE]              block get CID
 *     car import FILE                                             car export CID [-o FILE]
 *
 * each with [--dir DIR]. Exit status: 0 done, 1 failed, 2 wrong usage.
 */
#ifndef HF_NODE_FILE_COMMAND_H
#define HF_NODE_FILE_COMMAND_H

int hf_file_command(int argc, char **argv);
int hf_block_command(int argc, char **argv);
int hf_car_command(int argc, char **argv);
#endif
