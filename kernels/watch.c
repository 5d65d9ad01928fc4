#include "kernels/watch.h"

#include <string.h>

static const char *const names[] = {
#define NAME(op) #op,
    KERN_OPS(NAME)
#undef NAME
};

const char *kern_op_name(kern_op op) {
  return names[op];
}

kern_op kern_op_named(const char *name) {
  int i = 0;
  while (i < KERN_OP_COUNT && strcmp(names[i], name) != 0) i++;
  return (kern_op)i;
}

// -- what ops work on -----------------------------------------------------------------------

static double size(kern_dtype t) {
  return (double)kern_dtype_size(t);
}

// Elements of [a,b] at `each` bytes.
static kern_work rows(kern_op op, kern_dtype type, int64_t a, int64_t b, double each) {
  const double n = (double)a, m = (double)b;
  return (kern_work){.op = op, .type = type, .bytes = n * m * each, .dim = {n, m, 1.0}};
}

static kern_work flat(kern_op op, kern_dtype type, int64_t n, double each) {
  return rows(op, type, n, 1, each);
}

static kern_work product(kern_op op, kern_dtype type, int64_t M, int64_t N, int64_t K) {
  const double m = (double)M, n = (double)N, k = (double)K;
  return (kern_work){.op = op,
                     .type = type,
                     .flops = 2.0 * m * n * k,
                     .bytes = size(type) * (m * n + n * k + m * k),
                     .dim = {m, n, k}};
}

// `products` of two are made of the scores.
static kern_work attention(kern_op op, kern_dtype type, const kern_sequences *s, int64_t H,
                           int64_t K, double products) {
  const double heads = (double)(s->seqs * H), L = (double)s->L, k = (double)K;
  return (kern_work){.op = op,
                     .type = type,
                     .causal = s->causal,
                     .flops = products * 2.0 * heads * L * L * k * (s->causal ? 0.5 : 1.0),
                     .bytes = size(type) * heads * L * k * (products + 2.0),
                     .dim = {heads, L, k}};
}

#define ARGS(name) const kern_##name##_args *a = args
#define ROWS(name, type, n, m, each)                                                               \
  case KERN_OP_##name: {                                                                           \
    ARGS(name);                                                                                    \
    return rows(op, type, n, m, each);                                                             \
  }
#define FLAT(name, type, n, each) ROWS(name, type, n, 1, each)

static kern_work step_work(kern_op op, const void *args) {
  switch (op) {
  case KERN_OP_clip:
    return flat(op, KERN_F32, 1, 64);
    FLAT(adamw, KERN_F32, a->n, 28.0 + (a->ema ? 8.0 : 0.0) + (a->w_bf16 ? 2.0 : 0.0))
    FLAT(muon_blend, KERN_F32, a->n, 16)
    FLAT(muon_norm, a->type, a->n, 4 + size(a->type))
    FLAT(muon_apply, a->type, a->n, 8 + size(a->type) + (a->ema ? 8.0 : 0.0))
    FLAT(digit_sums, KERN_F32, a->of.n, 8)
    FLAT(digit_steps, KERN_F32, a->n, 20)
    FLAT(digit_apply, KERN_F32, a->of.n, 8)
    FLAT(sumsq, KERN_F32, a->n, 4)
    FLAT(fingerprint, KERN_F32, a->n, 4)
    FLAT(cast, a->to, a->n, size(a->from) + size(a->to))
    FLAT(axpby, a->type, a->n, size(a->type) * (a->b == 0.0f ? 2.0 : 3.0))
    FLAT(copy, KERN_F32, (int64_t)a->bytes / 4, 8)
    ROWS(copy_rows, KERN_F32, a->rows, (int64_t)a->width / 4, 8)
    FLAT(fill, KERN_F32, (int64_t)a->bytes / 4, 4)
  default:
    return flat(op, KERN_F32, 1, 0);
  }
}

