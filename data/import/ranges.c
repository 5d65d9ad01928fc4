#include "data/import/ranges.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define ROWS_MAX   ((int64_t)1 << 16) // kept: the half percent is of 327 values then
#define LEFT_OUT   0.005              // share of the values on either side
#define LEFT_LEAST 2                  // values
#define FEW        20                 // with fewer values nothing is left out
#define FAR        10.0               // a value that a model is not made for

// -- gathering ------------------------------------------------------------------------------

static orr_code begin(data_import_values *v, int64_t A) {
  v->extreme = orr_malloc((size_t)A * sizeof *v->extreme);
  ORR_CHECK(v->extreme, ORR_ENOMEM, "out of memory for the ranges of %" PRId64 " components", A);
  for (int64_t i = 0; i < A; i++) v->extreme[i][0] = INFINITY, v->extreme[i][1] = -INFINITY;
  v->A = A;
  v->every = 1;
  return ORR_OK;
}

static orr_code keep(data_import_values *v, const float *row) {
  if (v->n == ROWS_MAX) { // every second of them stays
    for (int64_t t = 0; 2 * t < v->n; t++)
      memcpy(v->v + t * v->A, v->v + 2 * t * v->A, (size_t)v->A * sizeof *v->v);
    v->n /= 2;
    v->every *= 2;
    if (v->seen % v->every) return ORR_OK;
  }
  if (v->n == v->room) {
    int64_t room = v->room ? 2 * v->room : 256;
    float *grown = orr_realloc(v->v, (size_t)(room * v->A) * sizeof *grown);
    ORR_CHECK(grown, ORR_ENOMEM, "out of memory for %" PRId64 " actions", room);
    v->v = grown;
    v->room = room;
  }
  memcpy(v->v + v->n++ * v->A, row, (size_t)v->A * sizeof *row);
  return ORR_OK;
}

orr_code data_import_values_add(data_import_values *v, int64_t A, const float *rows, int64_t n) {
  if (v->A != A) data_import_values_release(v); // of a recording that was given up
  if (!v->extreme) ORR_TRY(begin(v, A));
  for (int64_t t = 0; t < n; t++, v->seen++) {
    const float *row = rows + t * A;
    for (int64_t i = 0; i < A; i++) {
      v->extreme[i][0] = fmin(v->extreme[i][0], (double)row[i]);
      v->extreme[i][1] = fmax(v->extreme[i][1], (double)row[i]);
    }
    if (v->seen % v->every == 0) ORR_TRY(keep(v, row));
  }
  return ORR_OK;
}

void data_import_values_release(data_import_values *v) {
  orr_free(v->extreme);
  orr_free(v->v);
  *v = (data_import_values){0};
}

// -- ranges ---------------------------------------------------------------------------------

static int compare(const void *a, const void *b) {
  float p = *(const float *)a, q = *(const float *)b;
  return p < q ? -1 : p > q;
}

// What is usual among n sorted values.
static void usual(const float *v, int64_t n, double out[2]) {
  int64_t left = (int64_t)ceil(LEFT_OUT * (double)n);
  if (left < LEFT_LEAST) left = LEFT_LEAST;
  if (n < FEW) left = 0;
  out[0] = (double)v[left];
  out[1] = (double)v[n - 1 - left];
}

// The values unlike `same`, together at the beginning and still sorted; how many.
static int64_t others(float *v, int64_t n, float same) {
  int64_t kept = 0;
  for (int64_t t = 0; t < n; t++)
    if (v[t] != same) v[kept++] = v[t];
  return kept;
}

static void find_one(float *v, int64_t n, const double extreme[2], double out[2]) {
  qsort(v, (size_t)n, sizeof *v, compare);
  usual(v, n, out);
  if (out[0] == out[1]) { // a button: nearly always the same
    const double same = out[0];
    const int64_t m = others(v, n, (float)same);
    if (m)
      usual(v, m, out);
    else
      memcpy(out, extreme, 2 * sizeof *out); // only rows that were not kept say more
    out[0] = fmin(out[0], same);
    out[1] = fmax(out[1], same);
  }
  const double more = (out[1] - out[0]) / 2;
  out[0] = fmax(extreme[0], out[0] - more);
  out[1] = fmin(extreme[1], out[1] + more);
  const double near = 0.05 * (out[1] - out[0]); // 0 to 1, of which none happens to be 0
  if (out[0] > near || out[1] < -near || out[0] == out[1]) return;
  out[1] = fmax(fabs(out[0]), fabs(out[1]));
  out[0] = -out[1];
}

orr_code data_import_ranges_find(const data_import_values *v, double (*out)[2]) {
  float *column = orr_malloc((size_t)(v->n + 1) * sizeof *column);
  ORR_CHECK(column, ORR_ENOMEM, "out of memory for the ranges of %" PRId64 " components", v->A);
  for (int64_t i = 0; i < v->A; i++) {
    for (int64_t t = 0; t < v->n; t++) column[t] = v->v[t * v->A + i];
    find_one(column, v->n, v->extreme[i], out[i]);
  }
  orr_free(column);
  return ORR_OK;
}

// -- words ----------------------------------------------------------------------------------

// Share of component i's values outside of low..high.
static double share_outside(const data_import_values *v, int64_t i, double low, double high) {
  int64_t outside = 0;
  for (int64_t t = 0; t < v->n; t++) {
    const double value = (double)v->v[t * v->A + i];
    outside += value < low || value > high;
  }
  return (double)outside / (double)v->n;
}

static void note_clipped(const data_import_values *v, int64_t i, const double range[2],
                         const char *name, data_import_notes *notes) {
  const double *extreme = v->extreme[i];
  // a range is kept as text in index.json and in floats here and there
  const double slack = 1e-6 * (fabs(range[0]) + fabs(range[1]));
  if (extreme[0] >= range[0] - slack && extreme[1] <= range[1] + slack) return;
  const double share = 100 * share_outside(v, i, range[0], range[1]);
  data_import_note(notes, DATA_NOTE_CLIPPED,
                   "action %s: %g to %g become -1 to 1; %s%.2g %% of its values lie beyond (%g to "
                   "%g) and are clipped; --action-range LOW:HIGH sets another range",
                   name, range[0], range[1], share < 0.01 ? "under " : "", fmax(share, 0.01),
                   extreme[0], extreme[1]);
}

static void note_far(const data_import_values *v, int64_t i, const char *name,
                     data_import_notes *notes) {
  const double *extreme = v->extreme[i];
  if (fmax(-extreme[0], extreme[1]) <= FAR) return;
  const double share = 100 * share_outside(v, i, -1, 1);
  data_import_note(notes, DATA_NOTE_RANGE,
                   "action %s goes from %g to %g, %.2g %% of it outside of -1 to 1: models learn "
                   "little from actions of that size; --action-range auto (or LOW:HIGH) maps what "
                   "is usual to -1 to 1",
                   name, extreme[0], extreme[1], share);
}

void data_import_ranges_note(const data_import_values *v, double (*ranges)[2],
                             const char *const *names, data_import_notes *notes) {
  for (int64_t i = 0; v->n && i < v->A; i++) {
    if (ranges)
      note_clipped(v, i, ranges[i], names[i], notes);
    else
      note_far(v, i, names[i], notes);
  }
}
