// See the header. Plots are drawn in a square of 1000 x 1000 units that the browser stretches.
#include "train/report/chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { PLOT_UNITS = 1000 };

typedef struct {
  double x0, x1, y0, y1; // ends of the axes; logarithms of y when log
  double step_y;         // between ticks, when not log
  bool log;
} frame;

// An exponential average run both ways, so that it does not lag a falling loss.
static void smooth(train_curve *c) {
  double keep = 1 - 1 / fmax((double)c->n / 40, 1);
  for (int way = 0; way < 2; way++) {
    double sum = 0, weight = 0; // the weight undoes the start from zero
    for (int64_t k = 0; k < c->n; k++) {
      int64_t b = way ? c->n - 1 - k : k;
      if (isfinite(c->mean[b])) {
        sum = keep * sum + (1 - keep) * c->mean[b];
        weight = keep * weight + (1 - keep);
      }
      double value = weight > 0 ? sum / weight : NAN;
      c->smooth[b] = way == 0 || isnan(c->smooth[b]) ? value : (c->smooth[b] + value) / 2;
    }
  }
}

void train_curve_of(const double *x, const double *y, int64_t n, train_curve *out) {
  out->bucket = (n + TRAIN_CURVE_POINTS - 1) / TRAIN_CURVE_POINTS;
  if (out->bucket < 1) out->bucket = 1;
  out->n = (n + out->bucket - 1) / out->bucket;
  for (int64_t b = 0; b < out->n; b++) {
    int64_t first = b * out->bucket, end = first + out->bucket < n ? first + out->bucket : n;
    double low = NAN, high = NAN, total = 0, count = 0;
    for (int64_t i = first; i < end; i++) {
      if (!isfinite(y[i])) continue;
      low = fmin(low, y[i]); // fmin and fmax pass over NaN
      high = fmax(high, y[i]);
      total += y[i];
      count++;
    }
    out->x[b] = x[end - 1];
    out->low[b] = low;
    out->high[b] = high;
    out->mean[b] = count > 0 ? total / count : NAN;
  }
  smooth(out);
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// Widens [*lo, *hi] by the values, except the outermost `cut` share on either side.
static void widen(const double *v, int64_t n, bool log, double cut, double *lo, double *hi) {
  double kept[TRAIN_CURVE_POINTS];
  int64_t count = 0;
  for (int64_t i = 0; i < n && count < TRAIN_CURVE_POINTS; i++)
    if (isfinite(v[i]) && (!log || v[i] > 0)) kept[count++] = log ? log10(v[i]) : v[i];
  if (count == 0) return;
  qsort(kept, (size_t)count, sizeof *kept, compare);
  int64_t skip = (int64_t)((double)count * cut);
  *lo = fmin(*lo, kept[skip]);
  *hi = fmax(*hi, kept[count - 1 - skip]);
}

// The largest of 1, 2, 5 times a power of ten that gives at least about `ticks` steps.
static double nice_step(double range, int ticks) {
  double raw = range / ticks, power = pow(10, floor(log10(raw))), lead = raw / power;
  return power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
}

static frame frame_of(const train_chart *c, bool log) {
  frame f = {.x0 = c->x_first, .x1 = c->n ? c->x[c->n - 1] : 1, .y0 = NAN, .y1 = NAN, .log = log};
  for (int s = 0; s < c->count; s++) {
    const train_chart_series *v = &c->series[s];
    // Of noisy series, a wild step or two must not flatten everything else.
    widen(v->y, c->n, log, v->low ? 0.01 : 0, &f.y0, &f.y1);
    if (v->low) widen(v->low, c->n, log, 0.01, &f.y0, &f.y1);
    if (v->high) widen(v->high, c->n, log, 0.01, &f.y0, &f.y1);
  }
  if (isnan(f.y0)) f.y0 = f.y1 = 0;
  if (!(f.x1 > f.x0)) f.x1 = f.x0 + 1;
  double range = f.y1 - f.y0, least = log ? 0.05 : fmax(fabs(f.y1) * 1e-3, 1e-12);
  if (range < least) { // a flat line sits in the middle
    const double margin = log ? least : fmax(fabs(f.y1) * 0.1, least);
    f.y0 -= margin;
    f.y1 += margin;
  } else if (log) {
    f.y0 -= 0.04 * range;
    f.y1 += 0.04 * range;
  } else if (f.y0 > 0 && f.y0 < 0.35 * f.y1) {
    f.y0 = 0; // near enough to zero to show it
  }
  if (!log) { // the axis ends on ticks
    f.step_y = nice_step(f.y1 - f.y0, c->small ? 3 : 5);
    f.y0 = floor(f.y0 / f.step_y + 1e-6) * f.step_y;
    f.y1 = ceil(f.y1 / f.step_y - 1e-6) * f.step_y;
  }
  return f;
}

static double at_x(const frame *f, double x) {
  return (x - f->x0) / (f->x1 - f->x0);
}

static double at_y(const frame *f, double y) {
  return ((f->log ? log10(y) : y) - f->y0) / (f->y1 - f->y0);
}

static bool drawable(const frame *f, double y) {
  return isfinite(y) && (!f->log || y > 0);
}

// A tick's label with just the decimals that its step needs; all ticks of an axis up to `most` look
// alike.
static train_number tick_of(double value, double step, double most) {
  train_number out;
  if (most < 1e-3 || most >= 1e7) return train_number_of(fabs(value) < step / 2 ? 0 : value, 2);
  double unit = most >= 1e4 ? 1e3 : 1, shown = fabs(value) < step / 2 ? 0 : value / unit;
  int decimals = (int)fmax(0, ceil(-log10(step / unit) - 1e-9));
  snprintf(out.s, sizeof out.s, "%s%.*f%s", shown < 0 ? "−" : "", decimals, fabs(shown),
           unit > 1 && shown != 0 ? "k" : "");
  return out;
}

static void put_tick_y(train_html *h, const frame *f, double value, train_number label) {
  train_html_format(h, "<i class=yt style=\"bottom:%.2f%%\"><b>%s</b></i>", 100 * at_y(f, value),
                    label.s);
}

static void put_ticks_log(train_html *h, const frame *f, bool small) {
  static const double leads[] = {1, 2, 5};
  double decades = f->y1 - f->y0;
  int most = small ? 4 : 7, each = decades * 3 <= most ? 3 : 1;
  int skip = decades > most ? (int)ceil(decades / most) : 1, put = 0;
  for (int power = (int)floor(f->y0); power <= (int)ceil(f->y1); power++)
    for (int k = 0; k < each; k++) {
      double value = leads[k] * pow(10, power), t = at_y(f, value);
      if (t < -1e-9 || t > 1 + 1e-9 || power % skip) continue;
      put_tick_y(h, f, value, train_number_of(value, 1));
      put++;
    }
  if (put >= 2) return;
  double low = pow(10, f->y0), high = pow(10, f->y1), step = nice_step(high - low, 3);
  for (double v = ceil(low / step) * step; v <= high; v += step)
    if (v > 0) put_tick_y(h, f, v, tick_of(v, step, high));
}

static void put_axes(train_html *h, const train_chart *c, const frame *f) {
  if (f->log) {
    put_ticks_log(h, f, c->small);
  } else {
    int ticks = (int)lround((f->y1 - f->y0) / f->step_y);
    double most = fmax(fabs(f->y0), fabs(f->y1));
    for (int i = 0; i <= ticks; i++) {
      double value = f->y0 + i * f->step_y;
      put_tick_y(h, f, value, tick_of(value, f->step_y, most));
    }
  }
  double step = fmax(nice_step(f->x1 - f->x0, c->small ? 3 : 6), 1);
  if (f->x1 - f->x0 <= 12 && !c->small) step = 1; // horizons: each has a name
  for (double x = ceil(f->x0 / step) * step; x <= f->x1 + step * 1e-6; x += step)
    train_html_format(h, "<i class=xt style=\"left:%.2f%%\"><b>%s</b></i>", 100 * at_x(f, x),
                      tick_of(x, step, f->x1).s);
  train_html_put(h, "<span class=yl>");
  train_html_text(h, c->y_label);
  train_html_put(h, "</span><span class=xl>");
  train_html_text(h, c->x_label);
  train_html_put(h, "</span>");
}

static void put_point(train_html *h, const frame *f, char command, double x, double y) {
  double t = fmin(fmax(at_y(f, y), -1), 2); // far outside is as good as outside
  train_html_format(h, "%c%.1f %.1f", command, PLOT_UNITS * at_x(f, x), PLOT_UNITS * (1 - t));
}

static void put_line(train_html *h, const train_chart *c, const frame *f,
                     const train_chart_series *s) {
  train_html_format(h, "<path class=\"l c%d%s\" d=\"", s->colour, s->dashed ? " dash" : "");
  bool pen = false;
  for (int64_t i = 0; i < c->n; i++) {
    bool draw = drawable(f, s->y[i]);
    if (draw) put_point(h, f, pen ? 'L' : 'M', c->x[i], s->y[i]);
    if (draw && !pen) train_html_put(h, "h0"); // a lone point shows as a dot
    pen = draw;
  }
  train_html_put(h, "\"/>");
  if (!s->dots) return;
  train_html_format(h, "<path class=\"d c%d\" d=\"", s->colour);
  for (int64_t i = 0; i < c->n; i++) {
    if (!drawable(f, s->y[i])) continue;
    put_point(h, f, 'M', c->x[i], s->y[i]);
    train_html_put(h, "h0"); // round caps make dots that do not stretch with the plot
  }
  train_html_put(h, "\"/>");
}

// The unsmoothed values: from each bucket's low to its high, like the envelope of a sound.
static void put_envelope(train_html *h, const train_chart *c, const frame *f,
                         const train_chart_series *s) {
  train_html_format(h, "<path class=\"e c%d\" d=\"", s->colour);
  bool pen = false;
  for (int64_t i = 0; i < c->n; i++) {
    bool draw = drawable(f, s->low[i]) && drawable(f, s->high[i]);
    if (draw) {
      put_point(h, f, pen ? 'L' : 'M', c->x[i], s->low[i]);
      if (s->high[i] > s->low[i]) put_point(h, f, 'L', c->x[i], s->high[i]);
    }
    pen = draw;
  }
  train_html_put(h, "\"/>");
}

static void put_values(train_html *h, const char *key, const double *v, int64_t n) {
  train_html_format(h, ",\"%s\":[", key);
  for (int64_t i = 0; i < n; i++) {
    if (i) train_html_put(h, ",");
    if (isfinite(v[i]))
      train_html_format(h, "%.5g", v[i]);
    else
      train_html_put(h, "null");
  }
  train_html_put(h, "]");
}

static void put_points_json(train_html *h, const train_chart *c, const frame *f) {
  train_html_format(h,
                    "<script type=\"application/json\">{\"x0\":%.9g,\"x1\":%.9g,\"y0\":%.9g,"
                    "\"y1\":%.9g,\"log\":%s,\"xl\":",
                    f->x0, f->x1, f->y0, f->y1, f->log ? "true" : "false");
  train_html_json(h, c->x_label);
  put_values(h, "x", c->x, c->n);
  train_html_put(h, ",\"s\":[");
  for (int i = 0; i < c->count; i++) {
    const train_chart_series *s = &c->series[i];
    train_html_put(h, i ? ",{\"n\":" : "{\"n\":");
    train_html_json(h, s->name);
    train_html_format(h, ",\"c\":%d", s->colour);
    put_values(h, "y", s->y, c->n);
    if (s->low) {
      put_values(h, "lo", s->low, c->n);
      put_values(h, "hi", s->high, c->n);
    }
    train_html_put(h, "}");
  }
  train_html_put(h, "]}</script>");
}

static void put_plot(train_html *h, const train_chart *c, bool log) {
  frame f = frame_of(c, log);
  train_html_format(h, "<div class=\"plot %s\">", log ? "log" : "lin");
  put_axes(h, c, &f);
  bool whole = true; // nothing was cut off: dots at the ends need not be either
  for (int i = 0; i < c->count; i++) whole &= !c->series[i].low;
  train_html_format(h, "<svg%s viewBox=\"0 0 %d %d\" preserveAspectRatio=none aria-hidden=true>",
                    whole ? " class=whole" : "", PLOT_UNITS, PLOT_UNITS);
  for (int i = 0; i < c->count; i++)
    if (c->series[i].low) put_envelope(h, c, &f, &c->series[i]);
  for (int i = c->count - 1; i >= 0; i--) put_line(h, c, &f, &c->series[i]); // the first on top
  train_html_put(h, "</svg>");
  put_points_json(h, c, &f);
  train_html_put(h, "</div>");
}

static void put_head(train_html *h, const train_chart *c) {
  train_html_put(h, "<figcaption><h3>");
  train_html_text(h, c->title);
  train_html_put(h, "</h3>");
  if (c->remark) {
    train_html_put(h, "<span class=remark>");
    train_html_text(h, c->remark);
    train_html_put(h, "</span>");
  }
  if (c->count > 1) {
    train_html_put(h, "<span class=legend>");
    for (int i = 0; i < c->count; i++) {
      const train_chart_series *s = &c->series[i];
      train_html_format(h, "<span><i class=\"k c%d%s\"></i>", s->colour, s->dashed ? " dash" : "");
      train_html_text(h, s->name);
      train_html_put(h, "</span>");
    }
    train_html_put(h, "</span>");
  }
  if (c->log_choice)
    train_html_format(h,
                      "<span class=toggle><label for=a%d>linear</label>"
                      "<label for=b%d>log</label></span>",
                      c->id, c->id);
  train_html_put(h, "</figcaption>");
}

void train_chart_put(train_html *h, const train_chart *c) {
  train_html_format(h, "<figure class=\"chart%s%s\">", c->small ? " small" : "",
                    c->lead ? " two" : "");
  if (c->log_choice)
    train_html_format(
        h,
        "<input type=radio name=r%d id=a%d class=lin checked aria-label=\"linear axis\">"
        "<input type=radio name=r%d id=b%d class=log aria-label=\"logarithmic axis\">",
        c->id, c->id, c->id, c->id);
  put_head(h, c);
  put_plot(h, c, false);
  if (c->log_choice) put_plot(h, c, true);
  train_html_put(h, "</figure>");
}
