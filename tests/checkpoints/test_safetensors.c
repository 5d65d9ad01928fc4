// labels: quick
// The strict parser of safetensors headers: what it takes, and everything it must refuse.
#include "tests/checkpoints/fixture.h"

#include "checkpoints/safetensors.h"

// Parses a file of `file_bytes` with this header text.
static orr_code parse(const char *text, uint64_t data_bytes, ckpt_table *t) {
  size_t n = strlen(text);
  char *file = malloc(8 + n); // exactly the header, so that a sanitizer sees reads beyond it
  uint64_t header_bytes = 0;
  for (int i = 0; i < 8; i++) file[i] = (char)(n >> (8 * i));
  memcpy(file + 8, text, n);
  orr_code rc =
      ckpt_safetensors_length("file", (unsigned char *)file, 8 + n + data_bytes, &header_bytes);
  if (rc == ORR_OK) rc = ckpt_safetensors_parse("file", file, header_bytes, 8 + n + data_bytes, t);
  free(file);
  return rc;
}

static void test_a_good_header_gives_its_tensors_by_offset(void **state) {
  ckpt_table t;
  assert_ok(parse("{\"__metadata__\":{\"format\":\"pt\"},\"b\":{\"dtype\":\"BF16\",\"shape\":[2,3],"
                  "\"data_offsets\":[8,20]},"
                  "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                  "\"none\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[20,20]}}   ",
                  20, &t));
  assert_int_equal(t.count, 3);
  assert_string_equal(t.entries[0].name, "a");
  assert_string_equal(t.entries[1].name, "b");
  assert_int_equal(t.entries[1].offset, t.header_bytes + 8);
  assert_int_equal(t.entries[1].bytes, 12);
  assert_int_equal(t.entries[1].ndim, 2);
  ckpt_table_release(&t);
  assert_ok(parse("{}", 0, &t));
  assert_int_equal(t.count, 0);
  ckpt_table_release(&t);
}

#define ONE(dtype, shape, range)                                                                   \
  "{\"a\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" range "}}"
#define TWO(first, second)                                                                         \
  "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" first                                 \
  "},\"b\":{\"dtype\":\"U8\",\"shape\":[4],"                                                       \
  "\"data_offsets\":" second "}}"

static void test_bad_headers_are_refused_with_the_reason(void **state) {
  static const struct {
    const char *text, *says;
  } bad[] = {
      {"", "truncated or not safetensors"},
      {"  {}", "does not begin with '{'"},
      {"[]", "does not begin with '{'"},
      {"{\"a\":", "not valid JSON"},
      {"{} x", "not valid JSON"},
      {"{\"a\":NaN}", "not valid JSON"},
      {"{\"a\":{},\"a\":{}}", "duplicate"},
      {"{\"a\":1}", "exactly dtype, shape, data_offsets"},
      {"{\"a\":null}", "exactly dtype"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[8]}}", "exactly dtype"},
      {"{\"__metadata__\":{\"x\":1}}", "__metadata__.x is not a string"},
      {"{\"__metadata__\":[]}", "__metadata__ is not an object"},
      {"{\"__metadata__\":{}}", "tensors end at byte"},
      {ONE("\"F99\"", "[2]", "[0,8]"), "unknown dtype F99"},
      {ONE("4", "[2]", "[0,8]"), "unknown dtype (none)"},
      {ONE("\"F32\"", "2", "[0,8]"), "shape is not an array"},
      {ONE("\"F32\"", "[-2]", "[0,8]"), "a dimension is not a count"},
      {ONE("\"F32\"", "[2.0]", "[0,8]"), "a dimension is not a count"},
      {ONE("\"F32\"", "[1,1,1,1,2]", "[0,8]"), "at most 4"},
      {ONE("\"F32\"", "[4294967296,4294967296]", "[0,8]"), "overflows 64 bits"},
      {ONE("\"F32\"", "[9223372036854775808]", "[0,8]"), "not valid JSON"},
      {ONE("\"F32\"", "[3]", "[0,8]"), "8 bytes of data, its F32 shape wants 12"},
      {ONE("\"F32\"", "[2]", "[8,0]"), "beyond"},
      {ONE("\"F32\"", "[2]", "[0,8,16]"), "not a pair"},
      {ONE("\"F32\"", "[2]", "[0]"), "not a pair"},
      {ONE("\"F32\"", "[2]", "[0,\"8\"]"), "data_offsets[1] is not a count"},
      {ONE("\"F32\"", "[4]", "[0,16]"), "beyond the file's 8 bytes"},
      {ONE("\"F32\"", "[1]", "[0,4]"), "tensors end at byte"},
      {ONE("\"F32\"", "[1]", "[4,8]"), "hole"},
      {TWO("[0,4]", "[2,6]"), "overlap"},
      {TWO("[0,4]", "[0,4]"), "overlap"},
      {ONE("\"F32\"", "[2]", "[0,9223372036854775807]"), "beyond"},
  };
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    ckpt_table t;
    assert_int_equal(parse(bad[i].text, 8, &t), ORR_EFORMAT);
    if (!strstr(orr_status_message(), bad[i].says))
      fail_msg("%s: '%s' does not say '%s'", bad[i].text, orr_status_message(), bad[i].says);
  }
}

