#include "train/step/state.h"

#include "base/mem.h"

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
  return s->shard.ranks > 1 && (s->weights.act == KERN_BF16 || s->zero == 3);
}

// Places of the float32 copies of what the products do not read.
static orr_code list_plain(train_state *s) {
  train_weights *w = &s->weights;
  w->plain_at = orr_calloc(2 * (size_t)s->params.count + 1, sizeof *w->plain_at);
  ORR_CHECK(w->plain_at, ORR_ENOMEM, "places of %d parameters: out of memory", s->params.count);
  for (int i = 0; i < s->params.count; i++) {
    const train_param *p = &s->params.list[i];
    if (p->decay) continue;
    w->plain_at[2 * w->plain_count] = p->at;
    w->plain_at[2 * w->plain_count++ + 1] = s->plain;
    s->plain += train_param_aligned(p->count);
  }
  return ORR_OK;
}

static int sharers(const cfg *c, const train_axes *axes) {
  return c->dist.zero ? train_axes_size(axes, train_axes_sharing(axes)) : 1;
}

bool train_state_windowed(const cfg *c, const train_axes *axes) {
  return c->dist.zero >= 2 && sharers(c, axes) > 1;
}

int64_t train_state_segment_unit(const cfg *c, const train_axes *axes) {
  return train_state_windowed(c, axes) ? (int64_t)sharers(c, axes) * TRAIN_PARAM_ALIGN : 0;
}

static orr_code share_out(train_state *s, const cfg *c, const train_axes *axes) {
  const int ranks = sharers(c, axes),
            rank = ranks > 1 ? train_axes_rank(axes, train_axes_sharing(axes)) : 0;
  s->zero = ranks > 1 ? (int)c->dist.zero : 0;
  train_params_pad(&s->params, (int64_t)ranks * TRAIN_PARAM_ALIGN);
  if (c->optim.optimizer == CFG_OPTIMIZER_MUON)
    return train_partition_make_whole(ranks, rank, &s->params, c->dist.bucket_bytes, &s->shard);
  if (s->params.segments > 0)
    return train_partition_make_segmented(ranks, rank, &s->params, c->dist.bucket_bytes, &s->shard);
  s->shard = train_partition_make(ranks, rank, s->params.total, c->dist.bucket_bytes);
  return ORR_OK;
}

orr_code train_state_share(train_state *s, const cfg *c, train_axes *axes) {
  s->exact = c->run.exact;
  ORR_TRY(share_out(s, c, axes));
  s->first = train_axes_rank(axes, s->shard.ranks > 1 ? DIST_AXIS_COPIES : DIST_AXIS_REPLICA) == 0;
  if (shares_master(s)) ORR_TRY(list_plain(s));
  if (c->optim.digit_share > 0.0) ORR_TRY(train_digits_create(s, c, axes, &s->digits));
  if (c->optim.optimizer != CFG_OPTIMIZER_MUON) return ORR_OK;
  return train_matrices_create(s, c, axes, &s->matrices);
}

// Whether the products read any parameter of segment i.
static bool has_operands(const train_params *params, int i) {
  for (int j = 0; j < params->count; j++)
    if (params->list[j].decay && train_params_segment_of(params, params->list[j].at) == i)
      return true;
  return false;
}

// Room for two neighbouring segments at a time, all or those that products read.
static void place_window(train_state *s, train_window *w, orr_arena *arena, size_t element,
                         bool all) {
  int64_t most[TRAIN_WINDOW_SLOTS] = {0};
  for (int i = 0; i < s->params.segments; i++) {
    int64_t *of_slot = &most[i % TRAIN_WINDOW_SLOTS];
    const int64_t n = s->params.segment[i + 1] - s->params.segment[i];
    if ((all || has_operands(&s->params, i)) && n > *of_slot) *of_slot = n;
  }
  *w = (train_window){.params = &s->params, .element = element};
  for (int i = 0; i < TRAIN_WINDOW_SLOTS; i++)
    w->slot[i] = orr_arena_take(arena, (size_t)most[i] * element);
}

static void place_weights(train_state *s) {
  const size_t n = (size_t)s->params.total, own = (size_t)train_partition_elements(&s->shard),
               e = kern_dtype_size(s->weights.act);
  train_weights *w = &s->weights;
  const bool no_master = shares_master(s), bf16 = w->act == KERN_BF16, away = s->zero == 3;
  w->master = no_master ? NULL : orr_arena_take(&s->parameters, n * sizeof(float));
  w->work = bf16 && !away ? orr_arena_take(&s->parameters, n * sizeof(uint16_t)) : NULL;
  w->plain = no_master ? orr_arena_take(&s->parameters, (size_t)s->plain * sizeof(float)) : NULL;
  s->own_work = bf16 && away ? orr_arena_take(&s->parameters, own * sizeof(uint16_t)) : NULL;
  if (away) place_window(s, &s->operand_window, &s->parameters, e, false);
  w->operand_window = away ? &s->operand_window : NULL;
}

