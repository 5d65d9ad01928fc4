// Recordings in HDF5 of all layouts: listed, planned and read to the last frame, or refused.
#include "tests/fuzz/foreign.h"

#include "base/mem.h"
#include "data/import/frame.h"
#include "data/import/plan.h"
#include "tests/fuzz/scratch.h"

#define PIXELS_MAX (1 << 22) // no seed comes near

static orr_code read_item(const data_import_plan *p, const data_import_item *item, uint8_t *frame) {
  data_import_framer *framer = NULL;
  data_import_output rows;
  orr_code rc = data_import_plan_rows(p, item, &rows);
  data_import_output_release(&rows);
  if (rc != ORR_OK) return rc;
  rc = data_import_framer_open(p->o, &p->episodes.v[item->episode], item->timing.first, &framer);
  for (int64_t k = 0; rc == ORR_OK && k < item->timing.frames; k++)
    rc = data_import_framer_read(framer, data_import_frame(&item->timing, k), frame);
  data_import_framer_close(framer);
  return rc;
}

static void check_plan(const data_import_plan *p) {
  int64_t items = 0, frames = 0;
  FUZZ_PROMISE(p->count >= 1 && p->format->height >= 1 && p->format->width >= 1);
  for (int64_t i = 0; i < p->job_count; i++) items += p->jobs[i].n;
  for (int64_t i = 0; i < p->count; i++) frames += p->items[i].timing.frames;
  FUZZ_PROMISE(items == p->count && frames == p->frames);
  if (p->format->height * p->format->width > PIXELS_MAX) return;
  uint8_t *frame = malloc((size_t)(p->format->height * p->format->width * 3));
  for (int64_t i = 0; i < p->count; i++) {
    orr_code rc = read_item(p, &p->items[i], frame);
    if (rc != ORR_OK) fuzz_check_refusal(rc);
  }
  free(frame);
}

static void one(const uint8_t *data, size_t size) {
  static const char *const camera = "top";
  const char *path = scratch_file("recording.h5", data, size);
  for (int pass = 0; pass < 2; pass++) {
    data_import_options o = {.inputs = {&path, 1},
                             .dir = "unused",
                             .branch = "fuzz",
                             .source_fps = 10,
                             .min_frames = 2,
                             .processes = 1};
    data_import_plan p;
    if (pass) o.cameras = (data_words){&camera, 1};
    orr_code rc = data_import_plan_make(&o, NULL, NULL, &p);
    if (rc == ORR_OK) {
      check_plan(&p);
      data_import_plan_release(&p);
    } else {
      fuzz_check_refusal(rc);
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  scratch_folder(); // whose owner is this process
  foreign_call(one, data, size);
  return 0;
}
