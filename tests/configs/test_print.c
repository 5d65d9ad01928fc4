// labels: quick
// Printing: for random values of every row, what is printed reads back equal, to the bit.
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "configs/config.h"
#include "configs/schema.h"
#include "configs/value.h"

// A stream of random numbers of one test.
typedef struct {
  uint64_t seed, position;
} source;

static uint64_t draw(source *s, uint64_t n) {
  return orr_rng_below(s->seed, ORR_STREAM_TEST, 0, s->position++, n);
}

static int64_t random_i64(source *s, const cfg_row *r) {
  return r->i_lowest + (int64_t)draw(s, (uint64_t)(r->i_highest - r->i_lowest) + 1);
}

// The ends, and numbers with all digits between them.
static double random_f64(source *s, const cfg_row *r) {
  switch (draw(s, 4)) {
  case 0:
    return r->f_lowest;
  case 1:
    return r->f_highest;
  default:
    break;
  }
  double u = orr_rng_uniform(s->seed, ORR_STREAM_TEST, 1, s->position++);
  return r->f_lowest + u * u * u * u * (r->f_highest - r->f_lowest);
}

// Texts that printers get wrong: quotes, escapes, comments, line breaks of all kinds, other
// scripts.
static char *random_text(source *s) {
  static const char *const pieces[] = {"a",
                                       "Z",
                                       "0",
                                       " ",
                                       "  ",
                                       "\"",
                                       "'",
                                       "\\",
                                       "#",
                                       ": ",
                                       "- ",
                                       "[",
                                       "]",
                                       "{",
                                       ",",
                                       "&",
                                       "*",
                                       "!",
                                       "|",
                                       "%",
                                       "@",
                                       "\n",
                                       "\r\n",
                                       "\t",
                                       "\x01",
                                       "\x1b",
                                       "\x7f",
                                       "true",
                                       "null",
                                       "~",
                                       "1e5",
                                       "\xc2\x85",         // next line
                                       "\xc2\xa0",         // no-break space
                                       "\xe2\x80\xa8",     // line separator
                                       "\xef\xbb\xbf",     // byte order mark
                                       "\xc3\xa9",         // e acute
                                       "\xe4\xb8\x96",     // a CJK character
                                       "\xf0\x9f\xa4\x96", // beyond the basic plane
                                       "\xef\xbf\xbf"};    // not a character
  char text[256] = "";
  size_t at = 0;
  for (uint64_t n = draw(s, 12); n > 0; n--) {
    const char *piece = pieces[draw(s, sizeof pieces / sizeof *pieces)];
    at += (size_t)snprintf(text + at, sizeof text - at, "%s", piece); // 12 times 5 bytes at most
  }
  return orr_strdup(text);
}

static int choices_of(const cfg_row *r) {
  int n = 1;
  for (const char *p = r->choices; *p; p++) n += *p == '|';
  return n;
}

static void randomize(source *s, const cfg_knob *k, void *field) {
  const cfg_row *r = k->row;
  int n = cfg_kind_is_list(r->kind) ? (int)draw(s, (uint64_t)r->most + 1) : 0;
  cfg_value_release(k, field);
  switch (r->kind) {
  case CFG_KIND_I64:
    *(int64_t *)field = random_i64(s, r);
    break;
  case CFG_KIND_F64:
    *(double *)field = random_f64(s, r);
    break;
  case CFG_KIND_BOOL:
    *(bool *)field = draw(s, 2) == 1;
    break;
  case CFG_KIND_STR:
    *(char **)field = random_text(s);
    break;
  case CFG_KIND_ENUM:
    *(int *)field = (int)draw(s, (uint64_t)choices_of(r));
    break;
  case CFG_KIND_LI64: {
    cfg_list_i64 l = {orr_calloc((size_t)n, sizeof *l.v), n};
    for (int i = 0; i < n; i++) l.v[i] = random_i64(s, r);
    *(cfg_list_i64 *)field = l;
    break;
  }
  case CFG_KIND_LF64: {
    cfg_list_f64 l = {orr_calloc((size_t)n, sizeof *l.v), n};
    for (int i = 0; i < n; i++) l.v[i] = random_f64(s, r);
    *(cfg_list_f64 *)field = l;
    break;
  }
  case CFG_KIND_LSTR: {
    cfg_list_str l = {orr_calloc((size_t)n, sizeof *l.v), n};
    for (int i = 0; i < n; i++) l.v[i] = random_text(s);
    *(cfg_list_str *)field = l;
    break;
  }
  }
}

