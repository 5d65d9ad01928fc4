// labels: quick
// The messages of a session byte by byte, as docs/play.md has them, and the handshake.
#include "tests/base/assert.h"

#include <math.h>

#include "train/policy/handshake.h"
#include "train/live/wire.h"

// Input number 0x01020304 at 1.5 ms with the components 1 and -2.
static const uint8_t input[] = {1, 0, 2,    0,    4, 3, 2,    1,    0, 0, 0, 0,
                                0, 0, 0xF8, 0x3F, 0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0};

static void test_an_input_is_read_as_the_page_says(void **state) {
  train_wire_input in;
  assert_ok(train_wire_read_input(input, sizeof input, &in));
  assert_int_equal(in.stamp.number, 0x01020304);
  assert_true(in.stamp.clock_ms == 1.5);
  assert_int_equal(in.components, 2);
  assert_true(train_wire_value(&in, 0) == 1.0f);
  assert_true(train_wire_value(&in, 1) == -2.0f);
}

static void test_an_input_without_components_is_one(void **state) {
  uint8_t bytes[TRAIN_WIRE_INPUT_HEADER] = {1};
  train_wire_input in;
  assert_ok(train_wire_read_input(bytes, sizeof bytes, &in));
  assert_int_equal(in.components, 0);
}

// Refused with a message, whatever byte is wrong.
static void refuse_input(const uint8_t *bytes, size_t size) {
  train_wire_input in;
  assert_int_equal(train_wire_read_input(bytes, size, &in), ORR_EFORMAT);
  assert_message_names("input message");
  orr_status_clear();
}

static void test_inputs_of_other_sizes_kinds_and_numbers_are_refused(void **state) {
  uint8_t bytes[sizeof input + 1] = {0};
  memcpy(bytes, input, sizeof input);
  for (size_t size = 0; size <= sizeof bytes; size++)
    if (size != sizeof input) refuse_input(bytes, size);
  bytes[0] = 2;
  refuse_input(bytes, sizeof input);
  bytes[0] = 1, bytes[1] = 1;
  refuse_input(bytes, sizeof input);
  bytes[1] = 0, bytes[2] = 0xFF, bytes[3] = 0xFF;
  refuse_input(bytes, sizeof input);
  const float bad[] = {NAN, INFINITY, -INFINITY};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    memcpy(bytes, input, sizeof input);
    memcpy(bytes + 20, &bad[i], sizeof *bad);
    refuse_input(bytes, sizeof input);
  }
}

static void test_a_picture_has_the_size_that_it_says(void **state) {
  uint8_t bytes[8 + 2 * 3 * 3 + 1] = {2, 0, 0, 0, 3, 0, 2, 0, 9};
  train_wire_picture p;
  assert_ok(train_wire_read_picture(bytes, 8 + 18, &p));
  assert_int_equal(p.width, 3);
  assert_int_equal(p.height, 2);
  assert_int_equal(p.rgb[0], 9);
  for (size_t size = 0; size <= sizeof bytes; size++)
    if (size != 8 + 18) assert_int_equal(train_wire_read_picture(bytes, size, &p), ORR_EFORMAT);
  // no pixels, and the most there can be: no product that overflows makes them fit
  const uint8_t sizes[][4] = {{0, 0, 2, 0}, {3, 0, 0, 0}, {0xFF, 0xFF, 0xFF, 0xFF}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    memcpy(bytes + 4, sizes[i], 4);
    assert_int_equal(train_wire_read_picture(bytes, 8 + 18, &p), ORR_EFORMAT);
    assert_int_equal(train_wire_read_picture(bytes, 8, &p), ORR_EFORMAT);
  }
}

static train_wire_frame a_frame(void) {
  return (train_wire_frame){.world = 1,
                            .flags = TRAIN_WIRE_GIVEN | TRAIN_WIRE_AHEAD,
                            .width = 2,
                            .height = 1,
                            .frame = 0x0102030405,
                            .stamp = {.number = 7, .clock_ms = -2.5},
                            .missed = 9,
                            .decode_ms = 1.0f,
                            .surprise = 0.5f,
                            .answer_ms = 0.25f,
                            .rate = 24.0f,
                            .hash = {.lo = 0x1112131415161718, .hi = 0x0102030405060708}};
}

static void test_a_frame_is_written_at_the_places_that_the_page_says(void **state) {
  static const uint8_t want[] = {16,   1,    3,    0,    2,    0,    1,    0,    5,    4,    3,
                                 2,    1,    0,    0,    0,    0,    0,    0,    0,    0,    0,
                                 0x04, 0xC0, 7,    0,    0,    0,    9,    0,    0,    0,    0,
                                 0,    0x80, 0x3F, 0,    0,    0x00, 0x3F, 0,    0,    0x80, 0x3E,
                                 0,    0,    0xC0, 0x41, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
                                 0x08, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18};
  uint8_t got[TRAIN_WIRE_FRAME_HEADER];
  const train_wire_frame f = a_frame();
  memset(got, 0xEE, sizeof got);
  train_wire_write_frame(&f, got);
  assert_int_equal(sizeof want, sizeof got);
  assert_memory_equal(got, want, sizeof want);
}

static void test_a_frame_that_is_written_is_read_again(void **state) {
  uint8_t bytes[TRAIN_WIRE_FRAME_HEADER + 6 + 1] = {0};
  const train_wire_frame f = a_frame();
  train_wire_frame g;
  train_wire_write_frame(&f, bytes);
  assert_ok(train_wire_read_frame(bytes, TRAIN_WIRE_FRAME_HEADER + 6, &g));
  assert_true(g.world == f.world && g.flags == f.flags && g.width == f.width);
  assert_true(g.height == f.height && g.frame == f.frame && g.missed == f.missed);
  assert_true(g.stamp.number == f.stamp.number && g.stamp.clock_ms == f.stamp.clock_ms);
  assert_true(g.decode_ms == f.decode_ms && g.surprise == f.surprise);
  assert_true(g.answer_ms == f.answer_ms && g.rate == f.rate);
  assert_true(orr_hash_equal(g.hash, f.hash));
  for (size_t size = 0; size <= sizeof bytes; size++)
    if (size != TRAIN_WIRE_FRAME_HEADER + 6)
      assert_int_equal(train_wire_read_frame(bytes, size, &g), ORR_EFORMAT);
}

static void test_the_handshake_answers_as_rfc_6455_has_it(void **state) {
  char accept[29];
  assert_ok(train_handshake_accept("dGhlIHNhbXBsZSBub25jZQ==", accept));
  assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  const char *const bad[] = {"", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===",
                             "dGhlIHNhbXBsZSBub25jZ!==", "dGhlIHNhbXBsZSBub25jZQAA"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal(train_handshake_accept(bad[i], accept), ORR_EFORMAT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_an_input_is_read_as_the_page_says),
      cmocka_unit_test(test_an_input_without_components_is_one),
      cmocka_unit_test(test_inputs_of_other_sizes_kinds_and_numbers_are_refused),
      cmocka_unit_test(test_a_picture_has_the_size_that_it_says),
      cmocka_unit_test(test_a_frame_is_written_at_the_places_that_the_page_says),
      cmocka_unit_test(test_a_frame_that_is_written_is_read_again),
      cmocka_unit_test(test_the_handshake_answers_as_rfc_6455_has_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
