// The arithmetic of an evaluation, on plain arrays: no model, no files, no ranks. Frames are u8
// [height,width,3]; "on [0,1]" means divided by 255. Sums over clips and pairs are kept in small
// structs that start as {0}; ranks may add theirs field by field. Local; thread safe.
#ifndef TRAIN_ARITHMETIC_H
#define TRAIN_ARITHMETIC_H

#include <stdbool.h>
#include <stdint.h>

// Two frames that differ by no more than the rounding to u8 are 58.9 dB apart (mean squared error
// 1/12 of a step). PSNR is cut there, so that equal frames, whose PSNR is infinite, weigh as
// "equal to what u8 can tell" and not more.
#define TRAIN_MEASURE_PSNR_MOST 58.9

typedef struct {
  double sum;
  int64_t count;
} train_measure_mean;

// 0 when nothing was added.
double train_measure_mean_of(const train_measure_mean *m);
// One value more.
void train_measure_mean_add(train_measure_mean *m, double value);

// Mean squared error on [0,1] of `values` bytes.
double train_measure_mse(const uint8_t *a, const uint8_t *b, int64_t values);
// Decibels of a mean squared error on [0,1], at most TRAIN_MEASURE_PSNR_MOST.
double train_measure_psnr(double mse);
// real, predicted [clips,horizon,values]: adds each clip's PSNR at horizon k to mean[k-1]. The
// figure at a horizon is thus the mean over clips of the frames' PSNR.
void train_measure_psnr_add(const uint8_t *real, const uint8_t *predicted, int64_t clips,
                            int64_t horizon, int64_t values, train_measure_mean *mean);

// How much a frame [height,width,3] holds of edges and grain: the absolute differences of bytes
// next to each other in a row or a column, summed. A blurred frame has less than the sharp one.
int64_t train_measure_detail(const uint8_t *frame, int64_t height, int64_t width);

// How many of the counts are not zero.
int64_t train_measure_codes_used(const int64_t *uses, int64_t codes);
// exp of their entropy: as many codes, each used alike, would tell as much. 0 when all are zero.
double train_measure_perplexity(const int64_t *uses, int64_t codes);

// How many distinct values there are among `n` codes: fewer and fewer where a film sinks into one
// colour.
int64_t train_measure_distinct(const int32_t *codes, int64_t n);

// Least-squares slope of y over 0, 1, 2, ...: for y = psnr over horizons, dB a frame. 0 for n < 2.
double train_measure_slope(const double *y, int64_t n);

// Two series of values that belong together: their means, and the sums of the products of what is
// off them. Summed so, values far from 0 lose nothing, and what never varies has a sum of exactly
// 0.
typedef struct {
  double n, x, y, xx, yy, xy;
} train_measure_series;

// A pair more.
void train_measure_series_add(double x, double y, train_measure_series *s);
// Pearson's correlation; NAN where either never varies.
double train_measure_series_corr(const train_measure_series *s);

// What an action changes: of two futures of one state, under actions a and b, the difference
// x_a - x_b, predicted against simulated. Whole numbers, so the order of adding never matters.
typedef struct {
  int64_t n, x, y, xx, yy, xy; // sums over bytes: x predicted, y simulated differences
  int64_t both, either;        // pixels that changed in both films, in at least one
} train_measure_effect;

// Frames [pixels,3]. A pixel changed when one of its channels differs by more than `threshold`
// (of 255).
void train_measure_effect_add(const uint8_t *predicted_a, const uint8_t *predicted_b,
                              const uint8_t *simulated_a, const uint8_t *simulated_b,
                              int64_t pixels, int threshold, train_measure_effect *e);
// Pearson correlation over all bytes added; 0 when either side never varies.
double train_measure_effect_corr(const train_measure_effect *e);
// Intersection over union of the changed pixels; 1 when nothing changed on either side.
double train_measure_effect_iou(const train_measure_effect *e);

// Distances of objects from where they should be.
typedef struct {
  train_measure_mean error; // in the unit of the coordinates added
  int64_t missed;           // objects that were not found; they are part of `error` too
} train_measure_position;

// found = false: x and y are not looked at and the error is `miss`, so that a film that loses an
// object does not gain by it.
void train_measure_position_add(bool found, double x, double y, double true_x, double true_y,
                                double miss, train_measure_position *p);

#endif
