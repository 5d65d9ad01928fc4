// labels: quick; needs: events
// TensorBoard's files: frames, sums and events as their formats say.
#include <dirent.h>
#include <math.h>

#include "base/crc32c.h"
#include "base/fault.h"
#include "tests/base/folder.h"
#include "train/observe/event.pb-c.h"
#include "train/observe/events.h"

static train_outage outage; // of a folder that is written in by one thread

static uint64_t le(const unsigned char *p, int bytes) {
  uint64_t v = 0;
  for (int i = bytes; i-- > 0;) v = v << 8 | p[i];
  return v;
}

static uint32_t masked(const void *p, size_t bytes) {
  const uint32_t crc = orr_crc32c(p, bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

// The n-th event of the only file in the folder; checks the frames on the way.
static Train__ScalarEvent *event_of(const char *dir, int n) {
  char path[512] = "", *text;
  size_t bytes, at = 0;
  DIR *d = opendir(dir);
  for (struct dirent *e; (e = readdir(d));)
    if (strncmp(e->d_name, "events.out.tfevents.", 20) == 0)
      snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
  closedir(d);
  assert_int_equal(orr_fs_read_all(path, &text, &bytes), ORR_OK);
  Train__ScalarEvent *event = NULL;
  for (int i = 0; at < bytes; i++) {
    const unsigned char *p = (const unsigned char *)text + at;
    const uint64_t length = le(p, 8);
    assert_int_equal(le(p + 8, 4), masked(p, 8));
    assert_int_equal(le(p + 12 + length, 4), masked(p + 12, length));
    if (i == n) event = train__scalar_event__unpack(NULL, length, p + 12);
    at += 16 + length;
  }
  assert_int_equal(at, bytes);
  orr_free(text);
  return event;
}

// RFC 3720, B.4, and the check value of the catalogue of CRCs.
static void test_crc32c_gives_the_published_sums(void **state) {
  unsigned char zeros[32] = {0}, ones[32];
  memset(ones, 0xff, sizeof ones);
  assert_int_equal(orr_crc32c(zeros, 32), 0x8a9136aau);
  assert_int_equal(orr_crc32c(ones, 32), 0x62a8ab43u);
  assert_int_equal(orr_crc32c("123456789", 9), 0xe3069283u);
}

static void test_a_file_begins_with_its_version_and_the_step_it_goes_on_from(void **state) {
  train_events *e;
  assert_int_equal(train_events_open(*state, 41, 1e9, &outage, &e), ORR_OK);
  train_events_close(e);
  Train__ScalarEvent *version = event_of(*state, 0), *start = event_of(*state, 1);
  assert_string_equal(version->file_version, "brain.Event:2");
  assert_int_equal(start->what_case, TRAIN__SCALAR_EVENT__WHAT_SESSION_LOG);
  assert_int_equal(start->session_log->status, TRAIN__SESSION_LOG__STATUS__START);
  assert_int_equal(start->step, 42); // 42 and later are repeated
  train__scalar_event__free_unpacked(version, NULL);
  train__scalar_event__free_unpacked(start, NULL);
}

static void test_a_step_holds_every_finite_value(void **state) {
  train_events *e;
  train_scalars s = {.step = 7, .wall_s = 1234.5};
  train_scalars_add(&s, "loss", "%g", 0.25);
  train_scalars_add(&s, "grad_norm", "%g", NAN);
  train_scalars_add(&s, "lr", "%g", 1e-3);
  assert_int_equal(train_events_open(*state, 0, 1e9, &outage, &e), ORR_OK);
  assert_int_equal(train_events_write(e, &s), ORR_OK);
  train_events_close(e);
  Train__ScalarEvent *event = event_of(*state, 2);
  assert_int_equal(event->step, 7);
  assert_true(event->wall_time == 1234.5);
  assert_int_equal(event->summary->n_value, 2);
  assert_string_equal(event->summary->value[0]->tag, "loss");
  assert_true(event->summary->value[0]->simple_value == 0.25f);
  assert_string_equal(event->summary->value[1]->tag, "lr");
  assert_true(event->summary->value[1]->simple_value == 1e-3f);
  train__scalar_event__free_unpacked(event, NULL);
}

static void test_every_failing_operation_is_an_error_without_a_leak(void **state) {
  const orr_fault_kind kinds[] = {ORR_FAULT_MALLOC, ORR_FAULT_OPEN, ORR_FAULT_WRITE};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
    for (int n = 1;; n++) {
      train_events *e = NULL;
      orr_fault_arm(kinds[k], n);
      const orr_code rc = train_events_open(*state, 0, 1e9 + n, &outage, &e);
      const bool fired = orr_fault_fired(kinds[k]);
      orr_fault_arm(kinds[k], 0);
      assert_int_equal(rc == ORR_OK, !fired || kinds[k] == ORR_FAULT_WRITE); // that is made good
      if (rc == ORR_OK) train_events_close(e);
      if (!fired) break;
    }
}

static void test_a_picture_goes_as_it_is_with_its_size(void **state) {
  static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\2\0\0\0\3\10\2\0\0\0rest";
  train_events *e;
  assert_int_equal(train_events_open(*state, 0, 1e9, &outage, &e), ORR_OK);
  assert_int_equal(train_events_image(e, "held_out", 7, 1e9 + 1, "no picture", 10), ORR_OK);
  assert_int_equal(train_events_image(e, "held_out", 7, 1e9 + 1, png, sizeof png), ORR_OK);
  train_events_close(e);
  assert_null(event_of(*state, 3));
  Train__ScalarEvent *event = event_of(*state, 2);
  assert_non_null(event);
  assert_int_equal(event->step, 7);
  assert_int_equal(event->what_case, TRAIN__SCALAR_EVENT__WHAT_SUMMARY);
  const Train__ScalarValue *v = event->summary->value[0];
  assert_string_equal(v->tag, "held_out");
  assert_int_equal(v->value_case, TRAIN__SCALAR_VALUE__VALUE_IMAGE);
  assert_int_equal(v->image->width, 258);
  assert_int_equal(v->image->height, 3);
  assert_int_equal(v->image->encoded_image_string.len, sizeof png);
  assert_memory_equal(v->image->encoded_image_string.data, png, sizeof png);
  train__scalar_event__free_unpacked(event, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_crc32c_gives_the_published_sums),
      cmocka_unit_test_setup_teardown(
          test_a_file_begins_with_its_version_and_the_step_it_goes_on_from, folder_setup,
          folder_teardown),
      cmocka_unit_test_setup_teardown(test_a_step_holds_every_finite_value, folder_setup,
                                      folder_teardown),
      cmocka_unit_test_setup_teardown(test_a_picture_goes_as_it_is_with_its_size, folder_setup,
                                      folder_teardown),
      cmocka_unit_test_setup_teardown(test_every_failing_operation_is_an_error_without_a_leak,
                                      folder_setup, folder_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
