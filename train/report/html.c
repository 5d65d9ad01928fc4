// See the header.
#include "train/report/html.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool grow(train_html *h, size_t more) {
  if (h->failed) return false;
  if (h->used + more + 1 <= h->room) return true;
  size_t room = (h->used + more + 1) * 2;
  char *text = orr_realloc(h->text, room);
  if (!text) {
    h->failed = true;
    return false;
  }
  h->text = text;
  h->room = room;
  return true;
}

static void put_bytes(train_html *h, const char *p, size_t bytes) {
  if (!grow(h, bytes)) return;
  memcpy(h->text + h->used, p, bytes);
  h->used += bytes;
  h->text[h->used] = 0;
}

void train_html_put(train_html *h, const char *markup) {
  put_bytes(h, markup, strlen(markup));
}

void train_html_format(train_html *h, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  if (n < 0 || !grow(h, (size_t)n)) return;
  va_start(args, fmt);
  vsnprintf(h->text + h->used, (size_t)n + 1, fmt, args);
  va_end(args);
  h->used += (size_t)n;
}

// Bytes of the well-formed UTF-8 character at p (Unicode 15, table 3-7); 0 when it is not one.
static size_t utf8_length(const unsigned char *p, size_t left) {
  if (p[0] < 0x80) return 1;
  size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
  if (p[0] < 0xc2 || p[0] > 0xf4 || n > left) return 0;
  for (size_t i = 1; i < n; i++)
    if ((p[i] & 0xc0) != 0x80) return 0;
  bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
  bool surrogate = p[0] == 0xed && p[1] > 0x9f;
  bool beyond = p[0] == 0xf4 && p[1] > 0x8f;
  return overlong || surrogate || beyond ? 0 : n;
}

void train_html_text_bytes(train_html *h, const char *p, size_t bytes) {
  for (size_t i = 0; i < bytes;) {
    unsigned char c = (unsigned char)p[i];
    size_t n = utf8_length((const unsigned char *)p + i, bytes - i);
    bool control = (c < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7f;
    if (n == 0 || control)
      train_html_put(h, "\xef\xbf\xbd");
    else if (n == 1 && strchr("&<>\"'", c))
      train_html_format(h, "&#%d;", c);
    else
      put_bytes(h, p + i, n);
    i += n ? n : 1;
  }
}

void train_html_text(train_html *h, const char *text) {
  train_html_text_bytes(h, text, strlen(text));
}

void train_html_json(train_html *h, const char *text) {
  train_html_put(h, "\"");
  size_t bytes = strlen(text);
  for (size_t i = 0; i < bytes;) {
    unsigned char c = (unsigned char)text[i];
    size_t n = utf8_length((const unsigned char *)text + i, bytes - i);
    if (n == 0)
      train_html_put(h, "\\ufffd");
    else if (c < 0x20 || c == 0x7f || (n == 1 && strchr("\"\\<>&", c)))
      train_html_format(h, "\\u%04x", c); // "</script>" must not end the element
    else
      put_bytes(h, text + i, n);
    i += n ? n : 1;
  }
  train_html_put(h, "\"");
}

void train_html_base64(train_html *h, const void *p, size_t bytes) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (!grow(h, (bytes + 2) / 3 * 4)) return;
  const unsigned char *in = p;
  for (size_t i = 0; i < bytes; i += 3) {
    size_t n = bytes - i < 3 ? bytes - i : 3;
    uint32_t v = (uint32_t)in[i] << 16;
    if (n > 1) v |= (uint32_t)in[i + 1] << 8;
    if (n > 2) v |= in[i + 2];
    char *out = h->text + h->used;
    for (int k = 0; k < 4; k++) out[k] = (size_t)k <= n ? digits[v >> (18 - 6 * k) & 63] : '=';
    h->used += 4;
  }
  h->text[h->used] = 0;
}

orr_code train_html_status(const train_html *h) {
  ORR_CHECK(!h->failed, ORR_ENOMEM, "report: out of memory for more than %zu bytes of HTML",
            h->used);
  return ORR_OK;
}

void train_html_release(train_html *h) {
  orr_free(h->text);
  *h = (train_html){0};
}

// 3.10e-04 -> 3.1e-4
static void tidy_exponent(char *s) {
  char *e = strchr(s, 'e'), mantissa[32];
  long exponent = strtol(e + 1, NULL, 10);
  snprintf(mantissa, sizeof mantissa, "%.*s", (int)(e - s), s);
  if (strchr(mantissa, '.')) {
    size_t n = strlen(mantissa);
    while (mantissa[n - 1] == '0') n--;
    mantissa[mantissa[n - 1] == '.' ? n - 1 : n] = 0;
  }
  snprintf(s, 32, "%.20se%ld", mantissa, exponent);
}

train_number train_number_of(double value, int digits) {
  train_number out;
  double size = fabs(value);
  if (isnan(value)) {
    snprintf(out.s, sizeof out.s, "–");
  } else if (isinf(value)) {
    snprintf(out.s, sizeof out.s, "%s", value > 0 ? "∞" : "−∞");
  } else if (size >= 1e13 || (size > 0 && size < 9.995e-4)) {
    snprintf(out.s, sizeof out.s, "%.*e", digits - 1, value);
    tidy_exponent(out.s);
  } else {
    static const struct {
      double from, unit;
      const char *letter;
    } steps[] = {{1e12, 1e12, "T"}, {1e9, 1e9, "G"}, {1e6, 1e6, "M"}, {1e4, 1e3, "k"}, {0, 1, ""}};
    int i = 0;
    while (size < steps[i].from) i++;
    double shown = value / steps[i].unit;
    int whole = size > 0 ? (int)floor(log10(fabs(shown))) + 1 : digits; // negative below 0.1
    int decimals = digits > whole && shown != floor(shown) ? digits - whole : 0;
    snprintf(out.s, sizeof out.s, "%.*f%s", decimals, shown, steps[i].letter);
  }
  if (out.s[0] == '-') { // a real minus sign lines up with digits
    char rest[32];
    snprintf(rest, sizeof rest, "%s", out.s + 1);
    snprintf(out.s, sizeof out.s, "−%.28s", rest);
  }
  return out;
}

train_number train_change_of(double percent) {
  train_number n;
  const bool none = fabs(percent) < 0.05;
  snprintf(n.s, sizeof n.s, none ? "%.1f%%" : "%+.1f%%", none ? 0.0 : percent);
  return n;
}

train_number train_duration_of(double seconds) {
  train_number out;
  if (isnan(seconds))
    snprintf(out.s, sizeof out.s, "–");
  else if (seconds < 1)
    snprintf(out.s, sizeof out.s, "%.0f ms", seconds * 1e3);
  else if (seconds < 60)
    snprintf(out.s, sizeof out.s, "%.1f s", seconds);
  else if (seconds < 3600)
    snprintf(out.s, sizeof out.s, "%d min %02d s", (int)seconds / 60, (int)seconds % 60);
  else
    snprintf(out.s, sizeof out.s, "%.0f h %02d min", floor(seconds / 3600),
             (int)fmod(seconds / 60, 60));
  return out;
}
