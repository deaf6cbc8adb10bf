/* db_node: a whole peer (core/core.h) on real TCP sockets and a store in memory, for tests against OrbitDB's own programs. Not a product: one poll()
 * loop, loopback only.
 *
 *      db_node SEED_BYTE            prints "listening PORT PEER_ID IDENTITY_ID", then answers to commands, tabs between the words:
 *
 *      create NAME TYPE own|any|guarded     "db N ADDRESS"
 *      open ADDRESS                         "db N ADDRESS"
 *      close N
 *      add N VALUE, put N KEY VALUE, del N KEY      values are JSON; "entry HASH", or "error WHY"
 *      grant N CAPABILITY ID, revoke N CAPABILITY ID  "done" or "error WHY"
 *      all N                                "all " and JSON [{hash, key, value}], oldest first
 *      info N                               "info " and JSON {phase, name, type, entries, waiting, heads}
 *      dial PORT, hangup, quit
 *
 *      Besides: "phase N PHASE", "refused N WHY", "waits N WHY", "up PEER_ID", "down PEER_ID".
 */
#include "../../core/core.h"

#include "../../core/codec/json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNS = 64, WORDS = 4 };

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

static hf_mem mem = {resize, NULL};
static hf_core *core;
static hf_arena arena;
static struct conn {
    int fd;
    bool open, closing;
    hf_buf out;
} conns[CONNS];
static uint64_t conn_numbers[CONNS], next_conn = 1;

/* What is stored, in order, and by CID. */
typedef struct block { struct block *next; char address[64]; size_t address_len, len; uint8_t cid[HF_CID_LEN], bytes[]; } block;
static block *blocks, **blocks_last = &blocks;
static hf_map by_cid;

static uint64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void random_bytes(void *ctx, uint8_t *out, size_t len) {
    (void)ctx;
    while (len) {
        ssize_t n = getrandom(out, len < 256 ? len : 256, 0);
        if (n <= 0) abort();
        out += n;
        len -= (size_t)n;
    }
}

/* ---- the store ---- */

static hf_err get_block(void *ctx, hf_bytes cid, hf_bytes *ret) {
    (void)ctx;
    const block *b = hf_map_get(&by_cid, cid);
    if (!b) return HF_NOT_FOUND;
    *ret = HF_BYTES(b->bytes, b->len);
    return HF_OK;
}

static void keep(const hf_out *out) {
    if (hf_map_get(&by_cid, HF_BYTES(out->cid, HF_CID_LEN))) return;
    block *b = calloc(1, sizeof *b + out->bytes.len);
    if (!b) abort();
    hf_bytes address = out->database ? hf_core_address(core, out->database) : HF_BYTES(NULL, 0);
    if (address.len) memcpy(b->address, address.ptr, b->address_len = address.len);
    memcpy(b->cid, out->cid, HF_CID_LEN);
    memcpy(b->bytes, out->bytes.ptr, b->len = out->bytes.len);
    *blocks_last = b;
    blocks_last = &b->next;
    if (hf_map_put(&by_cid, HF_BYTES(b->cid, HF_CID_LEN), b)) abort();
}

static void load_database(uint32_t number) {
    hf_core_db_about about;
    hf_fault fault;
    if (hf_core_db_info(core, number, &about)) return;
    static const char *const names[] = {"seeking", "waiting", "loading", "open", "broken"};
    printf("phase %u %s %s\n", number, names[about.phase], about.problem ? about.problem : "");
    if (about.phase != HF_CORE_LOADING) return;
    for (const block *b = blocks; b; b = b->next)
        if (hf_eq(about.address, HF_BYTES(b->address, b->address_len))) (void)!hf_core_load(core, number, HF_BYTES(b->bytes, b->len), &fault);
    if (hf_core_db_loaded(core, now_ms(), number)) abort();
}

/* ---- sockets ---- */

static struct conn *conn_of(uint64_t number) {
    for (size_t i = 0; i < CONNS; i++)
        if (conns[i].open && conn_numbers[i] == number) return &conns[i];
    return NULL;
}

