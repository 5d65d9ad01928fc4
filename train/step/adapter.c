#include "train/step/adapter.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "train/model/exact.h"

// W, A and B of a target on this rank, and the place of W's own values.
typedef struct {
  int64_t w, a, b, kept;
  int64_t out, in;
  bool by_rows; // tp splits W's rows, and with them B's; else the columns, and A's
} matrix;

// What is trained whole: places in both lists.
typedef struct {
  int64_t base, own, count;
} whole;

struct train_adapter {
  kern *k;
  train_axes *axes;
  train_state *base, *own;
  int64_t rank;
  float scale;
  matrix *matrices;
  whole *wholes;
  int64_t n, m;
  int64_t kept_elements, largest;
  int64_t longest; // of the factors that tp does not split
  orr_arena arena;
  float *kept;    // [kept_elements] W of all targets
  float *product; // [largest] B A of one of them
  // With run.exact, of the gradient of a factor that tp does not split: the sums of this rank's
  // slices, their sum, and those of all ranks.
  float *slices, *sum, *parts; // [slices,longest], [longest], [tp,longest]
};

// -- the list -------------------------------------------------------------------------------

static bool ends_with(const char *name, const char *end) {
  const size_t n = strlen(name), m = strlen(end);
  return n >= m && strcmp(name + n - m, end) == 0;
}

static bool is_target(const cfg *c, const train_param *p) {
  const cfg_list_str *targets = &c->train.lora_targets;
  for (int i = 0; p->of_block && i < targets->n; i++) {
    char end[80];
    snprintf(end, sizeof end, ".%s.weight", targets->v[i]);
    if (ends_with(p->name, end)) return true;
  }
  return false;
}

bool train_adapter_whole(const cfg *c, const char *what) {
  for (int i = 0; i < c->train.lora_whole.n; i++)
    if (strcmp(c->train.lora_whole.v[i], what) == 0) return true;
  return false;
}

static bool is_whole(const cfg *c, const train_param *p) {
  static const struct {
    const char *what, *begins;
  } of[] = {{"action", "embed.action."},
            {"action", "embed.no_action"},
            {"branch", "embed.branch."},
            {"view", "embed.view."},
            {"heads", "heads."}};
  for (size_t i = 0; i < sizeof of / sizeof *of; i++)
    if (strncmp(p->name, of[i].begins, strlen(of[i].begins)) == 0)
      return train_adapter_whole(c, of[i].what);
  return false;
}

static train_part part_of(const train_param *p) {
  return (train_part){.first = p->first, .count = p->have, .capacity = p->capacity};
}

// A and B of W. Where W's rows are split over tp, so are B's, and A is whole with gradients of this
// rank's rows alone; where its columns are, it is the other way round.
static orr_code add_pair(const cfg *c, const train_param *p, const train_axes *axes,
                         train_params *out) {
  const int64_t r = c->train.lora_rank, rows = p->shape[0], columns = p->shape[1];
  const bool split = train_axes_size(axes, DIST_AXIS_TP) > 1, by_rows = p->dim == 0,
             second = train_axes_rank(axes, DIST_AXIS_TP) > 0;
  const train_part part = part_of(p);
  const int stem = (int)(strlen(p->name) - strlen(".weight"));
  train_param_spec a = {.ndim = 2,
                        .shape = {r, columns},
                        .init = TRAIN_INIT_NORMAL,
                        .std = (float)sqrt(1.0 / (3.0 * (double)columns))},
                   b = {.ndim = 2, .shape = {rows, r}};
  train_param_spec *cut = by_rows ? &b : &a, *uncut = by_rows ? &a : &b;
  cut->dim = p->dim;
  cut->part = &part;
  cut->grad_partial = p->grad_partial;
  cut->counted_elsewhere = p->counted_elsewhere;
  uncut->grad_partial = split && !train_exact(axes);
  uncut->counted_elsewhere = second;
  ORR_TRY(train_params_add(out, &a, NULL, "%.*s.lora_A.weight", stem, p->name));
  return train_params_add(out, &b, NULL, "%.*s.lora_B.weight", stem, p->name);
}

static orr_code add_whole(const train_param *p, train_params *out) {
  const train_part part = part_of(p);
  train_param_spec s = {.ndim = p->ndim,
                        .init = p->init,
                        .std = p->std,
                        .decay = p->decay,
                        .dim = p->dim,
                        .part = &part,
                        .grad_partial = p->grad_partial,
                        .counted_elsewhere = p->counted_elsewhere};
  memcpy(s.shape, p->shape, sizeof s.shape);
  return train_params_add(out, &s, NULL, "%s", p->name);
}

orr_code train_adapter_list(const cfg *c, const train_params *base, const train_axes *axes,
                            train_params *out) {
  bool any = false;
  train_params_init(out);
  for (int i = 0; i < base->count; i++) {
    const train_param *p = &base->list[i];
    if (is_whole(c, p)) ORR_TRY(add_whole(p, out));
    if (!is_target(c, p)) continue;
    ORR_TRY(add_pair(c, p, axes, out));
    any = true;
  }
  ORR_CHECK(any, ORR_ECONFIG,
            "train.lora_targets names no matrix of the blocks: wanted some of q, k, v, o, gate, "
            "up, down");
  return ORR_OK;
}

