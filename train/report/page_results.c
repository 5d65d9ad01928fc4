// What the trained model can do: pictures and the measures of an evaluation.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/report/chart.h"
#include "train/report/page.h"

enum { HORIZONS_MAX = 256 };

typedef struct {
  const char *key, *name, *unit, *what;
} figure;

static const figure figures[] = {
    {"tokenizer_psnr", "Tokenizer PSNR", "dB", "held-out frames, encoded and decoded again"},
    {"tokenizer_ssim", "Tokenizer SSIM", "",
     "structural similarity of the same frames, 1 is equal"},
    {"tokenizer_sharpness", "Sharpness", "",
     "edges and grain of decoded frames, over those of the originals; below 1 is blurred"},
    {"delta_psnr", "Action gain", "dB",
     "PSNR with the true actions minus with random ones, 4 frames on"},
    {"action_shuffle_ratio", "Action shuffle", "×",
     "loss with swapped actions, over the loss with the true ones"},
    {"effect_corr", "Effect of actions", "",
     "correlation of what an action changes, predicted with simulated"},
    {"changed_iou", "Changed pixels", "",
     "overlap of predicted with simulated changes, 1 is perfect"},
    {"position_error", "Position error", "",
     "of objects, from where they should be; the table is 2 wide"},
};

static void put_tile(train_html *h, const char *name, const char *value, const char *unit) {
  train_html_put(h, "<div class=tile><div class=name>");
  train_html_text(h, name);
  train_html_format(h, "</div><div class=value>%s", value);
  if (unit[0]) train_html_format(h, "<span class=unit>%s</span>", unit);
  train_html_put(h, "</div><div class=what>");
}

static void end_tile(train_html *h) {
  train_html_put(h, "</div></div>\n");
}

// A number, or the last one of an array by horizon.
static bool figure_of(const json_t *eval, const char *key, double *value) {
  const json_t *v = json_object_get(eval, key);
  if (json_is_array(v) && json_array_size(v)) v = json_array_get(v, json_array_size(v) - 1);
  *value = json_number_value(v);
  return json_is_number(v);
}

// Numbers of an array; null becomes NaN. Returns how many.
static int64_t numbers_of(const json_t *eval, const char *key, double *out) {
  const json_t *v = json_object_get(eval, key);
  int64_t n = json_is_array(v) ? (int64_t)json_array_size(v) : 0;
  if (n > HORIZONS_MAX) n = HORIZONS_MAX;
  for (int64_t i = 0; i < n; i++) {
    const json_t *x = json_array_get(v, (size_t)i);
    out[i] = json_is_number(x) ? json_number_value(x) : NAN;
  }
  return n;
}

static void put_psnr_tile(train_html *h, const double *psnr, const double *still, int64_t compared,
                          int64_t horizon) {
  char name[64];
  double value = psnr[horizon - 1];
  snprintf(name, sizeof name, "PSNR, %" PRId64 " frame%s on", horizon, horizon > 1 ? "s" : "");
  put_tile(h, name, train_number_of(value, 3).s, "dB");
  if (horizon <= compared && isfinite(still[horizon - 1])) {
    double gain = value - still[horizon - 1];
    train_html_format(h, "<b class=%s>%s%s dB</b> over persistence", gain >= 0 ? "up" : "down",
                      gain >= 0 ? "+" : "", train_number_of(gain, 2).s);
  } else {
    train_html_put(h, "predicted against real frames");
  }
  end_tile(h);
}

// How many of its codes a tokenizer uses.
static void put_codes_tile(train_html *h, const json_t *eval) {
  double codes, used, perplexity;
  if (!figure_of(eval, "codes", &codes) || !figure_of(eval, "codes_used", &used) || codes <= 0)
    return;
  put_tile(h, "Codes used", train_number_of(100 * used / codes, 3).s, "%");
  train_html_format(h, "%.0f of %.0f", used, codes);
  if (figure_of(eval, "code_perplexity", &perplexity))
    train_html_format(h, ", as much as %s used alike", train_number_of(perplexity, 3).s);
  end_tile(h);
}

