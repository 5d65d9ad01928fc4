// What a model knows of things and their causes: exam.json as a table, and its pictures.
#include <math.h>
#include <string.h>

#include "train/report/page.h"

static const struct {
  const char *key, *name;
} columns[] = {
    {"surprise_accuracy", "impossible told"},
    {"surprise_relative", "of groups"},
    {"surprise_auroc", "AUROC"},
    {"ece_scaled", "calibration error"},
    {"relative_ece", "of groups"},
    {"position_error", "position error, m"},
    {"velocity_error", "velocity error, m/s"},
    {"linear_velocity_error", "of straight on"},
    {"effect_corr", "effect"},
    {"effect_iou", "changed pixels"},
    {"permanence", "permanence"},
    {"number", "number"},
    {"confounder_ratio", "confounder"},
    {"wrong_at_16", "wrong at 16"},
    {"foresight_auroc", "foreseen"},
    {"foresight_ece", "calibration error"},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static double number_of(const json_t *figure, const char *key) {
  const json_t *v = json_object_get(figure, key);
  return json_is_number(v) ? json_number_value(v) : NAN;
}

static void put_figure(train_html *h, const json_t *figure) {
  const double value = number_of(figure, "value");
  train_html_format(h, "<td>%s", train_number_of(value, 3).s);
  if (isfinite(value))
    train_html_format(h, "<br><small>%s to %s</small>",
                      train_number_of(number_of(figure, "low"), 3).s,
                      train_number_of(number_of(figure, "high"), 3).s);
  train_html_put(h, "</td>");
}

static void put_row(train_html *h, const char *concept, const char *range, const json_t *figures) {
  train_html_put(h, "<tr><th>");
  train_html_text(h, concept);
  train_html_put(h, ", ");
  train_html_text(h, range);
  train_html_put(h, "</th>");
  for (int c = 0; c < COLUMNS; c++) put_figure(h, json_object_get(figures, columns[c].key));
  train_html_put(h, "</tr>");
}

// Concepts are the members that hold ranges.
static void put_table(train_html *h, const json_t *exam) {
  static const char *const ranges[] = {"inside", "outside"};
  const char *concept;
  json_t *v;
  train_html_put(h, "<div class=\"card time\"><div class=scroll><table><tr><th></th>");
  for (int c = 0; c < COLUMNS; c++) train_html_format(h, "<td>%s</td>", columns[c].name);
  train_html_put(h, "</tr>");
  json_object_foreach((json_t *)(uintptr_t)exam, concept, v) {
    for (int r = 0; r < 2; r++) {
      const json_t *figures = json_object_get(v, ranges[r]);
      if (json_is_object(figures)) put_row(h, concept, ranges[r], figures);
    }
  }
  train_html_put(h, "</table></div></div>");
}

static void put_cases(train_html *h, const train_report_run *run) {
  if (run->cases == 0) return;
  train_html_put(h, "<details class=card><summary>Film strips: the rollouts nearest to the "
                    "simulator and farthest from it</summary>");
  for (int i = 0; i < run->cases; i++)
    train_page_medium(h, &run->exam_case[i], run->exam_case[i].name);
  train_html_put(h, "</details>");
}

void train_page_exam(train_page *p, const train_report_data *d) {
  train_html *h = &p->html;
  for (int r = 0; r < d->count; r++) {
    const train_report_run *run = &d->run[r];
    if (!run->exam) continue;
    train_html_put(h, "<section><h2>Exam");
    if (run->name[0]) {
      train_html_put(h, " of ");
      train_html_text(h, run->name);
    }
    train_html_put(h, "</h2><p class=lead>Small worlds in which one idea decides what comes next. "
                      "Told by chance: 0.5. Small: intervals of 95 %.</p>");
    put_table(h, run->exam);
    put_cases(h, run);
    train_html_put(h, "</section>\n");
  }
}
