/* JSON, texts in the making, logarithms: conveniences over plain C. */
#include "internal.h"

/* ---- reading JSON ------------------------------------------------------- */

static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

static const char *skip_space(const char *p, const char *end) {
    while (p < end && is_space(*p)) p++;
    return p;
}

/* Behind the string that starts at `p`. */
static const char *skip_string(const char *p, const char *end) {
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\') p++;
    return p < end ? p + 1 : end;
}

/* Behind the value that starts at `p`. */
static const char *skip_value(const char *p, const char *end) {
    uint32_t depth = 0;
    while (p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
        } else if (*p == '{' || *p == '[') {
            depth++;
            p++;
            continue;
        } else if (*p == '}' || *p == ']') {
            if (depth == 0) return p;
            depth--;
            p++;
        } else if (depth == 0 && (*p == ',' || *p == ':' || is_space(*p))) {
            return p;
        } else {
            p++;
            continue;
        }
        if (depth == 0) return p;
    }
    return end;
}

/* The next item of the array or object that `p` is inside of; false at its end. */
static bool next(const char **p, const char *end, tg_text *key, tg_text *value) {
    *p = skip_space(*p, end);
    if (*p < end && **p == ',') *p = skip_space(*p + 1, end);
    if (*p >= end || **p == ']' || **p == '}') return false;
    const char *start = *p, *stop = skip_value(start, end);
    if (key) {
        *key = (tg_text){start, (uint32_t)(stop - start)};
        start = skip_space(stop, end);
        if (start >= end || *start != ':') return false;
        start = skip_space(start + 1, end);
        stop = skip_value(start, end);
    }
    if (stop == start) return false;
    *value = (tg_text){start, (uint32_t)(stop - start)};
    *p = stop;
    return true;
}

static bool enter(tg_text value, char bracket, const char **p, const char **end) {
    *end = value.data + value.length;
    *p = skip_space(value.data, *end);
    if (*p >= *end || **p != bracket) return false;
    ++*p;
    return true;
}

bool tg_json_get(tg_text object, tg_text wanted, tg_text *out) {
    const char *p, *end;
    tg_text key, value, name;
    if (!enter(object, '{', &p, &end)) return false;
    while (next(&p, end, &key, &value))
        if (tg_json_string(key, &name) && tg_equal(name, wanted)) {
            *out = value;
            return true;
        }
    return false;
}

bool tg_json_at(tg_text array, uint32_t index, tg_text *out) {
    const char *p, *end;
    if (!enter(array, '[', &p, &end)) return false;
    while (next(&p, end, NULL, out))
        if (index-- == 0) return true;
    return false;
}

uint32_t tg_json_count(tg_text array) {
    const char *p, *end;
    tg_text value;
    uint32_t count = 0;
    if (!enter(array, '[', &p, &end)) return 0;
    while (next(&p, end, NULL, &value)) count++;
    return count;
}

bool tg_json_bool(tg_text value, bool *out) {
    *out = tg_equal(value, TG("true"));
    return *out || tg_equal(value, TG("false"));
}

/* x * 10^power. Up to 10^22 a power of ten is exact, and one rounding is left. */
static double scaled(double x, int power) {
    bool down = power < 0;
    for (int left = down ? -power : power; left > 0; left -= 22) {
        double ten = 1;
        for (int i = 0; i < left && i < 22; i++) ten *= 10;
        x = down ? x / ten : x * ten;
    }
    return x;
}

