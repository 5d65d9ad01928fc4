// Values of knobs. Texts are held as valid UTF-8 and printed in double quotes with every character
// escaped that YAML would fold or refuse, so that what is printed reads back equal.
#include "configs/value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "configs/text.h"

bool cfg_kind_is_list(cfg_kind kind) {
  return kind == CFG_KIND_LI64 || kind == CFG_KIND_LF64 || kind == CFG_KIND_LSTR;
}

void cfg_place_text(const cfg_place *p, const char *section, const char *key, char *out) {
  char line[32] = "";
  if (p->line > 0) snprintf(line, sizeof line, ":%" PRId64, p->line);
  snprintf(out, CFG_PLACE_TEXT_MAX, "%.1000s%s: %.64s%s%.64s", p->file, line, section,
           key ? "." : "", key ? key : "");
}

static orr_code fail_value(const cfg_knob *k, const cfg_place *p, const char *got) {
  char place[CFG_PLACE_TEXT_MAX], allowed[256];
  cfg_place_text(p, k->section->name, k->row->name, place);
  cfg_knob_allowed(k, allowed, sizeof allowed);
  return ORR_FAIL(ORR_ECONFIG, "%s: got %.200s, wanted %s", place, got, allowed);
}

static orr_code fail_scalar(const cfg_knob *k, const cfg_place *p, const cfg_scalar *s) {
  char got[128];
  if (*s->text == 0 && !s->quoted) {
    snprintf(got, sizeof got, "nothing");
  } else {
    snprintf(got, sizeof got, s->quoted ? "the text \"%.80s\"" : "'%.80s'", s->text);
  }
  return fail_value(k, p, got);
}

static bool parse_i64(const cfg_row *r, const cfg_scalar *s, int64_t *out) {
  char *end = NULL;
  if (s->quoted || isspace((unsigned char)*s->text)) return false;
  errno = 0;
  long long v = strtoll(s->text, &end, 10);
  *out = v;
  return end != s->text && *end == 0 && errno == 0 && v >= r->i_lowest && v <= r->i_highest;
}

// Decimal notation only: strtod would also take hexadecimal, infinity and nan.
static bool parse_f64(const cfg_row *r, const cfg_scalar *s, double *out) {
  char *end = NULL;
  if (s->quoted || s->text[strspn(s->text, "0123456789+-.eE")] != 0) return false;
  *out = strtod(s->text, &end);
  return end != s->text && *end == 0 && *out >= r->f_lowest && *out <= r->f_highest;
}

static bool parse_choice(const cfg_row *r, const char *word, int *out) {
  size_t letters = strlen(word);
  const char *choice = r->choices;
  for (int i = 0; choice; i++) {
    const char *bar = strchr(choice, '|');
    size_t n = bar ? (size_t)(bar - choice) : strlen(choice);
    if (n == letters && strncmp(choice, word, n) == 0) {
      *out = i;
      return true;
    }
    choice = bar ? bar + 1 : NULL;
  }
  return false;
}

// What a file of before may say in place of a choice.
static const char *present_word(const cfg_knob *k, const cfg_scalar *s) {
  static const struct {
    const char *section, *key, *then, *now;
  } words[] = {{"train", "recompute", "false", "none"}, {"train", "recompute", "true", "all"}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strcmp(words[i].section, k->section->name) == 0 &&
        strcmp(words[i].key, k->row->name) == 0 && strcmp(words[i].then, s->text) == 0)
      return words[i].now;
  return s->text;
}

static orr_code fail_memory(const cfg_knob *k) {
  return ORR_FAIL(ORR_ENOMEM, "%s.%s: out of memory for its value", k->section->name, k->row->name);
}

orr_code cfg_value_set(const cfg_knob *k, void *field, const cfg_place *p, const cfg_scalar *s) {
  const cfg_row *r = k->row;
  bool good = false;
  switch (r->kind) {
  case CFG_KIND_I64:
    good = parse_i64(r, s, field);
    break;
  case CFG_KIND_F64:
    good = parse_f64(r, s, field);
    break;
  case CFG_KIND_ENUM:
    good = parse_choice(r, present_word(k, s), field);
    break;
  case CFG_KIND_BOOL:
    *(bool *)field = strcmp(s->text, "true") == 0;
    good = !s->quoted && (*(bool *)field || strcmp(s->text, "false") == 0);
    break;
  case CFG_KIND_STR: {
    if (!cfg_text_is_utf8(s->text)) return fail_value(k, p, "bytes that are not UTF-8");
    char *copy = orr_strdup(s->text);
    if (!copy) return fail_memory(k);
    orr_free(*(char **)field);
    *(char **)field = copy;
    return ORR_OK;
  }
  case CFG_KIND_LI64:
  case CFG_KIND_LF64:
  case CFG_KIND_LSTR:
    break; // a scalar is not a list of one
  }
  return good ? ORR_OK : fail_scalar(k, p, s);
}

