/* p2pd: `holdfast p2pd`, a bare libp2p peer that other programs drive over a local socket, by the control protocol of go-libp2p-daemon and with its
 * flags. It knows no apps and stores nothing. */
#ifndef HF_NODE_P2PD_H
#define HF_NODE_P2PD_H
/* Exit status: 0 done, 1 failed, 2 wrong usage. argv after the verb. */
int hf_p2pd_run(int argc, char **argv);
#endif
