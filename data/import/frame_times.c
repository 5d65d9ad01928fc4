#include "data/import/frame_times.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

static int compare(const void *a, const void *b) {
  double p = *(const double *)a, q = *(const double *)b;
  return p < q ? -1 : p > q;
}

// The usual one of n intervals, which it sorts.
static double usual_interval(double *intervals, int64_t n) {
  double sum = 0, most = 0;
  int64_t count = 0;
  qsort(intervals, (size_t)n, sizeof *intervals, compare);
  most = 1.9 * intervals[n / 2];
  while (count < n && intervals[count] < most) sum += intervals[count++];
  return count ? sum / (double)count : 0;
}

// A rate that a file says, or a whole number, where it is within half a percent.
static double round_rate(double fps, double said_fps) {
  if (said_fps > 0 && fabs(fps - said_fps) < 5e-3 * fps) return said_fps;
  return fabs(fps - round(fps)) < 5e-3 * fps ? round(fps) : fps;
}

static void count_gaps(const double *times, int64_t n, double usual, data_frame_times *out) {
  int64_t whole = 0;
  out->ticks = 1;
  for (int64_t i = 1; i < n; i++) {
    double interval = times[i] - times[i - 1], steps = fmax(round(interval / usual), 1);
    whole += fabs(interval - steps * usual) <= 0.25 * usual;
    out->ticks += steps < 1e9 ? (int64_t)steps : 0;
    if (interval < 1.5 * usual) continue;
    out->gaps++;
    if (interval <= out->longest) continue;
    out->longest = interval;
    out->longest_at = times[i - 1];
  }
  out->steady = !out->gaps;
  out->clockless = !out->steady && whole * 4 < (n - 1) * 3;
}

orr_code data_frame_times_look(const double *times, int64_t n, double said_fps,
                               data_frame_times *out) {
  *out = (data_frame_times){.fps = said_fps, .steady = true, .ticks = n};
  if (!times || n < 3) return ORR_OK;
  double *intervals = orr_malloc((size_t)(n - 1) * sizeof *intervals);
  ORR_CHECK(intervals, ORR_ENOMEM, "out of memory for the times of %" PRId64 " frames", n);
  for (int64_t i = 1; i < n; i++) intervals[i - 1] = times[i] - times[i - 1];
  double usual = usual_interval(intervals, n - 1);
  orr_free(intervals);
  if (usual <= 0) return ORR_OK; // all at once: no times at all
  count_gaps(times, n, usual, out);
  double fps = out->steady ? (double)(n - 1) / (times[n - 1] - times[0]) : 1 / usual;
  out->fps = round_rate(fps, said_fps);
  return ORR_OK;
}
