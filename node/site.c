/* site: see site.h. */
#include "site.h"

#include "../core/app/bundle.h"
#include "../core/codec/multibase.h"
#include "../core/crypto/crypto.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { FILE_MAX = 8 << 20, DEPTH_MAX = 8, RELEASE_LEN = 13 };

/* The worker that removes itself: what browsers get when the operator has pulled the kill switch. Data stays. */
static const char KILL_WORKER[] =
    "self.addEventListener('install',()=>self.skipWaiting());\n"
    "self.addEventListener('activate',e=>e.waitUntil((async()=>{for(const n of await caches.keys())if(n.startsWith('holdfast-'))await caches.delete(n);"
    "await self.registration.unregister();for(const c of await self.clients.matchAll({type:'window'}))c.navigate(c.url)})()));\n";

struct hf_site {
    hf_mem *mem;
    hf_arena arena;            /* all files */
    hf_file files[HF_BUNDLE_FILES_MAX];
    size_t n_files;
    hf_site_file browser[4];
    size_t n_browser;
    hf_bytes release, script_url;
};

static char problem[600];

static const char *explain(const char *path, const char *what) {
    snprintf(problem, sizeof problem, "%.400s: %s", path, what);
    return problem;
}

static bool read_file(hf_site *site, const char *path, hf_bytes *ret) {
    FILE *f = fopen(path, "rb");
    struct stat info;
    if (!f) return false;
    bool ok = !fstat(fileno(f), &info) && S_ISREG(info.st_mode) && info.st_size <= FILE_MAX;
    uint8_t *p = ok ? hf_arena_alloc(&site->arena, (size_t)info.st_size + 1) : NULL;
    ok = p && fread(p, 1, (size_t)info.st_size, f) == (size_t)info.st_size;
    fclose(f);
    if (ok) *ret = HF_BYTES(p, (size_t)info.st_size);
    return ok;
}

/* Reads a folder into site->files under `prefix`; dot files and links out of it are left out. */
static const char *read_folder(hf_site *site, const char *folder, const char *prefix, int depth) {
    if (depth > DEPTH_MAX) return explain(folder, "nested deeper than 8 folders");
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort);
    if (n < 0) return explain(folder, "cannot be read as a folder");
    const char *bad = NULL;
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        char path[4096], inner[1024];
        struct stat info;
        bool fits = snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path &&
                    snprintf(inner, sizeof inner, "%s%s%s", prefix, *prefix ? "/" : "", name) < (int)sizeof inner;
        if (name[0] != '.' && !bad && fits && !lstat(path, &info)) {
            if (S_ISDIR(info.st_mode)) bad = read_folder(site, path, inner, depth + 1);
            else if (!S_ISREG(info.st_mode)) bad = explain(path, "is neither a file nor a folder");
            else if (site->n_files == HF_BUNDLE_FILES_MAX) bad = explain(folder, "holds more than 1,024 files");
            else {
                hf_file *f = &site->files[site->n_files++];
                f->path = hf_arena_copy(&site->arena, hf_str(inner));
                if (!f->path.ptr || !read_file(site, path, &f->bytes)) bad = explain(path, "cannot be read (or is longer than 8 MiB)");
            }
        }
        free(entries[i]);
    }
    free(entries);
    return bad;
}

/* The order of the bundle's canonical map, so that node and browser hand the core the same list. */
static int by_length_then_bytes(const void *a, const void *b) {
    hf_bytes x = ((const hf_file *)a)->path, y = ((const hf_file *)b)->path;
    return x.len != y.len ? (x.len > y.len) - (x.len < y.len) : hf_cmp(x, y);
}

