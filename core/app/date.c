/* date: see date.h. */
#include "date.h"

#define MS_MIN (-62135596800000) /* 0001-01-01 */
#define MS_MAX 253402300799999   /* 9999-12-31T23:59:59.999 */
enum { DAY_MS = 86400000 };

typedef struct date {
    unsigned year, month, day, hour, minute, second, ms;
} date;

/* The proleptic Gregorian calendar in eras of 400 years that begin on 1 March (H. Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms"). */
static void split_days(int64_t days, date *d) {
    uint64_t z = (uint64_t)(days + 719468);
    uint64_t era = z / 146097, of_era = z % 146097;
    uint64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month = (5 * of_year + 2) / 153;
    d->day = (unsigned)(of_year - (153 * month + 2) / 5 + 1);
    d->month = (unsigned)(month < 10 ? month + 3 : month - 9);
    d->year = (unsigned)(year_of_era + era * 400 + (d->month <= 2));
}

static date split(int64_t ms) {
    if (ms < MS_MIN) ms = MS_MIN;
    if (ms > MS_MAX) ms = MS_MAX;
    int64_t days = ms / DAY_MS, rest = ms % DAY_MS;
    if (rest < 0) {
        rest += DAY_MS;
        days--;
    }
    date d = {.hour = (unsigned)(rest / 3600000),
              .minute = (unsigned)(rest / 60000 % 60),
              .second = (unsigned)(rest / 1000 % 60),
              .ms = (unsigned)(rest % 1000)};
    split_days(days, &d);
    return d;
}

static uint8_t *put_digits(uint8_t *at, unsigned value, unsigned n) {
    for (unsigned i = n; i > 0; i--, value /= 10) at[i - 1] = (uint8_t)('0' + value % 10);
    return at + n;
}

/* "YYYY-MM-DD", "HH:MM": numbers with a sign between. */
static uint8_t *put_parts(uint8_t *at, char between, unsigned n_first, unsigned first, unsigned second) {
    at = put_digits(at, first, n_first);
    *at++ = (uint8_t)between;
    return put_digits(at, second, 2);
}

static uint8_t *put_day(uint8_t *at, const date *d) {
    at = put_parts(at, '-', 4, d->year, d->month);
    *at++ = '-';
    return put_digits(at, d->day, 2);
}

void hf_date_add_iso(hf_buf *buf, int64_t ms) {
    uint8_t text[32], *at;
    date d = split(ms);
    at = put_day(text, &d);
    *at++ = 'T';
    at = put_parts(at, ':', 2, d.hour, d.minute);
    *at++ = ':';
    at = put_digits(at, d.second, 2);
    *at++ = '.';
    at = put_digits(at, d.ms, 3);
    *at++ = 'Z';
    hf_buf_add(buf, HF_BYTES(text, (size_t)(at - text)));
}

void hf_date_add_day(hf_buf *buf, int64_t ms) {
    uint8_t text[16];
    date d = split(ms);
    hf_buf_add(buf, HF_BYTES(text, (size_t)(put_day(text, &d) - text)));
}

void hf_date_add_text(hf_buf *buf, int64_t ms) {
    static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                         "July",    "August",   "September", "October", "November", "December"};
    date d = split(ms);
    hf_buf_add_u64(buf, d.day);
    hf_buf_add_byte(buf, ' ');
    hf_buf_add_str(buf, months[d.month - 1]);
    hf_buf_add_byte(buf, ' ');
    hf_buf_add_u64(buf, d.year);
    hf_buf_add_str(buf, ", ");
    uint8_t clock[8];
    hf_buf_add(buf, HF_BYTES(clock, (size_t)(put_parts(clock, ':', 2, d.hour, d.minute) - clock)));
    hf_buf_add_str(buf, " UTC");
}

/* 1970-01-01 was a Thursday. */
static unsigned weekday(int64_t ms) {
    if (ms < MS_MIN) ms = MS_MIN;
    if (ms > MS_MAX) ms = MS_MAX;
    int64_t days = ms / DAY_MS - (ms % DAY_MS < 0);
    return (unsigned)((days % 7 + 11) % 7);
}

void hf_date_add_http(hf_buf *buf, int64_t ms) {
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    date d = split(ms);
    uint8_t text[32], *at = text;
    for (unsigned i = 0; i < 3; i++) *at++ = (uint8_t)days[weekday(ms) * 3 + i];
    *at++ = ',';
    *at++ = ' ';
    at = put_digits(at, d.day, 2);
    *at++ = ' ';
    for (unsigned i = 0; i < 3; i++) *at++ = (uint8_t)months[(d.month - 1) * 3 + i];
    *at++ = ' ';
    at = put_digits(at, d.year, 4);
    *at++ = ' ';
    at = put_parts(at, ':', 2, d.hour, d.minute);
    *at++ = ':';
    at = put_digits(at, d.second, 2);
    hf_buf_add(buf, HF_BYTES(text, (size_t)(at - text)));
    hf_buf_add_str(buf, " GMT");
}
