#include "train/timing/forecast.h"

#include <stdio.h>

static const double SHARE = 0.5;

double train_forecast_step_s(double flops, double rate) {
  return flops / (SHARE * rate);
}

void train_forecast_words(double seconds, char *out, size_t size) {
  static const struct {
    double from, unit;
    const char *name;
  } units[] = {
      {172800, 86400, "days"}, {5400, 3600, "h"}, {90, 60, "min"}, {1, 1, "s"}, {0, 1e-3, "ms"}};
  int i = 0;
  while (seconds < units[i].from) i++;
  const double v = seconds / units[i].unit;
  snprintf(out, size, v < 9.95 ? "%.1f %s" : "%.0f %s", v, units[i].name);
}