// -- life -----------------------------------------------------------------------------------

static const train_param *find(const train_params *list, const char *name, const char *end) {
  char full[160];
  snprintf(full, sizeof full, "%.*s%s", (int)(strlen(name) - strlen(".weight")), name, end);
  return train_params_find(list, full);
}

static void note(train_adapter *x, const train_param *p) {
  const train_params *own = &x->own->params;
  const train_param *same = train_params_find(own, p->name);
  if (same) {
    x->wholes[x->m++] = (whole){.base = p->at, .own = same->at, .count = p->count};
    return;
  }
  if (!p->of_block) return;
  const train_param *a = find(own, p->name, ".lora_A.weight"),
                    *b = find(own, p->name, ".lora_B.weight");
  if (!a || !b) return;
  const int64_t in = p->count / (b->count / x->rank);
  x->matrices[x->n++] = (matrix){.w = p->at,
                                 .a = a->at,
                                 .b = b->at,
                                 .kept = x->kept_elements,
                                 .out = b->count / x->rank,
                                 .in = in,
                                 .by_rows = p->dim == 0};
  const int64_t uncut = p->dim == 0 ? a->count : b->count;
  if (uncut > x->longest) x->longest = uncut;
  x->kept_elements += p->count;
  if (p->count > x->largest) x->largest = p->count;
}

static double alpha_of(const cfg *c) {
  return c->train.lora_alpha > 0.0 ? c->train.lora_alpha : (double)c->train.lora_rank;
}

orr_code train_adapter_create(const cfg *c, train_axes *axes, train_state *base, train_state *own,
                              train_adapter **out) {
  const size_t n = (size_t)base->params.count;
  train_adapter *x = orr_calloc(1, sizeof *x);
  ORR_CHECK(x, ORR_ENOMEM, "adapter: out of memory");
  *x = (train_adapter){.k = base->k,
                       .axes = axes,
                       .base = base,
                       .own = own,
                       .rank = c->train.lora_rank,
                       .scale = (float)(alpha_of(c) / (double)c->train.lora_rank)};
  kern_arena_init(base->k, &x->arena, "frozen weights");
  x->matrices = orr_calloc(n, sizeof *x->matrices);
  x->wholes = orr_calloc(n, sizeof *x->wholes);
  if (!x->matrices || !x->wholes) {
    train_adapter_destroy(x);
    return ORR_FAIL(ORR_ENOMEM, "adapter: out of memory");
  }
  for (size_t i = 0; i < n; i++) note(x, &base->params.list[i]);
  *out = x;
  return ORR_OK;
}

void train_adapter_destroy(train_adapter *x) {
  if (!x) return;
  orr_arena_release(&x->arena);
  orr_free(x->wholes);
  orr_free(x->matrices);
  orr_free(x);
}

orr_arena *train_adapter_arena(train_adapter *x) {
  return &x->arena;
}

void train_adapter_place(train_adapter *x) {
  x->kept = orr_arena_take(&x->arena, (size_t)x->kept_elements * sizeof *x->kept);
  x->product = orr_arena_take(&x->arena, (size_t)x->largest * sizeof *x->product);
  if (!train_exact(x->axes)) return;
  const size_t row = (size_t)x->longest * sizeof *x->slices,
               tp = (size_t)train_axes_size(x->axes, DIST_AXIS_TP);
  x->slices = orr_arena_take(&x->arena, TRAIN_EXACT_SLICES / tp * row);
  if (tp == 1) return;
  x->sum = orr_arena_take(&x->arena, row);
  x->parts = orr_arena_take(&x->arena, tp * row);
}

// -- the work -------------------------------------------------------------------------------

static orr_code copy(const train_adapter *x, float *dst, const float *src, int64_t count) {
  return kern_copy(x->k, &(kern_copy_args){.dst = dst,
                                           .src = src,
                                           .bytes = (size_t)count * sizeof *dst,
                                           .way = KERN_COPY_WITHIN});
}

// y (=) a x + b y
static orr_code blend(const train_adapter *x, int64_t n, float a, const float *from, float b,
                      float *y) {
  return kern_axpby(
      x->k, &(kern_axpby_args){.type = KERN_F32, .n = n, .a = a, .b = b, .x = from, .y = y});
}

orr_code train_adapter_take_base(train_adapter *x) {
  const float *w = x->base->weights.master;
  for (int64_t i = 0; i < x->n; i++) {
    const matrix *m = &x->matrices[i];
    ORR_TRY(copy(x, x->kept + m->kept, w + m->w, m->out * m->in));
  }
  return ORR_OK;
}

orr_code train_adapter_take_whole(train_adapter *x) {
  for (int64_t i = 0; i < x->m; i++)
    ORR_TRY(copy(x, x->own->weights.master + x->wholes[i].own,
                 x->base->weights.master + x->wholes[i].base, x->wholes[i].count));
  return ORR_OK;
}

