// `orrery report`: one page from the files of a run, in the order of the page.
#include "train/report/report.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/args.h"
#include "train/report/compare.h"
#include "train/report/data.h"
#include "train/report/page.h"
#include "train/report/style.h"

static void put_head(train_html *h, const char *title) {
  train_html_put(h, "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
                    "<meta name=viewport content=\"width=device-width,initial-scale=1\">"
                    "<title>");
  train_html_text(h, title);
  train_html_put(h, " · Orrery</title>\n<style>\n");
  train_html_put(h, train_report_css);
  train_html_put(h, "</style></head>\n<body><main>\n<header><div class=over>");
  train_html_put(h, train_report_mark);
  train_html_put(h, "Orrery</div><h1>");
  train_html_text(h, title);
  train_html_put(h, "</h1>");
}

// The last start of any of the runs.
static const json_t *last_start(const train_report_data *d) {
  const json_t *last = NULL;
  for (int r = 0; r < d->count; r++)
    for (size_t i = 0; i < json_array_size(d->run[r].history); i++) {
      const json_t *line = json_array_get(d->run[r].history, i);
      const char *event = json_string_value(json_object_get(line, "event"));
      if (!event || strcmp(event, "start") != 0) continue;
      if (!last || json_number_value(json_object_get(line, "time")) >=
                       json_number_value(json_object_get(last, "time")))
        last = line;
    }
  return last;
}

// ", WORDS VALUE" where the line has the key.
static void put_word(train_html *h, const json_t *line, const char *key, const char *words) {
  const char *value = json_string_value(json_object_get(line, key));
  if (!value) return;
  train_html_put(h, words);
  train_html_text(h, value);
}

// When this page was written, and when, where and by what the run was last at work.
static void put_origin(train_html *h, const train_report_data *d) {
  const json_t *start = last_start(d);
  char now[32], begun[32];
  orr_clock_text(orr_clock_wall(), now);
  train_html_format(h, "<p class=sub>Page of %s UTC", now);
  if (start) {
    const double ranks = json_number_value(json_object_get(start, "ranks"));
    orr_clock_text(json_number_value(json_object_get(start, "time")), begun);
    train_html_format(h, ". Last start %s UTC", begun);
    put_word(h, start, "host", " on ");
    train_html_format(h, ", %.0f rank%s", ranks, ranks == 1.0 ? "" : "s");
    put_word(h, start, "job", ", job ");
    put_word(h, start, "version", ", Orrery ");
    put_word(h, start, "revision", " commit ");
  }
  train_html_put(h, ".</p>");
}

// "Runs: tokenizer, dynamics. Evaluated on clips/test."
static void put_summary(train_html *h, const train_report_data *d) {
  int named = 0, unfinished = 0;
  const char *data = NULL;
  train_html_put(h, "<p class=sub>");
  for (int r = 0; r < d->count; r++) {
    const train_report_run *run = &d->run[r];
    if (!data) data = json_string_value(json_object_get(run->eval, "data"));
    if (!run->has_metrics) continue;
    const double *step = train_columns_find(&run->metrics, "step");
    unfinished += run->steps && step[run->metrics.rows - 1] < (double)run->steps;
    if (!run->name[0]) continue;
    train_html_put(h, named++ ? ", " : "Runs: ");
    train_html_text(h, run->name);
  }
  if (named) train_html_put(h, ". ");
  if (unfinished) train_html_put(h, "Training is not finished; this page shows what there is. ");
  if (data) {
    train_html_put(h, "Evaluated on ");
    train_html_text(h, data);
    train_html_put(h, ".");
  }
  train_html_put(h, "</p>");
  put_origin(h, d);
  train_html_put(h, "</header>\n");
}

static void put_notes(train_html *h, const train_report_data *d) {
  if (d->notes == 0) return;
  train_html_put(h, "<section class=\"card notes\"><h3>Not shown</h3>");
  for (int i = 0; i < d->notes; i++) {
    train_html_put(h, "<p>");
    train_html_text(h, d->note[i]);
    train_html_put(h, "</p>");
  }
  train_html_put(h, "</section>\n");
}

static void put_foot(train_html *h) {
  train_html_put(
      h, "<footer>Written by orrery report from metrics.jsonl, history.jsonl, eval.json, "
         "branches.json, config.yaml "
         "and the pictures of the run. Hover a chart for its values.</footer>\n</main>\n<script>");
  train_html_put(h, train_report_js);
  train_html_put(h, "</script></body></html>\n");
}

// Ends the page; `rc` is how it went so far.
static orr_code store(train_page *p, orr_code rc, const char *path) {
  if (rc == ORR_OK) rc = train_html_status(&p->html);
  if (rc == ORR_OK) rc = orr_fs_write_atomic(path, p->html.text, p->html.used);
  train_html_release(&p->html);
  if (rc == ORR_OK) ORR_INFO("report: %s", path);
  return rc;
}

static orr_code write_page(const train_report_data *d, const char *path) {
  train_page p = {0};
  put_head(&p.html, d->title);
  put_summary(&p.html, d);
  put_notes(&p.html, d);
  train_page_results(&p, d);
  train_page_branches(&p, d);
  train_page_exam(&p, d);
  train_page_training(&p, d);
  train_page_details(&p, d);
  put_foot(&p.html);
  return store(&p, ORR_OK, path);
}

orr_code train_report_write(const char *run_dir, const char *path) {
  orr_path own;
  if (!path) {
    ORR_TRY(orr_fs_join(own, sizeof own, run_dir, "report.html"));
    path = own;
  }
  train_report_data d;
  ORR_TRY(train_report_read(run_dir, &d));
  orr_code rc = write_page(&d, path);
  train_report_release(&d);
  return rc;
}

static orr_code write_comparison(const train_report_data *a, const train_report_data *b,
                                 const char *path) {
  train_page p = {0};
  char title[512];
  snprintf(title, sizeof title, "%.200s and %.200s", a->title, b->title);
  put_head(&p.html, title);
  const orr_code rc = train_page_compare(&p, a, b);
  put_foot(&p.html);
  return store(&p, rc, path);
}

orr_code train_report_compare(const char *a, const char *b, const char *path) {
  train_report_data left, right;
  ORR_TRY(train_report_read(a, &left));
  orr_code rc = train_report_read(b, &right);
  if (rc == ORR_OK) {
    rc = write_comparison(&left, &right, path);
    train_report_release(&right);
  }
  train_report_release(&left);
  return rc;
}

orr_code train_cmd_report(int argc, char **argv) {
  static const orr_option options[] = {
      {"out", "FILE", "write the page there; RUN_DIR/report.html or compare.html unless said",
       ORR_OPTION_ONCE},
      {"compare", NULL, "lay two runs side by side: RUN_DIR RUN_DIR", 0},
      {0}};
  static const orr_command command = {
      "report", "RUN_DIR [RUN_DIR]", 1, 2, "Writes a self-contained page about one run or two.",
      options};
  orr_args args;
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  const bool two = orr_args_flag(&args, "compare");
  ORR_CHECK(two == (args.operands == 2), ORR_ECONFIG, "report: %s",
            two ? "--compare takes two runs" : "two runs are laid side by side with --compare");
  if (two)
    return train_report_compare(args.operand[0], args.operand[1],
                                orr_args_text(&args, "out", "compare.html"));
  return train_report_write(args.operand[0], orr_args_text(&args, "out", NULL));
}
