// A whole and its parts: one bar, and a legend with the value and the share of each part.
#ifndef TRAIN_REPORT_SHARES_H
#define TRAIN_REPORT_SHARES_H

#include "train/report/html.h"

typedef struct {
  const char *name;
  double value;
} train_share;

typedef struct {
  const char *title, *remark; // plain text; the remark may be NULL
  const char *place;          // classes of the card: " two", " three" columns of a grid, or ""
  int n;
  const train_share *part;
  // `value` for people, with its unit.
  train_number (*words)(double value);
} train_shares;

// One card; parts of zero and less are left out. Nothing when none is left.
void train_shares_put(train_html *h, const train_shares *s);

#endif
