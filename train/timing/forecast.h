// How long training will take, before it has begun: matmul work over half of the rate of one large
// product on the same device. Whole steps of models of width 128 and more were seen at 0.4 to 0.8
// of that rate; what else takes the cores, or clips that do not come in time, is not foreseen.
// Local.
#ifndef TRAIN_FORECAST_H
#define TRAIN_FORECAST_H

#include <stddef.h>
#include <stdint.h>

// Seconds of a step of so many FLOPs at `rate` FLOP/s, the measured one of a single product.
double train_forecast_step_s(double flops, double rate);
// "12 ms", "34 s", "56 min", "7.8 h" or "9.0 days".
void train_forecast_words(double seconds, char *out, size_t size);

#endif
