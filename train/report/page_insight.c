// What became of the time and the memory: goodput over all processes of a run, the phases of a
// step, the ranks side by side, and what happened.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "train/report/page.h"
#include "train/report/shares.h"

static train_number milliseconds(double ms) {
  train_number n;
  snprintf(n.s, sizeof n.s, "%.24s ms", train_number_of(ms, 3).s);
  return n;
}

static train_number bytes_of(double bytes) {
  train_number n;
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  for (; bytes >= 1024.0 && unit < 4; unit++) bytes /= 1024.0;
  snprintf(n.s, sizeof n.s, "%.24s %s", train_number_of(bytes, 3).s, units[unit]);
  return n;
}

// -- goodput --------------------------------------------------------------------------------

static void put_goodput(train_html *h, const train_goodput *g) {
  const train_share parts[] = {
      {"steps that counted", g->steps_s},
      {"waiting for clips", g->data_s},
      {"checkpoints", g->checkpoint_s},
      {"held-out figures", g->eval_s},
      {"start-up", g->start_s},
      {"lost steps", g->lost_s},
      {"skipped steps", g->skipped_s},
      {"down", g->down_s},
      {"other", g->other_s},
  };
  char remark[256];
  int n = snprintf(remark, sizeof remark, "%.1f%% of %s in steps that counted; %" PRId64 " start%s",
                   100.0 * train_goodput_share(g), train_duration_of(g->wall_s).s, g->starts,
                   g->starts == 1 ? "" : "s");
  if (g->lost_steps)
    n += snprintf(remark + n, sizeof remark - (size_t)n, ", %" PRId64 " steps lost", g->lost_steps);
  if (g->skipped_steps)
    snprintf(remark + n, sizeof remark - (size_t)n, ", %" PRId64 " skipped", g->skipped_steps);
  train_shares_put(h, &(train_shares){.title = "Goodput",
                                      .remark = remark,
                                      .place = " three",
                                      .n = sizeof parts / sizeof *parts,
                                      .part = parts,
                                      .words = train_duration_of});
}

// -- a step ---------------------------------------------------------------------------------

// Milliseconds a step on average, 0 without the column.
static double mean_of(const train_columns *m, const char *column) {
  return m->rows ? train_columns_total(m, column) / (double)m->rows : 0.0;
}

void train_page_phases(train_html *h, const train_columns *m, int columns) {
  const bool whole = train_columns_find(m, "forward_ms") != NULL;
  const double step = mean_of(m, "step_ms"), data = mean_of(m, "data_wait_ms"),
               ckpt = mean_of(m, "ckpt_stall_ms"), comm = mean_of(m, "comm_ms");
  const train_share phases[] = {
      {"forward", mean_of(m, "forward_ms")},
      {"backward", mean_of(m, "backward_ms")},
      {"optimizer", mean_of(m, "optimizer_ms")},
      {"inputs", mean_of(m, "input_ms")},
      {"waiting for clips", data},
      {"waiting along tp", mean_of(m, "tp_ms")},
      {"along cp", mean_of(m, "cp_ms")},
      {"for replicas", mean_of(m, "replica_ms")},
      {"for all ranks", mean_of(m, "world_ms")},
      {"copying for a checkpoint", ckpt},
      {"other", mean_of(m, "other_ms")},
  };
  const train_share rough[] = {{"computing", fmax(step - data - ckpt - comm, 0.0)},
                               {"waiting for clips", data},
                               {"waiting for other ranks", comm},
                               {"copying for a checkpoint", ckpt}};
  char remark[160];
  int n = snprintf(remark, sizeof remark, "%s ms a step on average on rank 0, %s in all",
                   train_number_of(step, 3).s,
                   train_duration_of(train_columns_total(m, "step_ms") / 1e3).s);
  const double hidden = mean_of(m, "replica_hidden_ms");
  if (hidden > 0.0)
    snprintf(remark + n, sizeof remark - (size_t)n, "; %s ms of reductions hidden under it",
             train_number_of(hidden, 3).s);
  train_shares_put(h, &(train_shares){.title = "Where the time goes",
                                      .remark = remark,
                                      .place = columns == 3   ? " three"
                                               : columns == 2 ? " two"
                                                              : "",
                                      .n = whole ? (int)(sizeof phases / sizeof *phases)
                                                 : (int)(sizeof rough / sizeof *rough),
                                      .part = whole ? phases : rough,
                                      .words = milliseconds});
}

// -- the ranks ------------------------------------------------------------------------------

