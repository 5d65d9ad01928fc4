#include "train/observe/vitals.h"

#include <jansson.h>

#include "base/clock.h"
#include "base/fs.h"
#include "train/observe/goodput.h"
#include "train/observe/history.h"
#include "train/observe/metrics_table.h"

orr_code train_vitals_read(const char *run_dir, train_vitals *out) {
  orr_path path;
  json_t *history;
  train_columns m = {0};
  train_goodput g = {0};
  int64_t bad;
  *out = (train_vitals){.state = "starting", .now_ms = orr_clock_ms()};
  ORR_TRY(orr_fs_join(path, sizeof path, run_dir, "metrics.jsonl"));
  ORR_TRY(train_history_read(run_dir, &history, &bad));
  const orr_code rc = orr_fs_exists(path) ? train_columns_read(path, &m) : ORR_OK;
  if (rc == ORR_OK) train_goodput_of(history, &m, &g);
  if (rc == ORR_OK) train_columns_release(&m);
  json_decref(history);
  out->restarts = g.starts > 0 ? g.starts - 1 : 0;
  out->lost_steps = g.lost_steps;
  out->steps_s = g.steps_s;
  out->wall_s = g.wall_s;
  return rc;
}

void train_vitals_step(train_vitals *v, double useful_ms, bool counted) {
  if (counted && useful_ms > 0.0) v->steps_s += 1e-3 * useful_ms;
}

double train_vitals_goodput(const train_vitals *v) {
  const double wall_s = v->wall_s + 1e-3 * (orr_clock_ms() - v->now_ms);
  return wall_s > 0.0 ? v->steps_s / wall_s : 0.0;
}
