// How the training went: curves of metrics.jsonl and where the time of a step goes.
#include <inttypes.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"
#include "train/report/chart.h"
#include "train/report/page.h"

typedef struct {
  const char *column, *title, *unit;
  bool smooth; // noisy: drawn with its envelope
} multiple;

static const multiple multiples[] = {
    {"lr", "Learning rate", "", false},
    {"grad_norm", "Gradient norm", "before clipping", true},
    {"tokens_per_s", "Throughput", "tokens/s", true},
    {"step_ms", "Step time", "ms", true},
    {"mfu", "Matmul utilisation", "of the measured peak, 6 FLOPs a weight and token", true},
    {"straggler_score", "Slowest rank", "times the median rank's computing", false},
    {"data_queue", "Batches ready", "when the step began, on rank 0", true},
    {"data_bytes", "Bytes read", "from shards in a step, on rank 0", true},
    {"data_unpacked_bytes", "Bytes unpacked", "in a step, on rank 0", true},
    {"data_chunks", "Chunks unpacked", "in a step, on rank 0", true},
    {"data_chunk_hits", "Chunks found in memory", "in a step, on rank 0", true},
    {"data_fetched_bytes", "Bytes downloaded", "in a step, on rank 0", true},
    {"data_cache_hits", "Shards in the cache", "in a step, on rank 0", false},
    {"data_fetch_waits", "Shards waited for", "in a step, on rank 0", false},
    {"data_fetch_retries", "Requests made again", "in a step, on rank 0", false},
};

// Columns that have a place of their own, or are only sums.
static const char *const placed[] = {"step", "loss",    "tokens", "frames_per_s",
                                     "time", "skipped", NULL};

static bool ends_with(const char *s, const char *end) {
  const size_t n = strlen(s), m = strlen(end);
  return n >= m && strcmp(s + n - m, end) == 0;
}

static bool is_placed(const char *column) {
  if (strncmp(column, "eval_", 5) == 0) return true;
  for (int i = 0; placed[i]; i++)
    if (strcmp(column, placed[i]) == 0) return true;
  for (size_t i = 0; i < sizeof multiples / sizeof *multiples; i++)
    if (strcmp(column, multiples[i].column) == 0) return true;
  // shares of a step, the ranks', and numbers of ranks, which nobody can average
  return ends_with(column, "_rank") || ends_with(column, "_ms") || strstr(column, "_ms_") != NULL;
}

static bool has_values(const train_columns *m, const char *column) {
  const double *v = train_columns_find(m, column);
  for (int64_t i = 0; v && i < m->rows; i++)
    if (isfinite(v[i]) && v[i] != 0) return true;
  return false;
}

static void put_curve(train_page *p, const train_columns *m, const multiple *what) {
  train_curve curve; // thinned: 16 KiB
  train_curve_of(train_columns_find(m, "step"), train_columns_find(m, what->column), m->rows,
                 &curve);
  train_chart c = {.id = ++p->charts,
                   .title = what->title,
                   .x_label = "step",
                   .y_label = what->unit,
                   .n = curve.n,
                   .x = curve.x,
                   .count = 1,
                   .small = true};
  c.series[0] = (train_chart_series){.name = what->title,
                                     .colour = 1,
                                     .y = what->smooth ? curve.smooth : curve.mean,
                                     .low = what->smooth ? curve.low : NULL,
                                     .high = curve.high};
  train_chart_put(&p->html, &c);
}

static void put_loss(train_page *p, const train_columns *m) {
  const double *loss = train_columns_find(m, "loss");
  if (!loss) return;
  train_curve curve;
  train_curve_of(train_columns_find(m, "step"), loss, m->rows, &curve);
  int64_t gaps = 0;
  for (int64_t i = 0; i < m->rows; i++) gaps += !isfinite(loss[i]);
  char remark[128];
  int n = snprintf(remark, sizeof remark, "smoothed over the raw values");
  if (gaps)
    snprintf(remark + n, sizeof remark - (size_t)n, "; %" PRId64 " steps without a finite loss",
             gaps);
  train_chart c = {.id = ++p->charts,
                   .title = "Loss",
                   .remark = remark,
                   .x_label = "step",
                   .y_label = "loss",
                   .n = curve.n,
                   .x = curve.x,
                   .count = 1,
                   .log_choice = true};
  c.series[0] = (train_chart_series){
      .name = "loss", .colour = 1, .y = curve.smooth, .low = curve.low, .high = curve.high};
  train_chart_put(&p->html, &c);
}

// -- held-out figures -----------------------------------------------------------------------

// Of the lines that have any, one curve each.
typedef struct {
  int64_t n;
  double *x, *y[TRAIN_CHART_SERIES];
} held_out;

