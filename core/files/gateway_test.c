/* The gateway over a small tree: site/{index.html, a b.txt, big.bin, sub/{x.json}, many/ (shards)}. */
#include "car.h"
#include "directory.h"
#include "gateway.h"
#include "node.h"

#include "../../tests/kit/blocks.h"

#include <stdio.h>
#include <string.h>

enum { BIG = 300000 };

typedef struct scene {
    hf_test_blocks blocks, here; /* here: empty at first, filled by NEEDs when `fetching` */
    hf_imported site, sub, many, text, big;
    char id[100];                /* of the site */
    bool fetching;
    int status;
    bool has_length;
    uint64_t length;
    hf_buf body, headers;        /* headers: "Name: value\n" */
    size_t n_needs, biggest;
    hf_gateway_kind end;
} scene;

static uint8_t big_bytes[BIG];

static hf_imported add_file(scene *s, hf_bytes bytes, const hf_import_config *config) {
    hf_imported root;
    hf_import *i = hf_import_new(hf_test_mem(), config, hf_test_blocks_sink(&s->blocks));
    CHECK_ERR(hf_import_add(i, bytes), HF_OK);
    CHECK_ERR(hf_import_end(i, &root), HF_OK);
    hf_import_free(i);
    return root;
}

static void add_entry(hf_directory *d, const char *name, const hf_imported *file) {
    CHECK_ERR(hf_directory_add(d, hf_str(name), HF_BYTES(file->cid, HF_CID_LEN), file->dag_bytes), HF_OK);
}

static hf_imported end_directory(hf_directory *d) {
    hf_imported root;
    CHECK_ERR(hf_directory_end(d, &root), HF_OK);
    hf_directory_free(d);
    return root;
}

static void cid_text(const hf_imported *file, char ret[100]) {
    hf_cid cid;
    hf_buf text;
    hf_buf_init(&text, hf_test_mem());
    CHECK_ERR(hf_cid_read(HF_BYTES(file->cid, HF_CID_LEN), &cid), HF_OK);
    hf_cid_add_text(&text, &cid);
    snprintf(ret, 100, "%.*s", (int)text.len, (const char *)text.ptr);
    hf_buf_deinit(&text);
}

static void begin(scene *s) {
    *s = (scene){.fetching = false};
    hf_test_blocks_init(&s->blocks, hf_test_mem());
    hf_test_blocks_init(&s->here, hf_test_mem());
    hf_buf_init(&s->body, hf_test_mem());
    hf_buf_init(&s->headers, hf_test_mem());
    hf_block_sink sink = hf_test_blocks_sink(&s->blocks);
    hf_test_content(3, big_bytes, BIG);
    s->text = add_file(s, HF_TEXT("hello"), &HF_IMPORT_HELIA);
    s->big = add_file(s, HF_BYTES(big_bytes, BIG), &(hf_import_config){1000, 20});
    hf_directory *d = hf_directory_new(hf_test_mem(), sink);
    add_entry(d, "x.json", &s->text);
    s->sub = end_directory(d);
    d = hf_directory_new(hf_test_mem(), sink);
    for (int i = 0; i < 4000; i++) {
        char name[80];
        snprintf(name, sizeof name, "a long name so that there are shards, number %d.txt", i);
        add_entry(d, name, &s->text);
    }
    s->many = end_directory(d);
    d = hf_directory_new(hf_test_mem(), sink);
    add_entry(d, "index.html", &s->text);
    add_entry(d, "a b.txt", &s->text);
    add_entry(d, "big.bin", &s->big);
    add_entry(d, "sub", &s->sub);
    add_entry(d, "many", &s->many);
    s->site = end_directory(d);
    cid_text(&s->site, s->id);
}

static void end(scene *s) {
    hf_test_blocks_deinit(&s->blocks);
    hf_test_blocks_deinit(&s->here);
    hf_buf_deinit(&s->body);
    hf_buf_deinit(&s->headers);
}

static void take_head(scene *s, const hf_gateway_out *out) {
    CHECK(!s->status);
    s->status = out->status;
    s->has_length = out->has_length;
    s->length = out->length;
    for (size_t i = 0; i < out->n_headers; i++) {
        hf_buf_add(&s->headers, out->headers[i].name);
        hf_buf_add_str(&s->headers, ": ");
        hf_buf_add(&s->headers, out->headers[i].value);
        hf_buf_add_byte(&s->headers, '\n');
    }
}

static void bring(scene *s, hf_gateway *g, hf_bytes cid) {
    hf_bytes block;
    s->n_needs++;
    if (!s->fetching || hf_test_blocks_get(&s->blocks, cid, &block)) return hf_gateway_missing(g);
    CHECK_ERR(hf_test_blocks_put(&s->here, cid, block), HF_OK);
}

