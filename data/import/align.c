#include "data/import/align.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>

// Component i of the rows of one step.
static double merge(data_merge how, const data_import_actions *a, int64_t i, data_import_span s) {
  double sum = 0, most = -INFINITY;
  for (int64_t t = s.from; t < s.to; t++) {
    sum += a->v[t * a->A + i];
    most = fmax(most, a->v[t * a->A + i]);
  }
  switch (how) {
  case DATA_MERGE_FIRST:
    return a->v[s.from * a->A + i];
  case DATA_MERGE_MEAN:
    return sum / (double)(s.to - s.from);
  case DATA_MERGE_SUM: // a displacement happens once: over all the steps that it lasted, or before
    return s.steps ? sum / (double)s.steps : 0;
  case DATA_MERGE_MAX:
    return most;
  case DATA_MERGE_LAST:
    break;
  }
  return a->v[(s.to - 1) * a->A + i];
}

static orr_code check_finite(const data_import_episode *e, const data_import_actions *a,
                             data_import_span s) {
  for (int64_t t = s.from; t < s.to; t++) {
    for (int64_t i = 0; i < a->A; i++) {
      float v = a->v[t * a->A + i];
      ORR_CHECK(isfinite(v), ORR_EFORMAT,
                "%s: action row %" PRId64 " (the first is 0), component %" PRId64
                "%s%s%s, is %g; wanted a number; mend the recording or leave it out",
                e->file, e->first + t, i, a->names ? " (" : "", a->names ? a->names[i] : "",
                a->names ? ")" : "", (double)v);
    }
  }
  return ORR_OK;
}

orr_code data_import_align(const data_import_options *o, const data_import_episode *e,
                           const data_import_timing *t, const data_import_actions *a, float *out) {
  data_import_span s = {0};
  if (!a->A) return ORR_OK;
  for (int64_t k = 0; k + 1 < t->frames; k++) {
    s = data_import_rows_of(o, t, a, k);
    ORR_TRY(check_finite(e, a, s));
    for (int64_t i = 0; i < a->A; i++) {
      data_merge how = o->merge_count > 1    ? o->merges[i]
                       : o->merge_count == 1 ? o->merges[0]
                                             : e->format->merge(i, a->A);
      out[k * a->A + i] = (float)merge(how, a, i, s);
    }
  }
  // by frames, row t of the last frame; by times, the row after the last step's
  int64_t last = t->rows_by == DATA_ROWS_OF_FRAMES
                     ? data_import_frame(t, t->frames - 1) + o->action_shift
                     : s.to;
  for (int64_t i = 0; i < a->A; i++) {
    float v = last < a->rows ? a->v[last * a->A + i] : 0;
    out[(t->frames - 1) * a->A + i] = isfinite(v) ? v : 0;
  }
  return ORR_OK;
}

// The outcome of some rows of one step.
static orr_code outcome(const data_import_episode *e, const data_import_actions *a,
                        data_import_span s, float *reward, uint8_t *done) {
  double sum = 0;
  bool ended = false;
  for (int64_t t = s.from; t < s.to; t++) {
    if (reward) {
      // after the last action there may be none
      ORR_CHECK(isfinite(a->reward[t]) || t + 1 == a->rows, ORR_EFORMAT,
                "%s: reward of row %" PRId64
                " is %g; mend the recording, or leave rewards out with "
                "--map reward=none",
                e->file, e->first + t, (double)a->reward[t]);
      sum += isfinite(a->reward[t]) ? a->reward[t] : 0;
    }
    ended |= done && a->done[t] != 0;
  }
  const bool counts = s.steps > 0; // rows that hold on have been counted before
  if (reward) *reward = counts ? (float)(sum / (double)s.steps) : 0;
  if (done) *done = counts && ended;
  return ORR_OK;
}

orr_code data_import_align_outcome(const data_import_options *o, const data_import_episode *e,
                                   const data_import_timing *t, const data_import_actions *a,
                                   float *reward, uint8_t *done) {
  data_import_span s = {0};
  if (!reward && !done) return ORR_OK;
  for (int64_t k = 0; k < t->frames; k++) {
    if (k + 1 < t->frames)
      s = data_import_rows_of(o, t, a, k);
    else
      s = (data_import_span){.from = s.to < a->rows ? s.to : a->rows, .to = a->rows, .steps = 1};
    ORR_TRY(outcome(e, a, s, reward ? reward + k : NULL, done ? done + k : NULL));
  }
  return ORR_OK;
}