bool tg_json_number(tg_text value, double *out) {
    const char *p = value.data, *end = p + value.length;
    bool minus = p < end && *p == '-';
    if (minus) p++;
    if (p >= end || *p < '0' || *p > '9') return false;
    uint64_t digits = 0;
    int power = 0;
    bool point = false;
    for (; p < end && ((*p >= '0' && *p <= '9') || (*p == '.' && !point)); p++) {
        if (*p == '.') {
            point = true;
        } else if (digits < 1000000000000000000u) {
            digits = digits * 10 + (uint64_t)(*p - '0');
            power -= point;
        } else {
            power += !point;
        }
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        bool down = p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+')) p++;
        int given = 0;
        for (; p < end && *p >= '0' && *p <= '9'; p++)
            if (given < 1000) given = given * 10 + (*p - '0');
        power += down ? -given : given;
    }
    double number = scaled((double)digits, power);
    *out = minus ? -number : number;
    return p == end;
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The four digits behind `\u`; -1 if they are none. */
static int32_t unit(const char *p, const char *end) {
    int32_t code = 0;
    if (end - p < 4) return -1;
    for (int i = 0; i < 4; i++) {
        if (hex(p[i]) < 0) return -1;
        code = code << 4 | hex(p[i]);
    }
    return code;
}

static char *put_utf8(char *to, uint32_t c) {
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    *to++ = (char)(lead[more] | c >> (6 * more));
    while (more--) *to++ = (char)(0x80 | (c >> (6 * more) & 0x3f));
    return to;
}

bool tg_json_string(tg_text value, tg_text *out) {
    const char *p = value.data, *end = p + value.length;
    if (value.length < 2 || *p != '"' || end[-1] != '"') return false;
    p++;
    end--;
    char *text = tg_alloc(value.length), *to = text;
    while (p < end) {
        if (*p != '\\') {
            *to++ = *p++;
            continue;
        }
        if (++p >= end) return false;
        char c = *p++;
        static const char from[] = "bfnrt", into[] = "\b\f\n\r\t";
        if (c == 'u') {
            int32_t code = unit(p, end);
            if (code < 0) return false;
            p += 4;
            if (code >= 0xd800 && code < 0xdc00) {
                int32_t low = end - p >= 6 && p[0] == '\\' && p[1] == 'u' ? unit(p + 2, end) : -1;
                if (low < 0xdc00 || low > 0xdfff) return false;
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                p += 6;
            } else if (code >= 0xdc00 && code < 0xe000) {
                return false;
            }
            to = put_utf8(to, (uint32_t)code);
            continue;
        }
        for (int i = 0; i < 5; i++)
            if (c == from[i]) {
                c = into[i];
                break;
            }
        *to++ = c;
    }
    *out = (tg_text){text, (uint32_t)(to - text)};
    return true;
}

/* ---- texts in the making ------------------------------------------------ */

void tg_add(tg_string *string, tg_text text) {
    if (string->room - string->length < text.length) {
        uint32_t room = 2 * (string->length + text.length) + 64;
        char *more = tg_alloc(room);
        __builtin_memcpy(more, string->data, string->length);
        string->data = more;
        string->room = room;
    }
    __builtin_memcpy(string->data + string->length, text.data, text.length);
    string->length += text.length;
}

void tg_add_json(tg_string *string, tg_text text) {
    tg_add(string, TG("\""));
    for (uint32_t i = 0; i < text.length; i++) {
        uint8_t c = (uint8_t)text.data[i];
        if (c == '"' || c == '\\') {
            tg_add(string, (tg_text){(char[]){'\\', (char)c}, 2});
        } else if (c < 0x20) {
            static const char digits[] = "0123456789abcdef";
            tg_add(string, (tg_text){(char[]){'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]}, 6});
        } else {
            tg_add(string, (tg_text){text.data + i, 1});
        }
    }
    tg_add(string, TG("\""));
}

void tg_add_integer(tg_string *string, int64_t number) {
    char digits[20], *end = digits + sizeof digits, *p = end;
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        *--p = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (number < 0) tg_add(string, TG("-"));
    tg_add(string, (tg_text){p, (uint32_t)(end - p)});
}

/* ---- logarithm and exponential ------------------------------------------ */

static const double LN2_HIGH = 0x1.62e42fefa38p-1, LN2_LOW = 0x1.ef35793c7673p-45;

typedef union { double number; uint64_t bits; } number_bits;

/* log x = n log 2 + log m with m in [sqrt(1/2), sqrt 2), and
 * log m = 2 artanh s = 2 (s + s^3/3 + s^5/5 + ...) with s = (m - 1)/(m + 1),
 * |s| < 0.172: what is left after s^21 is below 2^-53. */
double tg_log(double x) {
    if (x != x || x < 0) return __builtin_nan("");
    if (x == 0) return -__builtin_inf();
    if (x == __builtin_inf()) return x;
    int n = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        n = -54;
    }
    number_bits m = {x};
    n += (int)(m.bits >> 52) - 1023;
    m.bits = (m.bits & 0xfffffffffffffu) | (uint64_t)1023 << 52;
    if (m.number > 1.4142135623730951) {
        m.number *= 0.5;
        n++;
    }
    double f = m.number - 1, s = f / (2 + f), q = s * s, sum = 0;
    for (int k = 21; k >= 3; k -= 2) sum = (sum + 1.0 / k) * q;
    /* 2 s = f - s f exactly enough: f carries the digits. */
    return n * LN2_HIGH + (f - (s * (f - 2 * sum) - n * LN2_LOW));
}

/* exp x = 2^n exp r with |r| <= log 2 / 2, by its Taylor series. */
double tg_exp(double x) {
    if (x != x) return x;
    if (x > 709.782712893384) return __builtin_inf();
    if (x < -745.2) return 0;
    double n = __builtin_floor(x / 0.6931471805599453 + 0.5);
    double r = (x - n * LN2_HIGH) - n * LN2_LOW, sum = 1;
    for (int k = 14; k >= 1; k--) sum = 1 + sum * r / k;
    /* In two steps, since 2^n alone may be out of range. */
    int half = (int)n / 2, rest = (int)n - half;
    number_bits a = {.bits = (uint64_t)(1023 + half) << 52}, b = {.bits = (uint64_t)(1023 + rest) << 52};
    return sum * a.number * b.number;
}
