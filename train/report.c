// `orrery report`: one page from the files of a run, in the order of the page.
#include "train/report.h"

#include <limits.h>

#include "base/fs.h"
#include "base/log.h"
#include "train/args.h"
#include "train/report_data.h"
#include "train/report_page.h"
#include "train/report_style.h"

static void put_head(train_html *h, const train_report_data *d) {
  train_html_put(h, "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
                    "<meta name=viewport content=\"width=device-width,initial-scale=1\">"
                    "<title>");
  train_html_text(h, d->title);
  train_html_put(h, " · Orrery</title>\n<style>\n");
  train_html_put(h, train_report_css);
  train_html_put(h, "</style></head>\n<body><main>\n<header><div class=over>");
  train_html_put(h, train_report_mark);
  train_html_put(h, "Orrery</div><h1>");
  train_html_text(h, d->title);
  train_html_put(h, "</h1>");
}

// "A world model in two stages: tokenizer, dynamics."
static void put_summary(train_html *h, const train_report_data *d) {
  int named = 0, unfinished = 0, evaluated = 0;
  train_html_put(h, "<p class=sub>");
  for (int r = 0; r < d->count; r++) {
    const train_report_run *run = &d->run[r];
    evaluated += run->eval != NULL;
    if (!run->has_metrics) continue;
    const double *step = train_table_column(&run->metrics, "step");
    unfinished += run->steps && step[run->metrics.rows - 1] < (double)run->steps;
    if (!run->name[0]) continue;
    train_html_put(h, named++ ? ", " : "Runs: ");
    train_html_text(h, run->name);
  }
  if (named) train_html_put(h, ". ");
  if (unfinished) train_html_put(h, "Training is not finished; this page shows what there is. ");
  if (evaluated) train_html_put(h, "Evaluated on clips that training never saw.");
  train_html_put(h, "</p></header>\n");
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

static orr_code write_page(const train_report_data *d, const char *path) {
  train_page p = {0};
  train_html *h = &p.html;
  put_head(h, d);
  put_summary(h, d);
  put_notes(h, d);
  train_page_results(&p, d);
  train_page_training(&p, d);
  train_page_details(&p, d);
  train_html_put(
      h, "<footer>Written by orrery report from metrics.jsonl, eval.json, config.yaml and "
         "the pictures of the run. Hover a chart for its values.</footer>\n</main>\n<script>");
  train_html_put(h, train_report_js);
  train_html_put(h, "</script></body></html>\n");
  orr_code rc = train_html_status(h);
  if (rc == ORR_OK) rc = orr_fs_write_atomic(path, h->text, h->used);
  train_html_release(h);
  return rc;
}

orr_code train_report_write(const char *run_dir, const char *path) {
  char own[PATH_MAX];
  if (!path) {
    ORR_TRY(orr_fs_join(own, sizeof own, run_dir, "report.html"));
    path = own;
  }
  train_report_data d;
  ORR_TRY(train_report_read(run_dir, &d));
  orr_code rc = write_page(&d, path);
  train_report_release(&d);
  if (rc == ORR_OK) ORR_INFO("report: %s", path);
  return rc;
}

orr_code train_cmd_report(int argc, char **argv) {
  static const train_option options[] = {
      {"out", "FILE", "write the page there; RUN_DIR/report.html unless said", TRAIN_OPTION_ONCE},
      {0}};
  static const train_command command = {
      "report", "RUN_DIR", 1, 1, "writes a self-contained page about a run", options};
  train_args args;
  ORR_TRY(train_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  return train_report_write(args.operand[0], train_args_text(&args, "out", NULL));
}
