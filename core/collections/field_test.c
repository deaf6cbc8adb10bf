/* The rules of each field type, for values and for what forms send. */
#include "test_tools.h"

static const char FIELDS[] =
    "'any':{'type':'text'},'must':{'type':'text','required':true,'max':5},'some':{'type':'text','min':2,'max':4},"
    "'note':{'type':'text','multiline':true},'flag':{'type':'bool'},'int':{'type':'int','min':-5,'max':10},"
    "'all':{'type':'int'},'real':{'type':'number','max':1.5},'free':{'type':'number'},'time':{'type':'time'},"
    "'late':{'type':'time','min':1000},'kind':{'type':'choice','choices':['red','green']},"
    "'hits':{'type':'counter'},'yes':{'type':'bool','required':true},'sure':{'type':'int','required':true},"
    "'pick':{'type':'choice','choices':['x'],'required':true},'dull':{'type':'text','default':'grey'}";

static const hf_field *field_of(const hf_schema *schema, const char *name) {
    size_t i = hf_schema_field(schema, hf_str(name));
    CHECK_MSG(i != SIZE_MAX, "no field %s", name);
    return &schema->fields[i];
}

static bool same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

HF_TEST(field_refuses_values) {
    static const struct {
        const char *field, *json, *refusal;
    } cases[] = {
        {"any", "''", NULL},
        {"any", "'  '", NULL},
        {"any", "null", NULL},
        {"any", "'\\u20ac'", NULL},
        {"any", "5", "is not text"},
        {"any", "['a']", "is not text"},
        {"any", "{'a':1}", "is not text"},
        {"any", "'a\\tb'", "contains control characters"},
        {"any", "'a\\nb'", "contains control characters"},
        {"any", "'\\u0000'", "contains control characters"},
        {"any", "'\\u007f'", "contains control characters"},
        {"any", "'\\u0085'", "contains control characters"},
        {"any", "'\\u2028'", "contains control characters"},
        {"any", "'\\u0090'", "contains control characters"},
        {"any", "'\\u00a0'", NULL},
        {"must", "'12345'", NULL},
        {"must", "'123456'", "is longer than allowed"},
        {"must", "'\\u00e9\\u20ac\\ud83d\\ude00xx'", NULL},
        {"must", "'\\u00e9\\u20ac\\ud83d\\ude00xxx'", "is longer than allowed"},
        {"must", "''", "is required"},
        {"must", "null", "is required"},
        {"must", "' '", "is required"},
        {"must", "'\\u3000\\u00a0'", "is required"},
        {"some", "'ab'", NULL},
        {"some", "'a'", "is shorter than allowed"},
        {"some", "'\\ud83d\\ude00'", "is shorter than allowed"},
        {"some", "''", NULL},
        {"some", "'abcd'", NULL},
        {"some", "'abcde'", "is longer than allowed"},
        {"note", "'a\\nb\\tc'", NULL},
        {"note", "'a\\rb'", "contains control characters"},
        {"note", "'a\\u0001'", "contains control characters"},
        {"flag", "true", NULL},
        {"flag", "null", NULL},
        {"flag", "1", "is not yes or no"},
        {"flag", "'true'", "is not yes or no"},
        {"yes", "false", NULL},
        {"yes", "null", "is required"},
        {"int", "-5", NULL},
        {"int", "10", NULL},
        {"int", "3.0", NULL},
        {"int", "-6", "is smaller than allowed"},
        {"int", "11", "is larger than allowed"},
        {"int", "0.5", "is not a whole number"},
        {"int", "'3'", "is not a whole number"},
        {"int", "true", "is not a whole number"},
        {"all", "9007199254740992", NULL},
        {"all", "-9007199254740992", NULL},
        {"all", "9007199254740993", "is not a whole number"},
        {"all", "-9007199254740993", "is not a whole number"},
        {"all", "1e300", "is not a whole number"},
        {"real", "1.5", NULL},
        {"real", "-1e300", NULL},
        {"real", "1", NULL},
        {"real", "1.5000001", "is larger than allowed"},
        {"real", "'1'", "is not a number"},
        {"real", "false", "is not a number"},
        {"free", "9007199254740993", "is not a number"},
        {"free", "1e300", NULL},
        {"time", "0", NULL},
        {"time", "-1", NULL},
        {"time", "8640000000000000", NULL},
        {"time", "8640000000000001", "is not a date and time"},
        {"time", "'2024-01-01'", "is not a date and time"},
        {"time", "1.5", "is not a date and time"},
        {"late", "999", "is smaller than allowed"},
        {"kind", "'red'", NULL},
        {"kind", "null", NULL},
        {"kind", "'Red'", "is not one of the choices"},
        {"kind", "''", "is not one of the choices"},
        {"kind", "1", "is not one of the choices"},
        {"pick", "null", "is required"},
        {"hits", "-4", NULL},
        {"hits", "null", "is required"},
        {"hits", "0.5", "is not a whole number"},
    };
    const hf_schema *schema = schema_of(FIELDS);
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_value value = json_value(cases[i].json);
        const char *got = hf_field_refuses(field_of(schema, cases[i].field), &value);
        CHECK_MSG(same_text(got, cases[i].refusal), "%s = %s: %s", cases[i].field, cases[i].json,
                  got ? got : "accepted");
    }
}