static hf_bytes compress_bytes(hf_site *site, hf_bytes bytes) {
    z_stream z = {0};
    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK) return HF_BYTES(NULL, 0);
    size_t room = deflateBound(&z, bytes.len);
    uint8_t *out = hf_arena_alloc(&site->arena, room);
    z.next_in = (uint8_t *)(uintptr_t)bytes.ptr;
    z.avail_in = (uInt)bytes.len;
    z.next_out = out;
    z.avail_out = (uInt)room;
    bool ok = out && deflate(&z, Z_FINISH) == Z_STREAM_END;
    size_t len = z.total_out;
    deflateEnd(&z);
    return ok && len < bytes.len ? HF_BYTES(out, len) : HF_BYTES(NULL, 0);
}

static void add_browser_file(hf_site *site, const char *name, const char *type, hf_bytes bytes) {
    site->browser[site->n_browser++] = (hf_site_file){name, type, bytes, compress_bytes(site, bytes)};
}

/* core.wasm.gz is made with core.wasm, and used if its last eight bytes (checksum and length, RFC 1952) say that it is of this very file: compressing
 * it takes as long as all the rest of a start. */
static void add_wasm(hf_site *site, const char *assets, hf_bytes wasm) {
    char path[4096];
    uint8_t end[8];
    hf_bytes gzip;
    uint32_t crc = (uint32_t)crc32_z(0, wasm.ptr, wasm.len), len = (uint32_t)wasm.len;
    for (unsigned i = 0; i < 4; i++) end[i] = (uint8_t)(crc >> 8 * i), end[4 + i] = (uint8_t)(len >> 8 * i);
    bool fits = snprintf(path, sizeof path, "%s/core.wasm.gz", assets) < (int)sizeof path && read_file(site, path, &gzip) && gzip.len > sizeof end &&
                !memcmp(gzip.ptr + gzip.len - sizeof end, end, sizeof end);
    if (!fits) return add_browser_file(site, "core.wasm", "application/wasm", wasm);
    site->browser[site->n_browser++] = (hf_site_file){"core.wasm", "application/wasm", wasm, gzip};
}

static void hash_hex(hf_bytes bytes, hf_buf *ret) {
    uint8_t digest[32];
    hf_sha256_of(bytes, digest);
    hf_buf_add_hex(ret, HF_BYTES(digest, sizeof digest));
}

/* One ID over everything that a browser runs: any change makes a new worker. */
static bool name_release(hf_site *site, hf_bytes worker) {
    hf_sha256 state;
    uint8_t digest[32];
    hf_sha256_init(&state);
    hf_sha256_add(&state, worker);
    for (size_t i = 0; i < site->n_browser; i++) hf_sha256_add(&state, site->browser[i].bytes);
    for (size_t i = 0; i < site->n_files; i++) {
        hf_sha256_add(&state, site->files[i].path);
        hf_sha256_add(&state, site->files[i].bytes);
    }
    hf_sha256_end(&state, digest);
    hf_buf text;
    hf_buf_init(&text, site->mem);
    hf_base_add(&text, HF_BASE32, HF_BYTES(digest, 16));
    site->release = hf_arena_copy(&site->arena, hf_sub(hf_buf_bytes(&text), 0, RELEASE_LEN));
    hf_buf_deinit(&text);
    return site->release.ptr != NULL;
}

/* sw.js with the build's facts in place of its marker. */
static bool add_worker(hf_site *site, hf_bytes script) {
    static const char MARKER[] = "__HOLDFAST_BUILD__";
    hf_buf text;
    hf_buf_init(&text, site->mem);
    const uint8_t *at = memmem(script.ptr, script.len, MARKER, sizeof MARKER - 1);
    size_t before = at ? (size_t)(at - script.ptr) : script.len;
    hf_buf_add(&text, hf_sub(script, 0, before));
    if (at) {
        hf_buf_add_str(&text, "{\"release\":\"");
        hf_buf_add(&text, site->release);
        hf_buf_add_str(&text, "\",\"files\":{");
        for (size_t i = 0; i < site->n_browser; i++) {
            hf_buf_add_str(&text, i ? ",\"" : "\"");
            hf_buf_add_str(&text, site->browser[i].name);
            hf_buf_add_str(&text, "\":\"");
            hash_hex(site->browser[i].bytes, &text);
            hf_buf_add_byte(&text, '"');
        }
        hf_buf_add_str(&text, "}}");
        hf_buf_add(&text, hf_sub(script, before + sizeof MARKER - 1, script.len));
    }
    hf_bytes kept = hf_arena_copy(&site->arena, hf_buf_bytes(&text));
    bool ok = !text.err && kept.ptr && at;
    hf_buf_deinit(&text);
    if (ok) add_browser_file(site, "sw.js", "text/javascript; charset=utf-8", kept);
    return ok;
}