// The tiles of a whole evaluation: the tokenizer's, then the rollouts'.
static void put_eval_tiles(train_html *h, const json_t *eval) {
  double psnr[HORIZONS_MAX], still[HORIZONS_MAX];
  int64_t n = numbers_of(eval, "psnr", psnr);
  int64_t compared = numbers_of(eval, "persistence_psnr", still);
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
    double value;
    if (figure_of(eval, figures[i].key, &value)) {
      char name[64];
      size_t horizon = json_array_size(json_object_get(eval, figures[i].key)); // 0: a number
      snprintf(name, sizeof name, horizon ? "%s, %zu frames on" : "%s", figures[i].name, horizon);
      put_tile(h, name, train_number_of(value, 3).s, figures[i].unit);
      train_html_put(h, figures[i].what);
      end_tile(h);
    }
    if (strcmp(figures[i].key, "tokenizer_sharpness") != 0) continue;
    put_codes_tile(h, eval);
    if (n >= 4) put_psnr_tile(h, psnr, still, compared, 4);
    if (n > 0 && n != 4) put_psnr_tile(h, psnr, still, compared, n);
  }
}

static void put_training_tiles(train_html *h, const train_report_run *run) {
  const train_columns *m = &run->metrics;
  train_curve curve;
  const double *step = train_columns_find(m, "step"), *loss = train_columns_find(m, "loss");
  const double *rate = train_columns_find(m, "tokens_per_s");
  put_tile(h, "Steps", train_number_of(step[m->rows - 1], 4).s, "");
  if (run->steps)
    train_html_format(h, "of %" PRId64, run->steps);
  else
    train_html_put(h, "so far");
  end_tile(h);
  if (loss) {
    train_curve_of(step, loss, m->rows, &curve);
    put_tile(h, "Loss", train_number_of(curve.smooth[curve.n - 1], 4).s, "");
    train_html_put(h, "smoothed, at the last step");
    end_tile(h);
  }
  if (rate) {
    train_curve_of(step, rate, m->rows, &curve);
    put_tile(h, "Throughput", train_number_of(curve.smooth[curve.n - 1], 3).s, "tokens/s");
    train_html_put(h, "smoothed, at the last step");
    end_tile(h);
  }
  double spent = train_columns_total(m, "step_ms") / 1e3;
  if (spent <= 0) return;
  put_tile(h, "Time", train_duration_of(spent).s, "");
  train_html_put(h, "in training steps");
  end_tile(h);
}

static void put_source(train_html *h, const train_medium *m) {
  static const char *const types[] = {"image/gif", "video/mp4", "image/png"};
  train_html_format(h, "data:%s;base64,", types[m->kind]);
  train_html_base64(h, m->bytes, m->size);
}

void train_page_medium(train_html *h, const train_medium *m, const char *caption) {
  bool still = m->kind == TRAIN_MEDIUM_PNG;
  train_html_format(h, "<figure class=\"film%s\"><div class=scroll>", still ? " strip" : "");
  if (m->kind == TRAIN_MEDIUM_MP4) {
    train_html_put(h, "<video autoplay loop muted playsinline controls src=\"");
    put_source(h, m);
    train_html_put(h, "\"></video>");
  } else {
    train_html_format(h, "<img width=%" PRId64 " height=%" PRId64 " alt=\"", m->width, m->height);
    train_html_text(h, caption);
    train_html_put(h, "\" src=\"");
    put_source(h, m);
    train_html_put(h, "\">");
  }
  train_html_put(h, "</div><figcaption>");
  train_html_text(h, caption);
  train_html_put(h, "</figcaption></figure>\n");
}

#define ALONE "after the first frames the model goes on alone, from nothing but the actions."

// A film about twice as wide as a frame, letters above, holds the real frames beside the model's.
const char *train_page_film_caption(const train_report_data *d, const train_medium *film) {
  double aspect = film->height ? (double)film->width / (double)film->height : 0;
  for (int r = 0; r < d->count; r++)
    if (d->run[r].aspect > 0 && fabs(aspect / d->run[r].aspect - 2) < 0.6)
      return "Left the real frames, right the model: " ALONE;
  return "Rollout: " ALONE;
}

// Whether an evaluation, or without one the run, is a tokenizer's alone.
static bool is_tokenizer(const train_report_run *run) {
  if (!run->eval) return run->tokenizer;
  return !json_object_get(run->eval, "psnr") && json_object_get(run->eval, "tokenizer_psnr");
}

