// By horizon: PSNR and structural similarity of rollouts and of what they are held against, drift,
// and delta_psnr against rollouts under another clip's actions.
#include "train/eval/measure.h"

#include <math.h>

#include "base/json.h"
#include "base/mem.h"
#include "train/eval/arithmetic.h"
#include "train/eval/ssim.h"

enum { DELTA_HORIZON = 4 }; // Genie's k of delta PSNR

static json_t *array_of(const double *v, int64_t n) {
  json_t *a = json_array();
  for (int64_t i = 0; i < n; i++) json_array_append_new(a, orr_json_number(v[i]));
  return a;
}

// What stands beside the real frames at each horizon.
typedef enum {
  PREDICTED,     // rollouts under the true actions
  OTHER_ACTIONS, // and under another clip's
  STILL,         // the last prompt frame, held
  STILL_DECODED, // the same as the tokenizer gives it back: what "nothing moves" costs a model
} film;

static const uint8_t *film_frame(const train_films *f, film which, int64_t clip, int64_t k) {
  const int64_t rolled = (clip * f->horizon + k) * f->bytes;
  switch (which) {
  case PREDICTED:
    return f->predicted + rolled;
  case OTHER_ACTIONS:
    return f->other + rolled;
  case STILL:
    return train_films_real(f, clip, f->set->prompt - 1);
  case STILL_DECODED:
    break;
  }
  return f->given + clip * f->bytes;
}

// psnr [horizon] (=) means over the clips; ssim [horizon] (=) unless NULL.
static void curves(const train_films *f, film which, train_ssim *similarity, double *psnr,
                   double *ssim) {
  for (int64_t k = 0; k < f->horizon; k++) {
    train_measure_mean p = {0}, s = {0};
    for (int64_t i = 0; i < f->set->E; i++) {
      const uint8_t *real = train_films_real(f, i, f->set->prompt + k),
                    *shown = film_frame(f, which, i, k);
      train_measure_mean_add(&p, train_measure_psnr(train_measure_mse(real, shown, f->bytes)));
      if (ssim) train_measure_mean_add(&s, train_ssim_of(similarity, real, shown));
    }
    psnr[k] = train_measure_mean_of(&p);
    if (ssim) ssim[k] = train_measure_mean_of(&s);
  }
}

// The least of psnr - still from the second frame on; the first is the nearest to the prompt.
static double least_gain(const double *psnr, const double *still, int64_t h) {
  double least = NAN;
  for (int64_t k = 1; k < h; k++) least = fmin(least, psnr[k] - still[k]); // NAN: no number
  return least;
}

static orr_code take(const train_films *f, json_t *out) {
  static const struct {
    film film;
    const char *psnr, *ssim;
  } lines[] = {{PREDICTED, "psnr", "ssim"},
               {STILL, "persistence_psnr", "persistence_ssim"},
               {STILL_DECODED, "decoded_persistence_psnr", "decoded_persistence_ssim"},
               {OTHER_ACTIONS, "random_action_psnr", NULL}};
  enum { LINES = sizeof lines / sizeof *lines };
  const int64_t h = f->horizon, k = DELTA_HORIZON - 1;
  train_ssim *similarity;
  ORR_TRY(train_ssim_create(f->set->height, f->set->width, &similarity));
  double *v = orr_calloc((size_t)((LINES + 1) * h), sizeof *v), *ssim = v + LINES * h;
  if (!v) train_ssim_destroy(similarity);
  ORR_CHECK(v, ORR_ENOMEM, "evaluation: out of memory");
  for (int i = 0; i < LINES; i++) {
    curves(f, lines[i].film, similarity, v + i * h, lines[i].ssim ? ssim : NULL);
    json_object_set_new(out, lines[i].psnr, array_of(v + i * h, h));
    if (lines[i].ssim) json_object_set_new(out, lines[i].ssim, array_of(ssim, h));
  }
  json_object_set_new(out, "gain_over_persistence", orr_json_number(least_gain(v, v + h, h)));
  json_object_set_new(out, "delta_psnr",
                      orr_json_number(k < h ? v[k] - v[(LINES - 1) * h + k] : NAN));
  json_object_set_new(out, "drift", orr_json_number(train_measure_slope(v, h)));
  orr_free(v);
  train_ssim_destroy(similarity);
  return ORR_OK;
}

const train_measure train_measure_horizons = {.figures = "psnr and ssim", .take = take};
