// Line charts as HTML and SVG that need no library: curves are SVG paths stretched over a plot of
// any width, ticks and labels are HTML text placed in percent, so that one chart reads well on a
// wide screen and on a phone. A JSON copy of the points feeds the hover values. Local.
#ifndef TRAIN_REPORT_CHART_H
#define TRAIN_REPORT_CHART_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "train/report/html.h"

#define TRAIN_CURVE_POINTS 400 // more than a plot has room for
#define TRAIN_CHART_SERIES 6

// A long series thinned to buckets of equal length: nothing that stands out is lost, for each
// bucket keeps its extremes. `smooth` averages the means of the buckets around.
typedef struct {
  int64_t n, bucket; // points; values a bucket
  double x[TRAIN_CURVE_POINTS], low[TRAIN_CURVE_POINTS], high[TRAIN_CURVE_POINTS],
      mean[TRAIN_CURVE_POINTS], smooth[TRAIN_CURVE_POINTS];
} train_curve;

// x, y [n]; NaN and infinite y are gaps. A bucket without any finite value holds NaN.
void train_curve_of(const double *x, const double *y, int64_t n, train_curve *out);

typedef struct {
  const char *name;
  int colour;               // 1..4, a class of the style sheet
  const double *y;          // [n]; NaN = gap
  const double *low, *high; // [n], drawn faintly below; NULL = none
  bool dots, dashed;
} train_chart_series;

typedef struct {
  int id;                        // unique in the page
  const char *title;             // plain text
  const char *remark;            // plain text beside the title, or NULL
  const char *x_label, *y_label; // with unit
  int64_t n;
  const double *x; // increasing
  double x_first;  // left end of the axis
  int count;
  train_chart_series series[TRAIN_CHART_SERIES];
  bool log_choice; // offers a logarithmic y axis
  bool small;
  bool lead; // two columns of a grid of three
} train_chart;

// One <figure>. A chart with log_choice holds both plots; CSS shows one.
void train_chart_put(train_html *h, const train_chart *c);

#endif