static const char *read_browser(hf_site *site, const char *assets, bool worker) {
    char path[4096];
    hf_bytes wasm, page, sw;
    snprintf(path, sizeof path, "%s/core.wasm", assets);
    if (!worker || !read_file(site, path, &wasm)) {
        if (worker) return NULL; /* not built: pages work without scripts */
        add_browser_file(site, "sw.js", "text/javascript; charset=utf-8", HF_BYTES(KILL_WORKER, sizeof KILL_WORKER - 1));
        return NULL;
    }
    snprintf(path, sizeof path, "%s/page.js", assets);
    if (!read_file(site, path, &page)) return explain(path, "cannot be read");
    snprintf(path, sizeof path, "%s/sw.js", assets);
    if (!read_file(site, path, &sw)) return explain(path, "cannot be read");
    hf_arena scratch;
    hf_buf bundle;
    hf_arena_init(&scratch, site->mem);
    hf_buf_init(&bundle, site->mem);
    hf_err err = hf_bundle_encode(&scratch, site->files, site->n_files, &bundle);
    hf_bytes kept = hf_arena_copy(&site->arena, hf_buf_bytes(&bundle));
    hf_buf_deinit(&bundle);
    hf_arena_deinit(&scratch);
    if (err || !kept.ptr) return "out of memory";
    add_wasm(site, assets, wasm);
    add_browser_file(site, "page.js", "text/javascript; charset=utf-8", page);
    add_browser_file(site, "app.bundle", "application/octet-stream", kept);
    if (!name_release(site, sw)) return "out of memory";
    if (!add_worker(site, sw)) return explain(path, "has no place for the build's facts");
    char url[64];
    snprintf(url, sizeof url, "/_holdfast/page.js?v=%.*s", (int)site->release.len, (const char *)site->release.ptr);
    site->script_url = hf_arena_copy(&site->arena, hf_str(url));
    return NULL;
}

hf_site *hf_site_open(hf_mem *mem, const char *app, const char *assets, bool worker, const char **ret_problem) {
    hf_site *site = hf_alloc(mem, sizeof *site);
    if (!site) return *ret_problem = "out of memory", NULL;
    site->mem = mem;
    hf_arena_init(&site->arena, mem);
    const char *bad = app ? read_folder(site, app, "", 0) : NULL;
    qsort(site->files, site->n_files, sizeof *site->files, by_length_then_bytes);
    if (!bad && app) bad = read_browser(site, assets, worker);
    if (!bad && !site->release.len && !name_release(site, HF_BYTES(NULL, 0))) bad = "out of memory";
    if (!bad) return site;
    *ret_problem = bad;
    hf_site_close(site);
    return NULL;
}

void hf_site_close(hf_site *site) {
    if (!site) return;
    hf_arena_deinit(&site->arena);
    hf_release(site->mem, site, sizeof *site);
}

const hf_file *hf_site_app_files(const hf_site *site, size_t *ret_n) { return *ret_n = site->n_files, site->files; }
hf_bytes hf_site_release(const hf_site *site) { return site->release; }
hf_bytes hf_site_script_url(const hf_site *site) { return site->script_url; }

const hf_site_file *hf_site_file_of(const hf_site *site, hf_bytes name) {
    for (size_t i = 0; i < site->n_browser; i++)
        if (hf_eq(name, hf_str(site->browser[i].name))) return &site->browser[i];
    return NULL;
}