/* What JSON cannot say. */
HF_TEST(field_refuses_strange_values) {
    const hf_schema *schema = schema_of(FIELDS);
    hf_value broken = hf_value_text(HF_BYTES("a\xff", 2)), bytes = hf_value_bytes(HF_TEXT("a")),
             nan = hf_value_float(__builtin_nan(""));
    hf_value infinity = hf_value_float(__builtin_inf()), huge = hf_value_u64(UINT64_MAX),
             low = {.kind = HF_INT, .negative = true, .as.u = UINT64_MAX};
    CHECK(hf_field_refuses(field_of(schema, "any"), &broken) != NULL);
    CHECK(hf_field_refuses(field_of(schema, "any"), &bytes) != NULL);
    CHECK(hf_field_refuses(field_of(schema, "kind"), &bytes) != NULL);
    const char *const numeric[] = {"all", "free", "time", "hits"};
    for (size_t i = 0; i < HF_COUNT(numeric); i++) {
        const hf_field *field = field_of(schema, numeric[i]);
        CHECK(hf_field_refuses(field, &nan) && hf_field_refuses(field, &infinity) && hf_field_refuses(field, &huge) &&
              hf_field_refuses(field, &low));
    }
}

/* `json`: the value that comes out; NULL when `refusal` does. */
static const struct form {
    const char *field, *text, *json, *refusal;
} FORMS[] = {
    {"any", "  hello  world\t", "'hello  world'", NULL},
    {"any", "", "''", NULL},
    {"any", " \r\n\t ", "''", NULL},
    {"any", "a\r\nb\nc\rd\te", "'a b c d e'", NULL},
    {"any",
     "a\xe2\x80\xa8"
     "b\xc2\x85"
     "c",
     "'a b c'", NULL},
    {"any", "\xc2\xa0\xe3\x80\x80x\xe2\x80\x83", "'x'", NULL},
    {"any",
     "a\x01"
     "b",
     NULL, "contains control characters"},
    {"any", "a\x7f", NULL, "contains control characters"},
    {"any", "a\xff", NULL, "is not text"},
    {"any", "\xed\xa0\x80", NULL, "is not text"},
    {"must", "", NULL, "is required"},
    {"must", " \xc2\xa0 ", NULL, "is required"},
    {"must", "  12345  ", "'12345'", NULL},
    {"must", "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", "'\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9'", NULL},
    {"must", "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", NULL, "is longer than allowed"},
    {"must", "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80",
     "'\\ud83d\\ude00\\ud83d\\ude00\\ud83d\\ude00\\ud83d\\ude00\\ud83d\\ude00'", NULL},
    {"some", "a", NULL, "is shorter than allowed"},
    {"dull", "", "''", NULL},
    {"note", "a\r\nb\n\nc\rd\te\r\n", "'a\\nb\\n\\nc\\nd\\te'", NULL},
    {"note",
     "a\xe2\x80\xa9"
     "b",
     "'a\\nb'", NULL},
    {"note", "a\x1b[0m", NULL, "contains control characters"},
    {"flag", "on", "true", NULL},
    {"flag", "true", "true", NULL},
    {"flag", "1", "true", NULL},
    {"flag", " on ", "true", NULL},
    {"flag", "", "false", NULL},
    {"flag", "off", "false", NULL},
    {"flag", "false", "false", NULL},
    {"flag", "0", "false", NULL},
    {"flag", "yes", NULL, "is not yes or no"},
    {"flag", "ON", NULL, "is not yes or no"},
    {"yes", "", "false", NULL},
    {"int", "7", "7", NULL},
    {"int", " -5 ", "-5", NULL},
    {"int", "", "null", NULL},
    {"int", "11", NULL, "is larger than allowed"},
    {"int", "0.5", NULL, "is not a whole number"},
    {"int", "3.0", NULL, "is not a whole number"},
    {"int", "seven", NULL, "is not a whole number"},
    {"int", "07", NULL, "is not a whole number"},
    {"int", "+7", NULL, "is not a whole number"},
    {"int", "7 7", NULL, "is not a whole number"},
    {"int", "0x7", NULL, "is not a whole number"},
    {"int", "[7]", NULL, "is not a whole number"},
    {"int", "null", NULL, "is not a whole number"},
    {"int", "\"7\"", NULL, "is not a whole number"},
    {"sure", "", NULL, "is required"},
    {"all", "99999999999999999999", NULL, "is not a whole number"},
    {"all", "9007199254740993", NULL, "is not a whole number"},
    {"real", "1.5", "1.5", NULL},
    {"real", "-2e3", "-2000", NULL},
    {"real", "1", "1", NULL},
    {"real", "2", NULL, "is larger than allowed"},
    {"real", "1,5", NULL, "is not a number"},
    {"real", "inf", NULL, "is not a number"},
    {"real", "nan", NULL, "is not a number"},
    {"real", "-1e999", NULL, "is not a number"},
    {"real", ".5", NULL, "is not a number"},
    {"free", "9007199254740993", "9007199254740992.0", NULL},
    {"free", "-9007199254740993", "-9007199254740992.0", NULL},
    {"kind", "green", "'green'", NULL},
    {"kind", "", "null", NULL},
    {"kind", "blue", NULL, "is not one of the choices"},
    {"pick", "", NULL, "is required"},
    {"hits", "3", "3", NULL},
    {"hits", "", NULL, "is required"},
    {"hits", "x", NULL, "is not a whole number"},
    {"time", "0", "0", NULL},
    {"time", "1700000000000", "1700000000000", NULL},
    {"time", "-1", "-1", NULL},
    {"time", "", "null", NULL},
    {"time", "1970-01-01T00:00:00Z", "0", NULL},
    {"time", "2024-02-29T12:34:56Z", "1709210096000", NULL},
    {"time", "2024-02-29t12:34:56z", "1709210096000", NULL},
    {"time", "2024-02-29 12:34:56Z", "1709210096000", NULL},
    {"time", "2024-02-29T12:34:56.789Z", "1709210096789", NULL},
    {"time", "2024-02-29T12:34:56.7Z", "1709210096700", NULL},
    {"time", "2024-02-29T12:34:56.789999999Z", "1709210096789", NULL},
    {"time", "2024-02-29T14:34:56+02:00", "1709210096000", NULL},
    {"time", "2024-02-29T07:04:56-05:30", "1709210096000", NULL},
    {"time", "2024-02-29T12:34", "1709210040000", NULL},
    {"time", "2024-02-29", "1709164800000", NULL},
    {"time", "1990-12-31T23:59:60Z", "662688000000", NULL},
    {"time", "1937-01-01T12:00:27.87+00:20", "-1041337172130", NULL},
    {"time", "0000-01-01T00:00:00Z", "-62167219200000", NULL},
    {"time", "0000-12-31T00:00:00Z", "-62135683200000", NULL},
    {"time", "0001-01-01T00:00:00Z", "-62135596800000", NULL},
    {"time", "9999-12-31T23:59:59.999Z", "253402300799999", NULL},
    {"time", "2100-03-01", "4107542400000", NULL},
    {"time", "2023-02-29", NULL, "is not a date and time"},
    {"time", "2100-02-29", NULL, "is not a date and time"},
    {"time", "2024-13-01", NULL, "is not a date and time"},
    {"time", "2024-00-01", NULL, "is not a date and time"},
    {"time", "2024-01-00", NULL, "is not a date and time"},
    {"time", "2024-1-1", NULL, "is not a date and time"},
    {"time", "2024-01-01T", NULL, "is not a date and time"},
    {"time", "2024-01-01T24:00", NULL, "is not a date and time"},
    {"time", "2024-01-01T12:60", NULL, "is not a date and time"},
    {"time", "2024-01-01T12:00:61Z", NULL, "is not a date and time"},
    {"time", "2024-01-01T12:00:00.Z", NULL, "is not a date and time"},
    {"time", "2024-01-01T12:00:00+2", NULL, "is not a date and time"},
    {"time", "2024-01-01T12:00:00+24:00", NULL, "is not a date and time"},
    {"time", "2024-01-01T12:00:00Zx", NULL, "is not a date and time"},
    {"time", "2024-01-01x12:00", NULL, "is not a date and time"},
    {"time", "tomorrow", NULL, "is not a date and time"},
    {"time", "1.5", NULL, "is not a date and time"},
    {"time", "8640000000000001", NULL, "is not a date and time"},
    {"late", "1970-01-01T00:00:00Z", NULL, "is smaller than allowed"},
};

