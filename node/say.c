/* say: see say.h. One write(2) a line, so that lines of several processes do not mix. */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static hf_level threshold = HF_LEVEL_INFO;
static bool as_json;
static const char *const names[] = {"error", "warn", "info", "debug"};

void hf_say_setup(hf_level level, bool json) {
    threshold = level;
    as_json = json;
}

bool hf_level_parse(const char *word, hf_level *ret) {
    for (int i = 0; i < 4; i++)
        if (!strcmp(word, names[i])) return *ret = (hf_level)i, true;
    return false;
}

typedef struct line { char text[2048]; size_t len; } line;

static void put(line *l, const char *s) {
    size_t n = strlen(s), room = sizeof l->text - 2 - l->len;
    if (n > room) n = room;
    memcpy(l->text + l->len, s, n);
    l->len += n;
}

static void put_quoted(line *l, const char *s) {
    put(l, "\"");
    for (; *s; s++) {
        char one[8] = {*s, 0};
        if (*s == '"' || *s == '\\') snprintf(one, sizeof one, "\\%c", *s);
        else if ((unsigned char)*s < 0x20) snprintf(one, sizeof one, "\\u%04x", *s);
        put(l, one);
    }
    put(l, "\"");
}

static void put_time(line *l) {
    struct timespec now;
    struct tm utc;
    char text[40];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + n, sizeof text - n, ".%03ldZ", now.tv_nsec / 1000000);
    put(l, text);
}

void hf_say(hf_level level, const char *event, ...) {
    if (level > threshold) return;
    line l = {.len = 0};
    va_list args;
    if (as_json) {
        put(&l, "{\"time\":\"");
        put_time(&l);
        put(&l, "\",\"level\":");
        put_quoted(&l, names[level]);
        put(&l, ",\"event\":");
        put_quoted(&l, event);
    } else {
        put_time(&l);
        put(&l, " ");
        put(&l, names[level]);
        put(&l, " ");
        put(&l, event);
    }
    va_start(args, event);
    for (const char *name; (name = va_arg(args, const char *));) {
        const char *value = va_arg(args, const char *);
        put(&l, as_json ? "," : " ");
        if (as_json) put_quoted(&l, name);
        else put(&l, name);
        put(&l, as_json ? ":" : "=");
        if (as_json || strpbrk(value, " \"\\\n")) put_quoted(&l, value);
        else put(&l, value);
    }
    va_end(args);
    put(&l, as_json ? "}" : "");
    l.text[l.len++] = '\n';
    ssize_t n = write(STDERR_FILENO, l.text, l.len);
    (void)n; /* nowhere to complain to */
}
