// Whether a speaking face says what is heard: the mouth's opening read off predicted frames against
// the scene's own, how late it is, what the sound is worth to the loss, and whose face it stays.
#include "train/eval/measure.h"

#include <math.h>

#include "base/json.h"
#include "base/mem.h"
#include "data/sim/face.h"
#include "train/eval/arithmetic.h"

enum { OFFSET_MOST = 5 }; // frames that are looked at to both sides

static const char *lacks(const train_eval_set *s) {
  return s->face ? NULL : "the data set has no state of the face scene";
}

// Adds a clip, off its own means: seen [horizon] of its film against the true opening `late` frames
// before.
static void add_clip(const train_films *f, int64_t clip, const double *seen, int64_t late,
                     train_measure_series *all) {
  const train_eval_set *s = f->set;
  train_measure_series own = {0};
  for (int64_t k = 0; k < f->horizon; k++) {
    const int64_t t = s->prompt + k - late;
    if (t < 0 || t >= s->T) continue;
    train_measure_series_add(seen[k], s->state[(clip * s->T + t) * s->Q + DATA_FACE_OPEN], &own);
  }
  all->xx += own.xx;
  all->yy += own.yy;
  all->xy += own.xy;
}

// seen [E,horizon]: correlation at no offset, and the offset at which it is highest.
static void correlate(const train_films *f, const double *seen, double *at_once, double *offset) {
  double most = -INFINITY;
  *offset = NAN;
  for (int64_t late = -OFFSET_MOST; late <= OFFSET_MOST; late++) {
    train_measure_series all = {0};
    for (int64_t i = 0; i < f->set->E; i++) add_clip(f, i, seen + i * f->horizon, late, &all);
    const double c = train_measure_series_corr(&all);
    if (late == 0) *at_once = c;
    if (c <= most || isnan(c)) continue;
    most = c;
    *offset = (double)late;
  }
}

// How far the mouth is open in silence, as a share of how far it is open in speech.
static double silence(const train_films *f, const double *seen) {
  const train_eval_set *s = f->set;
  train_measure_mean quiet = {0}, loud = {0};
  for (int64_t i = 0; i < s->E; i++)
    for (int64_t k = 0; k < f->horizon; k++) {
      const float *state = s->state + (i * s->T + s->prompt + k) * s->Q;
      const bool still = !state[DATA_FACE_SPEAKS] && state[DATA_FACE_OPEN] < 0.05F;
      if (still || state[DATA_FACE_SPEAKS])
        train_measure_mean_add(still ? &quiet : &loud, seen[i * f->horizon + k]);
    }
  const double open = train_measure_mean_of(&loud);
  return quiet.count && open > 0 ? train_measure_mean_of(&quiet) / open : NAN;
}

static double unlike(const double *a, const double *b) {
  double sum = 0;
  for (int i = 0; i < DATA_FACE_LIKENESS; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sqrt(sum / DATA_FACE_LIKENESS);
}

// How unlike the last frame of each film is to the last frame of its prompt.
static double drift(const train_films *f, bool predicted) {
  const train_eval_set *s = f->set;
  train_measure_mean all = {0};
  for (int64_t i = 0; i < s->E; i++) {
    double was[DATA_FACE_LIKENESS], is[DATA_FACE_LIKENESS];
    const uint8_t *last = predicted ? f->predicted + (i * f->horizon + f->horizon - 1) * f->bytes
                                    : train_films_real(f, i, s->T - 1);
    data_face_likeness(train_films_real(f, i, s->prompt - 1), s->height, s->width, was);
    data_face_likeness(last, s->height, s->width, is);
    train_measure_mean_add(&all, unlike(was, is));
  }
  return train_measure_mean_of(&all);
}

static orr_code take(const train_films *f, json_t *out) {
  const train_eval_set *s = f->set;
  double corr[2], offset[2], quiet[2];
  double *seen = orr_malloc((size_t)(s->E * f->horizon) * sizeof *seen);
  ORR_CHECK(seen, ORR_ENOMEM, "evaluation: out of memory");
  for (int real = 0; real < 2; real++) {
    for (int64_t i = 0; i < s->E; i++)
      for (int64_t k = 0; k < f->horizon; k++)
        seen[i * f->horizon + k] =
            data_face_opening(real ? train_films_real(f, i, s->prompt + k)
                                   : f->predicted + (i * f->horizon + k) * f->bytes,
                              s->height, s->width);
    correlate(f, seen, &corr[real], &offset[real]);
    quiet[real] = silence(f, seen);
  }
  orr_free(seen);
  json_object_set_new(out, "mouth_corr", orr_json_number(corr[0]));
  json_object_set_new(out, "real_mouth_corr", orr_json_number(corr[1]));
  json_object_set_new(out, "av_offset_frames", orr_json_number(offset[0]));
  json_object_set_new(out, "real_av_offset_frames", orr_json_number(offset[1]));
  json_object_set_new(out, "mouth_in_silence", orr_json_number(quiet[0]));
  json_object_set_new(out, "real_mouth_in_silence", orr_json_number(quiet[1]));
  json_object_set(out, "audio_shuffle_ratio", json_object_get(out, "action_shuffle_ratio"));
  json_object_set_new(out, "identity_drift", orr_json_number(drift(f, true)));
  json_object_set_new(out, "real_identity_drift", orr_json_number(drift(f, false)));
  return ORR_OK;
}

const train_measure train_measure_mouth = {.figures = "mouth_corr", .lacks = lacks, .take = take};
