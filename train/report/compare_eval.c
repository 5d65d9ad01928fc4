// Most figures of an evaluation have no zero that a share could be taken of (decibels,
// correlations, a slope of either sign), so runs are told apart by differences.
#include "train/report/compare_eval.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/report/chart.h"

enum { HORIZONS_MAX = 256 };

static const struct {
  const char *key, *name; // arrays: at the last horizon that both have
} figures[] = {{"tokenizer_psnr", "tokenizer PSNR, dB"},
               {"tokenizer_ssim", "tokenizer SSIM"},
               {"tokenizer_sharpness", "tokenizer sharpness"},
               {"codes_used", "codes used"},
               {"code_perplexity", "perplexity of codes"},
               {"psnr", "PSNR, dB"},
               {"persistence_psnr", "persistence PSNR, dB"},
               {"decoded_persistence_psnr", "persistence through the tokenizer, dB"},
               {"random_action_psnr", "PSNR under other actions, dB"},
               {"ssim", "SSIM"},
               {"brightness_ratio", "brightness over the real"},
               {"distinct_codes_ratio", "distinct codes over the real"},
               {"delta_psnr", "action gain, dB"},
               {"action_shuffle_ratio", "action shuffle ratio"},
               {"effect_corr", "effect of actions, correlation"},
               {"changed_iou", "changed pixels, overlap"},
               {"position_error", "position error"},
               {"drift", "drift, dB a frame"},
               {"loss", "held-out loss"}},
  settings[] = {{"step", "checkpoint of step"},
                {"clips", "clips"},
                {"frames", "frames"},
                {"prompt", "frames given"},
                {"horizon", "frames rolled out"},
                {"steps", "decoding passes a frame"},
                {"temperature", "temperature"}},
  curves[] = {{"psnr", "PSNR against horizon, dB"},
              {"ssim", "Structural similarity"},
              {"position_error", "Position error"}};
enum {
  FIGURES = sizeof figures / sizeof *figures,
  SETTINGS = sizeof settings / sizeof *settings,
  CURVES = sizeof curves / sizeof *curves
};

// -- figures --------------------------------------------------------------------------------

static double number_of(const json_t *v, size_t horizon) {
  if (json_is_array(v)) v = horizon ? json_array_get(v, horizon - 1) : NULL;
  return json_is_number(v) ? json_number_value(v) : NAN;
}

static void put_cell(train_html *h, double v) {
  train_html_format(h, "<td>%s</td>", isfinite(v) ? train_number_of(v, 4).s : "");
}

static void put_row(train_html *h, const char *name, size_t horizon, double a, double b,
                    bool difference) {
  if (isnan(a) && isnan(b)) return;
  train_html_put(h, "<tr><th>");
  train_html_text(h, name);
  if (horizon) train_html_format(h, ", %zu frames on", horizon);
  train_html_put(h, "</th>");
  put_cell(h, a);
  put_cell(h, b);
  if (difference && isfinite(a) && isfinite(b))
    train_html_format(h, "<td>%s%s</td>", b > a ? "+" : "", train_number_of(b - a, 3).s);
  else
    train_html_put(h, "<td></td>");
  train_html_put(h, "</tr>");
}

// The last horizon of both; of the one that has any. 0: a number, or nothing.
static size_t horizon_of(const json_t *a, const json_t *b) {
  const size_t m = json_array_size(a), n = json_array_size(b);
  return !m ? n : !n ? m : m < n ? m : n;
}

static void put_figures(train_html *h, const json_t *const eval[2]) {
  train_html_put(h, "<div class=\"card time\"><div class=scroll><table><tr><th></th><td>A</td>"
                    "<td>B</td><td>B less A</td></tr>");
  for (size_t i = 0; i < FIGURES + SETTINGS; i++) {
    const bool measured = i < FIGURES;
    const char *key = measured ? figures[i].key : settings[i - FIGURES].key;
    const json_t *a = json_object_get(eval[0], key), *b = json_object_get(eval[1], key);
    const size_t horizon = horizon_of(a, b);
    put_row(h, measured ? figures[i].name : settings[i - FIGURES].name, horizon,
            number_of(a, horizon), number_of(b, horizon), measured);
  }
  train_html_put(h, "</table></div></div>\n");
}

// -- curves ---------------------------------------------------------------------------------

static int64_t fill(const json_t *v, double y[HORIZONS_MAX]) {
  const size_t n = json_array_size(v);
  for (size_t i = 0; i < HORIZONS_MAX; i++) y[i] = i < n ? number_of(v, i + 1) : NAN;
  return n < HORIZONS_MAX ? (int64_t)n : HORIZONS_MAX;
}

static void put_curve(train_page *p, const json_t *const eval[2], const char *key,
                      const char *title) {
  double x[HORIZONS_MAX], y[2][HORIZONS_MAX];
  const int64_t m = fill(json_object_get(eval[0], key), y[0]),
                n = fill(json_object_get(eval[1], key), y[1]);
  if (m < 2 && n < 2) return;
  for (int i = 0; i < HORIZONS_MAX; i++) x[i] = i + 1;
  train_chart c = {.id = ++p->charts,
                   .title = title,
                   .x_label = "frames after the prompt",
                   .y_label = "",
                   .n = m > n ? m : n,
                   .x = x,
                   .x_first = 1,
                   .small = true};
  for (int i = 0; i < 2; i++)
    if (i ? n : m)
      c.series[c.count++] = (train_chart_series){
          .name = i ? "B" : "A", .colour = i + 1, .y = y[i], .dots = c.n <= 32};
  train_chart_put(&p->html, &c);
}

// -- pictures -------------------------------------------------------------------------------

static void put_pictures(train_html *h, const train_headline top[2], bool film) {
  if (!(film ? top[0].film || top[1].film : top[0].strip || top[1].strip)) return;
  train_html_put(h, film ? "<div class=pair>" : "<div class=stack>"); // strips are wide
  for (int i = 0; i < 2; i++) {
    const train_medium *m = film ? top[i].film : top[i].strip;
    char caption[300];
    snprintf(caption, sizeof caption, "%s: %.200s", i ? "B" : "A", m ? m->name : "no picture");
    if (m)
      train_page_medium(h, m, caption);
    else
      train_html_format(h, "<p>%s</p>", caption);
  }
  train_html_put(h, "</div>\n");
}

void train_page_compare_eval(train_page *p, const train_report_data *a,
                             const train_report_data *b) {
  const train_headline top[2] = {train_page_headline(a), train_page_headline(b)};
  const json_t *const eval[2] = {top[0].eval, top[1].eval};
  train_html *h = &p->html;
  if (eval[0] || eval[1]) {
    train_html_put(h, "<h2>Evaluation</h2>");
    put_figures(h, eval);
    train_html_put(h, "<div class=grid3>");
    for (size_t i = 0; i < CURVES; i++) put_curve(p, eval, curves[i].key, curves[i].name);
    train_html_put(h, "</div>");
  }
  put_pictures(h, top, true);
  put_pictures(h, top, false);
}
