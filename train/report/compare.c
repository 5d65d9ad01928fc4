#include "train/report/compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "train/report/chart.h"
#include "train/report/compare_eval.h"

enum { POINTS = 200 };

typedef struct {
  const train_report_run *run[2];
  const char *name[2];
} pair;

// -- figures --------------------------------------------------------------------------------

static double last_of(const train_columns *m, const char *column) {
  const double *v = train_columns_find(m, column);
  for (int64_t i = m->rows; v && i-- > 0;)
    if (isfinite(v[i])) return v[i];
  return NAN;
}

static double mean_of(const train_columns *m, const char *column) {
  return train_columns_find(m, column) ? train_columns_total(m, column) / (double)m->rows : NAN;
}

// Of the last tenth: single steps are noise.
static double late_mean_of(const train_columns *m, const char *column) {
  const double *v = train_columns_find(m, column);
  const int64_t from = m->rows - (m->rows + 9) / 10;
  double sum = 0.0;
  int64_t n = 0;
  for (int64_t i = from; v && i < m->rows; i++)
    if (isfinite(v[i])) sum += v[i], n++;
  return n ? sum / (double)n : NAN;
}

static void put_value(train_html *h, double v, bool share) {
  if (share && isfinite(v))
    train_html_format(h, "<td>%s%%</td>", train_number_of(100.0 * v, 3).s);
  else
    train_html_format(h, "<td>%s</td>", train_number_of(v, 4).s);
}

static void put_row(train_html *h, const char *name, double a, double b, bool share) {
  if (isnan(a) && isnan(b)) return;
  train_html_put(h, "<tr><th>");
  train_html_text(h, name);
  train_html_put(h, "</th>");
  put_value(h, a, share);
  put_value(h, b, share);
  if (isfinite(a) && isfinite(b) && a != 0.0)
    train_html_format(h, "<td>%s</td>", train_change_of(100.0 * (b - a) / fabs(a)).s);
  else
    train_html_put(h, "<td></td>");
  train_html_put(h, "</tr>");
}

static void put_figures(train_html *h, const pair *p) {
  static const struct {
    const char *column, *name;
    double (*of)(const train_columns *, const char *);
    bool share; // shown in percent
  } rows[] = {{"step", "steps", last_of, false},
              {"loss", "loss, mean of the last tenth", late_mean_of, false},
              {"grad_norm", "gradient norm, the same", late_mean_of, false},
              {"tokens", "tokens", last_of, false},
              {"tokens_per_s", "tokens/s, mean", mean_of, false},
              {"mfu", "matmul utilisation (6 FLOPs a weight and token), mean", mean_of, true},
              {"step_ms", "ms a step", mean_of, false},
              {"forward_ms", "forward, ms", mean_of, false},
              {"backward_ms", "backward, ms", mean_of, false},
              {"optimizer_ms", "optimizer, ms", mean_of, false},
              {"input_ms", "inputs, ms", mean_of, false},
              {"data_wait_ms", "waiting for clips, ms", mean_of, false},
              {"tp_ms", "waiting along tp, ms", mean_of, false},
              {"cp_ms", "waiting along cp, ms", mean_of, false},
              {"replica_ms", "waiting for replicas, ms", mean_of, false},
              {"world_ms", "waiting for all ranks, ms", mean_of, false},
              {"ckpt_stall_ms", "copying for checkpoints, ms", mean_of, false},
              {"other_ms", "other, ms", mean_of, false}};
  const train_columns *a = &p->run[0]->metrics, *b = &p->run[1]->metrics;
  train_html_put(h, "<div class=\"card time\"><div class=scroll><table><tr><th></th><td>A</td>"
                    "<td>B</td><td>B against A</td></tr>");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    put_row(h, rows[i].name, rows[i].of(a, rows[i].column), rows[i].of(b, rows[i].column),
            rows[i].share);
  const train_goodput *ga = &p->run[0]->goodput, *gb = &p->run[1]->goodput;
  put_row(h, "goodput", ga->starts ? train_goodput_share(ga) : NAN,
          gb->starts ? train_goodput_share(gb) : NAN, true);
  train_html_put(h, "</table></div></div>\n");
}

// -- curves ---------------------------------------------------------------------------------

// Means of `column` over POINTS equal stretches of [0, last]; NaN where the run has no step.
static void resample(const train_columns *m, const char *column, double last, double y[POINTS]) {
  const double *step = train_columns_find(m, "step"), *v = train_columns_find(m, column);
  int64_t n[POINTS] = {0};
  for (int i = 0; i < POINTS; i++) y[i] = 0.0;
  for (int64_t r = 0; v && r < m->rows; r++) {
    if (!isfinite(v[r])) continue;
    int i = (int)(step[r] / last * POINTS);
    if (i >= POINTS) i = POINTS - 1;
    y[i] += v[r];
    n[i]++;
  }
  for (int i = 0; i < POINTS; i++) y[i] = n[i] ? y[i] / (double)n[i] : NAN;
}

// A run with fewer steps than stretches leaves gaps between its points: straight lines instead.
static void bridge(double y[POINTS]) {
  int before = -1;
  for (int i = 0; i < POINTS; i++) {
    if (isnan(y[i])) continue;
    for (int k = before + 1; before >= 0 && k < i; k++)
      y[k] = y[before] + (y[i] - y[before]) * (k - before) / (i - before);
    before = i;
  }
}