HF_TEST(field_parses_forms) {
    const hf_schema *schema = schema_of(FIELDS);
    for (size_t i = 0; i < HF_COUNT(FORMS); i++) {
        const hf_field *field = field_of(schema, FORMS[i].field);
        hf_value got = hf_value_bool(true), want = json_value(FORMS[i].json ? FORMS[i].json : "null");
        const char *refusal = "not set";
        CHECK_ERR(hf_field_parse(hf_test_arena(), field, hf_str(FORMS[i].text), &got, &refusal), HF_OK);
        CHECK_MSG(same_text(refusal, FORMS[i].refusal), "%s = \"%s\": %s", FORMS[i].field, FORMS[i].text,
                  refusal ? refusal : "accepted");
        CHECK_MSG(hf_value_eq(&got, &want), "%s = \"%s\": another value than %s", FORMS[i].field, FORMS[i].text,
                  FORMS[i].json ? FORMS[i].json : "null");
        if (!refusal) CHECK(hf_field_refuses(field, &got) == NULL);
    }
}

/* Each day over four centuries, against counting. */
HF_TEST(field_knows_the_calendar) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const hf_schema *schema = schema_of("'t':{'type':'time'}");
    int64_t day = 0;
    for (int year = 1970; year < 2370; year++)
        for (int month = 1; month <= 12; month++) {
            bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            for (int d = 1; d <= days[month - 1] + (month == 2 && leap); d++, day++) {
                char text[] = "0000-00-00";
                for (int i = 3, y = year; i >= 0; i--, y /= 10) text[i] = (char)('0' + y % 10);
                text[5] = (char)('0' + month / 10), text[6] = (char)('0' + month % 10);
                text[8] = (char)('0' + d / 10), text[9] = (char)('0' + d % 10);
                hf_value got;
                const char *refusal;
                CHECK_ERR(hf_field_parse(hf_test_arena(), &schema->fields[0], hf_str(text), &got, &refusal), HF_OK);
                CHECK_MSG(!refusal && hf_value_as_i64(&got, -1) == day * 86400000, "%s", text);
            }
        }
}

HF_TEST(field_survives_no_memory) {
    const hf_schema *schema = schema_of(FIELDS);
    static const char *const names[] = {"any", "real"}, *const texts[] = {"some text that wants a place", "1.25"};
    for (size_t i = 0; i < HF_COUNT(names); i++) {
        hf_arena arena;
        hf_arena_init(&arena, hf_test_mem());
        hf_value got;
        const char *refusal;
        hf_err err = HF_NOMEM;
        for (size_t n = 1; err; n++) {
            hf_test_mem_fail_at(n);
            err = hf_field_parse(&arena, field_of(schema, names[i]), hf_str(texts[i]), &got, &refusal);
            CHECK(!err || err == HF_NOMEM);
            CHECK(!err || hf_test_mem_failed());
        }
        hf_test_mem_fail_at(0);
        CHECK(!refusal);
        hf_arena_deinit(&arena);
    }
}
