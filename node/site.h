/* site: the files a node serves besides the app's pages: the app folder read into memory, and the browser's half under /_holdfast/ with one release ID
 * over all of it. Compressed once, at start. */
#ifndef HF_SITE_H
#define HF_SITE_H
#include "../core/app/app.h"

typedef struct hf_site hf_site;

typedef struct hf_site_file {
    const char *name, *type;        /* "page.js", "text/javascript" */
    hf_bytes bytes, gzip;           /* gzip: empty when it does not pay */
} hf_site_file;

/* Reads APP (NULL: none) and ASSETS (no such folder: pages without scripts). `worker` false: sw.js is the one that removes itself. NULL: *ret_problem. */
hf_site *hf_site_open(hf_mem *mem, const char *app, const char *assets, bool worker, const char **ret_problem);
void hf_site_close(hf_site *site);
const hf_file *hf_site_app_files(const hf_site *site, size_t *ret_n);
hf_bytes hf_site_release(const hf_site *site);
hf_bytes hf_site_script_url(const hf_site *site);   /* empty: no browser half */
/* A file of /_holdfast/; NULL: none of that name. */
const hf_site_file *hf_site_file_of(const hf_site *site, hf_bytes name);
#endif
