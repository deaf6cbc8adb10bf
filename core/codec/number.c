/* number: see number.h. Printing is Steele and White's free-format algorithm as Burger and Dybvig give it ("Printing
 * Floating-Point Numbers Quickly and Accurately", 1996, figure 1), reading is one exact division. Both in plain big
 * integers: a few microseconds, and nothing to prove about error terms. Numbers that doubles hold exactly take
 * shortcuts. */
#include "number.h"

#include "big.h"

#include <string.h>

static const uint64_t HIDDEN = (uint64_t)1 << 52; /* the mantissa's leading 1, which a normal double does not store */
enum { EXPONENT_MIN = -1074, EXPONENT_INF = 2047, BIAS = 1075 }; /* value = mantissa * 2^(field - BIAS) */

/* Powers of ten that a double holds exactly. */
static const double POW10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                               1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* ---- printing ---- */

typedef struct digits {
    uint8_t d[20];
    int n, point; /* 0.d1d2d3… * 10^point */
} digits;

/* The number r/s lies between its neighbours' midpoints (r - minus)/s and (r + plus)/s, all times a power of ten. A
 * midpoint itself reads back as this number only when the mantissa is even. */
typedef struct scaled {
    hf_big r, s, plus, minus;
    bool even;
} scaled;

static void scale_binary(scaled *x, uint64_t mantissa, int exponent) {
    bool narrow_below = mantissa == HIDDEN && exponent > EXPONENT_MIN; /* the neighbour below is half as far */
    uint32_t up = exponent > 0 ? (uint32_t)exponent : 0, down = exponent < 0 ? (uint32_t)-exponent : 0;
    x->even = mantissa % 2 == 0;
    hf_big_set(&x->r, mantissa);
    hf_big_set(&x->s, 1);
    hf_big_set(&x->plus, 1);
    hf_big_set(&x->minus, 1);
    hf_big_shl(&x->r, up + 1 + narrow_below);
    hf_big_shl(&x->s, down + 1 + narrow_below);
    hf_big_shl(&x->plus, up + narrow_below);
    hf_big_shl(&x->minus, up);
}

static bool reaches_next(const scaled *x) {
    int c = hf_big_cmp_sum(&x->r, &x->plus, &x->s);
    return x->even ? c >= 0 : c > 0;
}

static bool reaches_below(const scaled *x) {
    int c = hf_big_cmp(&x->r, &x->minus);
    return x->even ? c <= 0 : c < 0;
}

static void times_pow10(scaled *x, uint32_t exponent) {
    hf_big_mul_pow10(&x->r, exponent);
    hf_big_mul_pow10(&x->plus, exponent);
    hf_big_mul_pow10(&x->minus, exponent);
}

/* floor(x * log10(2)) for |x| < 1200: no such product lies nearer to an integer than the constant's error. */
static int floor_log10_pow2(int x) {
    int64_t product = (int64_t)x * 315653, unit = 1 << 20;
    return (int)((product >= 0 ? product : product - unit + 1) / unit);
}

/* Scales by a power of ten so that 0.1 <= (r + plus)/s <= 1, then once more by 10 for the first digit; returns the
 * power. */
static int scale_decimal(scaled *x, int log2) {
    int point = floor_log10_pow2(log2) + 1;
    if (point >= 0) hf_big_mul_pow10(&x->s, (uint32_t)point);
    else times_pow10(x, (uint32_t)-point);
    if (reaches_next(x)) return point + 1;
    times_pow10(x, 1);
    return point;
}

static uint8_t next_digit(scaled *x) {
    uint8_t d = 0;
    for (; hf_big_cmp(&x->r, &x->s) >= 0; d++) hf_big_sub(&x->r, &x->s);
    return d;
}

/* Both this digit and the next one up read back: take the nearer, and of two equally near the even. */
static bool nearer_up(const scaled *x, uint8_t d) {
    int c = hf_big_cmp_sum(&x->r, &x->r, &x->s);
    return c > 0 || (c == 0 && d % 2 == 1);
}

static void shortest(uint64_t mantissa, int exponent, digits *ret) {
    scaled x;
    scale_binary(&x, mantissa, exponent);
    ret->point = scale_decimal(&x, exponent + 63 - __builtin_clzll(mantissa));
    for (ret->n = 0;;) {
        uint8_t d = next_digit(&x);
        bool below = reaches_below(&x), next = reaches_next(&x);
        if (next && (!below || nearer_up(&x, d))) d++;
        ret->d[ret->n++] = d;
        if (below || next) return;
        times_pow10(&x, 1);
    }
}

static void digits_of_integer(uint64_t u, digits *ret) {
    uint8_t reversed[20];
    int n = 0;
    for (; u; u /= 10) reversed[n++] = (uint8_t)(u % 10);
    ret->point = n;
    ret->n = 0;
    while (n > 0) ret->d[ret->n++] = reversed[--n];
}

