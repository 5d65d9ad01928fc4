#include "train/exam/calibration.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/json.h"

enum { STEPS = 60 };

// -log of what a belief with log odds z gives to something whose target is `target`.
static double cross_entropy(double z, double target) {
  const double lost = z > 0 ? log1p(exp(-z)) : log1p(exp(z)) - z; // -log p
  return lost + (1 - target) * z;
}

// -- beliefs in endings ---------------------------------------------------------------------

static double cost_of(const double *odds, int64_t n, double scale) {
  const double target = ((double)n + 1) / ((double)n + 2);
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += cross_entropy(odds[i] / scale, target);
  return sum;
}

// On a grid of factors of 2^(1/4): the curve is smooth and has one valley.
double train_exam_scale(const double *odds, int64_t n) {
  double best = 1, least = INFINITY;
  for (int i = -40; i <= 120 && n > 0; i++) {
    const double scale = exp2(0.25 * i), cost = cost_of(odds, n, scale);
    if (cost < least) {
      least = cost;
      best = scale;
    }
  }
  return best;
}

// -- rollouts that go wrong -----------------------------------------------------------------

typedef struct {
  const double *judged;
  int64_t n;
  double mean, spread; // of the nats: the fit is of (nats - mean) / spread
  double target[2];    // of what went right, of what went wrong
} wrongs;

static wrongs wrongs_of(const double *judged, int64_t n) {
  wrongs w = {.judged = judged, .n = n};
  double wrong = 0;
  for (int64_t i = 0; i < n; i++) {
    w.mean += judged[2 * i] / (double)n;
    wrong += judged[2 * i + 1];
  }
  for (int64_t i = 0; i < n; i++)
    w.spread += (judged[2 * i] - w.mean) * (judged[2 * i] - w.mean) / (double)n;
  w.spread = w.spread > 0 ? sqrt(w.spread) : 1;
  w.target[0] = 1 / ((double)n - wrong + 2);
  w.target[1] = (wrong + 1) / (wrong + 2);
  return w;
}

static double standing(const wrongs *w, int64_t i) {
  return (w->judged[2 * i] - w->mean) / w->spread;
}

// What a and b cost, with a slight pull of the slope to zero, so that there is a least cost where a
// line parts all that went wrong from all that did not.
static double cost_at(const wrongs *w, double a, double b) {
  double sum = 0.5 * b * b / (double)w->n;
  for (int64_t i = 0; i < w->n; i++)
    sum += cross_entropy(a + b * standing(w, i), w->target[w->judged[2 * i + 1] > 0.5]);
  return sum;
}

// One step of Newton's method, halved until it helps; false where none does.
static bool step(const wrongs *w, double *a, double *b) {
  double ga = 0, gb = *b / (double)w->n, haa = 1e-9, hab = 0, hbb = 1 / (double)w->n;
  for (int64_t i = 0; i < w->n; i++) {
    const double x = standing(w, i), p = 1 / (1 + exp(-(*a + *b * x))),
                 off = p - w->target[w->judged[2 * i + 1] > 0.5], v = p * (1 - p);
    ga += off;
    gb += off * x;
    haa += v;
    hab += v * x;
    hbb += v * x * x;
  }
  const double det = haa * hbb - hab * hab, before = cost_at(w, *a, *b);
  double da = -(hbb * ga - hab * gb) / det, db = -(haa * gb - hab * ga) / det;
  for (int i = 0; i < 30; i++, da *= 0.5, db *= 0.5) {
    if (!(cost_at(w, *a + da, *b + db) < before)) continue;
    *a += da;
    *b += db;
    return true;
  }
  return false;
}

void train_exam_fit_wrong(const double *judged, int64_t n, double *at, double *slope) {
  double a = 0, b = 0;
  *at = *slope = 0;
  if (n == 0) return;
  const wrongs w = wrongs_of(judged, n);
  for (int i = 0; i < STEPS && step(&w, &a, &b); i++)
    ;
  *slope = b / w.spread;
  *at = a - *slope * w.mean;
}

// -- as a file ------------------------------------------------------------------------------

static json_t *scales_json(const double *scale) {
  json_t *j = json_object();
  for (int i = 0; i < DATA_PHYSICS_CONCEPTS && j; i++)
    if (scale[i] > 0) json_object_set_new(j, data_physics_concept_names[i], json_real(scale[i]));
  return j;
}

json_t *train_exam_calibration_json(const train_exam_calibration *c) {
  return json_pack("{s:o, s:o, s:f, s:f}", "pair", scales_json(c->pair), "group",
                   scales_json(c->group), "at", c->at, "slope", c->slope);
}

static orr_code read_scales(const char *what, const json_t *j, const char *name, double *out) {
  json_t *scales = NULL;
  ORR_TRY(orr_json_get_object(j, what, name, &scales));
  for (int i = 0; i < DATA_PHYSICS_CONCEPTS; i++)
    if (json_object_get(scales, data_physics_concept_names[i]))
      ORR_TRY(orr_json_get_f64(scales, what, data_physics_concept_names[i], &out[i]));
  return ORR_OK;
}

orr_code train_exam_calibration_read(const char *what, const json_t *j,
                                     train_exam_calibration *out) {
  memset(out, 0, sizeof *out);
  ORR_TRY(orr_json_get_f64(j, what, "at", &out->at));
  ORR_TRY(orr_json_get_f64(j, what, "slope", &out->slope));
  ORR_TRY(read_scales(what, j, "pair", out->pair));
  return read_scales(what, j, "group", out->group);
}
