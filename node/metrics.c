/* metrics: see metrics.h. */
#include "metrics.h"

#include "http.h"
#include "p2p.h"

#include <string.h>

static void begin(hf_buf *buf, const char *name, const char *type, const char *help) {
    const char *parts[] = {"# TYPE ", name, " ", type, "\n# HELP ", name, " ", help, "\n"};
    for (size_t i = 0; i < HF_COUNT(parts); i++) hf_buf_add_str(buf, parts[i]);
}

/* Labels are our own words or names of collections, which need no escapes. */
static void add(hf_buf *buf, const char *name, const char *label, hf_bytes of, uint64_t value) {
    hf_buf_add_str(buf, name);
    if (label) {
        hf_buf_add_byte(buf, '{');
        hf_buf_add_str(buf, label);
        hf_buf_add_str(buf, "=\"");
        hf_buf_add(buf, of);
        hf_buf_add_str(buf, "\"}");
    }
    hf_buf_add_byte(buf, ' ');
    hf_buf_add_u64(buf, value);
    hf_buf_add_byte(buf, '\n');
}

static void add_one(hf_buf *buf, const char *name, const char *help, uint64_t value) {
    begin(buf, name, "gauge", help);
    add(buf, name, NULL, HF_BYTES(NULL, 0), value);
}

static void add_connections(const hf_node *node, const hf_http_counts *http, hf_buf *buf) {
    static const char NAME[] = "holdfast_connections";
    size_t n_tcp = 0, n_webrtc = 0, n_queued = 0;
    for (const hf_channel *c = node->channels; c; c = c->next) {
        n_tcp += !strcmp(c->via, "tcp");
        n_webrtc += !strcmp(c->via, "webrtc");
        n_queued += c->queued_bytes;
    }
    begin(buf, NAME, "gauge", "Open connections, by what they carry.");
    add(buf, NAME, "kind", HF_TEXT("page"), http->pages);
    add(buf, NAME, "kind", HF_TEXT("events"), http->listeners);
    add(buf, NAME, "kind", HF_TEXT("websocket"), http->websockets);
    add(buf, NAME, "kind", HF_TEXT("tcp"), n_tcp);
    add(buf, NAME, "kind", HF_TEXT("webrtc"), n_webrtc);
    add_one(buf, "holdfast_peers", "Peers that are connected.", hf_core_n_peers(node->core));
    add_one(buf, "holdfast_peer_queued_bytes", "Bytes for peers that the system has not taken yet.", n_queued);
    add_one(buf, "holdfast_http_held_bytes", "Bytes of requests and answers that are under way.", http->held_bytes);
}

static void add_p2p(const hf_node *node, hf_buf *buf) {
    static const char REACH[] = "holdfast_reachable", RELAYED[] = "holdfast_relayed_bytes", FOUND[] = "holdfast_dht_peers_found";
    hf_p2p_about a;
    hf_p2p_look(node->p2p, &a);
    begin(buf, REACH, "gauge", "Whether others can dial this node: 1 for what is believed.");
    for (int reach = HF_AUTONAT_UNKNOWN; reach <= HF_AUTONAT_PRIVATE; reach++)
        add(buf, REACH, "is", hf_str(hf_p2p_reach_name((hf_autonat_reach)reach)), (int)a.reach == reach);
    add_one(buf, "holdfast_dht_server", "1: answers questions of the DHT.", a.dht_server);
    add_one(buf, "holdfast_dht_table", "Peers in the DHT's routing table.", a.dht_table);
    add_one(buf, "holdfast_dht_records", "Records kept for the DHT.", a.dht_records);
    add_one(buf, "holdfast_dht_provided", "Databases that the DHT was told are kept here.", a.n_provided);
    begin(buf, FOUND, "counter", "Peers named by the DHT that were not connected.");
    add(buf, "holdfast_dht_peers_found_total", NULL, HF_BYTES(NULL, 0), a.n_found);
    add_one(buf, "holdfast_relay_reservations", "Reservations that peers have here.", a.n_reservations);
    add_one(buf, "holdfast_relay_circuits", "Connections between peers that are relayed here.", a.n_circuits);
    begin(buf, RELAYED, "counter", "Bytes relayed between peers.");
    add(buf, "holdfast_relayed_bytes_total", NULL, HF_BYTES(NULL, 0), a.n_bytes_relayed);
    add_one(buf, "holdfast_relays", "Relays at which this node has a reservation.", a.n_relay);
    add_one(buf, "holdfast_known_peers", "Peers in the address book.", a.n_book);
}

static void add_answers(const hf_http_counts *http, hf_buf *buf) {
    static const char *const CLASSES[] = {NULL, "1xx", "2xx", "3xx", "4xx", "5xx"};
    begin(buf, "holdfast_requests", "counter", "Requests answered, by class of status.");
    for (size_t i = 1; i < HF_COUNT(CLASSES); i++) add(buf, "holdfast_requests_total", "class", hf_str(CLASSES[i]), http->answers[i]);
}

/* Of each database: a collection of the app by its name, one that was opened at run time by its address. */
static void add_each(const hf_node *node, hf_buf *buf, const char *name, size_t count(const hf_core *core, uint32_t database)) {
    for (uint32_t i = 1; i <= hf_core_n_databases(node->core); i++) {
        hf_collection *collection = hf_core_collection(node->core, i);
        hf_bytes address = hf_core_address(node->core, i);
        if (collection) add(buf, name, "collection", hf_collection_schema(collection)->name, count(node->core, i));
        else if (address.len) add(buf, name, "database", address, count(node->core, i));
    }
}

static void add_entries(const hf_node *node, hf_buf *buf) {
    begin(buf, "holdfast_entries", "gauge", "Entries held, by collection or database.");
    add_each(node, buf, "holdfast_entries", hf_core_n_entries);
    begin(buf, "holdfast_equivocations", "gauge", "Entries of a writer that had written another one under the same time.");
    add_each(node, buf, "holdfast_equivocations", hf_core_n_equivocations);
    begin(buf, "holdfast_entries_refused", "counter", "Entries of others that were refused.");
    add(buf, "holdfast_entries_refused_total", NULL, HF_BYTES(NULL, 0), node->n_refused);
}

void hf_metrics_write(const hf_node *node, hf_buf *buf) {
    hf_http_counts http;
    hf_http_count(node->http, &http);
    uint64_t now = hf_node_wall();
    add_one(buf, "process_start_time_seconds", "When the process began, in seconds since 1970.", node->started_ms / 1000);
    add_one(buf, "holdfast_uptime_seconds", "How long it has been running.", now > node->started_ms ? (now - node->started_ms) / 1000 : 0);
    add_connections(node, &http, buf);
    add_entries(node, buf);
    add_answers(&http, buf);
    add_p2p(node, buf);
    hf_buf_add_str(buf, "# EOF\n");
}
