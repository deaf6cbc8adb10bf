/* new: see new.h. @name@ and @title@ in the files below become the app's. */
#include "new.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { NAME_MAX_LEN = 32 };

static const struct file { const char *path, *text; } FILES[] = {
    {"app.json",
     "{\n"
     "  \"name\": \"@name@\",\n"
     "  \"title\": \"@title@\",\n"
     "  \"description\": \"Made with holdfast new.\",\n"
     "  \"lang\": \"en\",\n"
     "  \"themeColor\": \"#0f766e\",\n"
     "  \"backgroundColor\": \"#ffffff\",\n"
     "  \"collections\": {\n"
     "    \"notes\": {\n"
     "      \"write\": [\"*\"],\n"
     "      \"fields\": {\n"
     "        \"text\":    {\"type\": \"text\", \"label\": \"Note\", \"required\": true, \"max\": 500},\n"
     "        \"created\": {\"type\": \"time\", \"auto\": \"created\"}\n"
     "      }\n"
     "    }\n"
     "  },\n"
     "  \"routes\": [\n"
     "    {\n"
     "      \"path\": \"/\", \"template\": \"index\", \"title\": \"@title@\", \"description\": \"Made with holdfast new.\",\n"
     "      \"lists\": {\"notes\": {\"from\": \"notes\", \"sort\": \"-created\", \"limit\": 100}},\n"
     "      \"sitemap\": true\n"
     "    }\n"
     "  ],\n"
     "  \"actions\": [\n"
     "    {\"path\": \"/notes\", \"do\": \"create\", \"in\": \"notes\", \"fields\": [\"text\"], \"then\": \"/\", \"failed\": \"/\"},\n"
     "    {\"path\": \"/notes/:id/delete\", \"do\": \"delete\", \"in\": \"notes\", \"then\": \"/\"}\n"
     "  ]\n"
     "}\n"},
    {"templates/layout.mustache",
     "<!doctype html>\n"
     "<html lang=\"{{app.lang}}\" data-mode=\"server\" data-peers=\"0\" data-pending=\"0\">\n"
     "<head>\n"
     "{{{page.head}}}\n"
     "</head>\n"
     "<body>\n"
     "<main id=\"main\">\n"
     "{{{content}}}\n"
     "</main>\n"
     "</body>\n"
     "</html>\n"},
    {"templates/index.mustache",
     "<h1>{{app.title}}</h1>\n"
     "<form id=\"new\" method=\"post\" action=\"/notes\">\n"
     "<input type=\"hidden\" name=\"op\" value=\"{{op}}\">\n"
     "<p><label for=\"new-text\">{{fields.notes.text.label}}</label>\n"
     "<input id=\"new-text\" name=\"text\" required maxlength=\"500\" autocomplete=\"off\" value=\"{{form.text}}\">\n"
     "{{#errors.text}}<strong id=\"new-text-error\">{{errors.text}}</strong>{{/errors.text}}</p>\n"
     "<button>Add</button>\n"
     "</form>\n"
     "{{^notes.empty}}\n"
     "<form method=\"post\">\n"
     "<input type=\"hidden\" name=\"op\" value=\"{{op}}\">\n"
     "<ul>\n"
     "{{#notes.items}}\n"
     "<li id=\"note-{{id}}\"><span dir=\"auto\">{{text}}</span> <button formaction=\"/notes/{{id}}/delete\" aria-label=\"Delete {{text}}\">Delete</button></li>\n"
     "{{/notes.items}}\n"
     "</ul>\n"
     "</form>\n"
     "{{/notes.empty}}\n"
     "{{#notes.empty}}\n"
     "<p>Nothing here yet.</p>\n"
     "{{/notes.empty}}\n"},
    {"templates/error.mustache",
     "<h1>{{page.title}}</h1>\n"
     "<p>{{page.description}}</p>\n"
     "<p><a href=\"/\">{{app.title}}</a></p>\n"},
    {"static/app.css",
     ":root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }\n"
     "body { max-width: 40rem; margin: 0 auto; padding: 1rem; }\n"
     "label { display: block; }\n"
     "input { font: inherit; box-sizing: border-box; width: 100%; padding: .5rem; }\n"
     "button { font: inherit; padding: .25rem .75rem; }\n"
     "ul { list-style: none; padding: 0; }\n"
     "li { display: flex; gap: 1rem; align-items: baseline; justify-content: space-between; padding: .25rem 0; }\n"
     "strong { color: #b91c1c; }\n"},
};

static bool is_name(const char *name) {
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return len && len <= NAME_MAX_LEN && !name[len] && name[0] >= 'a' && name[0] <= 'z';
}

static void write_text(FILE *f, const char *text, const char *name) {
    for (; *text; text++) {
        if (!strncmp(text, "@name@", 6)) fputs(name, f), text += 5;
        else if (!strncmp(text, "@title@", 7)) fputc(name[0] - 'a' + 'A', f), fputs(name + 1, f), text += 6;
        else fputc(*text, f);
    }
}

static bool write_file(const char *name, const struct file *file) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", name, file->path);
    FILE *f = fopen(path, "wx");
    if (!f) return false;
    write_text(f, file->text, name);
    bool ok = !ferror(f);
    return !fclose(f) && ok;
}

static bool make_folders(const char *name) {
    char path[256];
    if (mkdir(name, 0777)) return false;
    snprintf(path, sizeof path, "%s/templates", name);
    if (mkdir(path, 0777)) return false;
    snprintf(path, sizeof path, "%s/static", name);
    return !mkdir(path, 0777);
}

int hf_new_app(int argc, char **argv) {
    if (argc != 1 || !is_name(argv[0])) {
        fprintf(stderr, "holdfast: new NAME: expected one name of a-z, 0-9 and -, a letter first, at most 32\n");
        return 2;
    }
    const char *name = argv[0];
    bool ok = make_folders(name);
    for (size_t i = 0; ok && i < sizeof FILES / sizeof *FILES; i++) ok = write_file(name, &FILES[i]);
    if (!ok) {
        fprintf(stderr, "holdfast: new %s: %s\n", name, errno == EEXIST ? "a folder of that name exists" : strerror(errno));
        return 1;
    }
    printf("%s is an app. Run it:\n\n  holdfast serve %s\n", name, name);
    return 0;
}
