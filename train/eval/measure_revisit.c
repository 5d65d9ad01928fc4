// Whether a model knows a place again: frames of a place that the prompt has shown and that was out
// of view since, against frames of places that it has not shown, at the same horizons.
#include "train/eval/measure.h"

#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "data/sim/rooms.h"
#include "train/eval/arithmetic.h"

#define SAME_M    0.2 // nearer, and turned by less, it is the same view
#define SAME_RAD  0.12
#define OTHER_M   1.0 // farther, or turned by more, hardly anything of it is in view
#define OTHER_RAD (DATA_ROOMS_LENS / 2)

static const char *lacks(const train_eval_set *s) {
  return s->rooms ? NULL : "the data set has no state of the rooms scene";
}

static const float *pose(const train_eval_set *s, int64_t clip, int64_t t) {
  return s->state + (clip * s->T + t) * s->Q;
}

static double apart_m(const float *a, const float *b) {
  return hypot(a[0] - b[0], a[1] - b[1]);
}

static double apart_rad(const float *a, const float *b) {
  const double d = a[DATA_ROOMS_YAW] - b[DATA_ROOMS_YAW];
  return fabs(d - 2 * M_PI * floor((d + M_PI) / (2 * M_PI)));
}

static bool is_same(const float *a, const float *b) {
  return apart_m(a, b) < SAME_M && apart_rad(a, b) < SAME_RAD &&
         fabs(a[DATA_ROOMS_PITCH] - b[DATA_ROOMS_PITCH]) < SAME_RAD;
}

static bool is_other(const float *a, const float *b) {
  return apart_m(a, b) > OTHER_M || apart_rad(a, b) > OTHER_RAD;
}

// Frames that the place of frame t was out of view for, since a frame of the prompt; 0 = it is no
// such place.
static int64_t out_of_view(const train_eval_set *s, int64_t clip, int64_t t) {
  const float *now = pose(s, clip, t);
  int64_t most = 0;
  for (int64_t u = 0; u < s->prompt; u++) {
    int64_t out = 0;
    if (!is_same(now, pose(s, clip, u))) continue;
    for (int64_t v = u + 1; v < t; v++) out += is_other(now, pose(s, clip, v));
    if (out > most) most = out;
  }
  return most;
}

// Whether the prompt has shown nothing of the place. What is in view since is the model's own: the
// frame before looks much like this one wherever somebody walks.
static bool is_new(const train_eval_set *s, int64_t clip, int64_t t) {
  for (int64_t u = 0; u < s->prompt; u++)
    if (!is_other(pose(s, clip, t), pose(s, clip, u))) return false;
  return true;
}

static orr_code take(const train_films *f, json_t *out) {
  const train_eval_set *s = f->set;
  train_measure_mean *seen = orr_calloc((size_t)(2 * f->horizon), sizeof *seen);
  train_measure_mean *unseen = seen ? seen + f->horizon : NULL, away = {0};
  double gap = 0, weight = 0;
  ORR_CHECK(seen, ORR_ENOMEM, "evaluation: out of memory");
  for (int64_t i = 0; i < s->E; i++)
    for (int64_t k = 0; k < f->horizon; k++) {
      const int64_t t = s->prompt + k, frames = out_of_view(s, i, t);
      const double psnr = train_measure_psnr(train_measure_mse(
          train_films_real(f, i, t), f->predicted + (i * f->horizon + k) * f->bytes, f->bytes));
      if (frames > 0) {
        train_measure_mean_add(&seen[k], psnr);
        train_measure_mean_add(&away, (double)frames);
      } else if (is_new(s, i, t)) {
        train_measure_mean_add(&unseen[k], psnr);
      }
    }
  for (int64_t k = 0; k < f->horizon; k++) {
    const double n = (double)(seen[k].count < unseen[k].count ? seen[k].count : unseen[k].count);
    gap += n * (train_measure_mean_of(&seen[k]) - train_measure_mean_of(&unseen[k]));
    weight += n;
  }
  json_object_set_new(out, "revisit_gap_db", orr_json_number(weight > 0 ? gap / weight : NAN));
  json_object_set_new(out, "revisits", json_integer((json_int_t)away.count));
  json_object_set_new(out, "revisit_frames_away",
                      orr_json_number(away.count ? train_measure_mean_of(&away) : NAN));
  orr_free(seen);
  return ORR_OK;
}

const train_measure train_measure_revisit = {
    .figures = "revisit_gap_db", .lacks = lacks, .take = take};
