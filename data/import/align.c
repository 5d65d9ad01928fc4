#include "data/import/align.h"

#include <inttypes.h>
#include <math.h>

static orr_code check_counts(const data_import_options *o, const data_import_episode *e,
                             int64_t rows) {
  int64_t off = e->frames > rows ? e->frames - rows : rows - e->frames;
  ORR_CHECK(off <= o->slack || e->frames == rows + 1, ORR_EFORMAT,
            "%s: %" PRId64 " frames but %" PRId64
            " actions; wanted as many, or one action less; if the longer one only ends later, cut "
            "it with --slack %" PRId64,
            e->name, e->frames, rows, off);
  return ORR_OK;
}

orr_code data_import_time(const data_import_options *o, const data_import_episode *e, int64_t rows,
                          data_import_timing *out) {
  double from = o->source_fps > 0 ? o->source_fps : e->fps > 0 ? e->fps : e->format->fps;
  ORR_CHECK(from > 0, ORR_EINVAL, "%s: its frame rate is not recorded; give it with --source-fps",
            e->name);
  double to = o->fps > 0 ? o->fps : from;
  ORR_CHECK(to <= from * (1 + 1e-6), ORR_EINVAL,
            "%s: recorded at %g frames/s; --fps %g would need frames in between; ask for at most "
            "that (--source-fps corrects a wrong one)",
            e->name, from, to);
  ORR_TRY(check_counts(o, e, rows));
  int64_t first = o->action_shift < 0 ? -o->action_shift : 0;
  int64_t last = rows - o->action_shift; // frame `last` is kept: only what follows it needs it not
  if (last > e->frames - 1) last = e->frames - 1;
  *out = (data_import_timing){.first = first, .step = fmax(from / to, 1)};
  if (fabs(out->step - round(out->step)) < 1e-4) out->step = round(out->step); // 30000/1001
  out->source = last - first + 1;
  if (out->source <= 0) {
    out->source = 0;
    return ORR_OK;
  }
  out->frames = (int64_t)((double)(out->source - 1) / out->step) + 1;
  while (data_import_frame(out, out->frames) < first + out->source) out->frames++;
  while (data_import_frame(out, out->frames - 1) >= first + out->source) out->frames--;
  return ORR_OK;
}

int64_t data_import_frame(const data_import_timing *t, int64_t k) {
  return t->first + (int64_t)floor((double)k * t->step + 0.5);
}

// Component i of recorded rows from .. to-1.
static double merge(data_merge how, const data_import_actions *a, int64_t i, int64_t from,
                    int64_t to) {
  double sum = 0, most = -INFINITY;
  for (int64_t t = from; t < to; t++) {
    sum += a->v[t * a->A + i];
    most = fmax(most, a->v[t * a->A + i]);
  }
  switch (how) {
  case DATA_MERGE_FIRST:
    return a->v[from * a->A + i];
  case DATA_MERGE_MEAN:
    return sum / (double)(to - from);
  case DATA_MERGE_SUM:
    return sum;
  case DATA_MERGE_MAX:
    return most;
  case DATA_MERGE_LAST:
    break;
  }
  return a->v[(to - 1) * a->A + i];
}

static orr_code check_finite(const data_import_episode *e, const data_import_actions *a,
                             int64_t from, int64_t to) {
  for (int64_t t = from; t < to; t++) {
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
  for (int64_t k = 0; k + 1 < t->frames; k++) {
    int64_t from = data_import_frame(t, k) + o->action_shift;
    int64_t to = data_import_frame(t, k + 1) + o->action_shift;
    ORR_TRY(check_finite(e, a, from, to));
    for (int64_t i = 0; i < a->A; i++) {
      data_merge how = o->merge_count > 1    ? o->merges[i]
                       : o->merge_count == 1 ? o->merges[0]
                                             : e->format->merge(i, a->A);
      out[k * a->A + i] = (float)merge(how, a, i, from, to);
    }
  }
  int64_t last = data_import_frame(t, t->frames - 1) + o->action_shift;
  for (int64_t i = 0; i < a->A; i++) {
    float v = last < a->rows ? a->v[last * a->A + i] : 0;
    out[(t->frames - 1) * a->A + i] = isfinite(v) ? v : 0;
  }
  return ORR_OK;
}
