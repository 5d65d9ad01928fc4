#include "train/run/guard.h"

#include <math.h>

#include "base/mem.h"

// Below this share of the mean a spread is taken for rounding, not for noise.
static const double least_spread = 1e-3;

orr_code train_guard_init(train_guard *g, const cfg *c) {
  *g = (train_guard){
      .z = c->guard.z, .room = c->guard.window, .rewind_after = c->guard.rewind_after};
  g->loss = orr_calloc(2 * (size_t)g->room, sizeof *g->loss);
  ORR_CHECK(g->loss, ORR_ENOMEM, "guard.window %lld: out of memory", (long long)g->room);
  g->norm = g->loss + g->room;
  return ORR_OK;
}

void train_guard_release(train_guard *g) {
  orr_free(g->loss);
  *g = (train_guard){0};
}

// The i-th of the window, oldest first.
static double aged(const train_guard *g, const double *v, int64_t i) {
  return v[((g->n < g->room ? 0 : g->at) + i) % g->room];
}

// mean + z standard deviations. Summed by age: the same to the bit wherever the ring begins.
static double limit_of(const train_guard *g, const double *v) {
  const double n = (double)g->n;
  double mean = 0.0, square = 0.0;
  for (int64_t i = 0; i < g->n; i++) mean += aged(g, v, i) / n;
  for (int64_t i = 0; i < g->n; i++) square += pow(aged(g, v, i) - mean, 2.0) / n;
  return mean + g->z * fmax(sqrt(square), least_spread * fabs(mean));
}

train_guard_limits train_guard_limits_of(const train_guard *g) {
  train_guard_limits l = {INFINITY, INFINITY};
  if (g->z <= 0.0 || g->n < g->room) return l;
  l.loss = limit_of(g, g->loss);
  l.norm = exp(limit_of(g, g->norm));
  return l;
}

const char *train_guard_reason(const train_guard_limits *l, double loss, double norm) {
  if (!isfinite(loss)) return "the loss is not finite";
  if (!isfinite(norm)) return "the gradient norm is not finite";
  if (loss > l->loss) return "the loss is a spike";
  if (norm > l->norm) return "the gradient norm is a spike";
  return NULL;
}

void train_guard_note(train_guard *g, bool accepted, double loss, double norm) {
  if (!accepted) {
    g->skipped++;
    return;
  }
  g->skipped = 0;
  g->loss[g->at] = loss;
  g->norm[g->at] = log(fmax(norm, 1e-300));
  g->at = (g->at + 1) % g->room;
  if (g->n < g->room) g->n++;
}

bool train_guard_lost(const train_guard *g) {
  return g->rewind_after > 0 && g->skipped >= g->rewind_after;
}

static json_t *list_of(const train_guard *g, const double *v) {
  json_t *list = json_array();
  for (int64_t i = 0; list && i < g->n; i++) json_array_append_new(list, json_real(aged(g, v, i)));
  return list;
}

json_t *train_guard_save(const train_guard *g) {
  return json_pack("{s:I, s:o, s:o}", "skipped", (json_int_t)g->skipped, "loss",
                   list_of(g, g->loss), "log_norm", list_of(g, g->norm));
}

void train_guard_load(train_guard *g, const json_t *j) {
  const json_t *loss = json_object_get(j, "loss"), *norm = json_object_get(j, "log_norm");
  const int64_t n = (int64_t)json_array_size(loss);
  g->n = g->at = 0;
  g->skipped = json_integer_value(json_object_get(j, "skipped"));
  if (n > g->room || (int64_t)json_array_size(norm) != n) return;
  for (int64_t i = 0; i < n; i++) {
    g->loss[i] = json_number_value(json_array_get(loss, (size_t)i));
    g->norm[i] = json_number_value(json_array_get(norm, (size_t)i));
  }
  g->n = n;
  g->at = n % g->room;
}
