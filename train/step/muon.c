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
  if (m->type == KERN_F32)
    for (int i = 0; i < 2; i++) m->factor[i] = orr_arena_take(arena, square * e);
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

// y (=) scale x + f x of a wide matrix, scale x + x f of a tall one; f [side,side] is symmetric.
static orr_code multiply(train_muon *m, int64_t rows, int64_t cols, float scale, const void *f,
                         const void *x, void *y) {
  ORR_TRY(kern_axpby(
      m->k, &(kern_axpby_args){.type = m->type, .n = rows * cols, .a = scale, .x = x, .y = y}));
  if (rows <= cols)
    return kern_matmul_bwd_x(m->k, &(kern_matmul_bwd_x_args){.type = m->type,
                                                             .M = rows,
                                                             .N = rows,
                                                             .K = cols,
                                                             .dy = f,
                                                             .w = x,
                                                             .dx = y,
                                                             .accumulate = true});
  return kern_matmul_fwd(m->k, &(kern_matmul_fwd_args){.type = m->type,
                                                       .y_type = m->type,
                                                       .M = rows,
                                                       .N = cols,
                                                       .K = cols,
                                                       .x = x,
                                                       .w = f,
                                                       .add = y,
                                                       .y = y});
}

static orr_code iterate(train_muon *m, int64_t rows, int64_t cols, const void *x, void *y) {
  ORR_TRY(make_gram(m, rows, cols, x));
  ORR_TRY(make_square(m, least(rows, cols)));
  return multiply(m, rows, cols, A, m->square, x, y);
}

// y (=) y + square x, all [side,side], symmetric, and of one matrix's powers, so that they commute.
static orr_code add_product(train_muon *m, int64_t side, const void *x, void *y) {
  return kern_matmul_fwd(m->k, &(kern_matmul_fwd_args){.type = m->type,
                                                       .y_type = m->type,
                                                       .M = side,
                                                       .N = side,
                                                       .K = side,
                                                       .x = m->square,
                                                       .w = x,
                                                       .add = y,
                                                       .y = y});
}

// y (=) a x + b y, [side,side].
static orr_code blend(train_muon *m, int64_t side, float a, const void *x, float b, void *y) {
  return kern_axpby(
      m->k, &(kern_axpby_args){.type = m->type, .n = side * side, .a = a, .b = b, .x = x, .y = y});
}

// The iterations on the small gram alone: an iteration multiplies X by P = A + square, and so the
// gram by P^2. All those P together are q + f, with which x is multiplied once, into m->x[1].
static orr_code iterate_gram(train_muon *m, int64_t rows, int64_t cols, int64_t steps) {
  const int64_t side = least(rows, cols);
  void *f = m->factor[0], *other = m->factor[1];
  float q = A;
  ORR_TRY(make_gram(m, rows, cols, m->x[0]));
  for (int64_t i = 0; i < steps; i++) {
    ORR_TRY(make_square(m, side));
    if (i == 0) {
      ORR_TRY(blend(m, side, 1.0f, m->square, 0.0f, f));
    } else { // P (q + f) = A q + (A f + q square + square f)
      ORR_TRY(blend(m, side, A, f, 0.0f, other));
      ORR_TRY(blend(m, side, q, m->square, 1.0f, other));
      ORR_TRY(add_product(m, side, f, other));
      void *was = f;
      f = other, other = was;
      q *= A;
    }
    if (i == steps - 1) break;
    ORR_TRY(blend(m, side, A, m->gram, 0.0f, other)); // P gram, then P of that
    ORR_TRY(add_product(m, side, m->gram, other));
    ORR_TRY(blend(m, side, A, other, 0.0f, m->gram));
    ORR_TRY(add_product(m, side, other, m->gram));
  }
  return multiply(m, rows, cols, q, f, m->x[0], m->x[1]);
}

// FLOP of `steps` iterations on X itself, and on its gram alone.
static double flops_of_x(double side, double n, int64_t steps) {
  return (double)steps * (4.0 * side * n + 2.0 * side * side * side);
}

static double flops_of_gram(double side, double n, int64_t steps) {
  return 4.0 * side * n + (double)(4 * steps - 3) * 2.0 * side * side * side;
}

// In bfloat16 a gram loses its small eigenvalues, and what is rounded grows from P^2 to P^2.
static bool is_for_gram(kern_dtype type, int64_t rows, int64_t cols, int64_t steps) {
  const double side = (double)least(rows, cols), n = (double)rows * (double)cols;
  return type == KERN_F32 && flops_of_gram(side, n, steps) < flops_of_x(side, n, steps);
}

orr_code train_muon_orthogonal(train_muon *m, int64_t rows, int64_t cols, int64_t steps,
                               const void **x) {
  const bool by_gram = is_for_gram(m->type, rows, cols, steps);
  if (by_gram) ORR_TRY(iterate_gram(m, rows, cols, steps));
  for (int64_t i = 0; i < steps && !by_gram; i++)
    ORR_TRY(iterate(m, rows, cols, m->x[i % 2], m->x[1 - i % 2]));
  *x = m->x[by_gram ? 1 : steps % 2];
  return ORR_OK;
}

float train_muon_gain(const cfg *c, int64_t rows, int64_t cols) {
  return (float)(c->optim.muon_rms * sqrt((double)(rows > cols ? rows : cols)));
}

double train_muon_flops(kern_dtype type, int64_t rows, int64_t cols, int64_t steps) {
  const double side = (double)least(rows, cols), n = (double)rows * (double)cols;
  return is_for_gram(type, rows, cols, steps) ? flops_of_gram(side, n, steps)
                                              : flops_of_x(side, n, steps);
}
