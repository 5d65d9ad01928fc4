#include "train/step/muon.h"

#include <math.h>

static const float A = 3.4445f, B = -4.7750f, C = 2.0315f;

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

void train_muon_init(train_muon *m, kern *k, kern_dtype type, const train_params *params) {
  *m = (train_muon){.k = k, .type = type};
  for (int i = 0; i < params->count; i++) {
    const train_param *p = &params->list[i];
    if (!p->of_block) continue;
    const int64_t side = least(p->shape[0], p->shape[1]);
    if (train_param_whole(p) > m->elements) m->elements = train_param_whole(p);
    if (side > m->side) m->side = side;
  }
}

void train_muon_place(train_muon *m, orr_arena *arena) {
  const size_t e = kern_dtype_size(m->type), square = (size_t)(m->side * m->side);
  if (m->elements == 0) return;
  for (int i = 0; i < 2; i++) m->x[i] = orr_arena_take(arena, (size_t)m->elements * e);
  m->gram = orr_arena_take(arena, square * e);
  m->square = orr_arena_take(arena, square * e);
  m->gram_f32 = m->type == KERN_F32 ? m->gram : orr_arena_take(arena, square * sizeof *m->gram_f32);
}

// m->gram (=) x x^T of a wide matrix, x^T x of a tall one.
static orr_code make_gram(train_muon *m, int64_t rows, int64_t cols, const void *x) {
  if (rows <= cols)
    return kern_matmul_fwd(m->k, &(kern_matmul_fwd_args){.type = m->type,
                                                         .y_type = m->type,
                                                         .M = rows,
                                                         .N = rows,
                                                         .K = cols,
                                                         .x = x,
                                                         .w = x,
                                                         .y = m->gram});
  ORR_TRY(kern_matmul_bwd_w(m->k, &(kern_matmul_bwd_w_args){.type = m->type,
                                                            .M = rows,
                                                            .N = cols,
                                                            .K = cols,
                                                            .dy = x,
                                                            .x = x,
                                                            .dw = m->gram_f32,
                                                            .overwrite = true}));
  if (m->type == KERN_F32) return ORR_OK;
  return kern_cast(
      m->k, &(kern_cast_args){
                .n = cols * cols, .from = KERN_F32, .to = m->type, .x = m->gram_f32, .y = m->gram});
}

// m->square (=) B gram + C gram^2, which is symmetric as gram is.
static orr_code make_square(train_muon *m, int64_t side) {
  ORR_TRY(kern_matmul_fwd(m->k, &(kern_matmul_fwd_args){.type = m->type,
                                                        .y_type = m->type,
                                                        .M = side,
                                                        .N = side,
                                                        .K = side,
                                                        .x = m->gram,
                                                        .w = m->gram,
                                                        .y = m->square}));
  return kern_axpby(
      m->k, &(kern_axpby_args){
                .type = m->type, .n = side * side, .a = B, .b = C, .x = m->gram, .y = m->square});
}

// y (=) A x + square x of a wide matrix, A x + x square of a tall one.
static orr_code iterate(train_muon *m, int64_t rows, int64_t cols, const void *x, void *y) {
  ORR_TRY(make_gram(m, rows, cols, x));
  ORR_TRY(make_square(m, least(rows, cols)));
  ORR_TRY(kern_axpby(
      m->k, &(kern_axpby_args){.type = m->type, .n = rows * cols, .a = A, .x = x, .y = y}));
  if (rows <= cols)
    return kern_matmul_bwd_x(m->k, &(kern_matmul_bwd_x_args){.type = m->type,
                                                             .M = rows,
                                                             .N = rows,
                                                             .K = cols,
                                                             .dy = m->square,
                                                             .w = x,
                                                             .dx = y,
                                                             .accumulate = true});
  return kern_matmul_fwd(m->k, &(kern_matmul_fwd_args){.type = m->type,
                                                       .y_type = m->type,
                                                       .M = rows,
                                                       .N = cols,
                                                       .K = cols,
                                                       .x = x,
                                                       .w = m->square,
                                                       .add = y,
                                                       .y = y});
}

orr_code train_muon_orthogonal(train_muon *m, int64_t rows, int64_t cols, int64_t steps,
                               const void **x) {
  for (int64_t i = 0; i < steps; i++) ORR_TRY(iterate(m, rows, cols, m->x[i % 2], m->x[1 - i % 2]));
  *x = m->x[steps % 2];
  return ORR_OK;
}

float train_muon_gain(const cfg *c, int64_t rows, int64_t cols) {
  return (float)(c->optim.muon_rms * sqrt((double)(rows > cols ? rows : cols)));
}

double train_muon_flops(int64_t rows, int64_t cols, int64_t steps) {
  const double side = (double)least(rows, cols), n = (double)rows * (double)cols;
  return (double)steps * (4.0 * side * n + 2.0 * side * side * side);
}