// Pixels, codes, rollouts, and sums in a fixed order.
static kern_work other_work(kern_op op, const void *args) {
  switch (op) {
    ROWS(fsq_fwd, a->type, a->M, a->n, 4 + size(a->type))
    ROWS(fsq_bwd, a->type, a->M, a->n, 8 + size(a->type))
    ROWS(fsq_lookup, a->type, a->M, a->n, size(a->type))
    ROWS(patchify, a->type, a->B * a->rows * a->cols, 3 * a->p * a->p, 1 + size(a->type))
    ROWS(unpatchify, a->type, a->B * a->rows * a->cols, 3 * a->p * a->p, 1 + size(a->type))
    ROWS(pixel_loss, a->type, a->B * a->rows * a->cols, 3 * a->p * a->p, 1 + 2 * size(a->type))
    ROWS(xent_sum, KERN_F32, a->M, a->V, 4)
    FLAT(squares, KERN_F32, a->n, 4)
    FLAT(squares_sum, KERN_F32, a->count, 8)
    FLAT(add_up, KERN_F32, a->n, 8)
    ROWS(tree_sum, KERN_F32, a->n, a->count, 4)
    ROWS(sample, KERN_F32, a->M, a->V, 4)
    ROWS(choose, KERN_F32, a->B, a->S, 8)
    ROWS(pack_weight, a->type, a->N, a->K, 2 * size(a->type))
    ROWS(ring_attend, a->r.type, a->r.B * a->r.N * a->window, 2 * a->r.G * a->r.K, size(a->r.type))
    ROWS(ring_keep, a->r.type, a->r.B * a->r.N, 2 * a->r.G * a->r.K, 2 * size(a->r.type))
    ROWS(ring_pin, a->r.type, a->r.B * a->r.N, 2 * a->r.G * a->r.K, 2 * size(a->r.type))
  default:
    return step_work(op, args);
  }
}

kern_work kern_work_of(kern_op op, const void *args) {
  switch (op) {
  case KERN_OP_matmul_fwd: {
    ARGS(matmul_fwd);
    return product(op, a->type, a->M, a->N, a->K);
  }
  case KERN_OP_matmul_bwd_x: {
    ARGS(matmul_bwd_x);
    return product(op, a->type, a->M, a->N, a->K);
  }
  case KERN_OP_matmul_bwd_w: {
    ARGS(matmul_bwd_w);
    return product(op, a->type, a->M, a->N, a->K);
  }
  case KERN_OP_attention_fwd: {
    ARGS(attention_fwd);
    return attention(op, a->type, &a->seq, a->H, a->K, 2.0);
  }
  case KERN_OP_attention_bwd: {
    ARGS(attention_bwd);
    return attention(op, a->type, &a->seq, a->H, a->K, 5.0);
  }
    ROWS(rmsnorm_fwd, a->type, a->M, a->D, 2 * size(a->type))
    ROWS(rmsnorm_bwd, a->type, a->M, a->D, 4 * size(a->type))
    ROWS(qknorm_rope_fwd, a->type, a->M, (a->H + a->G) * a->K, 2 * size(a->type))
    ROWS(qknorm_rope_bwd, a->type, a->M, (a->H + a->G) * a->K, 3 * size(a->type))
    ROWS(swiglu_fwd, a->type, a->M, a->F, 3 * size(a->type))
    ROWS(swiglu_bwd, a->type, a->M, a->F, 5 * size(a->type))
    ROWS(embed_fwd, a->type, a->BT * (1 + a->S + a->R), a->D, 4 + size(a->type))
    ROWS(embed_bwd, a->type, a->BT * (1 + a->S + a->R), a->D, 8 + size(a->type))
    ROWS(gather_rows, a->type, a->M, a->D, 2 * size(a->type))
    ROWS(scatter_rows, a->type, a->M, a->D, 2 * size(a->type))
    ROWS(xent_stats, KERN_F32, a->M, a->V, 4)
    ROWS(xent_rescale, KERN_F32, a->M, 1, 16)
    ROWS(xent_grad, a->type, a->M, a->V, 4 + size(a->type))
  default:
    return other_work(op, args);
  }
}

// -- the table ------------------------------------------------------------------------------

static orr_code told(kern *k, kern_op op, const void *args) {
  const kern_work work = kern_work_of(op, args);
  if (k->watch->paused) return ORR_OK;
  return k->watch->after(k->watch->ctx, k, &work);
}

static orr_code begins(kern *k) {
  return k->watch->before ? k->watch->before(k->watch->ctx, k) : ORR_OK;
}

#define WATCHED(op)                                                                                \
  static orr_code watched_##op(kern *k, const kern_##op##_args *a) {                               \
    ORR_TRY(begins(k));                                                                            \
    ORR_TRY(k->watch->through->op(k, a));                                                          \
    return told(k, KERN_OP_##op, a);                                                               \
  }
KERN_OPS(WATCHED)
#undef WATCHED

void kern_watch_begin(kern *k, kern_watch *w) {
  w->through = k->table;
  w->table = *k->table;
#define SLOT(op) w->table.op = watched_##op;
  KERN_OPS(SLOT)
#undef SLOT
  k->watch = w;
  k->table = &w->table;
}

void kern_watch_end(kern *k) {
  if (!k->watch) return;
  k->table = k->watch->through;
  k->watch = NULL;
}

void kern_watch_pause(kern *k, bool paused) {
  if (k->watch) k->watch->paused = paused;
}
