/* db_line: what a line of an import must hold, by type of database. */
#include "db_line.h"

#include "../tests/kit/check.h"

static const char *read_line(const char *text, bool documents, hf_db_line *ret) { return hf_db_line_read(hf_test_arena(), hf_str(text), false, documents, ret); }

HF_TEST(db_line_finds_the_field_that_a_documents_key_is_in) {
    hf_db_line line;
    CHECK(!read_line("{\"key\":\"a\",\"value\":{\"_id\":\"a\",\"n\":1}}", true, &line) && !line.field.len);
    CHECK(!read_line("{\"key\":\"b\",\"value\":{\"_id\":\"a\",\"n\":\"b\"}}", true, &line));
    CHECK_BYTES(line.field, HF_TEXT("n"));
    CHECK(!read_line("{\"value\":{\"_id\":\"a\"}}", true, &line) && !line.key);
}

/* Whatever is no text reads as an empty one: it is no empty key all the same. */
HF_TEST(db_line_refuses_documents_without_their_key) {
    hf_db_line line;
    CHECK(read_line("{\"key\":\"\",\"value\":{\"k\":5}}", true, &line));
    CHECK(read_line("{\"key\":\"\",\"value\":{\"_id\":5}}", true, &line));
    CHECK(read_line("{\"key\":\"c\",\"value\":{\"_id\":\"a\"}}", true, &line));
    CHECK(read_line("{\"key\":\"c\",\"value\":[\"c\"]}", true, &line));
    CHECK(read_line("{\"value\":{\"n\":1}}", true, &line));
    CHECK(!read_line("{\"key\":\"\",\"value\":{\"k\":\"\"}}", true, &line));
    CHECK_BYTES(line.field, HF_TEXT("k"));
}

HF_TEST(db_line_asks_key_values_for_a_text_key) {
    hf_db_line line;
    CHECK(!read_line("{\"key\":\"a\",\"value\":5}", false, &line));
    CHECK(read_line("{\"key\":5,\"value\":5}", false, &line) && read_line("{\"value\":5}", false, &line) && read_line("[]", false, &line));
}