static void place_gradients(train_state *s) {
  train_weights *w = &s->weights;
  const size_t own = (size_t)train_partition_elements(&s->shard) * sizeof(float);
  const bool away = s->zero >= 2;
  if (away)
    place_window(s, &s->grad_window, &s->gradients, sizeof(float), true);
  else
    w->grad = orr_arena_take(&s->gradients, (size_t)s->params.total * sizeof(float));
  w->grad_window = away ? &s->grad_window : NULL;
  s->whole_grad = w->grad;
  s->waiting_grad = NULL;
  if (s->waiting)
    s->waiting_grad = orr_arena_take(
        &s->gradients, (size_t)s->waiting * (away ? own : (size_t)s->params.total * sizeof(float)));
  s->own_grad = train_state_shares_gradients(s) ? orr_arena_take(&s->gradients, own) : w->grad;
}

void train_state_place(train_state *s) {
  train_weights *w = &s->weights;
  if (s->shard.ranks <= 1) s->shard = train_partition_make(1, 0, s->params.total, 0);
  const size_t own = (size_t)train_partition_elements(&s->shard) * sizeof(float);
  place_weights(s);
  if (!s->training) return;
  place_gradients(s);
  s->own_master = shares_master(s) ? orr_arena_take(&s->optimizer, own) : w->master;
  if (s->frozen) return;
  s->m = orr_arena_take(&s->optimizer, own);
  s->v = orr_arena_take(&s->optimizer, own);
  s->ema = s->has_ema ? orr_arena_take(&s->optimizer, own) : NULL;
  if (s->digits) train_digits_place(s->digits, &s->optimizer);
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
  train_digits_destroy(s->digits);
  s->digits = NULL;
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

uint16_t *train_state_work_of(const train_state *s, const train_partition_piece *x) {
  if (s->own_work) return s->own_work + x->place;
  return s->weights.work ? s->weights.work + x->at : NULL;
}

bool train_state_shares_gradients(const train_state *s) {
  return s->shard.ranks > 1 && (s->zero >= 2 || !s->shard.whole);
}

int train_state_parts(const train_state *s) {
  return s->zero >= 2 ? s->params.segments : 1;
}

void train_state_part(const train_state *s, int i, int64_t *at, int64_t *count) {
  *at = s->zero >= 2 ? s->params.segment[i] : 0;
  *count = s->zero >= 2 ? s->params.segment[i + 1] - *at : s->params.total;
}

float *train_state_room(const train_state *s, int64_t at) {
  return train_gradient(&s->weights, at);
}

static orr_code copy_floats(const train_state *s, float *dst, const float *src, int64_t count) {
  return kern_copy(s->k, &(kern_copy_args){.dst = dst,
                                           .src = src,
                                           .bytes = (size_t)count * sizeof *dst,
                                           .way = KERN_COPY_WITHIN});
}

// -- weights from outside -------------------------------------------------------------------

// Elements [at, at+count) of the flat layout, all buckets of them or none.
typedef struct {
  int64_t at, count;
  const float *values;
} flat_part;

// Copies own elements of a part to an array of this rank's shard.
static orr_code take_own(const train_state *s, const flat_part *f, float *own) {
  const int64_t buckets = train_partition_buckets(&s->shard);
  for (int64_t i = train_partition_find(&s->shard, f->at); i < buckets; i++) {
    const train_partition_piece x = train_partition_piece_of(&s->shard, i);
    int64_t at, count;
    train_partition_bucket(&s->shard, i, &at, &count);
    if (at >= f->at + f->count) break;
    ORR_TRY(copy_floats(s, own + x.place, f->values + (x.at - f->at), x.count));
  }
  return ORR_OK;
}

// The place in weights.plain of parameter p, one that is not a matrix.
static float *plain_of(const train_state *s, const train_param *p) {
  return s->weights.plain + train_plain_place(&s->weights, p->at);
}

static orr_code set_plain(train_state *s, const flat_part *f) {
  for (int i = 0; i < s->params.count; i++) {
    const train_param *p = &s->params.list[i];
    if (p->decay || p->at < f->at || p->at >= f->at + f->count) continue;
    ORR_TRY(copy_floats(s, plain_of(s, p), f->values + (p->at - f->at), p->count));
  }
  return ORR_OK;
}

static orr_code to_bf16(train_state *s, const float *x, uint16_t *y, int64_t n) {
  return kern_cast(s->k,
                   &(kern_cast_args){.n = n, .from = KERN_F32, .to = KERN_BF16, .x = x, .y = y});
}

// Everything that is derived from a part.
static orr_code derive(train_state *s, const flat_part *f) {
  if (!s->weights.master) {
    ORR_TRY(take_own(s, f, s->own_master));
    ORR_TRY(set_plain(s, f));
  }
  return s->weights.work ? to_bf16(s, f->values, s->weights.work + f->at, f->count) : ORR_OK;
}

float *train_state_weights(train_state *s) {
  return s->weights.master ? s->weights.master : s->weights.grad;
}

orr_code train_state_refresh(train_state *s) {
  return derive(s, &(flat_part){0, s->params.total, train_state_weights(s)});
}

orr_code train_state_average_is_weights(train_state *s) {
  if (!s->ema) return ORR_OK;
  if (s->own_master == s->weights.master)
    return take_own(s, &(flat_part){0, s->params.total, s->own_master}, s->ema);
  return copy_floats(s, s->ema, s->own_master, train_partition_elements(&s->shard));
}

typedef struct {
  train_upload_fn give;
  void *ctx;
  int64_t at;
} part_giver;

static orr_code give_part(void *ctx, int64_t first, int64_t count, float *to) {
  const part_giver *x = ctx;
  return x->give(x->ctx, x->at + first, count, to);
}

orr_code train_state_set(train_state *s, train_upload_fn give, void *ctx) {
  for (int i = 0; i < train_state_parts(s); i++) {
    part_giver x = {.give = give, .ctx = ctx};
    int64_t count;
    train_state_part(s, i, &x.at, &count);
    float *to = s->weights.master ? s->weights.master + x.at : train_state_room(s, x.at);
    ORR_TRY(train_upload(s->k, to, count, give_part, &x));
    ORR_TRY(derive(s, &(flat_part){x.at, count, to}));
  }
  if (!s->own_work) return ORR_OK;
  return to_bf16(s, s->own_master, s->own_work, train_partition_elements(&s->shard));
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
  ORR_TRY(train_state_set(s, give_initial, &x));
  if (s->m) ORR_TRY(kern_fill(s->k, &(kern_fill_args){.x = s->m, .bytes = own}));
  if (s->v) ORR_TRY(kern_fill(s->k, &(kern_fill_args){.x = s->v, .bytes = own}));
  return train_state_average_is_weights(s);
}

// -- the update -----------------------------------------------------------------------------

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
  a.w_bf16 = train_state_work_of(s, x);
  if (a.w_bf16) a.w_bf16 += in;
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
  ORR_TRY(train_digits_update(s->digits, rates, verdict));
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

orr_code train_state_each_piece(train_state *s, const train_param *p, train_piece_fn each,
                                void *ctx) {
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

// Where squares are added to: one of the two.
typedef struct {
  double *sum;
  int64_t *bins;
} squares_to;

static orr_code add_squares(train_state *s, const float *x, int64_t n, const squares_to *to) {
  if (to->bins) return kern_squares(s->k, &(kern_squares_args){.n = n, .x = x, .bins = to->bins});
  return kern_sumsq(s->k, &(kern_sumsq_args){.n = n, .x = x, .sum = to->sum, .accumulate = true});
}

static orr_code add_piece(train_state *s, const train_param *p, const train_partition_piece *x,
                          int64_t from, int64_t to, void *sum) {
  return add_squares(s, train_state_gradients_of(s, x) + (from - x->at), to - from, sum);
}

// Adds the squares of one parameter's gradients, as far as this rank has them.
static orr_code sumsq_param(train_state *s, const train_param *p, squares_to *to) {
  if (train_state_shares_gradients(s)) return train_state_each_piece(s, p, add_piece, to);
  return add_squares(s, s->weights.grad + p->at, p->count, to);
}

// Elements of the reduced gradient on this rank.
static int64_t gradient_elements(const train_state *s) {
  return train_state_shares_gradients(s) ? train_partition_elements(&s->shard) : s->params.total;
}

static orr_code add_all_squares(train_state *s, squares_to *to) {
  bool all = true;
  for (int i = 0; i < s->params.count; i++) all = all && !s->params.list[i].counted_elsewhere;
  if (all) return add_squares(s, s->own_grad, gradient_elements(s), to);
  for (int i = 0; i < s->params.count; i++)
    if (!s->params.list[i].counted_elsewhere) ORR_TRY(sumsq_param(s, &s->params.list[i], to));
  return ORR_OK;
}

orr_code train_state_sumsq(train_state *s, double *sum) {
  ORR_TRY(kern_fill(s->k, &(kern_fill_args){.x = sum, .bytes = sizeof *sum}));
  return add_all_squares(s, &(squares_to){.sum = sum});
}

orr_code train_state_squares(train_state *s, int64_t *bins) {
  ORR_TRY(kern_fill(s->k, &(kern_fill_args){.x = bins, .bytes = KERN_SQUARES_BINS * sizeof *bins}));
  return add_all_squares(s, &(squares_to){.bins = bins});
}

// What this rank has updated of parameter p.
static orr_code own_plain_piece(train_state *s, const train_param *p,
                                const train_partition_piece *x, int64_t from, int64_t to,
                                void *ctx) {
  return copy_floats(s, plain_of(s, p) + (from - p->at), s->own_master + x->place + (from - x->at),
                     to - from);
}

orr_code train_state_own_plain(train_state *s) {
  ORR_TRY(kern_fill(
      s->k, &(kern_fill_args){.x = s->weights.plain, .bytes = (size_t)s->plain * sizeof(float)}));
  for (int i = 0; i < s->params.count; i++)
    if (!s->params.list[i].decay)
      ORR_TRY(train_state_each_piece(s, &s->params.list[i], own_plain_piece, NULL));
  return ORR_OK;
}
