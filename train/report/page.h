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

// The rollout and the figures of the evaluation, the strip, PSNR against horizon.
void train_page_results(train_page *p, const train_report_data *d);
// One section a run with metrics.jsonl: curves and where the time goes.
void train_page_training(train_page *p, const train_report_data *d);
// For the two above. Where the time of a step goes, in a card of `columns` of a grid of three.
void train_page_phases(train_html *h, const train_columns *m, int columns);
// Goodput, the ranks side by side, memory, what happened: cards of three columns each.
void train_page_insight(train_html *h, const train_report_run *run);
// Configurations and all figures, folded.
void train_page_details(train_page *p, const train_report_data *d);

#endif