static void run(scene *s, const hf_gateway_request *request) {
    hf_gateway *g = hf_gateway_new(hf_test_mem(), request, hf_test_blocks_source(s->fetching ? &s->here : &s->blocks));
    CHECK(g != NULL);
    hf_buf_clear(&s->body);
    hf_buf_clear(&s->headers);
    s->status = 0;
    s->n_needs = s->biggest = 0;
    hf_gateway_out out;
    while (hf_gateway_next(g, &out) && out.kind != HF_GATEWAY_BROKEN) {
        if (out.kind == HF_GATEWAY_HEAD) take_head(s, &out);
        if (out.kind == HF_GATEWAY_NEED) bring(s, g, out.cid);
        if (out.bytes.len > s->biggest) s->biggest = out.bytes.len;
        hf_buf_add(&s->body, out.bytes);
    }
    s->end = out.kind;
    hf_gateway_free(g);
    CHECK(s->biggest <= HF_GATEWAY_PIECE_MAX);
    CHECK(s->status >= 200);
    if (s->end == HF_GATEWAY_END && s->has_length && !request->head) CHECK_U64(s->body.len, s->length);
}

/* GET /ipfs/SITE + path_and_query */
static void get(scene *s, const char *path, hf_gateway_request request) {
    char target[512];
    int n = snprintf(target, sizeof target, "%s%s", path[0] == '!' ? "" : s->id, path[0] == '!' ? path + 1 : path);
    hf_bytes all = HF_BYTES(target, (size_t)n);
    size_t mark = hf_find(all, '?', 0);
    request.path = hf_sub(all, 0, mark);
    request.query = hf_sub(all, mark + 1, all.len);
    run(s, &request);
}

static bool has(scene *s, const char *header) {
    hf_bytes text = hf_buf_bytes(&s->headers), part = hf_str(header);
    for (size_t i = 0; i + part.len <= text.len; i++)
        if (hf_eq(hf_sub(text, i, part.len), part)) return true;
    return false;
}

#define GET(path, ...) get(&s, path, (hf_gateway_request){.head = false, __VA_ARGS__})

HF_TEST(gateway_gives_files) {
    scene s;
    begin(&s);
    GET("/a%20b.txt");
    CHECK_U64(s.status, 200);
    CHECK_BYTES(hf_buf_bytes(&s.body), HF_TEXT("hello"));
    CHECK(has(&s, "Content-Type: text/plain; charset=utf-8\n") && has(&s, "immutable") && has(&s, "X-Content-Type-Options: nosniff\n"));
    CHECK(has(&s, "Content-Security-Policy: sandbox;") && has(&s, "Etag: \"bafkrei"));
    GET("/big.bin");
    CHECK_BYTES(hf_buf_bytes(&s.body), HF_BYTES(big_bytes, BIG));
    CHECK(has(&s, "Content-Type: application/octet-stream\n") && has(&s, "Accept-Ranges: bytes\n"));
    get(&s, "/big.bin", (hf_gateway_request){.head = true});
    CHECK(s.status == 200 && s.body.len == 0 && s.length == BIG);
    GET("/sub/x.json?filename=n%22a/me.txt&download=true");
    CHECK(has(&s, "attachment; filename=\"n_a_me.txt\"\n") && has(&s, "text/plain"));
    GET("/many/a%20long%20name%20so%20that%20there%20are%20shards,%20number%203999.txt");
    CHECK_BYTES(hf_buf_bytes(&s.body), HF_TEXT("hello"));
    end(&s);
}

HF_TEST(gateway_gives_ranges) {
    static const struct { const char *range; int status; uint64_t from, to; } rows[] = {
        {"bytes=0-0", 206, 0, 1}, {"bytes=5-1004", 206, 5, 1005}, {"bytes=299999-", 206, 299999, BIG}, {"bytes=-1", 206, BIG - 1, BIG},
        {"bytes=-999999999", 206, 0, BIG}, {"bytes=100-999999999", 206, 100, BIG}, {"bytes=300000-", 416, 0, 0}, {"bytes=-0", 416, 0, 0},
        {"bytes=5-1", 200, 0, BIG}, {"bytes=1-2,5-6", 200, 0, BIG}, {"lines=1-2", 200, 0, BIG}, {"bytes=a-b", 200, 0, BIG},
    };
    scene s;
    begin(&s);
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        GET("/big.bin", .range = hf_str(rows[i].range));
        CHECK_MSG(s.status == rows[i].status, "%s gives %d", rows[i].range, s.status);
        if (s.status == 416) CHECK(has(&s, "Content-Range: bytes */300000\n"));
        else CHECK_BYTES(hf_buf_bytes(&s.body), hf_sub(HF_BYTES(big_bytes, BIG), rows[i].from, rows[i].to - rows[i].from));
    }
    GET("/big.bin", .range = HF_TEXT("bytes=5-1004"));
    CHECK(has(&s, "Content-Range: bytes 5-1004/300000\n"));
    end(&s);
}

