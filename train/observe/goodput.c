#include "train/observe/goodput.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

// Where the reading of history.jsonl stands. Times of one process are of one clock, and only those
// are subtracted from each other, but where one process follows another.
typedef struct {
  train_goodput *g;
  double start, seen; // of the process at hand: its start and last sign of life
  double from;        // it goes on after that step
  bool ready, wrote;  // wrote: it has lines in metrics.jsonl, or had
} reading;

static double number(const json_t *line, const char *key) {
  const json_t *v = json_object_get(line, key);
  return json_is_number(v) ? json_number_value(v) : 0.0;
}

static void see(reading *r, double time) {
  if (time > r->seen) r->seen = time;
}

static void end_process(reading *r) {
  const double lived_s = r->seen - r->start;
  r->g->wall_s += lived_s;
  if (!r->ready) r->g->start_s += lived_s;
}

// "seen" is of the last line in metrics.jsonl: the process before wrote it if it wrote any.
static void take_start(reading *r, const json_t *line, double time) {
  train_goodput *g = r->g;
  const double lost = number(line, "lost_steps"), from = number(line, "step");
  g->lost_steps += (int64_t)lost;
  g->lost_s += number(line, "lost_s");
  if (g->starts++ > 0) {
    if (r->wrote || lost > 0.0 || from > r->from) see(r, number(line, "seen"));
    end_process(r);
    const double down_s = fmax(time - r->seen, 0.0);
    g->down_s += down_s;
    g->wall_s += down_s;
  }
  *r = (reading){.g = g, .start = time, .seen = time, .from = from};
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
    r->wrote = true;
    r->from = fmin(r->from, number(line, "step"));
    r->g->lost_steps += (int64_t)number(line, "lost_steps");
    r->g->lost_s += number(line, "lost_s");
  }
  if (strcmp(event, "ready") == 0 && !r->ready) {
    r->g->start_s += fmax(time - r->start, 0.0);
    r->ready = true;
  }
  see(r, time);
}

static double at(const double *column, int64_t i) {
  return column && isfinite(column[i]) ? column[i] : 0.0;
}

static void add_steps(reading *r, const train_columns *m) {
  train_goodput *g = r->g;
  const double *ms = train_columns_find(m, "step_ms"),
               *data = train_columns_find(m, "data_wait_ms"),
               *ckpt = train_columns_find(m, "ckpt_stall_ms"),
               *eval = train_columns_find(m, "eval_ms"),
               *skipped = train_columns_find(m, "skipped"), *time = train_columns_find(m, "time"),
               *step = train_columns_find(m, "step");
  for (int64_t i = 0; i < m->rows; i++) {
    const double step_s = 1e-3 * at(ms, i), data_s = 1e-3 * at(data, i),
                 ckpt_s = 1e-3 * at(ckpt, i);
    if (at(step, i) > r->from) see(r, at(time, i));
    g->eval_s += 1e-3 * at(eval, i);
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

void train_goodput_of(const json_t *history, const train_columns *metrics, train_goodput *out) {
  *out = (train_goodput){0};
  reading r = {.g = out};
  for (size_t i = 0; i < json_array_size(history); i++) take_line(&r, json_array_get(history, i));
  if (out->starts == 0) return;
  add_steps(&r, metrics);
  end_process(&r);
  out->other_s = out->wall_s - out->steps_s - out->data_s - out->checkpoint_s - out->eval_s -
                 out->skipped_s - out->lost_s - out->start_s - out->down_s;
}

double train_goodput_share(const train_goodput *g) {
  return g->wall_s > 0.0 ? g->steps_s / g->wall_s : 0.0;
}