static void test_random_values_of_all_rows_print_and_read_back_equal(void **state) {
  for (uint64_t seed = 0; seed < 200; seed++) {
    source s = {.seed = seed};
    cfg *a = NULL, *b = NULL;
    cfg_knob k;
    char *yaml = NULL;
    assert_int_equal(cfg_create(&a), ORR_OK);
    assert_int_equal(cfg_create(&b), ORR_OK);
    for (int i = 0; cfg_knob_at(i, &k); i++) randomize(&s, &k, cfg_field(a, &k));
    assert_int_equal(cfg_print(a, &yaml), ORR_OK);
    if (cfg_read_text(b, "printed", yaml, strlen(yaml)) != ORR_OK)
      fail_msg("%s", orr_status_message());
    for (int i = 0; cfg_knob_at(i, &k); i++) {
      if (!cfg_value_equal(&k, cfg_field(a, &k), cfg_field(b, &k))) {
        fail_msg("seed %" PRIu64 ": %s.%s differs:\n%s", seed, k.section->name, k.row->name, yaml);
      }
    }
    orr_free(yaml);
    cfg_destroy(a);
    cfg_destroy(b);
  }
}

// YAML 1.1 readers such as PyYAML take "3e-4" for a text and "yes" for a boolean.
static void test_printed_values_mean_the_same_to_other_yaml_readers(void **state) {
  cfg *c = NULL;
  char *yaml = NULL;
  assert_int_equal(cfg_create(&c), ORR_OK);
  assert_int_equal(cfg_set(c, "optim.eps=1e-12"), ORR_OK);
  assert_int_equal(cfg_set(c, "optim.clip_norm=2"), ORR_OK);
  assert_int_equal(cfg_set(c, "run.dir=yes"), ORR_OK);
  assert_int_equal(cfg_print(c, &yaml), ORR_OK);
  assert_non_null(strstr(yaml, "  eps: 1.0e-12\n"));
  assert_non_null(strstr(yaml, "  clip_norm: 2.0\n"));
  assert_non_null(strstr(yaml, "  dir: \"yes\"\n"));
  orr_free(yaml);
  cfg_destroy(c);
}

static void test_every_default_lies_in_its_own_range(void **state) {
  cfg_knob k;
  cfg *c = NULL;
  assert_int_equal(cfg_create(&c), ORR_OK); // texts, choices and lists are checked on the way
  for (int i = 0; cfg_knob_at(i, &k); i++) {
    const cfg_row *r = k.row;
    bool good = true;
    if (r->kind == CFG_KIND_I64) good = r->i_default >= r->i_lowest && r->i_default <= r->i_highest;
    if (r->kind == CFG_KIND_F64) good = r->f_default >= r->f_lowest && r->f_default <= r->f_highest;
    if (!good) fail_msg("%s.%s: its default is out of its range", k.section->name, r->name);
  }
  assert_int_equal(cfg_check(c), ORR_OK);
  cfg_destroy(c);
}

static void test_the_reference_has_a_line_for_every_row(void **state) {
  char *text = NULL;
  size_t bytes = 0;
  FILE *out = open_memstream(&text, &bytes);
  assert_int_equal(cfg_doc(out), ORR_OK);
  fclose(out);
  cfg_knob k;
  const char *at = text;
  for (int i = 0; cfg_knob_at(i, &k); i++) {
    char line[128];
    snprintf(line, sizeof line, "\n| `%s` | ", k.row->name);
    at = strstr(at, line); // in order of declaration
    if (!at) fail_msg("no line for %s.%s", k.section->name, k.row->name);
  }
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_values_of_all_rows_print_and_read_back_equal),
      cmocka_unit_test(test_printed_values_mean_the_same_to_other_yaml_readers),
      cmocka_unit_test(test_every_default_lies_in_its_own_range),
      cmocka_unit_test(test_the_reference_has_a_line_for_every_row),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