static void test_deep_nesting_is_refused_without_a_crash(void **state) {
  enum { DEPTH = 100000 };
  char *text = malloc(DEPTH + 8);
  ckpt_table t;
  snprintf(text, 6, "{\"a\":");
  memset(text + 5, '[', DEPTH);
  text[5 + DEPTH] = 0;
  assert_int_equal(parse(text, 8, &t), ORR_EFORMAT);
  free(text);
}

static void test_a_length_that_lies_is_refused(void **state) {
  static const unsigned char heads[][8] = {{255, 255, 255, 255, 255, 255, 255, 255},
                                           {1, 225, 245, 5, 0, 0, 0, 0},
                                           {101, 0, 0, 0, 0, 0, 0, 0},
                                           {0},
                                           {1, 0, 0, 0, 0, 0, 0, 0},
                                           {0, 0, 0, 0, 0, 0, 0, 128}};
  for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
    uint64_t n;
    assert_int_equal(ckpt_safetensors_length("file", heads[i], i == 1 ? UINT64_MAX / 2 : 108, &n),
                     ORR_EFORMAT);
  }
}

// Every prefix, and every single-byte change, of a good header is either refused or still describes
// the file without hole and overlap.
static void test_mutated_headers_never_describe_another_size(void **state) {
  const char *good = TWO("[0,4]", "[4,8]");
  size_t n = strlen(good);
  char *text = malloc(n + 1);
  ckpt_table t;
  int taken = 0;
  for (size_t cut = 0; cut < n; cut++) {
    memcpy(text, good, cut);
    text[cut] = 0;
    assert_int_equal(parse(text, 8, &t), ORR_EFORMAT);
  }
  for (size_t at = 0; at < n; at++)
    for (int c = 1; c < 256; c++) {
      memcpy(text, good, n + 1);
      text[at] = (char)c;
      if (parse(text, 8, &t) != ORR_OK) continue;
      taken++;
      assert_int_equal(t.count, 2);
      assert_int_equal(t.entries[0].bytes + t.entries[1].bytes, 8);
      ckpt_table_release(&t);
    }
  assert_true(taken > 0); // other names and spaces are fine
  free(text);
}

static void test_a_built_header_is_parsed_back_and_fills_its_pages(void **state) {
  const ckpt_entry entries[] = {
      {.name = "x \"y\" \xc3\xa9", .dtype = "F32", .ndim = 2, .shape = {2, 3}, .bytes = 24},
      {.name = "pad", .dtype = "U8", .ndim = 1, .shape = {8}, .offset = 24, .bytes = 8}};
  const char *const metadata[] = {"format", "pt", NULL};
  char *header;
  uint64_t header_bytes, length = 0;
  ckpt_table t;
  assert_ok(ckpt_safetensors_build(entries, 2, metadata, 4096, &header, &header_bytes));
  assert_int_equal(header_bytes, 4096);
  assert_ok(ckpt_safetensors_length("file", (unsigned char *)header, header_bytes + 32, &length));
  assert_int_equal(length, header_bytes);
  assert_ok(ckpt_safetensors_parse("file", header, header_bytes, header_bytes + 32, &t));
  assert_string_equal(t.entries[0].name, entries[0].name);
  assert_string_equal(t.entries[1].dtype, "U8");
  ckpt_table_release(&t);
  orr_free(header);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_good_header_gives_its_tensors_by_offset),
      cmocka_unit_test(test_bad_headers_are_refused_with_the_reason),
      cmocka_unit_test(test_deep_nesting_is_refused_without_a_crash),
      cmocka_unit_test(test_a_length_that_lies_is_refused),
      cmocka_unit_test(test_mutated_headers_never_describe_another_size),
      cmocka_unit_test(test_a_built_header_is_parsed_back_and_fills_its_pages),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
