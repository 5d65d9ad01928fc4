#include "train/step/state.h"

#include "base/mem.h"
#include "train/step/upload.h"

void train_state_init(train_state *s, kern *k, kern_dtype act, bool training, bool ema) {
  *s = (train_state){.k = k};
  train_params_init(&s->params);
  s->weights.act = act;
  s->training = training;
  s->has_ema = training && ema;
  train_products_init(&s->products, k);
  kern_arena_init(k, &s->parameters, "parameters");
  kern_arena_init(k, &s->gradients, "gradients");
  kern_arena_init(k, &s->optimizer, "optimizer");
}

static bool shares_master(const train_state *s) {
  return s->shard.ranks > 1 && s->weights.act == KERN_BF16;
}

// Places of the float32 copies of what the products do not read.
static orr_code list_plain(train_state *s) {
  const size_t blocks = (size_t)(s->params.total / TRAIN_PARAM_ALIGN);
  s->weights.plain_at = orr_calloc(blocks, sizeof *s->weights.plain_at);
  ORR_CHECK(s->weights.plain_at, ORR_ENOMEM, "places of %d parameters: out of memory",
            s->params.count);
  for (int i = 0; i < s->params.count; i++) {
    const train_param *p = &s->params.list[i];
    if (p->decay) continue;
    s->weights.plain_at[p->at / TRAIN_PARAM_ALIGN] = s->plain;
    s->plain += (p->count + TRAIN_PARAM_ALIGN - 1) / TRAIN_PARAM_ALIGN * TRAIN_PARAM_ALIGN;
  }
  return ORR_OK;
}

static orr_code share_out(train_state *s, const cfg *c, const train_axes *axes) {
  const int ranks = c->dist.zero ? train_axes_size(axes, DIST_AXIS_REPLICA) : 1,
            rank = c->dist.zero ? train_axes_rank(axes, DIST_AXIS_REPLICA) : 0;
  train_params_pad(&s->params, (int64_t)ranks * TRAIN_PARAM_ALIGN);
  if (c->optim.optimizer == CFG_OPTIMIZER_MUON)
    return train_partition_make_whole(ranks, rank, &s->params, c->dist.bucket_bytes, &s->shard);
  s->shard = train_partition_make(ranks, rank, s->params.total, c->dist.bucket_bytes);
  return ORR_OK;
}

orr_code train_state_share(train_state *s, const cfg *c, train_axes *axes) {
  ORR_TRY(share_out(s, c, axes));
  if (shares_master(s)) ORR_TRY(list_plain(s));
  if (c->optim.optimizer != CFG_OPTIMIZER_MUON) return ORR_OK;
  return train_matrices_create(s, c, axes, &s->matrices);
}

void train_state_place(train_state *s) {
  const size_t n = (size_t)s->params.total;
  train_weights *w = &s->weights;
  if (s->shard.ranks <= 1) s->shard = train_partition_make(1, 0, s->params.total, 0);
  const bool no_master = shares_master(s), no_grad = train_state_shares_gradients(s);
  const size_t own = (size_t)train_partition_elements(&s->shard);
  w->master = no_master ? NULL : orr_arena_take(&s->parameters, n * sizeof(float));
  w->work = w->act == KERN_BF16 ? orr_arena_take(&s->parameters, n * sizeof(uint16_t)) : NULL;
  w->plain = no_master ? orr_arena_take(&s->parameters, (size_t)s->plain * sizeof(float)) : NULL;
  if (!s->training) return;
  w->grad = orr_arena_take(&s->gradients, n * sizeof(float));
  s->own_grad = no_grad ? orr_arena_take(&s->gradients, own * sizeof(float)) : w->grad;
  s->own_master = no_master ? orr_arena_take(&s->optimizer, own * sizeof(float)) : w->master;
  if (s->frozen) return;
  s->m = orr_arena_take(&s->optimizer, own * sizeof(float));
  s->v = orr_arena_take(&s->optimizer, own * sizeof(float));
  s->ema = s->has_ema ? orr_arena_take(&s->optimizer, own * sizeof(float)) : NULL;
  if (s->matrices) train_matrices_place(s->matrices, &s->optimizer);
}