static bool held_out_of(train_html *html, const train_columns *m, const char *over,
                        const char *const *columns, int count, held_out *out) {
  bool some = false;
  *out = (held_out){0};
  for (int s = 0; s < count; s++) some = some || train_columns_find(m, columns[s]);
  if (!some) return false;
  const double *x = train_columns_find(m, over), *v[TRAIN_CHART_SERIES];
  out->x = orr_calloc((size_t)((1 + count) * m->rows), sizeof *out->x);
  if (!out->x) html->failed = true;
  for (int s = 0; s < count; s++) {
    v[s] = train_columns_find(m, columns[s]);
    out->y[s] = out->x + (1 + s) * m->rows;
  }
  for (int64_t i = 0; out->x && i < m->rows; i++) {
    bool any = false;
    for (int s = 0; s < count; s++) any = any || (v[s] && isfinite(v[s][i]));
    if (!any || !isfinite(x[i])) continue;
    for (int s = 0; s < count; s++) out->y[s][out->n] = v[s] ? v[s][i] : NAN;
    out->x[out->n++] = x[i];
  }
  return out->n > 0;
}

static void put_over(train_page *p, const train_columns *m, const char *over, const char *title,
                     const char *unit, const char *const *columns, const char *const *names,
                     int count) {
  held_out h;
  train_chart c = {.title = title,
                   .x_label = strcmp(over, "tflop") == 0 ? "TFLOP" : over,
                   .y_label = unit,
                   .small = true};
  if (held_out_of(&p->html, m, over, columns, count, &h)) {
    c.id = ++p->charts;
    c.n = h.n;
    c.x = h.x;
    for (int s = 0; s < count; s++) {
      int64_t finite = 0;
      for (int64_t i = 0; i < h.n; i++) finite += isfinite(h.y[s][i]);
      if (finite > 0)
        c.series[c.count++] =
            (train_chart_series){.name = names[s], .colour = 1 + s % 4, .y = h.y[s], .dots = true};
    }
    train_chart_put(&p->html, &c);
  }
  orr_free(h.x);
}

static void put_held_out(train_page *p, const train_columns *m, const char *title, const char *unit,
                         const char *const *columns, const char *const *names, int count) {
  put_over(p, m, "step", title, unit, columns, names, count);
}

// What `eval.exam_every` has measured, over what it has cost: such curves are compared between
// models of any size. A run of before `tflop` was told has its steps.
static void put_exams(train_page *p, const train_columns *m) {
  static const char *const things[] = {"eval_exam_motion", "eval_exam_collision",
                                       "eval_exam_permanence", "eval_exam_solidity"},
                           *const thing_name[] = {"motion", "collision", "permanence", "solidity"},
                           *const causes[] = {"eval_exam_support", "eval_exam_friction",
                                              "eval_exam_number", "eval_exam_tool"},
                           *const cause_name[] = {"support", "friction", "number", "tool"};
  const char *over = train_columns_find(m, "tflop") ? "tflop" : "step",
             *title = "Exam: impossible told", *unit = "share of pairs";
  put_over(p, m, over, title, unit, things, thing_name, 4);
  put_over(p, m, over, title, unit, causes, cause_name, 4);
}

// What `eval.every` has measured.
static int put_all_held_out(train_page *p, const train_columns *m) {
  static const char
      *const loss[] = {"eval_loss"},
             *const loss_name[] = {"held-out loss"}, *const ratio[] = {"eval_action_shuffle_ratio"},
             *const ratio_name[] = {"action shuffle"},
             *const psnr[] = {"eval_psnr_1", "eval_psnr_4", "eval_psnr_8", "eval_psnr_12"},
             *const psnr_name[] = {"1 frame on", "4 frames on", "8 frames on", "12 frames on"},
             *const decoded[] = {"eval_tokenizer_psnr"}, *const decoded_name[] = {"PSNR"},
             *const codes[] = {"eval_codes_used", "eval_code_perplexity"},
             *const codes_name[] = {"used", "as many used alike"};
  const int before = p->charts;
  put_exams(p, m);
  put_held_out(p, m, "Held-out loss", "", loss, loss_name, 1);
  put_held_out(p, m, "Held-out PSNR", "dB", psnr, psnr_name, 4);
  put_held_out(p, m, "Held-out action shuffle", "times the loss", ratio, ratio_name, 1);
  put_held_out(p, m, "Held-out reconstruction", "dB", decoded, decoded_name, 1);
  put_held_out(p, m, "Codes of held-out frames", "", codes, codes_name, 2);
  return p->charts - before;
}