static void put_curves(train_page *page, const pair *p, const char *column, const char *title,
                       const char *unit, bool small) {
  const train_columns *a = &p->run[0]->metrics, *b = &p->run[1]->metrics;
  if (!train_columns_find(a, column) || !train_columns_find(b, column)) return;
  double x[POINTS], y[2][POINTS];
  const double last = fmax(last_of(a, "step"), last_of(b, "step"));
  for (int i = 0; i < POINTS; i++) x[i] = last * (i + 0.5) / POINTS;
  resample(a, column, last, y[0]);
  resample(b, column, last, y[1]);
  bridge(y[0]);
  bridge(y[1]);
  train_chart c = {.id = ++page->charts,
                   .title = title,
                   .x_label = "step",
                   .y_label = unit,
                   .n = POINTS,
                   .x = x,
                   .count = 2,
                   .small = small,
                   .log_choice = !small};
  for (int i = 0; i < 2; i++)
    c.series[i] = (train_chart_series){.name = i ? "B" : "A", .colour = i + 1, .y = y[i]};
  train_chart_put(&page->html, &c);
}

// -- knobs ----------------------------------------------------------------------------------

// A line "  key: value" of a printed configuration, in "section:"; false at the end.
typedef struct {
  const char *at;
  char section[64], key[64];
  const char *value;
  int length; // of the value
} knob_reader;

static bool next_knob(knob_reader *r) {
  while (r->at && *r->at) {
    const char *line = r->at, *end = strchr(line, '\n');
    const size_t n = end ? (size_t)(end - line) : strlen(line);
    r->at = end ? end + 1 : NULL;
    const char *colon = memchr(line, ':', n);
    if (!colon || *line == '#') continue;
    if (*line != ' ') {
      snprintf(r->section, sizeof r->section, "%.*s", (int)(colon - line), line);
      continue;
    }
    const size_t indent = strspn(line, " ");
    snprintf(r->key, sizeof r->key, "%.*s", (int)(colon - line - (ptrdiff_t)indent), line + indent);
    r->value = colon + 1 + strspn(colon + 1, " ");
    r->length = (int)(line + n - r->value);
    return true;
  }
  return false;
}

static bool find_knob(const char *config, const knob_reader *wanted, knob_reader *out) {
  *out = (knob_reader){.at = config};
  while (next_knob(out))
    if (strcmp(out->section, wanted->section) == 0 && strcmp(out->key, wanted->key) == 0)
      return true;
  return false;
}

static void put_knobs(train_html *h, const pair *p) {
  if (!p->run[0]->config || !p->run[1]->config) return;
  knob_reader a = {.at = p->run[0]->config}, b;
  train_html_put(h, "<h2>Knobs that differ</h2><div class=\"card time\"><div class=scroll><table>"
                    "<tr><th></th><td>A</td><td>B</td></tr>");
  while (next_knob(&a)) {
    const bool there = find_knob(p->run[1]->config, &a, &b);
    if (there && a.length == b.length && strncmp(a.value, b.value, (size_t)a.length) == 0) continue;
    train_html_put(h, "<tr><th>");
    train_html_text(h, a.section);
    train_html_put(h, ".");
    train_html_text(h, a.key);
    train_html_put(h, "</th><td>");
    train_html_text_bytes(h, a.value, (size_t)a.length);
    train_html_put(h, "</td><td>");
    if (there) train_html_text_bytes(h, b.value, (size_t)b.length);
    train_html_put(h, "</td></tr>");
  }
  train_html_put(h, "</table></div></div>\n");
}

// -- the page -------------------------------------------------------------------------------

static orr_code last_trained(const train_report_data *d, const train_report_run **out) {
  *out = NULL;
  for (int r = 0; r < d->count; r++)
    if (d->run[r].has_metrics) *out = &d->run[r];
  ORR_CHECK(*out, ORR_ENOTFOUND, "%s: no metrics.jsonl to compare", d->title);
  return ORR_OK;
}

orr_code train_page_compare(train_page *page, const train_report_data *a,
                            const train_report_data *b) {
  pair p = {.name = {a->title, b->title}};
  train_html *h = &page->html;
  ORR_TRY(last_trained(a, &p.run[0]));
  ORR_TRY(last_trained(b, &p.run[1]));
  train_html_put(h, "<p class=sub>");
  for (int i = 0; i < 2; i++) {
    train_html_format(h, "%s<b class=c%d>%s</b>: ", i ? " · " : "", i + 1, i ? "B" : "A");
    train_html_text(h, p.run[i]->path);
  }
  train_html_put(h, "</p></header>\n<section>");
  put_figures(h, &p);
  train_html_put(h, "<div class=stack>");
  put_curves(page, &p, "loss", "Loss", "loss", false);
  train_html_put(h, "</div><div class=grid3>");
  put_curves(page, &p, "grad_norm", "Gradient norm", "before clipping", true);
  put_curves(page, &p, "tokens_per_s", "Throughput", "tokens/s", true);
  put_curves(page, &p, "step_ms", "Step time", "ms", true);
  train_html_put(h, "</div>");
  train_page_compare_eval(page, a, b);
  put_knobs(h, &p);
  train_html_put(h, "</section>\n");
  return ORR_OK;
}