orr_code train_state_commit(train_state *s) {
  ORR_TRY(orr_arena_commit(&s->parameters));
  if (!s->training) return ORR_OK;
  ORR_TRY(orr_arena_commit(&s->gradients));
  return orr_arena_commit(&s->optimizer);
}

void train_state_release(train_state *s) {
  orr_free(s->weights.plain_at);
  s->weights.plain_at = NULL;
  orr_free(s->tensors);
  s->tensors = NULL;
  train_products_release(&s->products);
  train_matrices_destroy(s->matrices);
  s->matrices = NULL;
  train_partition_release(&s->shard);
  orr_arena_release(&s->optimizer);
  orr_arena_release(&s->gradients);
  orr_arena_release(&s->parameters);
  train_params_release(&s->params);
}

float *train_state_master_of(const train_state *s, const train_partition_piece *x) {
  return s->own_master == s->weights.master ? s->own_master + x->at : s->own_master + x->place;
}

float *train_state_gradients_of(const train_state *s, const train_partition_piece *x) {
  return s->own_grad == s->weights.grad ? s->own_grad + x->at : s->own_grad + x->place;
}

bool train_state_shares_gradients(const train_state *s) {
  return s->shard.ranks > 1 && !s->shard.whole;
}

static orr_code copy_floats(const train_state *s, float *dst, const float *src, int64_t count) {
  return kern_copy(s->k, &(kern_copy_args){.dst = dst,
                                           .src = src,
                                           .bytes = (size_t)count * sizeof *dst,
                                           .way = KERN_COPY_WITHIN});
}

// Copies own elements of the flat layout to an array of this rank's shard.
static orr_code take_own(const train_state *s, const float *flat, float *own) {
  for (int64_t i = 0; i < train_partition_buckets(&s->shard); i++) {
    const train_partition_piece x = train_partition_piece_of(&s->shard, i);
    ORR_TRY(copy_floats(s, own + x.place, flat + x.at, x.count));
  }
  return ORR_OK;
}

// The place in weights.plain of parameter p, one that is not a matrix.
static float *plain_of(const train_state *s, const train_param *p) {
  return s->weights.plain + s->weights.plain_at[p->at / TRAIN_PARAM_ALIGN];
}

static orr_code set_plain(train_state *s, const float *flat) {
  for (int i = 0; i < s->params.count; i++) {
    const train_param *p = &s->params.list[i];
    if (!p->decay) ORR_TRY(copy_floats(s, plain_of(s, p), flat + p->at, p->count));
  }
  return ORR_OK;
}

float *train_state_weights(train_state *s) {
  return s->weights.master ? s->weights.master : s->weights.grad;
}

orr_code train_state_average_is_weights(train_state *s) {
  return s->ema ? take_own(s, train_state_weights(s), s->ema) : ORR_OK;
}

orr_code train_state_refresh(train_state *s) {
  const float *flat = train_state_weights(s);
  if (!s->weights.work) return ORR_OK;
  if (!s->weights.master) {
    ORR_TRY(take_own(s, flat, s->own_master));
    ORR_TRY(set_plain(s, flat));
  }
  return kern_cast(s->k, &(kern_cast_args){.n = s->params.total,
                                           .from = KERN_F32,
                                           .to = KERN_BF16,
                                           .x = flat,
                                           .y = s->weights.work});
}

typedef struct {
  const train_params *params;
  uint64_t seed;
} initial;

static orr_code give_initial(void *ctx, int64_t first, int64_t count, float *to) {
  const initial *x = ctx;
  train_params_fill(x->params, x->seed, first, count, to);
  return ORR_OK;
}