static orr_code set_list_i64(const cfg_knob *k, cfg_list_i64 *list, const cfg_place *p,
                             const cfg_scalar *s, int n) {
  int64_t *v = orr_calloc((size_t)n, sizeof *v);
  if (!v) return fail_memory(k);
  for (int i = 0; i < n; i++) {
    if (parse_i64(k->row, s + i, v + i)) continue;
    orr_free(v);
    return fail_scalar(k, p, s + i);
  }
  orr_free(list->v);
  *list = (cfg_list_i64){v, n};
  return ORR_OK;
}

static orr_code set_list_f64(const cfg_knob *k, cfg_list_f64 *list, const cfg_place *p,
                             const cfg_scalar *s, int n) {
  double *v = orr_calloc((size_t)n, sizeof *v);
  if (!v) return fail_memory(k);
  for (int i = 0; i < n; i++) {
    if (parse_f64(k->row, s + i, v + i)) continue;
    orr_free(v);
    return fail_scalar(k, p, s + i);
  }
  orr_free(list->v);
  *list = (cfg_list_f64){v, n};
  return ORR_OK;
}

static void free_texts(char **v, int n) {
  for (int i = 0; i < n; i++) orr_free(v[i]);
  orr_free(v);
}

static orr_code set_list_str(const cfg_knob *k, cfg_list_str *list, const cfg_place *p,
                             const cfg_scalar *s, int n) {
  char **v = orr_calloc((size_t)n, sizeof *v);
  if (!v) return fail_memory(k);
  for (int i = 0; i < n; i++) {
    bool good = cfg_text_is_utf8(s[i].text);
    v[i] = good ? orr_strdup(s[i].text) : NULL;
    if (v[i]) continue;
    free_texts(v, n);
    return good ? fail_memory(k) : fail_value(k, p, "bytes that are not UTF-8");
  }
  free_texts(list->v, list->n);
  *list = (cfg_list_str){v, n};
  return ORR_OK;
}

orr_code cfg_value_set_list(const cfg_knob *k, void *field, const cfg_place *p, const cfg_scalar *s,
                            int n) {
  char got[64];
  if (!cfg_kind_is_list(k->row->kind)) return fail_value(k, p, "a list");
  snprintf(got, sizeof got, "%d entries", n);
  if (n > k->row->most) return fail_value(k, p, got);
  if (k->row->kind == CFG_KIND_LI64) return set_list_i64(k, field, p, s, n);
  if (k->row->kind == CFG_KIND_LF64) return set_list_f64(k, field, p, s, n);
  return set_list_str(k, field, p, s, n);
}

// The default of a list row: entries separated by single blanks.
static orr_code default_list(const cfg_knob *k, void *field, const cfg_place *p) {
  cfg_scalar entries[64];
  int n = 0;
  char *words = orr_strdup(k->row->default_text);
  if (!words) return fail_memory(k);
  char *rest = NULL;
  for (char *w = strtok_r(words, " ", &rest); w && n < 64; w = strtok_r(NULL, " ", &rest)) {
    entries[n++] = (cfg_scalar){.text = w};
  }
  orr_code rc = cfg_value_set_list(k, field, p, entries, n);
  orr_free(words);
  return rc;
}

orr_code cfg_value_default(const cfg_knob *k, void *field) {
  cfg_place place = {.file = "default"};
  switch (k->row->kind) {
  case CFG_KIND_I64:
    *(int64_t *)field = k->row->i_default;
    return ORR_OK;
  case CFG_KIND_F64:
    *(double *)field = k->row->f_default;
    return ORR_OK;
  case CFG_KIND_BOOL:
    *(bool *)field = k->row->i_default != 0;
    return ORR_OK;
  case CFG_KIND_STR:
  case CFG_KIND_ENUM:
    return cfg_value_set(k, field, &place, &(cfg_scalar){.text = k->row->default_text});
  case CFG_KIND_LI64:
  case CFG_KIND_LF64:
  case CFG_KIND_LSTR:
    break;
  }
  return default_list(k, field, &place);
}

