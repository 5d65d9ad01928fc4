// What one model of several kinds of worlds can do in each: branches.json (`eval --by-branch`) as
// films, a table and a chart a branch. Films and strips are told apart by their names:
// rollout-BRANCH.gif, strip-BRANCH.png.
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/report/page.h"

// The figures worth a row. real: what the same reading gives for the recording itself.
static const struct {
  const char *key, *name, *real;
} rows[] = {
    {"tokenizer_psnr", "tokenizer PSNR, dB", NULL},
    {"loss", "held-out loss", NULL},
    {"gain_over_persistence", "least gain over persistence, dB", NULL},
    {"delta_psnr", "action gain, dB", NULL},
    {"action_shuffle_ratio", "action shuffle ratio", NULL},
    {"effect_corr", "effect of actions, correlation", NULL},
    {"action_accuracy", "movements that are as told", "real_action_accuracy"},
    {"revisit_gap_db", "places seen before over new ones, dB", NULL},
    {"things_kept", "things that stay", NULL},
    {"things_doubled", "things that are there twice", NULL},
    {"reward_corr", "reward, correlation", NULL},
    {"done_accuracy", "done, accuracy", NULL},
    {"progress_corr", "progress, correlation", NULL},
    {"mouth_corr", "mouth, correlation", "real_mouth_corr"},
    {"av_offset_frames", "mouth after the sound, frames", "real_av_offset_frames"},
    {"mouth_in_silence", "mouth in silence, over that in speech", "real_mouth_in_silence"},
    {"eyes_shut", "eyes shut, share of frames", "real_eyes_shut"},
    {"blinks_a_minute", "blinks a minute", "real_blinks_a_minute"},
    {"identity_drift", "drift of the identity", "real_identity_drift"},
};
enum { ROWS = sizeof rows / sizeof *rows };

bool train_page_of_branch(const train_report_run *run, const train_medium *m, const char *branch) {
  const char *key;
  json_t *v;
  if (branch) {
    const char *dash = strchr(m->name, '-');
    const size_t n = strlen(branch);
    // signs that a file's name may not have are dashes there
    for (size_t i = 0; dash && i < n; i++)
      if (dash[1 + i] != (isalnum((unsigned char)branch[i]) || branch[i] == '_' ? branch[i] : '-'))
        return false;
    return dash && dash[1 + n] == '.';
  }
  json_object_foreach(run->branches, key, v) if (train_page_of_branch(run, m, key)) return true;
  return false;
}

// A number, or the last one of an array by horizon.
static double figure_of(const json_t *one, const char *key) {
  const json_t *v = key ? json_object_get(one, key) : NULL;
  if (json_is_array(v)) v = json_array_get(v, json_array_size(v) - 1);
  return json_is_number(v) ? json_number_value(v) : NAN;
}

void train_page_branch_tiles(train_html *h, const train_report_run *run) {
  const char *branch;
  json_t *one;
  json_object_foreach(run->branches, branch, one) {
    const double psnr = figure_of(one, "psnr"), still = figure_of(one, "persistence_psnr");
    train_html_put(h, "<div class=tile><div class=name>");
    train_html_text(h, branch);
    train_html_format(h, "</div><div class=value>%s<span class=unit>dB</span></div>",
                      train_number_of(psnr, 3).s);
    train_html_format(h, "<div class=what>PSNR %zu frames on",
                      json_array_size(json_object_get(one, "psnr")));
    if (isfinite(psnr - still))
      train_html_format(h, ", <b class=%s>%s%s dB</b> over persistence",
                        psnr >= still ? "up" : "down", psnr >= still ? "+" : "",
                        train_number_of(psnr - still, 2).s);
    train_html_put(h, "</div></div>\n");
  }
}

static void put_films(train_html *h, const train_report_data *d, const train_report_run *run) {
  const char *branch;
  json_t *one;
  train_html_put(h, "<div class=grid3>");
  json_object_foreach(run->branches, branch, one) {
    for (int m = 0; m < run->media; m++) {
      const train_medium *x = &run->medium[m];
      char caption[512];
      if (x->kind == TRAIN_MEDIUM_PNG || !train_page_of_branch(run, x, branch)) continue;
      snprintf(caption, sizeof caption, "%.60s. %s", branch, train_page_film_caption(d, x));
      train_page_medium(h, x, caption);
    }
  }
  train_html_put(h, "</div>");
}

static void put_cell(train_html *h, const json_t *one, int row) {
  const double value = figure_of(one, rows[row].key), real = figure_of(one, rows[row].real);
  train_html_format(h, "<td>%s", isfinite(value) ? train_number_of(value, 3).s : "");
  if (isfinite(value) && isfinite(real))
    train_html_format(h, "<br><small>real %s</small>", train_number_of(real, 3).s);
  train_html_put(h, "</td>");
}

static void put_table(train_html *h, const json_t *branches) {
  const char *branch;
  json_t *one;
  train_html_put(h, "<div class=\"card time\" style=\"margin-top:14px\"><div class=scroll>"
                    "<table><tr><th></th>");
  json_object_foreach((json_t *)(uintptr_t)branches, branch, one) {
    train_html_put(h, "<td>");
    train_html_text(h, branch);
    train_html_put(h, "</td>");
  }
  train_html_put(h, "</tr>");
  for (int r = 0; r < ROWS; r++) {
    bool any = false;
    json_object_foreach((json_t *)(uintptr_t)branches, branch, one) any =
        any || isfinite(figure_of(one, rows[r].key));
    if (!any) continue;
    train_html_format(h, "<tr><th>%s</th>", rows[r].name);
    json_object_foreach((json_t *)(uintptr_t)branches, branch, one) put_cell(h, one, r);
    train_html_put(h, "</tr>");
  }
  train_html_put(h, "</table></div></div>\n");
}

static void put_charts(train_page *p, const json_t *branches) {
  const char *branch;
  json_t *one;
  train_html_put(&p->html, "<div class=grid3>");
  json_object_foreach((json_t *)(uintptr_t)branches, branch, one)
      train_page_horizon_chart(p, one, branch, true);
  train_html_put(&p->html, "</div>\n");
}

static void put_strips(train_html *h, const train_report_run *run) {
  const char *branch;
  json_t *one;
  train_html_put(h, "<div class=stack>");
  json_object_foreach(run->branches, branch, one) {
    for (int m = 0; m < run->media; m++) {
      const train_medium *x = &run->medium[m];
      char caption[256];
      if (x->kind != TRAIN_MEDIUM_PNG || !train_page_of_branch(run, x, branch)) continue;
      snprintf(caption, sizeof caption,
               "%.60s. In each pair of rows the real frames are above, the model's below.", branch);
      train_page_medium(h, x, caption);
    }
  }
  train_html_put(h, "</div>");
}

void train_page_branches(train_page *p, const train_report_data *d) {
  train_html *h = &p->html;
  for (int r = 0; r < d->count; r++) {
    const train_report_run *run = &d->run[r];
    if (!run->branches) continue;
    train_html_put(h, "<section><h2>Branches");
    if (run->name[0]) {
      train_html_put(h, " of ");
      train_html_text(h, run->name);
    }
    train_html_put(h, "</h2><p class=lead>One model, measured on held-out clips of each. "
                      "Small: the same reading of the real frames.</p>");
    put_films(h, d, run);
    put_table(h, run->branches);
    put_charts(p, run->branches);
    put_strips(h, run);
    train_html_put(h, "</section>\n");
  }
}
