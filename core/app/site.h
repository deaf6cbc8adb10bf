/* site: the addresses that every app has: /static/…, /manifest.webmanifest, /robots.txt, /sitemap.xml. */
#ifndef HF_SITE_H
#define HF_SITE_H
#include "inside.h"

enum { HF_SITEMAP_URLS_MAX = 50000 }; /* sitemaps.org: no more in one file */

/* Adds a file of static/ to the app's tables; called by hf_app_new. */
HF_MUST_USE hf_err hf_site_add_asset(hf_app *app, hf_bytes path, hf_bytes bytes);
/* Answers when the path is one of these; *ret_mine false: it is not. GET and HEAD only, others get 405. */
HF_MUST_USE hf_err hf_site_answer(hf_call *call, bool *ret_mine);
#endif
