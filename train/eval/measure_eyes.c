// How a speaking face blinks: how often and how long its eyes are shut in predicted frames, against
// the scene's own. When it blinks nobody can know from what is heard; how often, a model can learn.
#include "train/eval/measure.h"

#include <math.h>

#include "base/json.h"
#include "data/sim/face.h"
#include "train/eval/arithmetic.h"

#define SHUT 0.0015 // white of the eyes below this: about a quarter of what open eyes show

static const char *lacks(const train_eval_set *s) {
  return s->face ? NULL : "the data set has no state of the face scene";
}

// Of films: frames with shut eyes, blinks begun, and what shows against how far they are truly
// open.
typedef struct {
  train_measure_mean shut;
  int64_t blinks;
  train_measure_series both; // white of the eyes, how far they are open
} score;

static void add_frame(score *all, double white, double open, bool was_shut) {
  const bool shut = white < SHUT;
  train_measure_mean_add(&all->shut, shut);
  all->blinks += shut && !was_shut;
  train_measure_series_add(white, open, &all->both);
}

static score read(const train_films *f, bool real) {
  const train_eval_set *s = f->set;
  score all = {0};
  for (int64_t i = 0; i < s->E; i++) {
    bool shut = data_face_eyes(train_films_real(f, i, s->prompt - 1), s->height, s->width) < SHUT;
    for (int64_t k = 0; k < f->horizon; k++) {
      const int64_t t = s->prompt + k;
      const uint8_t *frame =
          real ? train_films_real(f, i, t) : f->predicted + (i * f->horizon + k) * f->bytes;
      const double white = data_face_eyes(frame, s->height, s->width);
      add_frame(&all, white, 1 - s->state[(i * s->T + t) * s->Q + DATA_FACE_BLINK], shut);
      shut = white < SHUT;
    }
  }
  return all;
}

static void tell(const train_films *f, bool real, json_t *out) {
  const score s = read(f, real);
  const double minutes = s.both.n * f->set->dt_s / 60;
  json_object_set_new(out, real ? "real_eyes_shut" : "eyes_shut",
                      orr_json_number(train_measure_mean_of(&s.shut)));
  json_object_set_new(out, real ? "real_blinks_a_minute" : "blinks_a_minute",
                      orr_json_number(minutes > 0 ? (double)s.blinks / minutes : NAN));
  json_object_set_new(out, real ? "real_eyes_corr" : "eyes_corr",
                      orr_json_number(train_measure_series_corr(&s.both)));
}

static orr_code take(const train_films *f, json_t *out) {
  tell(f, false, out);
  tell(f, true, out);
  return ORR_OK;
}

const train_measure train_measure_eyes = {.figures = "eyes_shut", .lacks = lacks, .take = take};
