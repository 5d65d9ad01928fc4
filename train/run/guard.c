#include "train/run/guard.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

// Below this share of the mean a spread is taken for rounding, not for noise.
static const double least_spread = 1e-3;
// Of what is accepted above the limits, a step keeps this share; the rest follows the steps.
static const double keep = 0.9;
// As much further above than the worst step so far as that stands above the limits.
static const double room_for_worse = 2.0;
// Share of the distance from mean to limit that counts as none.
static const double nothing = 0.01;

orr_code train_guard_init(train_guard *g, const cfg *c) {
  *g = (train_guard){
      .z = c->guard.z, .room = c->guard.window, .rewind_after = c->guard.rewind_after};
  g->loss = orr_calloc(2 * (size_t)g->room, sizeof *g->loss);
  ORR_CHECK(g->loss, ORR_ENOMEM, "guard.window %" PRId64 ": out of memory", g->room);
  g->norm = g->loss + g->room;
  return ORR_OK;
}

void train_guard_release(train_guard *g) {
  orr_free(g->loss);
  *g = (train_guard){0};
}

// -- limits --------------------------------------------------------------------------------------

// The i-th of the window, oldest first.
static double aged(const train_guard *g, const double *v, int64_t i) {
  return v[((g->n < g->room ? 0 : g->at) + i) % g->room];
}

typedef struct {
  double mean, limit;
} range;

// The mean, and z standard deviations above it. Summed by age: the same to the bit wherever the
// ring begins.
static range range_of(const train_guard *g, const double *v) {
  const double n = (double)g->n;
  double mean = 0.0, square = 0.0;
  for (int64_t i = 0; i < g->n; i++) mean += aged(g, v, i) / n;
  for (int64_t i = 0; i < g->n; i++) square += pow(aged(g, v, i) - mean, 2.0) / n;
  return (range){mean, mean + g->z * fmax(sqrt(square), least_spread * fabs(mean))};
}

static bool judges(const train_guard *g) {
  return g->z > 0.0 && g->n >= g->room;
}

train_guard_limits train_guard_limits_of(const train_guard *g) {
  if (!judges(g)) return (train_guard_limits){INFINITY, INFINITY};
  return (train_guard_limits){range_of(g, g->loss).limit + g->over.loss,
                              exp(range_of(g, g->norm).limit + g->over.norm)};
}

const char *train_guard_reason(const train_guard_limits *l, double loss, double norm) {
  if (!isfinite(loss)) return "the loss is not finite";
  if (!isfinite(norm)) return "the gradient norm is not finite";
  if (loss > l->loss) return "the loss is a spike";
  if (norm > l->norm) return "the gradient norm is a spike";
  return NULL;
}

// -- steps ---------------------------------------------------------------------------------------

static double log_norm(double norm) {
  return log(fmax(norm, 1e-300));
}

// How far a step stands above the limits.
static train_guard_limits excess(const train_guard *g, double loss, double norm) {
  return (train_guard_limits){fmax(loss - range_of(g, g->loss).limit, 0.0),
                              fmax(log_norm(norm) - range_of(g, g->norm).limit, 0.0)};
}

static void enter(train_guard *g, int64_t batch, double loss, double norm) {
  g->loss[g->at] = loss;
  g->norm[g->at] = log_norm(norm);
  g->at = (g->at + 1) % g->room;
  if (g->n < g->room) g->n++;
  memmove(g->batch + 1, g->batch, (TRAIN_GUARD_KEPT - 1) * sizeof *g->batch);
  g->batch[0] = batch;
  if (g->kept < TRAIN_GUARD_KEPT && g->kept < g->n) g->kept++;
}

static double nearer(double over, double excess, range r) {
  const double next = keep * over + (1.0 - keep) * room_for_worse * excess;
  return next > nothing * (r.limit - r.mean) ? next : 0.0;
}

void train_guard_forget_skipped(train_guard *g) {
  g->skipped = g->finite = g->doubted = 0;
  g->far = (train_guard_limits){0};
}

static void note_accepted(train_guard *g, int64_t batch, double loss, double norm) {
  const train_guard_limits x = judges(g) ? excess(g, loss, norm) : (train_guard_limits){0};
  const bool inside = x.loss == 0.0 && x.norm == 0.0,
             mending = g->over.loss > 0.0 || g->over.norm > 0.0;
  train_guard_forget_skipped(g);
  if (mending) {
    g->over.loss = nearer(g->over.loss, x.loss, range_of(g, g->loss));
    g->over.norm = nearer(g->over.norm, x.norm, range_of(g, g->norm));
  }
  if (mending && !inside && g->above < g->room)
    g->above++;
  else
    enter(g, batch, loss, norm);
  if (g->over.loss == 0.0 && g->over.norm == 0.0) g->above = 0;
}

