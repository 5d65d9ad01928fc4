// labels: quick faults; needs: hdf5
// Sweeps: the n-th malloc, open, read fails while recordings of every layout are looked at and
// read. A clean error each time and no leak (the dev preset's ASan looks), or, where what failed
// was not needed, the same result. Writing is data_shard_writer's, which has its own sweep.
#include "tests/data/h5_leaks.h"

#include <inttypes.h>

#include "base/fault.h"
#include "base/mem.h"
#include "data/import/frame.h"
#include "data/import/plan.h"

static orr_code read_item(const data_import_plan *p, const data_import_item *item) {
  data_import_framer *framer = NULL;
  data_import_output rows;
  uint8_t *frame = calloc(1, (size_t)(p->format->height * p->format->width * 3));
  orr_code rc = data_import_plan_rows(p, item, &rows);
  if (rc == ORR_OK)
    rc = data_import_framer_open(p->o, &p->episodes.v[item->episode], item->timing.first, &framer);
  for (int64_t k = 0; rc == ORR_OK && k < item->timing.frames; k++)
    rc = data_import_framer_read(framer, data_import_frame(&item->timing, k), frame);
  data_import_framer_close(framer);
  data_import_output_release(&rows);
  free(frame);
  return rc;
}

// Plans an import of one recording and reads all of it; *key tells what was planned.
static orr_code import(const char *path, orr_hash128 *key) {
  data_import_options o = {.inputs = {&path, 1},
                           .dir = "unused",
                           .branch = "worlds",
                           .source_fps = 10,
                           .height = 12,
                           .width = 12,
                           .range_auto = true,
                           .min_frames = 2,
                           .processes = 1};
  data_import_plan p;
  orr_code rc = data_import_plan_make(&o, NULL, NULL, &p);
  if (rc != ORR_OK) return rc;
  *key = p.key;
  for (int64_t i = 0; rc == ORR_OK && i < p.count; i++) rc = read_item(&p, &p.items[i]);
  data_import_plan_release(&p);
  return rc;
}

static void sweep(const char *path, orr_fault_kind kind) {
  orr_hash128 whole, key;
  if (import(path, &whole) != ORR_OK) fail_msg("%s", orr_status_message());
  for (int64_t n = 1; n < 5000; n++) {
    orr_status_clear();
    h5_mark mark = h5_mark_make();
    orr_fault_arm(kind, n);
    orr_code rc = import(path, &key);
    bool fired = orr_fault_fired(kind);
    orr_fault_arm(kind, 0);
    assert_h5_holds_nothing_since(mark);
    if (rc == ORR_OK ? !orr_hash_equal(key, whole) : !orr_status_message()[0])
      fail_msg("%s: operation %" PRId64 " of kind %d fails: %s, '%s'", path, n, (int)kind,
               orr_code_name(rc), orr_status_message());
    if (!fired) {
      if (rc != ORR_OK) fail_msg("%s: %s", path, orr_status_message());
      assert_true(n > 1);
      return;
    }
  }
  fail_msg("the sweep over %s never ended", path);
}

static void test_failing_reads_and_allocations_are_errors(void **state) {
  static const char *const names[] = {
      "act.h5",       "act_padded.h5", "act_sequence.h5", "robomimic.h5", "csgo.h5",  "flat.h5",
      "maniskill.h5", "robotwin.h5",   "minari.h5",       "columns.h5",   "linked.h5"};
  char path[1024];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(path, sizeof path, "%s/tests/fuzz/seeds/import/%s", ORR_SOURCE_DIR, names[i]);
    sweep(path, ORR_FAULT_MALLOC);
    sweep(path, ORR_FAULT_OPEN);
    sweep(path, ORR_FAULT_READ);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_failing_reads_and_allocations_are_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