// The last finite value of PHASE_ms_WHAT.
static double last_of(const train_columns *m, const char *phase, const char *what) {
  char name[64];
  snprintf(name, sizeof name, "%s_ms_%s", phase, what);
  const double *v = train_columns_find(m, name);
  for (int64_t i = m->rows; v && i-- > 0;)
    if (isfinite(v[i])) return v[i];
  return NAN;
}

static void put_ranks(train_html *h, const train_columns *m) {
  static const char *const phases[][2] = {{"busy", "computing"},
                                          {"busy_cpu", "computing, its thread's time"},
                                          {"forward", "forward"},
                                          {"backward", "backward"},
                                          {"optimizer", "optimizer"},
                                          {"input", "inputs"},
                                          {"data", "waiting for clips"},
                                          {"tp", "waiting along tp"},
                                          {"cp", "waiting along cp"},
                                          {"replica", "waiting for replicas"},
                                          {"world", "waiting for all ranks"},
                                          {"checkpoint", "checkpoint"}};
  if (!isfinite(last_of(m, "busy", "max"))) return;
  train_html_put(h, "<div class=\"card time three\"><header><h3>The ranks side by side</h3><span "
                    "class=remark>milliseconds a step, last comparison; who computes long holds up "
                    "the others</span></header><div class=scroll><table><tr><th></th><td>least</td>"
                    "<td>median</td><td>largest</td><td>rank with the largest</td></tr>");
  for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
    const char *name = phases[i][0];
    if (!(last_of(m, name, "max") > 0.0)) continue;
    train_html_format(h, "<tr><th>%s</th><td>%s</td><td>%s</td><td>%s</td><td>%.0f</td></tr>",
                      phases[i][1], train_number_of(last_of(m, name, "min"), 3).s,
                      train_number_of(last_of(m, name, "median"), 3).s,
                      train_number_of(last_of(m, name, "max"), 3).s, last_of(m, name, "rank"));
  }
  train_html_put(h, "</table></div></div>\n");
}

// -- memory and events ----------------------------------------------------------------------

static void put_memory(train_html *h, const json_t *history) {
  train_share part[16];
  int n = 0;
  const json_t *memory = NULL;
  for (size_t i = 0; i < json_array_size(history); i++) {
    const json_t *m = json_object_get(json_array_get(history, i), "memory");
    if (json_is_object(m)) memory = m; // of the last process
  }
  const char *name;
  json_t *bytes;
  json_object_foreach((json_t *)(uintptr_t)memory, name, bytes) if (n < 16 && json_is_number(bytes))
      part[n++] = (train_share){name, json_number_value(bytes)};
  train_shares_put(h, &(train_shares){.title = "Memory of rank 0 by class",
                                      .place = " three",
                                      .n = n,
                                      .part = part,
                                      .words = bytes_of});
}

static void put_event(train_html *h, const json_t *line) {
  const char *event = json_string_value(json_object_get(line, "event")),
             *words = json_string_value(json_object_get(line, "words"));
  const time_t seconds = (time_t)json_number_value(json_object_get(line, "time"));
  struct tm utc;
  char when[32] = "";
  if (!event || strcmp(event, "ready") == 0) return;
  if (gmtime_r(&seconds, &utc)) strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &utc);
  train_html_format(h, "<tr><td>%s</td><td>%.0f</td><th>", when,
                    json_number_value(json_object_get(line, "step")));
  train_html_text(h, event);
  train_html_put(h, "</th><td class=words>");
  if (words) train_html_text(h, words);
  if (strcmp(event, "start") == 0) {
    const char *host = json_string_value(json_object_get(line, "host"));
    train_html_format(h, "%.0f ranks", json_number_value(json_object_get(line, "ranks")));
    if (host) {
      train_html_put(h, ", the first on ");
      train_html_text(h, host);
    }
  }
  train_html_put(h, "</td></tr>");
}

enum { EVENTS = 100 }; // most that are shown, the last ones

static void put_events(train_html *h, const json_t *history) {
  const size_t n = json_array_size(history);
  if (n == 0) return;
  train_html_put(h,
                 "<details class=\"card three\"><summary>What happened</summary><div "
                 "class=scroll><table><tr><td>time, UTC</td><td>step</td><th></th><td></td></tr>");
  for (size_t i = n > EVENTS ? n - EVENTS : 0; i < n; i++) put_event(h, json_array_get(history, i));
  train_html_put(h, "</table></div></details>\n");
}

void train_page_insight(train_html *h, const train_report_run *run) {
  put_goodput(h, &run->goodput);
  put_ranks(h, &run->metrics);
  put_memory(h, run->history);
  put_events(h, run->history);
}
