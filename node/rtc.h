/* rtc: the WebRTC carriage of the peer: browsers reach it by webrtc-direct (webrtc.h), and it reaches those who listen as it does. */
#ifndef HF_NODE_RTC_H
#define HF_NODE_RTC_H
#include "node.h"

typedef struct hf_rtc hf_rtc;
/* Listens where the options say, if they do; its certificate is DIR/webrtc.pem. NULL: *ret_problem. */
hf_rtc *hf_rtc_open(hf_node *node, const char **ret_problem);
int hf_rtc_port(const hf_rtc *rtc);   /* 0: not listening; NULL allowed */
/* Appends "/webrtc-direct/certhash/u…". */
void hf_rtc_add_certhash(const hf_rtc *rtc, hf_buf *buf);
/* As hf_tcp_dial: while the core is drained. */
void hf_rtc_dial(hf_node *node, const hf_out *out);
void hf_rtc_dial_off(hf_rtc *rtc, uint64_t dial);
void hf_rtc_close(hf_rtc *rtc);       /* NULL allowed */
#endif
