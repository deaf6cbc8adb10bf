/* id: `holdfast id`: who the node of a data folder is. Asks the lock when it runs, its store when it rests. */
#ifndef HF_NODE_ID_H
#define HF_NODE_ID_H

int hf_show_id(int argc, char **argv);
#endif
