/* date: milliseconds since 1970 (UTC) as text, by arithmetic alone, so that node and browser write the same. Times
 * outside of the years 1 to 9999, which only a broken or hostile clock gives, show as the nearest of them. */
#ifndef HF_DATE_H
#define HF_DATE_H
#include "../base/base.h"

void hf_date_add_iso(hf_buf *buf, int64_t ms);  /* 2026-11-21T05:46:18.120Z */
void hf_date_add_day(hf_buf *buf, int64_t ms);  /* 2026-11-21 */
void hf_date_add_http(hf_buf *buf, int64_t ms); /* Sat, 21 Nov 2026 05:46:18 GMT: RFC 9110 5.6.7 */
void hf_date_add_text(hf_buf *buf, int64_t ms); /* 21 November 2026, 05:46 UTC */
#endif
