// The named numbers of one step: metrics.jsonl, TensorBoard and Prometheus show the same list.
#ifndef TRAIN_SCALARS_H
#define TRAIN_SCALARS_H

#include <stdint.h>

#define TRAIN_SCALARS 128 // most of one step

typedef struct {
  const char *name;   // lives as long as the program
  const char *format; // of metrics.jsonl
  double value;
} train_scalar;

typedef struct {
  int64_t step;
  double wall_s; // since 1970, UTC
  int n;
  train_scalar v[TRAIN_SCALARS];
} train_scalars;

// Local. Adds one; a full list drops it.
static inline void train_scalars_add(train_scalars *s, const char *name, const char *format,
                                     double value) {
  if (s->n < TRAIN_SCALARS) s->v[s->n++] = (train_scalar){name, format, value};
}

#endif