/* Everyday numbers: an integer, or one with a few decimals. No two texts of up to 15 digits are read as the same
 * double, so when such a text is read as this one, it is the shortest. */
static bool few_digits(double f, digits *ret) {
    if (f < 9007199254740992.0 && (double)(uint64_t)f == f) {
        digits_of_integer((uint64_t)f, ret);
        return true;
    }
    for (int k = 1; k <= 6 && f * POW10[k] < 1e15; k++) {
        uint64_t scaled_up = (uint64_t)(f * POW10[k] + 0.5);
        if ((double)scaled_up / POW10[k] != f) continue; /* both exact, so this is what reading it gives */
        digits_of_integer(scaled_up, ret);
        ret->point -= k;
        return true;
    }
    return false;
}

typedef struct out { char *p; size_t n; } out;

static void put(out *o, char c) { o->p[o->n++] = c; }
static void put_digits(out *o, const digits *x, int from, int to) {
    for (int i = from; i < to; i++) put(o, i < x->n ? (char)('0' + x->d[i]) : '0');
}

static void put_exponent(out *o, int e) {
    put(o, 'e');
    put(o, e < 0 ? '-' : '+');
    if (e < 0) e = -e;
    if (e >= 100) put(o, (char)('0' + e / 100));
    if (e >= 10) put(o, (char)('0' + e / 10 % 10));
    put(o, (char)('0' + e % 10));
}

/* ECMA-262 Number::toString, steps 6 to 12, with n = point and k = n digits. */
static void put_number(out *o, const digits *x) {
    if (x->point > 21 || x->point <= -6) {
        put_digits(o, x, 0, 1);
        if (x->n > 1) put(o, '.');
        put_digits(o, x, 1, x->n);
        put_exponent(o, x->point - 1);
    } else if (x->point > 0) {
        put_digits(o, x, 0, x->point);
        if (x->n > x->point) put(o, '.');
        put_digits(o, x, x->point, x->n);
    } else {
        put(o, '0');
        put(o, '.');
        for (int i = x->point; i < 0; i++) put(o, '0');
        put_digits(o, x, 0, x->n);
    }
}

static size_t put_word(out *o, const char *word) {
    while (*word) put(o, *word++);
    return o->n;
}

size_t hf_number_print(double f, char ret[HF_NUMBER_TEXT_MAX]) {
    out o = {ret, 0};
    if (f != f) return put_word(&o, "NaN");
    if (f == 0) return put_word(&o, "0");
    uint64_t bits;
    memcpy(&bits, &f, sizeof bits);
    if (bits >> 63) put(&o, '-');
    uint64_t mantissa = bits & (HIDDEN - 1);
    int field = (int)(bits >> 52 & EXPONENT_INF);
    if (field == EXPONENT_INF) return put_word(&o, "Infinity");
    digits x;
    if (!few_digits(f < 0 ? -f : f, &x))
        shortest(field ? mantissa | HIDDEN : mantissa, field ? field - BIAS : EXPONENT_MIN, &x);
    put_number(&o, &x);
    return o.n;
}

/* ---- reading ---- */

/* Between two doubles lies a midpoint of at most 767 digits; what comes after can only say "and a bit more". */
enum { DIGITS_MAX = 770, POINT_MAX = 310, POINT_MIN = -330, EXPONENT_CLAMP = 100000000 };

typedef struct decimal {
    uint64_t head;   /* the first 19 significant digits */
    size_t n_head, n; /* significant digits in head, and in all that are kept */
    hf_bytes text;   /* where they stand, with the point among them */
    int64_t exponent; /* of the last kept digit */
    bool more;       /* non-zero digits were cut off */
} decimal;

static bool is_digit(hf_bytes s, size_t i) { return i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; }

static void take_digit(decimal *x, uint8_t d, bool after_point) {
    if (x->n == DIGITS_MAX) {
        x->more |= d != 0;
        x->exponent += !after_point;
        return;
    }
    x->exponent -= after_point;
    if (x->n == 0 && d == 0) return;
    x->n++;
    if (x->n > 19) return;
    x->head = x->head * 10 + d;
    x->n_head++;
}

/* int = "0" / ( digit1-9 *DIGIT ); returns where it ends, or 0 when there is none. */
static size_t scan_integer(decimal *x, size_t at) {
    size_t from = at;
    for (; is_digit(x->text, at); at++) take_digit(x, x->text.ptr[at] - '0', false);
    return at == from || (x->text.ptr[from] == '0' && at > from + 1) ? 0 : at;
}

static size_t scan_fraction(decimal *x, size_t at) {
    if (at >= x->text.len || x->text.ptr[at] != '.') return at;
    size_t from = ++at;
    for (; is_digit(x->text, at); at++) take_digit(x, x->text.ptr[at] - '0', true);
    return at == from ? 0 : at;
}