orr_code train_state_fill(train_state *s, uint64_t seed) {
  const size_t own = (size_t)train_partition_elements(&s->shard) * sizeof(float);
  initial x = {&s->params, seed};
  ORR_TRY(train_upload(s->k, train_state_weights(s), s->params.total, give_initial, &x));
  if (s->m) ORR_TRY(kern_fill(s->k, &(kern_fill_args){.x = s->m, .bytes = own}));
  if (s->v) ORR_TRY(kern_fill(s->k, &(kern_fill_args){.x = s->v, .bytes = own}));
  ORR_TRY(train_state_average_is_weights(s));
  return train_state_refresh(s);
}

// One AdamW step on elements [at, at+n) of the flat layout, which lie in piece x.
static orr_code update_range(train_state *s, const cfg *c, const kern_adamw_args *common,
                             const train_partition_piece *x, int64_t at, int64_t n, bool decay) {
  const int64_t in = at - x->at, own = x->place + in;
  kern_adamw_args a = *common;
  a.n = n;
  a.w = train_state_master_of(s, x) + in;
  a.g = train_state_gradients_of(s, x) + in;
  a.m = s->m + own;
  a.v = s->v + own;
  a.ema = s->ema ? s->ema + own : NULL;
  a.w_bf16 = s->weights.work ? s->weights.work + at : NULL;
  a.weight_decay = decay ? (float)c->optim.weight_decay : 0.0f;
  return kern_adamw(s->k, &a);
}

// Whether AdamW updates p.
static bool is_adamw(const train_state *s, const train_param *p) {
  return !s->matrices || !p->of_block;
}

// What AdamW updates of this rank's part of bucket i, range by range: neighbours of one kind are
// one range, for their padding is zero and stays zero. *p is the parameter that the bucket before
// ended in.
static orr_code update_bucket(train_state *s, const cfg *c, const kern_adamw_args *common,
                              int64_t i, int *p) {
  const train_partition_piece x = train_partition_piece_of(&s->shard, i);
  const train_param *list = s->params.list;
  const int64_t stop = x.at + x.count;
  for (int64_t at = x.at, end; at < stop; at = end) {
    while (*p + 1 < s->params.count && list[*p + 1].at <= at) ++*p;
    const bool decay = list[*p].decay, adamw = is_adamw(s, &list[*p]);
    int next = *p + 1;
    while (next < s->params.count && list[next].at < stop && list[next].decay == decay &&
           is_adamw(s, &list[next]) == adamw)
      next++;
    end = next < s->params.count && list[next].at < stop ? list[next].at : stop;
    if (adamw) ORR_TRY(update_range(s, c, common, &x, at, end - at, decay));
  }
  return ORR_OK;
}

orr_code train_state_update(train_state *s, const cfg *c, const kern_adamw_rates *rates,
                            const kern_clip_result *verdict, train_updated_fn updated, void *ctx) {
  const train_update_numbers numbers = {rates, verdict};
  const kern_adamw_args common = {.beta1 = (float)c->optim.beta1,
                                  .beta2 = (float)c->optim.beta2,
                                  .eps = (float)c->optim.eps,
                                  .ema_decay = (float)c->optim.ema_decay,
                                  .rates = rates,
                                  .verdict = verdict};
  int p = 0;
  if (s->matrices) ORR_TRY(train_matrices_begin(s->matrices, &numbers));
  for (int64_t i = 0; i < train_partition_buckets(&s->shard); i++) {
    int64_t at, count;
    train_partition_bucket(&s->shard, i, &at, &count);
    ORR_TRY(update_bucket(s, c, &common, i, &p));
    if (s->matrices) ORR_TRY(train_matrices_until(s->matrices, at + count, &numbers));
    if (updated) ORR_TRY(updated(ctx, i));
  }
  return ORR_OK;
}

typedef orr_code (*piece_fn)(train_state *s, const train_param *p, const train_partition_piece *x,
                             int64_t from, int64_t to, void *ctx);

