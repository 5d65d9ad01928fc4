// Videos: frames have a size and all their bytes, and there is an end.
#include "base/mem.h"
#include "data/pictures/video_reader.h"
#include "tests/fuzz/scratch.h"

#define FRAMES_MAX 4096 // the seeds have a dozen

static orr_code read_all(data_video_reader *v) {
  for (int n = 0; n < FRAMES_MAX; n++) {
    data_picture p;
    orr_code rc = data_video_next(v, &p);
    if (rc != ORR_OK || !p.rgb) return rc;
    FUZZ_PROMISE(p.height >= 1 && p.width >= 1);
    volatile uint8_t last = p.rgb[p.height * p.width * 3 - 1];
    (void)last;
  }
  return ORR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  data_video_reader *v = NULL;
  int64_t frames = 0;
  double *times = NULL;
  const char *path = scratch_file("video", data, size);
  for (int pass = 0; pass < 2; pass++) {
    orr_code rc = data_video_open(path, &v);
    if (rc == ORR_OK) {
      FUZZ_PROMISE(data_video_fps(v) >= 0);
      rc = pass ? read_all(v) : data_video_count(v, &frames, &times);
    }
    if (rc != ORR_OK) fuzz_check_refusal(rc);
    data_video_close(v);
    v = NULL;
  }
  FUZZ_PROMISE(frames >= 0);
  for (int64_t i = 0; times && i < frames; i++)
    FUZZ_PROMISE(times[i] >= (i ? times[i - 1] : 0) && times[0] == 0);
  orr_free(times);
  return 0;
}
