// The sections of a report, in the order of the page. Each takes what the folder holds and leaves
// out what is absent.
#ifndef TRAIN_REPORT_PAGE_H
#define TRAIN_REPORT_PAGE_H

#include "train/report/data.h"
#include "train/report/html.h"

typedef struct {
  train_html html;
  int charts; // ids given out
} train_page;

// What stands at the top: the first of each kind, the root's before the sub-runs'.
typedef struct {
  const json_t *eval;
  const train_medium *film, *strip;
  const train_report_run *trained, *strip_of; // strip_of: the run that the strip is from
  const train_report_run *branched;           // with an evaluation by branch
} train_headline;
// Local. Borrows from d.
train_headline train_page_headline(const train_report_data *d);
// A figure with a picture or film in it.
void train_page_medium(train_html *h, const train_medium *m, const char *caption);
// Whether a film stands beside the real frames, in words.
const char *train_page_film_caption(const train_report_data *d, const train_medium *film);
// PSNR against horizon of an evaluation; small: one of several beside each other.
void train_page_horizon_chart(train_page *p, const json_t *eval, const char *title, bool small);

// The rollout and the figures of the evaluation, the strip, PSNR against horizon.
void train_page_results(train_page *p, const train_report_data *d);
// What an evaluation by branch (branches.json) has found: films, a table, a chart and strips a
// branch.
void train_page_branches(train_page *p, const train_report_data *d);
// For the results: a tile a branch.
void train_page_branch_tiles(train_html *h, const train_report_run *run);
// Whether a film or strip is that of a branch, by its name; branch NULL: of any.
bool train_page_of_branch(const train_report_run *run, const train_medium *m, const char *branch);
// What an exam (exam.json) has found: a table by concept and range, and its film strips.
void train_page_exam(train_page *p, const train_report_data *d);
// One section a run with metrics.jsonl: curves and where the time goes.
void train_page_training(train_page *p, const train_report_data *d);
// For the two above. Where the time of a step goes, in a card of `columns` of a grid of three.
void train_page_phases(train_html *h, const train_columns *m, int columns);
// Goodput, the ranks side by side, memory, what happened: cards of three columns each.
void train_page_insight(train_html *h, const train_report_run *run);
// Configurations and all figures, folded.
void train_page_details(train_page *p, const train_report_data *d);

#endif