static void start_conn(int fd, bool dialer) {
    size_t i = 0;
    while (i < CONNS && conns[i].open) i++;
    if (fd < 0 || i == CONNS || hf_core_conn_open(core, now_ms(), next_conn, dialer, NULL, HF_BYTES(NULL, 0))) {
        if (fd >= 0) close(fd);
        return;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    conns[i] = (struct conn){.fd = fd, .open = true};
    conn_numbers[i] = next_conn++;
    hf_buf_init(&conns[i].out, &mem);
}

static void end_conn(size_t i, bool lost) {
    close(conns[i].fd);
    hf_buf_deinit(&conns[i].out);
    conns[i].open = false;
    if (lost) hf_core_conn_lost(core, now_ms(), conn_numbers[i]);
}

static void write_conn(size_t i) {
    struct conn *c = &conns[i];
    while (c->out.len) {
        ssize_t n = send(c->fd, c->out.ptr, c->out.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) return end_conn(i, !c->closing);
        hf_buf_consume(&c->out, (size_t)n);
    }
    if (c->closing) end_conn(i, false);
}

static void read_conn(size_t i) {
    static uint8_t bytes[65536];
    ssize_t n = recv(conns[i].fd, bytes, sizeof bytes, 0);
    if (n > 0) (void)!hf_core_conn_recv(core, now_ms(), conn_numbers[i], HF_BYTES(bytes, (size_t)n));
    else if (n == 0 || errno != EAGAIN) end_conn(i, !conns[i].closing);
}

static void dial(unsigned port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) {
        printf("error cannot dial\n");
        close(fd);
    } else start_conn(fd, true);
}

/* ---- the core's outputs ---- */

static void print_peer(const char *what, const hf_peer_id *peer, const char *why) {
    hf_buf text;
    hf_buf_init(&text, &mem);
    hf_peer_id_add_text(&text, peer);
    printf("%s %.*s %s\n", what, (int)text.len, (const char *)text.ptr, why ? why : "");
    hf_buf_deinit(&text);
}

static void take(const hf_out *out) {
    struct conn *c = conn_of(out->conn);
    switch (out->kind) {
    case HF_OUT_STORE: keep(out); break;
    case HF_OUT_SEND: if (c) hf_buf_add(&c->out, out->bytes); break;
    case HF_OUT_CONN_CLOSE:
        if (c) c->closing = true;
        printf("close %s\n", out->reason ? out->reason : "");
        break;
    case HF_OUT_DATABASE: load_database(out->database); break;
    case HF_OUT_REFUSED: printf("%s %u %s\n", out->waits ? "waits" : "refused", out->database, out->reason); break;
    case HF_OUT_PEER_UP: print_peer("up", &out->peer, NULL); break;
    case HF_OUT_PEER_DOWN: print_peer("down", &out->peer, out->reason); break;
    default: break;
    }
}

static void drain(void) {
    do {
        hf_out out;
        while (hf_core_next(core, now_ms(), &out)) take(&out);
        if (hf_core_seq(core) == hf_core_seq_stored(core)) break;
        hf_core_stored(core, now_ms(), hf_core_seq(core));
    } while (true);
    fflush(stdout);
}

/* ---- commands ---- */

static const char *hash_text(const uint8_t digest[32]) {
    static char text[HF_CID_TEXT_LEN + 1];
    uint8_t cid[HF_CID_LEN];
    hf_cid_from_digest(digest, cid);
    hf_cid_text(cid, text);
    return text;
}

static bool add_row(void *ctx, const hf_core_row *row) {
    hf_buf *buf = ctx;
    if (buf->len > 1) hf_buf_add_byte(buf, ',');
    hf_buf_add_str(buf, "{\"hash\":\"");
    hf_buf_add_str(buf, hash_text(row->digest));
    hf_buf_add_byte(buf, '"');
    if (row->key) hf_buf_add_str(buf, ",\"key\":"), hf_json_add(buf, row->key);
    if (row->value) hf_buf_add_str(buf, ",\"value\":"), hf_json_add(buf, row->value);
    hf_buf_add_byte(buf, '}');
    return true;
}

