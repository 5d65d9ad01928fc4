// Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) for the matrices of blocks:
// the momentum of a matrix is replaced by the nearest orthogonal one before it becomes an update.
//
//   m (=) momentum m + (1 - momentum) g       u = momentum m + (1 - momentum) g    (Nesterov)
//   X = u / |u|_F, then `steps` times         X (=) a X + (b A + c A^2) X,         A = X X^T
//   W (=) W (1 - lr decay) - lr rms sqrt(max(rows, cols)) X
//
// with (a, b, c) = (3.4445, -4.7750, 2.0315): every singular value comes to lie in about
// [0.7, 1.2]. The products run in the type of the activations. Where a matrix is tall, X^T X on the
// other side is the smaller A, to the same result. In float32 a matrix of longer sides iterates on
// A alone: X is only ever multiplied by polynomials of A, which commute, so all of them are made of
// small products and meet X once.
//
// The factor is that of Liu et al. 2025 (arXiv 2502.16982, section 2.2): an orthogonal matrix has
// the root mean square 1 / sqrt(max(rows, cols)), so updates of all shapes come to the same
// root mean square `rms`. AdamW's is 0.2 to 0.4, so at rms 0.2 its learning rate and its decay
// carry over. The other usual factor, sqrt(max(1, rows / cols)), asks for a learning rate of its
// own.
//
// A matrix is orthogonalised whole and as the parameter that it is, also where several lie back to
// back for one product (q, k, v; gate, up).
#ifndef TRAIN_MUON_H
#define TRAIN_MUON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "configs/config.h"
#include "kernels/kern.h"
#include "train/model/params.h"

// What the products work on, each as large as the largest matrix needs.
typedef struct {
  kern *k;                // borrowed
  kern_dtype type;        // of the products
  int64_t elements, side; // of the largest matrix, of the longest shorter side
  void *x[2];             // [elements]
  void *gram, *square;    // [side,side]
  void *factor[2];        // [side,side], float32 alone
  float *gram_f32;        // [side,side]; gram itself in float32
} train_muon;

// Local. For all blocks' matrices of the list, as large as they are whole.
void train_muon_init(train_muon *m, kern *k, kern_dtype type, const train_params *params);
// Local. Takes its buffers; once counting, once committed.
void train_muon_place(train_muon *m, orr_arena *arena);
// Local. X [rows,cols] after `steps` iterations from what m->x[0] holds, a matrix of norm 1; *x (=)
// where it lies, until the next call.
orr_code train_muon_orthogonal(train_muon *m, int64_t rows, int64_t cols, int64_t steps,
                               const void **x);
// Local. What Muon adds to lr as a factor of X.
float train_muon_gain(const cfg *c, int64_t rows, int64_t cols);
// Floating-point operations of train_muon_orthogonal.
double train_muon_flops(kern_dtype type, int64_t rows, int64_t cols, int64_t steps);

#endif
