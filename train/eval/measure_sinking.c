// Do rollouts sink into one colour, or into few codes? How bright predicted frames are, and how
// many distinct codes one holds, by horizon, beside the real ones.
#include "train/eval/measure.h"

#include <math.h>

#include "base/json.h"
#include "train/eval/arithmetic.h"

// The mean byte of a frame, on [0,1].
static double brightness(const uint8_t *frame, int64_t bytes) {
  int64_t sum = 0;
  for (int64_t i = 0; i < bytes; i++) sum += frame[i];
  return (double)sum / (255.0 * (double)bytes);
}

static double ratio(double predicted, double real) {
  return real > 0 ? predicted / real : NAN;
}

static orr_code take(const train_films *f, json_t *out) {
  const train_eval_set *s = f->set;
  json_t *bright = json_array(), *codes = json_array();
  for (int64_t k = 0; k < f->horizon; k++) {
    double b[2] = {0}, c[2] = {0}; // sums over clips: predicted, real
    for (int64_t i = 0; i < s->E; i++) {
      const int64_t rolled = i * f->horizon + k, t = i * s->T + s->prompt + k;
      b[0] += brightness(f->predicted + rolled * f->bytes, f->bytes);
      b[1] += brightness(s->frames + t * f->bytes, f->bytes);
      c[0] += (double)train_measure_distinct(f->predicted_tokens + rolled * s->S, s->S);
      c[1] += (double)train_measure_distinct(s->tokens + t * s->S, s->S);
    }
    json_array_append_new(bright, orr_json_number(ratio(b[0], b[1])));
    json_array_append_new(codes, orr_json_number(ratio(c[0], c[1])));
  }
  json_object_set_new(out, "brightness_ratio", bright);
  json_object_set_new(out, "distinct_codes_ratio", codes);
  return ORR_OK;
}

const train_measure train_measure_sinking = {.figures = "sinking", .take = take};