HF_TEST(gateway_shows_directories) {
    scene s;
    begin(&s);
    GET("");
    CHECK_U64(s.status, 301);
    char location[160];
    snprintf(location, sizeof location, "Location: ./%s/\n", s.id);
    CHECK(has(&s, location));
    GET("/");
    CHECK_U64(s.status, 200);
    CHECK_BYTES(hf_buf_bytes(&s.body), HF_TEXT("hello"));
    CHECK(has(&s, "text/html"));
    GET("/sub");
    CHECK(s.status == 301 && has(&s, "Location: ./sub/\n"));
    GET("/sub/");
    CHECK(s.status == 200 && has(&s, "text/html") && has(&s, "DirIndex"));
    CHECK(hf_find(hf_buf_bytes(&s.body), 'x', 0) < s.body.len);
    end(&s);
}

HF_TEST(gateway_refuses) {
    static const struct { const char *path; int status; } rows[] = {
        {"/none", 404}, {"/a%20b.txt/none", 404}, {"!nocid", 400}, {"!", 400}, {"/%zz", 400}, {"/%00", 400}, {"?format=tar", 406},
        {"?format=car&dag-scope=more", 400}, {"?format=car&entity-bytes=5", 400}, {"?format=car&car-version=2", 406},
        {"!bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", 404},
        {"!bafyreidwx2fvfdiaox32v2mnn6sxu3j4qoxeqcuenhtgrv5qv6litfnmoe", 404},
    };
    scene s;
    begin(&s);
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        GET(rows[i].path);
        CHECK_MSG(s.status == rows[i].status, "%s gives %d", rows[i].path, s.status);
        CHECK(has(&s, "no-store") && has(&s, "nosniff"));
    }
    GET("/a%20b.txt", .accept = HF_TEXT("application/x-tar"));
    CHECK_U64(s.status, 406);
    GET("/a%20b.txt", .service_worker = HF_TEXT("script"));
    CHECK_U64(s.status, 400);
    GET("!bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", .cache_control = HF_TEXT("max-age=0, Only-If-Cached"));
    CHECK_U64(s.status, 412);
    end(&s);
}

HF_TEST(gateway_answers_not_modified) {
    scene s;
    begin(&s);
    char text_id[100], etag[140];
    cid_text(&s.text, text_id);
    snprintf(etag, sizeof etag, "\"other\", W/\"%s\"", text_id);
    GET("/a%20b.txt", .if_none_match = hf_str(etag));
    CHECK(s.status == 304 && s.body.len == 0 && !s.has_length);
    GET("/a%20b.txt", .if_none_match = HF_TEXT("\"other\""));
    CHECK_U64(s.status, 200);
    GET("/a%20b.txt?format=raw", .if_none_match = hf_str(etag));
    CHECK_U64(s.status, 200);
    GET("?format=car", .if_none_match = HF_TEXT("*"));
    CHECK_U64(s.status, 304);
    end(&s);
}

HF_TEST(gateway_gives_raw_blocks) {
    scene s;
    begin(&s);
    static const hf_gateway_request by_accept = {.accept = {(const uint8_t *)"text/html;q=0.5, application/vnd.ipld.raw", 41}};
    for (int i = 0; i < 2; i++) {
        if (i) get(&s, "", by_accept);
        else GET("?format=raw");
        hf_cid cid;
        CHECK_ERR(hf_cid_read(HF_BYTES(s.site.cid, HF_CID_LEN), &cid), HF_OK);
        CHECK(s.status == 200 && has(&s, "Content-Type: application/vnd.ipld.raw\n") && has(&s, "attachment; filename=\"bafybei"));
        CHECK_ERR(hf_cid_check(&cid, hf_buf_bytes(&s.body)), HF_OK);
    }
    GET("/a%20b.txt?format=raw", .range = HF_TEXT("bytes=1-2"));
    CHECK_U64(s.status, 206);
    CHECK_BYTES(hf_buf_bytes(&s.body), HF_TEXT("el"));
    end(&s);
}

/* Reads the body as a CAR, checked block by block; returns the number of blocks. */
static size_t car_blocks(scene *s, hf_test_blocks *into) {
    hf_car *car = hf_car_new(hf_test_mem());
    hf_bytes rest = hf_buf_bytes(&s->body);
    size_t n = 0;
    for (hf_car_out out; hf_car_recv(car, &rest, &out);) {
        CHECK_MSG(out.kind != HF_CAR_FAILED, "%s", out.reason);
        if (out.kind == HF_CAR_ROOT) CHECK_BYTES(out.cid, HF_BYTES(s->site.cid, HF_CID_LEN));
        if (out.kind != HF_CAR_BLOCK) continue;
        n++;
        if (into) CHECK_ERR(hf_test_blocks_put(into, out.cid, out.block), HF_OK);
    }
    CHECK_ERR(hf_car_end(car), HF_OK);
    hf_car_free(car);
    return n;
}