void train_guard_note(train_guard *g, bool accepted, int64_t batch, double loss, double norm) {
  if (accepted) {
    note_accepted(g, batch, loss, norm);
    return;
  }
  g->skipped++;
  if (!judges(g) || !isfinite(loss) || !isfinite(norm)) return;
  const train_guard_limits x = excess(g, loss, norm);
  g->finite++;
  g->doubted++;
  g->far = (train_guard_limits){fmax(g->far.loss, x.loss), fmax(g->far.norm, x.norm)};
}

// -- doubts --------------------------------------------------------------------------------------

// Older batches first, newer ones if the doubt stays: the newest had its say in the last update.
bool train_guard_doubts(const train_guard *g, int64_t *batch, train_guard_limits *was) {
  const bool due = g->doubted >= TRAIN_GUARD_DOUBT || train_guard_lost(g);
  if (!due || g->doubted == 0 || g->kept == 0) return false;
  const int64_t tried = (g->finite - g->doubted) / TRAIN_GUARD_DOUBT,
                back = g->kept - 1 - tried % g->kept;
  *batch = g->batch[back];
  *was = (train_guard_limits){aged(g, g->loss, g->n - 1 - back),
                              exp(aged(g, g->norm, g->n - 1 - back))};
  return true;
}

// The one that is within its limits may leave them, too.
static void give_way(train_guard *g) {
  const range loss = range_of(g, g->loss);
  g->over.loss = fmax(room_for_worse * g->far.loss, loss.limit - loss.mean);
  g->over.norm = fmax(room_for_worse * g->far.norm, log(10.0));
  train_guard_forget_skipped(g);
}

bool train_guard_tried(train_guard *g, double loss, double norm) {
  const range l = range_of(g, g->loss), n = range_of(g, g->norm);
  g->doubted = 0;
  if (!isfinite(loss) || !isfinite(norm)) return false; // beyond repair
  if (loss <= 0.5 * (l.mean + l.limit) && log_norm(norm) <= 0.5 * (n.mean + n.limit)) return false;
  const train_guard_limits x = excess(g, loss, norm);
  g->far = (train_guard_limits){fmax(g->far.loss, x.loss), fmax(g->far.norm, x.norm)};
  give_way(g);
  return true;
}

bool train_guard_lost(const train_guard *g) {
  return g->rewind_after > 0 && g->skipped >= g->rewind_after;
}

bool train_guard_yield(train_guard *g) {
  if (!judges(g) || g->finite < g->skipped) return false;
  give_way(g);
  return true;
}

// -- checkpoints ---------------------------------------------------------------------------------

static json_t *list_of(const train_guard *g, const double *v) {
  json_t *list = json_array();
  for (int64_t i = 0; list && i < g->n; i++) json_array_append_new(list, json_real(aged(g, v, i)));
  return list;
}

static json_t *batches_of(const train_guard *g) {
  json_t *list = json_array();
  for (int64_t i = 0; list && i < g->kept; i++)
    json_array_append_new(list, json_integer((json_int_t)g->batch[i]));
  return list;
}

json_t *train_guard_save(const train_guard *g) {
  return json_pack("{s:I, s:I, s:I, s:I, s:[f,f], s:[f,f], s:o, s:o, s:o}", "skipped",
                   (json_int_t)g->skipped, "finite", (json_int_t)g->finite, "doubted",
                   (json_int_t)g->doubted, "above", (json_int_t)g->above, "far", g->far.loss,
                   g->far.norm, "over", g->over.loss, g->over.norm, "batches", batches_of(g),
                   "loss", list_of(g, g->loss), "log_norm", list_of(g, g->norm));
}

static int64_t whole(const json_t *j, const char *key) {
  return json_integer_value(json_object_get(j, key));
}

static train_guard_limits pair(const json_t *j, const char *key) {
  const json_t *v = json_object_get(j, key);
  return (train_guard_limits){json_number_value(json_array_get(v, 0)),
                              json_number_value(json_array_get(v, 1))};
}

static void load_window(train_guard *g, const json_t *loss, const json_t *norm, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    g->loss[i] = json_number_value(json_array_get(loss, (size_t)i));
    g->norm[i] = json_number_value(json_array_get(norm, (size_t)i));
  }
  g->n = n;
  g->at = n % g->room;
}

void train_guard_load(train_guard *g, const json_t *j) {
  const json_t *loss = json_object_get(j, "loss"), *norm = json_object_get(j, "log_norm"),
               *batches = json_object_get(j, "batches");
  const int64_t n = (int64_t)json_array_size(loss);
  g->n = g->at = g->kept = 0;
  g->skipped = whole(j, "skipped");
  g->finite = whole(j, "finite");
  g->doubted = whole(j, "doubted");
  g->above = whole(j, "above");
  g->far = pair(j, "far");
  g->over = pair(j, "over");
  if (n > g->room || (int64_t)json_array_size(norm) != n) return;
  load_window(g, loss, norm, n);
  while (g->kept < TRAIN_GUARD_KEPT && g->kept < n && g->kept < (int64_t)json_array_size(batches)) {
    g->batch[g->kept] = json_integer_value(json_array_get(batches, (size_t)g->kept));
    g->kept++;
  }
}