static const char *strip_caption(const train_report_run *run) {
  return is_tokenizer(run) ? "Held-out frames above, and below them what the tokenizer makes of "
                             "them: the best that a model of its codes can show."
                           : "In each pair of rows the real frames are above, and below them what "
                             "the model predicts from the same start under the same actions; "
                             "what was given is shown as its tokenizer gives it back.";
}

static const char *name_of(const char *key) {
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
    if (strcmp(figures[i].key, key) == 0) return figures[i].name;
  return key;
}

// Arrays by horizon that have no chart of their own.
static bool is_other(const char *key, const json_t *v) {
  return json_is_array(v) && json_array_size(v) >= 2 && json_is_number(json_array_get(v, 0)) &&
         !strstr(key, "psnr") && !strstr(key, "ssim");
}

static int count_others(const json_t *eval) {
  const char *key;
  json_t *v;
  int count = json_array_size(json_object_get(eval, "ssim")) >= 2;
  json_object_foreach((json_t *)(uintptr_t)eval, key, v) count += is_other(key, v);
  return count;
}

// A curve by horizon of eval.json.
typedef struct {
  const char *key, *name;
  int colour;
} horizon_line;

static const char still_name[] = "persistence (the last prompt frame repeated)",
                  decoded_name[] = "persistence through the tokenizer";

// The chart of lines that belong together; the first decides how far it goes.
static void put_lines(train_page *p, const json_t *eval, train_chart c, const horizon_line *lines,
                      int count) {
  double y[TRAIN_CHART_SERIES][HORIZONS_MAX], k[HORIZONS_MAX];
  c.n = numbers_of(eval, lines[0].key, k);
  if (c.n < 2) return;
  for (int64_t i = 0; i < c.n; i++) k[i] = (double)(i + 1);
  c.id = ++p->charts;
  c.x_label = "frames after the prompt";
  c.x = k;
  c.x_first = 1;
  for (int l = 0; l < count; l++) {
    int64_t got = numbers_of(eval, lines[l].key, y[l]);
    for (int64_t i = got; i < c.n; i++) y[l][i] = NAN;
    if (got)
      c.series[c.count++] = (train_chart_series){
          .name = lines[l].name, .colour = lines[l].colour, .y = y[l], .dots = c.n <= 32};
  }
  train_chart_put(&p->html, &c);
}

void train_page_horizon_chart(train_page *p, const json_t *eval, const char *title, bool small) {
  static const horizon_line lines[] = {{"psnr", "model", 1},
                                       {"random_action_psnr", "model under random actions", 4},
                                       {"persistence_psnr", still_name, 2},
                                       {"decoded_persistence_psnr", decoded_name, 3}};
  double drift;
  char remark[96] = "";
  if (figure_of(eval, "drift", &drift))
    snprintf(remark, sizeof remark, "drift %s dB a frame", train_number_of(drift, 2).s);
  put_lines(p, eval,
            (train_chart){.title = title,
                          .remark = remark[0] ? remark : NULL,
                          .y_label = "PSNR, dB",
                          .lead = !small && count_others(eval) > 0,
                          .small = small},
            lines, sizeof lines / sizeof *lines);
}

static void put_ssim_chart(train_page *p, const json_t *eval) {
  static const horizon_line lines[] = {{"ssim", "model", 1},
                                       {"persistence_ssim", still_name, 2},
                                       {"decoded_persistence_ssim", decoded_name, 3}};
  put_lines(p, eval, (train_chart){.title = "Structural similarity", .y_label = "", .small = true},
            lines, sizeof lines / sizeof *lines);
}

static void put_other_charts(train_page *p, const json_t *eval) {
  const char *key;
  json_t *v;
  json_object_foreach((json_t *)(uintptr_t)eval, key, v) {
    double y[HORIZONS_MAX], k[HORIZONS_MAX];
    if (!is_other(key, v)) continue;
    int64_t n = numbers_of(eval, key, y);
    for (int64_t i = 0; i < n; i++) k[i] = (double)(i + 1);
    train_chart c = {.id = ++p->charts,
                     .title = name_of(key),
                     .x_label = "frames after the prompt",
                     .y_label = "",
                     .n = n,
                     .x = k,
                     .x_first = 1,
                     .count = 1,
                     .small = true};
    c.series[0] = (train_chart_series){.name = c.title, .colour = 1, .y = y, .dots = n <= 32};
    train_chart_put(&p->html, &c);
  }
}