// Returns how many there are.
static int put_multiples(train_page *p, const train_columns *m) {
  int count = put_all_held_out(p, m);
  for (size_t i = 0; i < sizeof multiples / sizeof *multiples; i++) {
    if (!has_values(m, multiples[i].column)) continue;
    put_curve(p, m, &multiples[i]);
    count++;
  }
  for (int c = 0; c < m->columns; c++) { // whatever else the run wrote down
    if (is_placed(m->name[c]) || !has_values(m, m->name[c])) continue;
    put_curve(p, m, &(multiple){m->name[c], m->name[c], "", true});
    count++;
  }
  return count;
}

static double median_of(const train_columns *m, const char *column) {
  train_curve c; // of bucket means: good to well under what the eye needs
  double kept[TRAIN_CURVE_POINTS];
  int n = 0;
  const double *v = train_columns_find(m, column);
  if (!v) return NAN;
  train_curve_of(train_columns_find(m, "step"), v, m->rows, &c);
  for (int64_t i = 0; i < c.n; i++)
    if (isfinite(c.mean[i])) kept[n++] = c.mean[i];
  return n ? orr_median_f64(kept, n) : NAN;
}

static void put_lead(train_html *h, const train_report_run *run) {
  const train_columns *m = &run->metrics;
  double last = train_columns_find(m, "step")[m->rows - 1];
  train_html_format(h, "<p class=lead>%.0f", last);
  if (run->steps) train_html_format(h, " of %" PRId64, run->steps);
  train_html_format(h, " steps%s", run->steps && last < (double)run->steps ? ", not finished" : "");
  double rate = median_of(m, "tokens_per_s"), frames = median_of(m, "frames_per_s");
  if (rate > 0) train_html_format(h, " · %s tokens/s", train_number_of(rate, 3).s);
  if (frames > 0) train_html_format(h, " · %s frames/s", train_number_of(frames, 3).s);
  double ms = train_columns_total(m, "step_ms");
  if (ms > 0) train_html_format(h, " · %s", train_duration_of(ms / 1e3).s);
  train_html_put(h, "</p>");
}

void train_page_training(train_page *p, const train_report_data *d) {
  train_html *h = &p->html;
  for (int r = 0; r < d->count; r++) {
    const train_report_run *run = &d->run[r];
    if (!run->has_metrics) continue;
    train_html_put(h, "<section><h2>Training");
    if (run->name[0]) {
      train_html_put(h, ": ");
      train_html_text(h, run->name);
    }
    train_html_put(h, "</h2>");
    put_lead(h, run);
    put_loss(p, &run->metrics);
    train_html_put(h, "<div class=grid3>");
    int count = put_multiples(p, &run->metrics);
    train_page_phases(h, &run->metrics, 3 - count % 3);
    train_page_insight(h, run);
    train_html_put(h, "</div></section>\n");
  }
}

static void put_value(train_html *h, const json_t *v) {
  if (json_is_number(v)) {
    train_html_put(h, train_number_of(json_number_value(v), 4).s);
  } else if (json_is_string(v)) {
    train_html_text(h, json_string_value(v));
  } else if (json_is_array(v)) {
    for (size_t i = 0; i < json_array_size(v); i++) {
      if (i) train_html_put(h, " &nbsp;");
      put_value(h, json_array_get(v, i));
    }
  } else {
    char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    train_html_text(h, text ? text : "…");
    free(text); // jansson's
  }
}

static void put_eval_table(train_html *h, const json_t *eval) {
  const char *key;
  json_t *v;
  train_html_put(h, "<div class=scroll><table>");
  json_object_foreach((json_t *)(uintptr_t)eval, key, v) {
    train_html_put(h, "<tr><th>");
    train_html_text(h, key);
    train_html_put(h, "</th><td>");
    put_value(h, v);
    train_html_put(h, "</td></tr>");
  }
  train_html_put(h, "</table></div>");
}

static void open_details(train_html *h, const char *what, const train_report_run *run) {
  train_html_put(h, "<details class=card><summary>");
  train_html_put(h, what);
  if (run->name[0]) {
    train_html_put(h, " of ");
    train_html_text(h, run->name);
  }
  train_html_put(h, "</summary>");
}

void train_page_details(train_page *p, const train_report_data *d) {
  train_html *h = &p->html;
  bool open = false;
  for (int r = 0; r < d->count; r++) {
    const train_report_run *run = &d->run[r];
    if (!open && (run->eval || run->config)) train_html_put(h, "<section><h2>Details</h2>");
    open |= run->eval || run->config;
    if (run->eval) {
      open_details(h, "All figures of the evaluation", run);
      put_eval_table(h, run->eval);
      train_html_put(h, "</details>\n");
    }
    if (run->config) {
      open_details(h, "Configuration", run);
      train_html_put(h, "<pre>");
      train_html_text(h, run->config);
      train_html_put(h, "</pre></details>\n");
    }
  }
  if (open) train_html_put(h, "</section>\n");
}
