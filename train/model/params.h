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
#include "train/model/axes.h"

typedef enum { TRAIN_INIT_ZEROS, TRAIN_INIT_ONES, TRAIN_INIT_NORMAL, TRAIN_INIT_CODES } train_init;

// The levels of FSQ that a code is made of: code = digit 0 + levels[0] * (digit 1 + levels[1] *
// ...).
enum { TRAIN_CODE_DIGITS_MAX = 16 };
typedef struct {
  int n;
  int64_t level[TRAIN_CODE_DIGITS_MAX];
} train_code_levels;
// Local. Their product.
int64_t train_code_count(const train_code_levels *l);

// A parameter, and the part of it that lies on this rank: entries [first, first+have) of dimension
// `dim`, in an array with place for `capacity` of them, so that all ranks of tp have one flat
// layout.
typedef struct {
  char *name;
  int ndim;
  int64_t shape[4]; // of the whole parameter
  int dim;
  int64_t first, have, capacity;
  int64_t outer, inner;   // products of the dimensions before and after `dim`
  int64_t count;          // elements here, unused capacity included
  int64_t at;             // first element in the flat layout
  bool counted_elsewhere; // another rank of tp holds the same elements and counts them
  bool grad_partial;      // ranks of tp that share elements each have a part of their gradient
  train_init init;
  float std;                // of TRAIN_INIT_NORMAL and TRAIN_INIT_CODES
  train_code_levels levels; // of TRAIN_INIT_CODES
  bool decay;               // a matrix that the products read as `work`: takes part in weight decay
  bool of_block;            // a matrix of a block, one that Muon may update (train/step/muon.h)
} train_param;

// Where replicas share gradients or weights out, the flat layout is cut into segments, each a
// multiple of `segment_unit` elements: what a backward pass finishes, and a forward pass reads,
// together (a block; what comes before the blocks; what comes after them).
typedef struct {
  train_param *list;
  int count, capacity;
  int64_t total;        // elements of the flat layout, padding included
  int64_t segment_unit; // 0 = not cut; set before the first parameter is added
  int64_t *segment;     // [segments+1] first elements; the last one is the end
  int segments, segment_capacity;
} train_params;

// Elements between aligned parameters: 64 bytes also for the 2-byte working copy.
#define TRAIN_PARAM_ALIGN 32
// Local. The first place at or after element `at` where a parameter may begin.
static inline int64_t train_param_aligned(int64_t at) {
  return (at + TRAIN_PARAM_ALIGN - 1) / TRAIN_PARAM_ALIGN * TRAIN_PARAM_ALIGN;
}

// Local. An empty list; release frees its names and makes it empty again.
void train_params_init(train_params *p);
void train_params_release(train_params *p);

typedef struct {
  int ndim;
  int64_t shape[4];
  train_init init;
  float std;
  const train_code_levels *levels; // of TRAIN_INIT_CODES: rows below their product are codes
  bool decay, of_block;
  int dim;                // of `part`
  const train_part *part; // this rank's part of shape[dim]; NULL = the whole
  bool counted_elsewhere, grad_partial;
  bool adjoins_previous; // lies right after the parameter before it, so that one matmul covers both
} train_param_spec;

// Appends a parameter named by the format; *at (may be NULL) gets its place. ORR_ENOMEM.
orr_code train_params_add(train_params *p, const train_param_spec *s, int64_t *at, const char *fmt,
                          ...) __attribute__((format(printf, 4, 5)));
// Local. The next parameter begins a segment, where there are any. ORR_ENOMEM.
orr_code train_params_segment(train_params *p);
// Local. The segment of element `at` of the flat layout.
int train_params_segment_of(const train_params *p, int64_t at);
// Local. Rounds p->total up to a multiple of `unit`, itself one of TRAIN_PARAM_ALIGN.
void train_params_pad(train_params *p, int64_t unit);
// The parameter of that name, or NULL.
const train_param *train_params_find(const train_params *p, const char *name);
int64_t train_params_elements(const train_params *p); // of the whole model
// Local. Elements from `local` on that lie side by side here and in the whole parameter; *global is
// the place of the first one there, or -1 when these are unused capacity.
int64_t train_param_here(const train_param *p, int64_t local, int64_t *global);
// Local. The reverse: elements from `global` on; *local is -1 when these lie on other ranks.
int64_t train_param_there(const train_param *p, int64_t global, int64_t *local);
int64_t train_param_whole(const train_param *p); // elements of the whole parameter
// Initial values of elements [first, first+count) of the flat layout to `to`, which holds zeros: a
// draw depends on (seed, name, element) alone.
void train_params_fill(const train_params *p, uint64_t seed, int64_t first, int64_t count,
                       float *to);