static void print_all(uint32_t db) {
    hf_core_query query = {.amount = SIZE_MAX, .oldest_first = true};
    hf_buf buf;
    hf_buf_init(&buf, &mem);
    hf_buf_add_byte(&buf, '[');
    hf_err err = hf_core_db_each(core, db, &query, add_row, &buf);
    if (err) printf("error %s\n", hf_err_name(err));
    else printf("all %.*s]\n", (int)buf.len, (const char *)buf.ptr);
    hf_buf_deinit(&buf);
}

static void print_info(uint32_t db) {
    hf_core_db_about a;
    uint8_t heads[16][32];
    if (hf_core_db_info(core, db, &a)) {
        printf("error no such database\n");
        return;
    }
    size_t n = hf_core_db_heads(core, db, heads, 16);
    printf("info {\"phase\":%d,\"name\":\"%.*s\",\"type\":\"%.*s\",\"guard\":%u,\"mayWrite\":%s,\"entries\":%zu,\"waiting\":%zu,\"heads\":[", a.phase, (int)a.name.len,
           (const char *)a.name.ptr, (int)a.type.len, (const char *)a.type.ptr, a.guard, a.may_write ? "true" : "false", a.n_entries, a.n_waiting);
    for (size_t i = 0; i < n && i < 16; i++) printf("%s\"%s\"", i ? "," : "", hash_text(heads[i]));
    printf("]}\n");
}

static void print_db(hf_err err, uint32_t db) {
    hf_bytes address = err ? HF_BYTES(NULL, 0) : hf_core_address(core, db);
    if (err) printf("error %s\n", hf_err_name(err));
    else printf("db %u %.*s\n", db, (int)address.len, (const char *)address.ptr);
}

static void create(char **word) {
    hf_bytes anyone = HF_TEXT("*");
    hf_core_db_access access = {.guarded = !strcmp(word[3], "guarded")};
    if (!strcmp(word[3], "any")) access = (hf_core_db_access){&anyone, 1, false};
    uint32_t db = 0;
    hf_err err = hf_core_db_create(core, now_ms(), hf_str(word[1]), hf_str(word[2]), &access, &db);
    print_db(err, db);
}

static void open_address(const char *address) {
    uint32_t db = 0;
    hf_err err = hf_core_db_open(core, now_ms(), hf_str(address), &db);
    print_db(err, db);
}

static bool parse(const char *text, hf_value *ret) {
    hf_fault fault;
    return !hf_json_decode(&arena, hf_str(text), ret, &fault);
}

static void append(hf_orbit_op op, uint32_t db, const char *key_text, const char *value_text) {
    hf_value key, value;
    uint8_t digest[32];
    uint64_t seq;
    hf_fault fault = {"", 0};
    hf_arena_clear(&arena);
    if ((key_text && !parse(key_text, &key)) || (value_text && !parse(value_text, &value))) {
        printf("error not JSON\n");
        return;
    }
    hf_err err = hf_core_db_append(core, now_ms(), db, op, key_text ? &key : NULL, value_text ? &value : NULL, digest, &seq, &fault);
    if (err) printf("error %s\n", fault.what ? fault.what : hf_err_name(err));
    else printf("entry %s\n", hash_text(digest));
}

static void change_rights(bool grant, uint32_t db, char **word) {
    uint64_t seq;
    hf_err err = (grant ? hf_core_db_grant : hf_core_db_revoke)(core, now_ms(), db, hf_str(word[2]), hf_str(word[3]), &seq);
    if (err) printf("error %s\n", hf_err_name(err));
    else printf("done\n");
}

static bool is(const char *line, const char *name) { return !strcmp(line, name); }