static orr_code merge_matrix(train_adapter *x, const matrix *m) {
  const float *own = x->own->weights.master;
  float *w = x->base->weights.master + m->w;
  ORR_TRY(kern_matmul_bwd_x(x->k, &(kern_matmul_bwd_x_args){.type = KERN_F32,
                                                            .M = m->out,
                                                            .N = x->rank,
                                                            .K = m->in,
                                                            .dy = own + m->b,
                                                            .w = own + m->a,
                                                            .dx = x->product}));
  ORR_TRY(copy(x, w, x->kept + m->kept, m->out * m->in));
  return blend(x, m->out * m->in, x->scale, x->product, 1.0f, w);
}

orr_code train_adapter_merge(train_adapter *x) {
  for (int64_t i = 0; i < x->n; i++) ORR_TRY(merge_matrix(x, &x->matrices[i]));
  for (int64_t i = 0; i < x->m; i++)
    ORR_TRY(copy(x, x->base->weights.master + x->wholes[i].base,
                 x->own->weights.master + x->wholes[i].own, x->wholes[i].count));
  return train_state_refresh(x->base);
}

// dA [rank,in] (=) B^T dW' over rows [from, to) of W on this rank.
static orr_code gradient_of_a(train_adapter *x, const matrix *m, int64_t from, int64_t to,
                              float *da) {
  const float *b = x->own->weights.master + m->b, *dw = x->base->weights.grad + m->w;
  return kern_matmul_bwd_w(x->k, &(kern_matmul_bwd_w_args){.type = KERN_F32,
                                                           .M = to - from,
                                                           .N = x->rank,
                                                           .K = m->in,
                                                           .dy = b + from * x->rank,
                                                           .x = dw + from * m->in,
                                                           .dw = da,
                                                           .overwrite = true});
}

// dB [out,rank] (=) dW' A^T over the columns of W on this rank.
static orr_code gradient_of_b(train_adapter *x, const matrix *m, const kern_slices *slices,
                              float *db) {
  return kern_matmul_fwd(x->k, &(kern_matmul_fwd_args){.type = KERN_F32,
                                                       .y_type = KERN_F32,
                                                       .M = m->out,
                                                       .N = x->rank,
                                                       .K = m->in,
                                                       .x = x->base->weights.grad + m->w,
                                                       .w = x->own->weights.master + m->a,
                                                       .y = db,
                                                       .slices = slices});
}

// The one of both that is a sum over what tp splits: slice by slice, on this rank and then over
// all.
static orr_code sliced_gradient(train_adapter *x, const matrix *m, float *to) {
  const bool split = train_axes_size(x->axes, DIST_AXIS_TP) > 1;
  const int64_t n = x->rank * (m->by_rows ? m->in : m->out);
  const kern_slices s = train_exact_slices(x->axes, 1, m->by_rows ? &m->out : &m->in);
  float *here = split ? x->sum : to;
  for (int i = 0; m->by_rows && i < s.count; i++)
    ORR_TRY(gradient_of_a(x, m, s.at[0][i], s.at[0][i + 1], x->slices + i * n));
  ORR_TRY(m->by_rows ? train_exact_rows(x->k, s.count, n, x->slices, false, here)
                     : gradient_of_b(x, m, &s, here));
  return train_exact_sum(x->axes, x->k, KERN_F32, n, x->sum, x->parts, to);
}

static orr_code matrix_gradients(train_adapter *x, const matrix *m) {
  float *da = x->own->weights.grad + m->a, *db = x->own->weights.grad + m->b;
  const bool exact = train_exact(x->axes);
  ORR_TRY(exact && m->by_rows ? sliced_gradient(x, m, da) : gradient_of_a(x, m, 0, m->out, da));
  ORR_TRY(exact && !m->by_rows ? sliced_gradient(x, m, db) : gradient_of_b(x, m, NULL, db));
  if (x->scale == 1.0f) return ORR_OK;
  ORR_TRY(blend(x, x->rank * m->in, x->scale, da, 0.0f, da));
  return blend(x, m->out * x->rank, x->scale, db, 0.0f, db);
}

// The two leaves of a group become one on both ranks of cp.
static orr_code add_leaves(train_adapter *x) {
  return train_axes_all_reduce(x->axes, DIST_AXIS_CP, x->base->weights.grad, x->base->params.total,
                               DIST_F32, DIST_SUM);
}

orr_code train_adapter_gradients(train_adapter *x) {
  // Of several ranks of cp each makes the gradients of some; the others' stay zeros.
  const bool exact = train_exact(x->axes);
  const int64_t makers = exact ? train_axes_size(x->axes, DIST_AXIS_CP) : 1,
                me = exact ? train_axes_rank(x->axes, DIST_AXIS_CP) : 0;
  if (exact) ORR_TRY(add_leaves(x));
  for (int64_t i = me; i < x->n; i += makers) ORR_TRY(matrix_gradients(x, &x->matrices[i]));
  for (int64_t i = me; i < x->m; i += makers)
    ORR_TRY(copy(x, x->own->weights.grad + x->wholes[i].own,
                 x->base->weights.grad + x->wholes[i].base, x->wholes[i].count));
  return ORR_OK;
}