static void put_charts(train_page *p, const json_t *eval) {
  train_html_format(&p->html, "<div class=%s>", count_others(eval) ? "grid3" : "stack");
  train_page_horizon_chart(p, eval, "PSNR against horizon", false);
  put_ssim_chart(p, eval);
  put_other_charts(p, eval);
  train_html_put(&p->html, "</div>");
}

train_headline train_page_headline(const train_report_data *d) {
  train_headline top = {0};
  for (int r = 0; r < d->count; r++) {
    const train_report_run *run = &d->run[r];
    bool rollouts = json_object_get(run->eval, "psnr") != NULL;
    if (run->eval && (!top.eval || (rollouts && !json_object_get(top.eval, "psnr"))))
      top.eval = run->eval;
    for (int m = run->media - 1; m >= 0; m--) {
      const train_medium *x = &run->medium[m];
      bool film = x->kind != TRAIN_MEDIUM_PNG;
      if (train_page_of_branch(run, x, NULL)) continue;
      if (film && (!top.film || r == 0)) top.film = x;
      if (film || (top.strip && r > 0 && !is_tokenizer(top.strip_of))) continue;
      top.strip = x; // a rollout says more than a tokenizer's pictures
      top.strip_of = run;
    }
    if (run->branches && !top.branched) top.branched = run;
    if (run->has_metrics) top.trained = run; // the last stage
  }
  return top;
}

static void put_rest(train_page *p, const train_report_data *d, const train_headline *top) {
  for (int r = 0; r < d->count; r++) {
    const train_report_run *run = &d->run[r];
    if (run->eval && run->eval != top->eval) {
      train_html_put(&p->html, "<h2>Evaluation of ");
      train_html_text(&p->html, run->name[0] ? run->name : d->title);
      train_html_put(&p->html, "</h2><div class=tiles>");
      put_eval_tiles(&p->html, run->eval);
      train_html_put(&p->html, "</div>");
      put_charts(p, run->eval);
    }
    for (int m = 0; m < run->media; m++) {
      const train_medium *x = &run->medium[m];
      if (x == top->film || x == top->strip || train_page_of_branch(run, x, NULL)) continue;
      char caption[512];
      const bool still = x->kind == TRAIN_MEDIUM_PNG;
      snprintf(caption, sizeof caption, "%s%s%s", x->name, still ? ": " : "",
               still ? strip_caption(run) : "");
      train_html_put(&p->html, "<div class=stack>");
      train_page_medium(&p->html, x, caption);
      train_html_put(&p->html, "</div>");
    }
  }
}

// The film's shape decides where the figures stand: beside it, around it, or below.
static const char *layout_of(const train_medium *film) {
  if (!film) return "";
  double aspect = film->height ? (double)film->width / (double)film->height : 1;
  return aspect <= 1.5 ? " side" : aspect <= 2.6 ? " around" : "";
}

void train_page_results(train_page *p, const train_report_data *d) {
  train_html *h = &p->html;
  train_headline top = train_page_headline(d);
  train_html_format(h, "<section class=\"hero%s\">", layout_of(top.film));
  if (top.film) train_page_medium(h, top.film, train_page_film_caption(d, top.film));
  if (top.eval || top.branched || top.trained) {
    train_html_put(h, "<div class=tiles>");
    if (top.eval)
      put_eval_tiles(h, top.eval);
    else if (top.branched)
      train_page_branch_tiles(h, top.branched);
    else
      put_training_tiles(h, top.trained);
    train_html_put(h, "</div>");
  }
  train_html_put(h, "</section>\n");
  bool chart = json_array_size(json_object_get(top.eval, "psnr")) >= 2;
  if (chart || top.strip) {
    const bool still = !chart && is_tokenizer(top.strip_of);
    train_html_put(h, still ? "<section><h2>Reconstructions</h2><div class=stack>"
                            : "<section><h2>Rollouts</h2><p class=lead>How far ahead the "
                              "prediction holds.</p><div class=stack>");
    if (top.strip) train_page_medium(h, top.strip, strip_caption(top.strip_of));
    train_html_put(h, "</div>");
    if (chart) put_charts(p, top.eval);
    train_html_put(h, "</section>\n");
  }
  put_rest(p, d, &top);
}