// Calls `each` with the parts [from, to) of parameter p that lie in this rank's pieces.
static orr_code each_piece(train_state *s, const train_param *p, piece_fn each, void *ctx) {
  const int64_t end = p->at + p->count, buckets = train_partition_buckets(&s->shard);
  for (int64_t i = train_partition_find(&s->shard, p->at); i < buckets; i++) {
    const train_partition_piece x = train_partition_piece_of(&s->shard, i);
    const int64_t from = x.at > p->at ? x.at : p->at,
                  to = x.at + x.count < end ? x.at + x.count : end;
    int64_t at, count;
    train_partition_bucket(&s->shard, i, &at, &count);
    if (at >= end) break;
    if (from < to) ORR_TRY(each(s, p, &x, from, to, ctx));
  }
  return ORR_OK;
}

static orr_code add_squares(train_state *s, const float *x, int64_t n, double *sum) {
  return kern_sumsq(s->k, &(kern_sumsq_args){.n = n, .x = x, .sum = sum, .accumulate = true});
}

static orr_code add_piece(train_state *s, const train_param *p, const train_partition_piece *x,
                          int64_t from, int64_t to, void *sum) {
  return add_squares(s, train_state_gradients_of(s, x) + (from - x->at), to - from, sum);
}

// Adds the squares of one parameter's gradients, as far as this rank has them.
static orr_code sumsq_param(train_state *s, const train_param *p, double *sum) {
  if (train_state_shares_gradients(s)) return each_piece(s, p, add_piece, sum);
  return add_squares(s, s->weights.grad + p->at, p->count, sum);
}

// Elements of the reduced gradient on this rank.
static int64_t gradient_elements(const train_state *s) {
  return train_state_shares_gradients(s) ? train_partition_elements(&s->shard) : s->params.total;
}

orr_code train_state_sumsq(train_state *s, double *sum) {
  bool all = true;
  for (int i = 0; i < s->params.count; i++) all = all && !s->params.list[i].counted_elsewhere;
  if (all)
    return kern_sumsq(s->k,
                      &(kern_sumsq_args){.n = gradient_elements(s), .x = s->own_grad, .sum = sum});
  ORR_TRY(kern_fill(s->k, &(kern_fill_args){.x = sum, .bytes = sizeof *sum}));
  for (int i = 0; i < s->params.count; i++)
    if (!s->params.list[i].counted_elsewhere) ORR_TRY(sumsq_param(s, &s->params.list[i], sum));
  return ORR_OK;
}

// What this rank has updated of parameter p.
static orr_code own_plain_piece(train_state *s, const train_param *p,
                                const train_partition_piece *x, int64_t from, int64_t to,
                                void *ctx) {
  return copy_floats(s, plain_of(s, p) + (from - p->at), s->own_master + x->place + (from - x->at),
                     to - from);
}

orr_code train_state_fingerprint_gradients(train_state *s, uint64_t *sum) {
  return kern_fingerprint(
      s->k, &(kern_fingerprint_args){.n = gradient_elements(s), .x = s->own_grad, .sum = sum});
}

orr_code train_state_fingerprint_weights(train_state *s, uint64_t *sum) {
  for (int64_t i = 0; i < train_partition_buckets(&s->shard); i++) {
    const train_partition_piece x = train_partition_piece_of(&s->shard, i);
    ORR_TRY(kern_fingerprint(s->k, &(kern_fingerprint_args){.n = x.count,
                                                            .x = train_state_master_of(s, &x),
                                                            .first = x.at,
                                                            .sum = sum,
                                                            .accumulate = i > 0}));
  }
  return ORR_OK;
}

orr_code train_state_own_plain(train_state *s) {
  ORR_TRY(kern_fill(
      s->k, &(kern_fill_args){.x = s->weights.plain, .bytes = (size_t)s->plain * sizeof(float)}));
  for (int i = 0; i < s->params.count; i++)
    if (!s->params.list[i].decay) ORR_TRY(each_piece(s, &s->params.list[i], own_plain_piece, NULL));
  return ORR_OK;
}
