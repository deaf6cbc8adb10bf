/* app: see app.h. */
#include "app.h"

static const char STRICT_FIELDS[] = "{\"text\":{\"type\":\"text\",\"required\":true,\"max\":40},\"done\":{\"type\":\"bool\",\"default\":false},"
                                    "\"created\":{\"type\":\"time\",\"auto\":\"created\"}}";
static const char LOOSE_FIELDS[] = "{\"text\":{\"type\":\"text\"},\"done\":{\"type\":\"text\"},\"created\":{\"type\":\"text\"}}";
static const char STRICT_TALLY[] = "{\"name\":{\"type\":\"text\",\"required\":true,\"max\":40},\"n\":{\"type\":\"counter\"}}";
static const char LOOSE_TALLY[] = "{\"name\":{\"type\":\"text\"},\"n\":{\"type\":\"int\"}}";

static const char REST[] =
    "\"routes\":[{\"path\":\"/\",\"template\":\"index\",\"title\":\"Sim\",\"description\":\"d\",\"lists\":{\"notes\":{\"from\":\"notes\",\"limit\":40,"
    "\"sort\":\"-created\"},\"tallies\":{\"from\":\"tallies\",\"limit\":40},\"board\":{\"from\":\"board\",\"limit\":40}},"
    "\"counts\":{\"notes\":{\"from\":\"notes\"},\"tallies\":{\"from\":\"tallies\"},\"board\":{\"from\":\"board\"}}}],"
    "\"actions\":[{\"path\":\"/notes\",\"do\":\"create\",\"in\":\"notes\",\"fields\":[\"text\"],\"then\":\"/\",\"failed\":\"/\"},"
    "{\"path\":\"/notes/:id\",\"do\":\"update\",\"in\":\"notes\",\"fields\":[\"text\",\"done\"],\"then\":\"/\",\"failed\":\"/\"},"
    "{\"path\":\"/notes/:id/delete\",\"do\":\"delete\",\"in\":\"notes\",\"then\":\"/\"},"
    "{\"path\":\"/tallies\",\"do\":\"create\",\"in\":\"tallies\",\"fields\":[\"name\"],\"then\":\"/\",\"failed\":\"/\"},"
    "{\"path\":\"/board\",\"do\":\"create\",\"in\":\"board\",\"fields\":[\"text\"],\"then\":\"/\",\"failed\":\"/\"}";
static const char STRICT_ACTIONS[] = ",{\"path\":\"/notes/:id/toggle\",\"do\":\"toggle\",\"in\":\"notes\",\"field\":\"done\",\"then\":\"/\"},"
                                     "{\"path\":\"/tallies/:id/count\",\"do\":\"increment\",\"in\":\"tallies\",\"field\":\"n\",\"by\":1,\"then\":\"/\"}]}";
static const char LOOSE_ACTIONS[] =
    ",{\"path\":\"/tallies/:id\",\"do\":\"update\",\"in\":\"tallies\",\"fields\":[\"name\",\"n\"],\"then\":\"/\",\"failed\":\"/\"}]}";
static const char INDEX[] = "<form><input name=op value={{op}}></form>{{counts.notes}} {{counts.tallies}} {{counts.board}}\n"
                            "{{#notes.items}}{{id}} {{text}}{{#done}} done{{/done}} {{created}}\n{{/notes.items}}"
                            "{{#tallies.items}}{{name}}={{n}}\n{{/tallies.items}}{{#board.items}}{{text}}\n{{/board.items}}";

void hf_sim_app_json(hf_buf *buf, hf_bytes owner, bool loose) {
    hf_buf_add_str(buf, "{\"name\":\"sim\",\"title\":\"Sim\",\"description\":\"d\",\"lang\":\"en\",\"collections\":{\"notes\":{\"write\":[\"*\"],\"fields\":");
    hf_buf_add_str(buf, loose ? LOOSE_FIELDS : STRICT_FIELDS);
    hf_buf_add_str(buf, "},\"tallies\":{\"write\":[\"*\"],\"fields\":");
    hf_buf_add_str(buf, loose ? LOOSE_TALLY : STRICT_TALLY);
    hf_buf_add_str(buf, "},\"board\":{\"write\":[\"");
    hf_buf_add(buf, owner);
    hf_buf_add_str(buf, "\"],\"fields\":{\"text\":{\"type\":\"text\",\"required\":true,\"max\":40}}}},");
    hf_buf_add_str(buf, REST);
    hf_buf_add_str(buf, loose ? LOOSE_ACTIONS : STRICT_ACTIONS);
}

void hf_sim_app_files(hf_bytes app_json, hf_file ret[HF_SIM_FILES]) {
    ret[0] = (hf_file){HF_TEXT("app.json"), app_json};
    ret[1] = (hf_file){HF_TEXT("templates/layout.mustache"), HF_TEXT("<html>{{{content}}}</html>")};
    ret[2] = (hf_file){HF_TEXT("templates/index.mustache"), HF_BYTES(INDEX, sizeof INDEX - 1)};
}
