/* core_tags: whose a stream is, by the tag that the swarm gives back with its events. */
#ifndef HF_CORE_TAGS_H
#define HF_CORE_TAGS_H
enum { TAG_BITSWAP = 1, TAG_SIGNAL = 2, TAG_GOSSIP = 4 /* to 7 */, TAG_RELAY = 8 /* and 9 */, TAG_WEBRTC = 10, TAG_SYNC = 16 };
#endif
