#include "train/goodput.h"

#include <math.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"

// Where the reading of history.jsonl stands.
typedef struct {
  train_goodput *g;
  double first, start, seen; // of the run; of the process at hand; last sign of life, 0 = none yet
  bool ready;
} reading;

static double number(const json_t *line, const char *key) {
  const json_t *v = json_object_get(line, key);
  return json_is_number(v) ? json_number_value(v) : 0.0;
}

static void see(reading *r, double time) {
  if (time > r->seen) r->seen = time;
}

static void take_start(reading *r, const json_t *line, double time) {
  train_goodput *g = r->g;
  g->starts++;
  g->lost_steps += (int64_t)number(line, "lost_steps");
  g->lost_s += number(line, "lost_s");
  see(r, number(line, "seen"));
  if (g->starts == 1) r->first = time;
  if (g->starts > 1 && !r->ready) g->start_s += fmax(r->seen - r->start, 0.0);
  if (r->seen > 0.0) g->down_s += fmax(time - r->seen, 0.0);
  r->start = time;
  r->ready = false;
  r->seen = fmax(r->seen, time);
}

static void take_line(reading *r, const json_t *line) {
  const char *event = json_string_value(json_object_get(line, "event"));
  const double time = number(line, "time");
  if (!event || !(time > 0.0)) return;
  if (strcmp(event, "start") == 0) {
    take_start(r, line, time);
    return;
  }
  if (strcmp(event, "rewind") == 0) {
    r->g->lost_steps += (int64_t)number(line, "lost_steps");
    r->g->lost_s += number(line, "lost_s");
  }
  if (strcmp(event, "ready") == 0 && !r->ready) {
    r->g->start_s += fmax(time - r->start, 0.0);
    r->ready = true;
  }
  see(r, time);
}

static orr_code read_history(const char *run_dir, reading *r) {
  char path[4096], *text;
  size_t bytes;
  ORR_TRY(orr_fs_join(path, sizeof path, run_dir, "history.jsonl"));
  if (!orr_fs_exists(path)) return ORR_OK;
  ORR_TRY(orr_fs_read_all(path, &text, &bytes));
  for (char *p = text, *end = text + bytes; p < end;) {
    char *newline = memchr(p, '\n', (size_t)(end - p));
    const size_t n = (size_t)((newline ? newline : end) - p);
    json_t *line = n ? json_loadb(p, n, 0, NULL) : NULL;
    if (line) take_line(r, line);
    json_decref(line);
    p += n + 1;
  }
  orr_free(text);
  return ORR_OK;
}

static double at(const double *column, int64_t i) {
  return column && isfinite(column[i]) ? column[i] : 0.0;
}

static void add_steps(reading *r, const train_table *m) {
  train_goodput *g = r->g;
  const double *ms = train_table_column(m, "step_ms"),
               *data = train_table_column(m, "data_wait_ms"),
               *ckpt = train_table_column(m, "ckpt_stall_ms"),
               *skipped = train_table_column(m, "skipped"), *time = train_table_column(m, "time");
  for (int64_t i = 0; i < m->rows; i++) {
    const double step_s = 1e-3 * at(ms, i), data_s = 1e-3 * at(data, i),
                 ckpt_s = 1e-3 * at(ckpt, i);
    see(r, at(time, i));
    if (at(skipped, i) > 0.0) {
      g->skipped_steps++;
      g->skipped_s += step_s;
      continue;
    }
    g->data_s += data_s;
    g->checkpoint_s += ckpt_s;
    g->steps_s += fmax(step_s - data_s - ckpt_s, 0.0);
  }
}

orr_code train_goodput_read(const char *run_dir, const train_table *metrics, train_goodput *out) {
  *out = (train_goodput){0};
  reading r = {.g = out};
  ORR_TRY(read_history(run_dir, &r));
  if (out->starts == 0) return ORR_OK;
  add_steps(&r, metrics);
  if (!r.ready) out->start_s += fmax(r.seen - r.start, 0.0);
  out->wall_s = fmax(r.seen - r.first, 0.0);
  out->other_s = out->wall_s - out->steps_s - out->data_s - out->checkpoint_s - out->skipped_s -
                 out->lost_s - out->start_s - out->down_s;
  return ORR_OK;
}

double train_goodput_share(const train_goodput *g) {
  return g->wall_s > 0.0 ? g->steps_s / g->wall_s : 0.0;
}
