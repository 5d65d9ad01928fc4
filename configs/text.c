// Texts as YAML double-quoted scalars (YAML 1.1, sections 5.1 and 5.6).
#include "configs/text.h"

#include <stdint.h>

// Decodes one character at s into *c; returns its bytes, 0 when it is not valid UTF-8.
static int decode(const unsigned char *s, uint32_t *c) {
  static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
  int n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
  if (n == 0) return 0;
  *c = n == 1 ? s[0] : s[0] & (0x7Fu >> n);
  for (int i = 1; i < n; i++) {
    if (s[i] >> 6 != 2) return 0; // also stops at the terminating 0
    *c = *c << 6 | (s[i] & 0x3Fu);
  }
  bool surrogate = *c >= 0xD800 && *c <= 0xDFFF;
  return *c >= lowest[n] && *c <= 0x10FFFF && !surrogate ? n : 0;
}

bool cfg_text_is_utf8(const char *s) {
  const unsigned char *at = (const unsigned char *)s;
  uint32_t c = 0;
  while (*at) {
    int n = decode(at, &c);
    if (n == 0) return false;
    at += n;
  }
  return true;
}

// Characters that may stand for themselves between double quotes: printable ones that are neither
// line breaks (U+2028, U+2029) nor byte order marks.
static bool stands_for_itself(uint32_t c) {
  if (c == '"' || c == '\\' || c == 0x2028 || c == 0x2029 || c == 0xFEFF) return false;
  return (c >= 0x20 && c <= 0x7E) || (c >= 0xA0 && c <= 0xFFFD) || c >= 0x10000;
}

void cfg_text_print(const char *s, FILE *out) {
  const unsigned char *at = (const unsigned char *)s;
  fputc('"', out);
  while (*at) {
    uint32_t c = 0;
    int n = decode(at, &c);
    if (n == 0) break; // cannot be: values are checked when they are set
    if (c == '"' || c == '\\') {
      fprintf(out, "\\%c", (int)c);
    } else if (stands_for_itself(c)) {
      fwrite(at, 1, (size_t)n, out);
    } else {
      fprintf(out, "\\u%04X", (unsigned)c);
    }
    at += n;
  }
  fputc('"', out);
}
