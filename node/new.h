/* new: `holdfast new NAME`: an app folder that runs at once, as a start. Never writes over what is there. */
#ifndef HF_NODE_NEW_H
#define HF_NODE_NEW_H

int hf_new_app(int argc, char **argv);
#endif