static size_t scan_exponent(decimal *x, size_t at) {
    hf_bytes s = x->text;
    if (at >= s.len || (s.ptr[at] | 0x20) != 'e') return at;
    at++;
    bool negative = at < s.len && s.ptr[at] == '-';
    if (negative || (at < s.len && s.ptr[at] == '+')) at++;
    size_t from = at;
    int64_t e = 0;
    for (; is_digit(s, at); at++)
        if (e < EXPONENT_CLAMP) e = e * 10 + (s.ptr[at] - '0');
    x->exponent += negative ? -e : e;
    return at == from ? 0 : at;
}

/* Mantissa and sticky remainder -> the double, rounded to nearest even. The value is (q + less than one) * 2^k. */
static double assemble(uint64_t q, int k, bool sticky) {
    int n_bits = q ? 64 - __builtin_clzll(q) : 0, drop = n_bits - 53;
    if (drop < EXPONENT_MIN - k) drop = EXPONENT_MIN - k;
    HF_ASSERT(drop >= 1);
    uint64_t half = (uint64_t)1 << (drop - 1), rest = q & (2 * half - 1), m = q >> drop;
    if (rest > half || (rest == half && (sticky || m % 2 == 1))) m++;
    int field = k + drop + BIAS < EXPONENT_INF ? k + drop + BIAS : EXPONENT_INF;
    /* A carry out of the mantissa, or from subnormal to normal, moves into the exponent by itself. EXPONENT_INF
     * makes an infinity or a NaN, either of which is no number within the range. */
    uint64_t bits = m < HIDDEN ? m : ((uint64_t)field << 52) + (m - HIDDEN);
    double f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* floor(num / den), known to be below 2^56; num becomes the remainder. */
static uint64_t divide(hf_big *num, hf_big *den) {
    uint64_t q = 0;
    hf_big_shl(den, 55);
    for (int i = 0; i < 56; i++) {
        q <<= 1;
        if (hf_big_cmp(num, den) >= 0) {
            hf_big_sub(num, den);
            q |= 1;
        }
        hf_big_shl(num, 1);
    }
    return q;
}

static void gather(const decimal *x, hf_big *ret) {
    size_t n = 0;
    hf_big_set(ret, 0);
    for (size_t i = 0; n < x->n; i++) {
        if (!is_digit(x->text, i) || (n == 0 && x->text.ptr[i] == '0')) continue;
        hf_big_mul_add(ret, 10, x->text.ptr[i] - '0');
        n++;
    }
}

static double nearest(const decimal *x) {
    hf_big num, den;
    gather(x, &num);
    hf_big_set(&den, 1);
    if (x->exponent >= 0) hf_big_mul_pow10(&num, (uint32_t)x->exponent);
    else hf_big_mul_pow10(&den, (uint32_t)-x->exponent);
    /* num/den is within a factor of two of 2^log2; with this k the quotient has 54 or 55 bits, fewer where doubles
     * get coarse. */
    int log2 = (int)hf_big_bits(&num) - (int)hf_big_bits(&den), k = log2 - 54;
    if (k < EXPONENT_MIN - 1) k = EXPONENT_MIN - 1;
    hf_big_shl(k > 0 ? &den : &num, (uint32_t)(k > 0 ? k : -k));
    uint64_t q = divide(&num, &den);
    return assemble(q, k, num.n != 0 || x->more);
}

static hf_err value_of(const decimal *x, double *ret) {
    int64_t point = (int64_t)x->n + x->exponent;
    if (x->n == 0 || point < POINT_MIN) *ret = 0;
    else if (point > POINT_MAX) return HF_LIMIT;
    /* Both operands exact, so IEEE's one rounding is the right one. */
    else if (x->n == x->n_head && x->head < 2 * HIDDEN && x->exponent >= 0 && x->exponent <= 22)
        *ret = (double)x->head * POW10[x->exponent];
    else if (x->n == x->n_head && x->head < 2 * HIDDEN && x->exponent < 0 && x->exponent >= -22)
        *ret = (double)x->head / POW10[-x->exponent];
    else *ret = nearest(x);
    return *ret <= 1.7976931348623157e308 ? HF_OK : HF_LIMIT;
}

hf_err hf_number_parse(hf_bytes text, double *ret) {
    bool negative = text.len && text.ptr[0] == '-';
    decimal x = {.text = hf_sub(text, negative, text.len)};
    size_t at = scan_integer(&x, 0);
    if (at) at = scan_fraction(&x, at);
    if (at) at = scan_exponent(&x, at);
    if (!at || at != x.text.len) return HF_MALFORMED;
    double f;
    hf_err err = value_of(&x, &f);
    if (!err) *ret = negative ? -f : f;
    return err;
}