// The same list as checkpoints/ wants it; *out is malloc'ed, names are borrowed from p.
orr_code train_params_tensors(const train_params *p, ckpt_tensor **out);

// Weights packed for a model at work (train/model/packed.h).
typedef struct train_packed train_packed;
// Local. The weight of the product whose parameter lies at `at`; NULL: not packed.
const void *train_packed_find(const train_packed *p, int64_t at);
typedef struct train_products train_products; // train/model/products.h

// Arrays of the flat layout of which two neighbouring segments are there at a time: segment i takes
// the place of segment i - 2.
enum { TRAIN_WINDOW_SLOTS = 2 };
typedef struct {
  const train_params *params; // borrowed
  unsigned char *slot[TRAIN_WINDOW_SLOTS];
  size_t element; // bytes
} train_window;
// Local. Where element `at` is while its segment is there.
void *train_window_at(const train_window *w, int64_t at);

// Collective over the replicas that share weights out. The segment of element `at` is there when
// this returns, that of `next` (-1 = none) on its way; others may be gone.
typedef orr_code (*train_need_fn)(void *ctx, int64_t at, int64_t next);

// Called in the backward pass when the gradients at and after element `first` are final.
typedef orr_code (*train_grad_ready_fn)(void *ctx, int64_t first);

// Where the values live, all in device memory but plain_at. `work` is the bfloat16 copy that
// matmuls read, NULL in float32. Where replicas share the master weights out between them there is
// no `master`, but `plain`: float32 copies of the parameters that are not matrices, one after the
// other. Where they share all weights out there is no `work` either, but a window of what the
// products read.
typedef struct {
  kern_dtype act;
  float *master;
  float *plain;
  int64_t *plain_at; // [plain_count, 2], in host memory: elements of the flat layout where these
                     // parameters lie, growing, and their places in `plain`
  int plain_count;
  uint16_t *work;
  train_packed *packed;               // NULL where weights change
  float *grad;                        // NULL when nothing is trained, and where there is a window
  const train_window *grad_window;    // of float; NULL: all gradients are there
  const train_window *operand_window; // of `act`; NULL: all weights are there
  train_need_fn need;                 // with operand_window
  void *need_ctx;
  train_products *products; // which of them write; NULL = all add to what is there
} train_weights;

// Local. Where in w->plain the parameter at `at` is.
int64_t train_plain_place(const train_weights *w, int64_t at);
// The parameter at `at`, one that is not a matrix, in float32.
static inline const float *train_plain(const train_weights *w, int64_t at) {
  return w->plain ? w->plain + train_plain_place(w, at) : w->master + at;
}

// The parameter at `at` in the type of the activations: an operand of a matmul.
static inline const void *train_operand(const train_weights *w, int64_t at) {
  if (w->operand_window) return train_window_at(w->operand_window, at);
  return w->act == KERN_BF16 ? (const void *)(w->work + at) : (const void *)(w->master + at);
}

// Local. Where the gradient of element `at` is.
static inline float *train_gradient(const train_weights *w, int64_t at) {
  return w->grad_window ? train_window_at(w->grad_window, at) : w->grad + at;
}

// As train_need_fn; nothing where all weights are there.
static inline orr_code train_need(const train_weights *w, int64_t at, int64_t next) {
  return w->need ? w->need(w->need_ctx, at, next) : ORR_OK;
}

// The same parameter packed, for the `packed` of a matmul.
static inline const void *train_packed_operand(const train_weights *w, int64_t at) {
  return w->packed ? train_packed_find(w->packed, at) : NULL;
}

#endif
