// The list of a model's parameters and their places in flat memory. Parameters, gradients,
// optimizer moments and the moving average all share one layout, so every one of them is one
// allocation and optimizer, reduction and checkpoints walk flat ranges.
#ifndef TRAIN_PARAMS_H
#define TRAIN_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "checkpoints/checkpoint.h"
#include "kernels/kern.h"

typedef enum { TRAIN_INIT_ZEROS, TRAIN_INIT_ONES, TRAIN_INIT_NORMAL } train_init;

typedef struct {
  char *name;
  int ndim;
  int64_t shape[4];
  int64_t count; // elements
  int64_t at;    // first element in the flat layout
  train_init init;
  float std;  // of TRAIN_INIT_NORMAL
  bool decay; // takes part in weight decay
} train_param;

typedef struct {
  train_param *list;
  int count, capacity;
  int64_t total; // elements of the flat layout, padding included
} train_params;

// Elements between aligned parameters: 64 bytes also for the 2-byte working copy.
#define TRAIN_PARAM_ALIGN 32

// Local. An empty list; release frees its names and makes it empty again.
void train_params_init(train_params *p);
void train_params_release(train_params *p);

typedef struct {
  int ndim;
  int64_t shape[4];
  train_init init;
  float std;
  bool decay;
  bool fuse; // lies right behind the parameter before it, so that one matmul covers both
} train_param_spec;

// Appends a parameter named by the format; *at (may be NULL) gets its place. ORR_ENOMEM.
orr_code train_params_add(train_params *p, const train_param_spec *s, int64_t *at, const char *fmt,
                          ...) __attribute__((format(printf, 4, 5)));
// The parameter of that name, or NULL.
const train_param *train_params_find(const train_params *p, const char *name);
int64_t train_params_elements(const train_params *p); // without padding
// Fills `flat` [total] with the initial values: a draw depends on (seed, name, element) alone.
void train_params_fill(const train_params *p, uint64_t seed, float *flat);
// The same list as checkpoints/ wants it; *out is malloc'ed, names are borrowed from p.
orr_code train_params_tensors(const train_params *p, ckpt_tensor **out);

// Where the values live. `work` is the bfloat16 copy that matmuls read, NULL in float32.
typedef struct {
  kern_dtype act;
  float *master;
  uint16_t *work;
  float *grad; // NULL when nothing is trained
} train_weights;

// The parameter at `at` in the type of the activations: an operand of a matmul.
static inline const void *train_operand(const train_weights *w, int64_t at) {
  return w->act == KERN_BF16 ? (const void *)(w->work + at) : (const void *)(w->master + at);
}

#endif