HF_TEST(gateway_gives_cars) {
    static const struct { const char *path; size_t n_blocks; } rows[] = {
        {"?format=car&dag-scope=block", 1}, {"/a%20b.txt?format=car", 2}, {"/sub/x.json?format=car&dag-scope=entity", 3},
        {"/sub?format=car&dag-scope=entity", 2}, {"/big.bin?format=car&dag-scope=block", 2},
        {"/big.bin?format=car&entity-bytes=0:*", 1 + 1 + 15 + 300}, {"/big.bin?format=car&entity-bytes=1500:1600", 1 + 1 + 1 + 1},
        {"/big.bin?format=car&entity-bytes=-10:*", 4}, {"/big.bin?format=car&entity-bytes=-10%3A-5", 4},
        {"/big.bin?format=car&entity-bytes=400000:*", 2},
    };
    scene s;
    begin(&s);
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        GET(rows[i].path);
        CHECK_U64(s.status, 200);
        CHECK(!s.has_length && has(&s, "application/vnd.ipld.car; version=1; order=dfs; dups=") && has(&s, ".car\"\n") && has(&s, "Etag: W/\""));
        size_t n = car_blocks(&s, NULL);
        CHECK_MSG(n == rows[i].n_blocks, "%s: %zu blocks", rows[i].path, n);
    }
    hf_test_blocks all;
    hf_test_blocks_init(&all, hf_test_mem());
    GET("", .accept = HF_TEXT("application/vnd.ipld.car; version=1; order=dfs"));
    CHECK_U64(car_blocks(&s, &all), s.blocks.n);
    CHECK_U64(all.n, s.blocks.n);
    hf_test_blocks_deinit(&all);
    GET("/many?format=car&dag-scope=entity"); /* enough to list it, none of its files */
    size_t n = car_blocks(&s, NULL);
    CHECK(n > 100 && n < s.blocks.n - 300);
    end(&s);
}

HF_TEST(gateway_asks_for_blocks) {
    scene s;
    begin(&s);
    s.fetching = true;
    GET("/big.bin");
    CHECK(s.status == 200 && s.end == HF_GATEWAY_END && s.n_needs > 300);
    CHECK_BYTES(hf_buf_bytes(&s.body), HF_BYTES(big_bytes, BIG));
    GET("/big.bin");
    CHECK_U64(s.n_needs, 0);
    uint8_t leaf[HF_CID_LEN];
    hf_cid_of_codec(HF_CODEC_RAW, HF_BYTES(big_bytes + 50000, 1000), leaf);
    hf_test_blocks_remove(&s.blocks, HF_BYTES(leaf, sizeof leaf));
    s.fetching = false;
    GET("/big.bin");
    CHECK(s.status == 200 && s.end == HF_GATEWAY_BROKEN && s.body.len == 50000);
    GET("?format=car");
    CHECK(s.status == 200 && s.end == HF_GATEWAY_BROKEN);
    end(&s);
}

HF_TEST(gateway_survives_no_memory) {
    scene s;
    begin(&s);
    static const char *const paths[] = {"/sub/x.json", "/sub/", "/sub?format=car", "?format=raw", "/none"};
    for (size_t p = 0; p < HF_COUNT(paths); p++)
        for (size_t n = 1;; n++) {
            char target[256];
            snprintf(target, sizeof target, "%s%s", s.id, paths[p]);
            hf_bytes all = hf_str(target);
            size_t mark = hf_find(all, '?', 0);
            hf_gateway_request request = {.path = hf_sub(all, 0, mark), .query = hf_sub(all, mark + 1, all.len)};
            hf_test_mem_fail_at(n);
            hf_gateway *g = hf_gateway_new(hf_test_mem(), &request, hf_test_blocks_source(&s.blocks));
            hf_gateway_out out = {.kind = HF_GATEWAY_HEAD};
            int status = 0;
            for (int i = 0; g && i < 100 && out.kind && out.kind != HF_GATEWAY_BROKEN; i++) {
                hf_gateway_next(g, &out);
                if (out.kind == HF_GATEWAY_HEAD) status = out.status;
            }
            bool failed = hf_test_mem_failed();
            hf_test_mem_fail_at(0);
            hf_gateway_free(g);
            CHECK(!g || status);
            CHECK(failed || out.kind == HF_GATEWAY_END);
            if (!failed) break;
        }
    end(&s);
}