static bool command(char *line) {
    char *word[WORDS] = {"", "", "", ""};
    size_t n = 0;
    for (char *at = line; at && n < WORDS; n++) {
        word[n] = at;
        at = strchr(at, '\t');
        if (at && n + 1 < WORDS) *at++ = 0;
    }
    uint32_t db = (uint32_t)strtoul(word[1], NULL, 10);
    if (is(word[0], "create")) create(word);
    else if (is(word[0], "open")) open_address(word[1]);
    else if (is(word[0], "close")) printf("%s\n", hf_core_db_close(core, now_ms(), db) ? "error" : "done");
    else if (is(word[0], "add")) append(HF_ORBIT_ADD, db, NULL, word[2]);
    else if (is(word[0], "put")) append(HF_ORBIT_PUT, db, *word[2] ? word[2] : NULL, word[3]);
    else if (is(word[0], "del")) append(HF_ORBIT_DEL, db, word[2], NULL);
    else if (is(word[0], "grant") || is(word[0], "revoke")) change_rights(is(word[0], "grant"), db, word);
    else if (is(word[0], "all")) print_all(db);
    else if (is(word[0], "info")) print_info(db);
    else if (is(word[0], "dial")) dial((unsigned)strtoul(word[1], NULL, 10));
    else if (is(word[0], "hangup")) {
        for (size_t i = 0; i < CONNS; i++)
            if (conns[i].open) end_conn(i, true);
    } else return false;
    return true;
}

static bool read_commands(void) {
    static char line[1 << 18];
    static size_t len;
    char c;
    while (read(0, &c, 1) == 1) {
        if (c != '\n' && len < sizeof line - 1) {
            line[len++] = c;
            continue;
        }
        line[len] = 0;
        len = 0;
        return command(line);
    }
    return false;
}

/* ---- the loop ---- */

static int listen_somewhere(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 64) || getsockname(fd, (struct sockaddr *)&at, &len)) abort();
    char port[32], id[128];
    snprintf(port, sizeof port, "listening %u", ntohs(at.sin_port));
    snprintf(id, sizeof id, "%.*s", (int)hf_core_identity(core).len, (const char *)hf_core_identity(core).ptr);
    print_peer(port, hf_core_self(core), id);
    return fd;
}

static bool turn(int listener) {
    struct pollfd fds[CONNS + 2] = {{0, POLLIN, 0}, {listener, POLLIN, 0}};
    for (size_t i = 0; i < CONNS; i++)
        fds[i + 2] = (struct pollfd){conns[i].open ? conns[i].fd : -1, (short)(POLLIN | (conns[i].out.len || conns[i].closing ? POLLOUT : 0)), 0};
    uint64_t now = now_ms(), deadline = hf_core_deadline(core);
    poll(fds, CONNS + 2, deadline <= now ? 0 : deadline - now > 1000 ? 1000 : (int)(deadline - now));
    if ((fds[0].revents & (POLLIN | POLLHUP)) && !read_commands()) return false;
    if (fds[1].revents & POLLIN) start_conn(accept(listener, NULL, NULL), false);
    for (size_t i = 0; i < CONNS; i++) {
        if (fds[i + 2].fd >= 0 && conns[i].open && (fds[i + 2].revents & (POLLIN | POLLHUP | POLLERR))) read_conn(i);
        if (fds[i + 2].fd >= 0 && conns[i].open && (fds[i + 2].revents & POLLOUT)) write_conn(i);
    }
    if (hf_core_deadline(core) <= now_ms()) hf_core_tick(core, now_ms());
    drain();
    return true;
}

int main(int argc, char **argv) {
    hf_secrets secrets;
    memset(&secrets, argc > 1 ? atoi(argv[1]) : 1, sizeof secrets);
    secrets.signing[0] ^= 0x40;
    hf_core_config config = {.secrets = &secrets, .agent = HF_TEXT("holdfast/db-node"), .random = random_bytes, .blocks = {get_block, NULL}};
    hf_bytes problem;
    hf_arena_init(&arena, &mem);
    hf_map_init(&by_cid, &mem, 1);
    core = hf_core_new(&mem, &config, &arena, &problem);
    if (!core || hf_core_start(core, now_ms())) return 1;
    int listener = listen_somewhere();
    fflush(stdout);
    while (turn(listener)) continue;
    for (size_t i = 0; i < CONNS; i++)
        if (conns[i].open) end_conn(i, true);
    drain();
    hf_core_free(core);
    for (block *next; blocks; blocks = next) {
        next = blocks->next;
        free(blocks);
    }
    hf_map_deinit(&by_cid);
    hf_arena_deinit(&arena);
    return 0;
}