// The shortest digits that read back equal, always with a point: YAML 1.1 readers take "3e-4" for
// a text.
static void print_f64(double v, FILE *out) {
  char text[40];
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, v);
    if (strtod(text, NULL) == v) break;
  }
  size_t mantissa = strcspn(text, "e");
  bool point = memchr(text, '.', mantissa) != NULL;
  fprintf(out, "%.*s%s%s", (int)mantissa, text, point ? "" : ".0", text + mantissa);
}

static void print_choice(const char *choices, int i, FILE *out) {
  for (; i > 0; i--) choices = strchr(choices, '|') + 1;
  fprintf(out, "%.*s", (int)strcspn(choices, "|"), choices);
}

static void print_list(const cfg_knob *k, const void *field, FILE *out) {
  const cfg_list_i64 *li = field;
  const cfg_list_f64 *lf = field;
  const cfg_list_str *ls = field;
  cfg_kind kind = k->row->kind;
  int n = kind == CFG_KIND_LI64 ? li->n : kind == CFG_KIND_LF64 ? lf->n : ls->n;
  fputc('[', out);
  for (int i = 0; i < n; i++) {
    if (i > 0) fputs(", ", out);
    if (kind == CFG_KIND_LI64) fprintf(out, "%" PRId64, li->v[i]);
    if (kind == CFG_KIND_LF64) print_f64(lf->v[i], out);
    if (kind == CFG_KIND_LSTR) cfg_text_print(ls->v[i], out);
  }
  fputc(']', out);
}

void cfg_value_print(const cfg_knob *k, const void *field, FILE *out) {
  switch (k->row->kind) {
  case CFG_KIND_I64:
    fprintf(out, "%" PRId64, *(const int64_t *)field);
    break;
  case CFG_KIND_F64:
    print_f64(*(const double *)field, out);
    break;
  case CFG_KIND_BOOL:
    fputs(*(const bool *)field ? "true" : "false", out);
    break;
  case CFG_KIND_STR:
    cfg_text_print(*(char *const *)field, out);
    break;
  case CFG_KIND_ENUM:
    print_choice(k->row->choices, *(const int *)field, out);
    break;
  case CFG_KIND_LI64:
  case CFG_KIND_LF64:
  case CFG_KIND_LSTR:
    print_list(k, field, out);
    break;
  }
}

bool cfg_value_equal(const cfg_knob *k, const void *a, const void *b) {
  switch (k->row->kind) {
  case CFG_KIND_I64:
    return *(const int64_t *)a == *(const int64_t *)b;
  case CFG_KIND_F64:
    return *(const double *)a == *(const double *)b;
  case CFG_KIND_BOOL:
    return *(const bool *)a == *(const bool *)b;
  case CFG_KIND_STR:
    return strcmp(*(char *const *)a, *(char *const *)b) == 0;
  case CFG_KIND_ENUM:
    return *(const int *)a == *(const int *)b;
  case CFG_KIND_LI64: {
    const cfg_list_i64 *x = a, *y = b;
    return x->n == y->n && memcmp(x->v, y->v, (size_t)x->n * sizeof *x->v) == 0;
  }
  case CFG_KIND_LF64: {
    const cfg_list_f64 *x = a, *y = b;
    bool equal = x->n == y->n;
    for (int i = 0; equal && i < x->n; i++) equal = x->v[i] == y->v[i];
    return equal;
  }
  case CFG_KIND_LSTR: {
    const cfg_list_str *x = a, *y = b;
    bool equal = x->n == y->n;
    for (int i = 0; equal && i < x->n; i++) equal = strcmp(x->v[i], y->v[i]) == 0;
    return equal;
  }
  }
  return false;
}

void cfg_value_release(const cfg_knob *k, void *field) {
  cfg_kind kind = k->row->kind;
  if (kind == CFG_KIND_STR) orr_free(*(char **)field);
  if (kind == CFG_KIND_LI64) orr_free(((cfg_list_i64 *)field)->v);
  if (kind == CFG_KIND_LF64) orr_free(((cfg_list_f64 *)field)->v);
  if (kind == CFG_KIND_LSTR) free_texts(((cfg_list_str *)field)->v, ((cfg_list_str *)field)->n);
}
