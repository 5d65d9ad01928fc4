#include "train/cli/plan_failures.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/plan/failures.h"

enum { MOST_INTERVALS = 16 };

typedef struct {
  train_failures_request q;
  int64_t spares;
  int64_t interval[MOST_INTERVALS];
  int intervals;
} wish;

// "100,500": into w->interval.
static orr_code read_intervals(const char *text, wish *w) {
  for (char *end; *text; text = *end ? end + 1 : end) {
    const long long v = strtoll(text, &end, 10);
    ORR_CHECK(end != text && (*end == ',' || *end == 0) && v > 0 && w->intervals < MOST_INTERVALS,
              ORR_ECONFIG,
              "plan: --intervals is '%.60s': wanted up to %d numbers of steps, a comma "
              "between two",
              text, MOST_INTERVALS);
    w->interval[w->intervals++] = v;
  }
  return ORR_OK;
}

// Around the one that loses least.
static void usual_intervals(wish *w) {
  static const double factors[] = {0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0};
  const double best = train_failures_best_interval_s(w->q.save_s, w->q.mtbf_s) / w->q.step_s;
  for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
    const double steps = best * factors[i];
    w->interval[w->intervals++] = steps < 1.0 ? 1 : (int64_t)steps;
  }
}

static orr_code read_wish(const orr_args *a, double step_s, int gpus, double days, wish *w) {
  double hours = 7.9 * 1024.0 / gpus, repair = 24.0;
  int64_t node = gpus < 8 ? gpus : 8, segment = 1, seed = 1;
  *w = (wish){.q = {.step_s = step_s, .restart_s = 30.0, .save_s = 1.0}, .spares = 2};
  ORR_TRY(orr_args_f64(a, "mtbf", 1e-4, 1e9, &hours));
  ORR_TRY(orr_args_i64(a, "node", 1, gpus, &node));
  ORR_TRY(orr_args_i64(a, "segment", 1, gpus, &segment));
  ORR_TRY(orr_args_i64(a, "spares", 0, 1024, &w->spares));
  ORR_TRY(orr_args_f64(a, "repair", 0.0, 1e6, &repair));
  ORR_TRY(orr_args_f64(a, "restart", 0.0, 1e6, &w->q.restart_s));
  ORR_TRY(orr_args_f64(a, "save", 0.0, 1e6, &w->q.save_s));
  ORR_TRY(orr_args_i64(a, "copies", 0, 1 << 30, &w->q.copies));
  ORR_TRY(orr_args_f64(a, "copy", 0.0, 1e6, &w->q.copy_s));
  ORR_TRY(orr_args_i64(a, "seed", 0, UINT32_MAX, &seed));
  w->q.mtbf_s = 3600.0 * hours;
  w->q.repair_s = 3600.0 * repair;
  w->q.nodes = (int)((gpus + node - 1) / node);
  w->q.segment = (int)segment;
  w->q.seed = (uint64_t)seed;
  w->q.days = days < 30.0 ? (days < 0.01 ? 0.01 : days) : 30.0;
  const char *intervals = orr_args_text(a, "intervals", NULL);
  if (intervals) return read_intervals(intervals, w);
  usual_intervals(w);
  return ORR_OK;
}

orr_code train_plan_failures(const orr_args *a, double step_s, int gpus, double days) {
  const char *what = orr_args_text(a, "simulate", NULL);
  wish w;
  if (!what) return ORR_OK;
  ORR_CHECK(strcmp(what, "failures") == 0, ORR_ECONFIG,
            "plan: --simulate is '%.40s': wanted failures", what);
  ORR_TRY(read_wish(a, step_s, gpus, days, &w));
  printf(
      "\n%d nodes, a failure every %.2f h, %.1f s to the next step, a node back after %.1f h, %.1f "
      "days of work:\n  spares  checkpoint every   goodput   lost  restarts  saves  smaller  "
      "failures\n",
      w.q.nodes, w.q.mtbf_s / 3600.0, w.q.restart_s, w.q.repair_s / 3600.0, w.q.days);
  for (int64_t spares = 0; spares <= w.spares; spares++)
    for (int i = 0; i < w.intervals; i++) {
      w.q.spares = (int)spares;
      w.q.interval = w.interval[i];
      const train_failures f = train_failures_simulate(&w.q);
      printf("  %6" PRId64 " %8" PRId64
             " steps  %7.2f %% %5.2f %% %6.2f %% %4.2f %% %6.2f %% %9" PRId64 "\n",
             spares, w.q.interval, 1e2 * f.goodput, 1e2 * f.lost, 1e2 * f.restarts, 1e2 * f.saves,
             1e2 * f.smaller, f.failures);
    }
  return ORR_OK;
}
