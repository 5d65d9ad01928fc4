#include "train/model/dynamics.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "train/model/embed.h"
#include "train/model/exact.h"

struct train_dynamics {
  kern *k;
  train_dynamics_dims d;
  const train_dynamics_params *p;
  const train_weights *w;
  train_axes *axes;
  train_dynamics_frames frames;
  int64_t B, T, BT;  // clips, frames of a clip, frames of this rank
  train_rows stream; // BT*N rows, and those this rank of tp holds outside the products
  train_keep keep;
  train_rope space, time;
  train_block_shape space_shape, time_shape;

  train_exchange exchange; // of the time blocks, with cp
  train_embed embed;

  train_block_acts *acts; // [layers]; all the same buffers but x when not keeping all
  void *x_last;           // [rows,D] output of the last block
  train_block_scratch scratch;
  void *dx; // [rows,D]
  train_head head;
  train_own_codes own;
  train_registers registers;
  int64_t loss_rows; // capacity, a multiple of TRAIN_LOSS_ROWS
};

// A time block's sequences: where the frames are whole, and after the exchange.
static void time_shape_init(train_dynamics *m) {
  const bool split = train_axes_size(m->axes, DIST_AXIS_CP) > 1;
  const bool by_frame = split || m->frames.clip_step == 1; // of all clips
  const int64_t N = m->d.N, T = m->T, side = m->B * (split ? m->exchange.positions.count : N);
  m->time_shape = (train_block_shape){.M = m->stream.M,
                                      .seq = {.seqs = by_frame ? side : m->B * N,
                                              .L = T,
                                              .inner = by_frame ? side : N,
                                              .outer_stride = by_frame ? 0 : T * N,
                                              .inner_stride = 1,
                                              .pos_stride = by_frame ? side : N,
                                              .causal = true},
                                      .pos_div = N * m->frames.frame_step,
                                      .pos_mod = m->frames.count,
                                      .exchange = split ? &m->exchange : NULL,
                                      .leaves = m->stream.leaves,
                                      .frames = m->BT};
}

static void shapes_init(train_dynamics *m) {
  const int64_t N = m->d.N;
  m->space_shape = (train_block_shape){
      .M = m->stream.M,
      .seq = {.seqs = m->BT, .L = N, .inner = 1, .outer_stride = N, .pos_stride = 1},
      .pos_div = 1,
      .pos_mod = N,
      .leaves = m->stream.leaves,
      .frames = m->BT};
  time_shape_init(m);
}

orr_code train_dynamics_create(kern *k, const train_dynamics_dims *d,
                               const train_dynamics_params *p, const train_weights *w, int64_t B,
                               int64_t T, train_keep keep, train_dynamics **out) {
  orr_code rc;
  train_dynamics *m = orr_calloc(1, sizeof *m);
  ORR_CHECK(m, ORR_ENOMEM, "dynamics model: out of memory");
  *m = (train_dynamics){
      .k = k, .d = *d, .p = p, .w = w, .axes = d->block.axes, .B = B, .T = T, .keep = keep};
  m->frames = train_dynamics_frames_of(d, B, T);
  m->BT = B * m->frames.count;
  m->stream = (train_rows){.axes = m->axes, .M = m->BT * d->N};
  m->stream.rows = train_rows_part(m->axes, m->stream.M);
  if (train_exact(m->axes)) m->stream.leaves = train_exact_leaves(m->axes);
  const int64_t chunk = train_head_chunk(m->axes), leaves = m->stream.leaves ? m->stream.leaves : 1;
  m->loss_rows = (m->BT / leaves * d->S + chunk - 1) / chunk * chunk;
  // Where cp splits the frames, those of one clip lie apart.
  m->embed = (train_embed){.k = k,
                           .d = &m->d,
                           .p = p,
                           .w = w,
                           .clips = B,
                           .frames = m->BT,
                           .together = m->frames.clip_step == 1 ? 1 : T,
                           .rows = &m->stream};
  m->head = (train_head){.k = k,
                         .w = w,
                         .d = d->block,
                         .C = chunk,
                         .V = d->V,
                         .z_loss = d->z_loss,
                         .norm = p->norm,
                         .head = p->head,
                         .after = train_dynamics_outcome_elements(d),
                         .codes = train_head_codes(m->axes, d->V)};
  m->own = (train_own_codes){.k = k, .head = &m->head, .axes = m->axes, .V = d->V};
  ORR_CHECK_GOTO(m->stream.M <= INT32_MAX, fail, ORR_EINVAL,
                 "%" PRId64 " clips of %" PRId64 " frames of %" PRId64 " tokens are %" PRId64
                 " rows, kernels count to %d: lower "
                 "train.micro_batch or data.frames",
                 B, m->frames.count, d->N, m->stream.M, INT32_MAX);
  m->acts = orr_calloc((size_t)d->layers, sizeof *m->acts);
  ORR_CHECK_GOTO(m->acts, fail, ORR_ENOMEM, "dynamics model: out of memory");
  ORR_TRY_GOTO(train_rope_space(&m->space, 1, d->rows, d->cols, d->R, d->block.K, &d->views), fail);
  ORR_TRY_GOTO(train_rope_time(&m->time, m->frames.first, m->frames.count, d->block.K), fail);
  if (train_axes_size(m->axes, DIST_AXIS_CP) > 1)
    ORR_TRY_GOTO(train_exchange_init(&m->exchange, m->axes, B, T, d->N), fail);
  ORR_TRY_GOTO(train_registers_init(&m->registers, k, &m->d, p, w, m->BT), fail);
  ORR_TRY_GOTO(train_embed_init(&m->embed), fail);
  shapes_init(m);
  *out = m;
  return ORR_OK;
fail:
  train_dynamics_destroy(m);
  return rc;
}

void train_dynamics_take_frames(train_dynamics *m, int64_t frames) {
  const int64_t side = m->time_shape.seq.inner; // sequences that lie side by side
  m->time_shape.seq.seqs = m->BT / frames * m->d.N;
  m->time_shape.seq.L = frames;
  m->time_shape.seq.outer_stride = frames * side;
  m->time_shape.pos_mod = frames;
}

void train_dynamics_destroy(train_dynamics *m) {
  if (!m) return;
  train_embed_release(&m->embed);
  train_registers_release(&m->registers);
  train_exchange_release(&m->exchange);
  train_rope_release(&m->time);
  train_rope_release(&m->space);
  orr_free(m->acts);
  orr_free(m);
}

int64_t train_dynamics_loss_capacity(const train_dynamics *m) {
  return m->loss_rows;
}

static train_block block_of(const train_dynamics *m, int64_t layer) {
  return (train_block){.k = m->k, .d = &m->d.block, .p = &m->p->blocks[layer], .w = m->w};
}

// Where the parameters of a block begin; after the last block, those of the head; -1 before the
// first.
static int64_t place_of(const train_dynamics *m, int64_t layer) {
  if (layer < 0) return -1;
  return layer < m->d.layers ? m->p->blocks[layer].norm1 : m->p->norm;
}

static const train_block_shape *shape_of(const train_dynamics *m, int64_t layer) {
  return train_dynamics_is_time(&m->d, layer) ? &m->time_shape : &m->space_shape;
}

static orr_code place_ropes(train_dynamics *m, orr_arena *arena) {
  ORR_TRY(train_rope_place(&m->space, m->k, arena));
  ORR_TRY(train_rope_place(&m->time, m->k, arena));
  m->space_shape.cos = m->space.cos_;
  m->space_shape.sin = m->space.sin_;
  m->time_shape.cos = m->time.cos_;
  m->time_shape.sin = m->time.sin_;
  return ORR_OK;
}

// Buffers that tp and cp communicate through.
static orr_code place_exchange(train_dynamics *m, orr_arena *arena) {
  const train_block_dims *b = &m->d.block;
  const int64_t tp = train_axes_size(m->axes, DIST_AXIS_TP);
  const size_t e = kern_dtype_size(b->act), H = (size_t)(b->here.H * b->K) * e,
               G = (size_t)(b->here.G * b->K) * e;
  if (tp > 1) m->stream.full = orr_arena_take(arena, (size_t)(m->stream.rows * tp * b->D) * e);
  m->space_shape.full = m->time_shape.full = m->stream.full;
  if (tp > 1 && m->stream.leaves) {
    const size_t wide = (size_t)(m->stream.M * b->D) * sizeof(float);
    m->stream.partial = orr_arena_take(arena, wide);
    m->stream.parts = orr_arena_take(arena, wide);
    m->space_shape.partial = m->time_shape.partial = m->stream.partial;
    m->space_shape.parts = m->time_shape.parts = m->stream.parts;
  }
  if (train_axes_size(m->axes, DIST_AXIS_CP) == 1) return ORR_OK;
  return train_exchange_place(&m->exchange, m->k, H + 2 * G, H + G, H, m->keep != TRAIN_NO_BACKWARD,
                              arena);
}

static void place_blocks(train_dynamics *m, orr_arena *acts) {
  const train_block_dims *b = &m->d.block;
  const size_t row = (size_t)b->D * kern_dtype_size(b->act), rows = (size_t)m->stream.rows;
  const bool cheap = m->keep == TRAIN_RECOMPUTE_CHEAP, all = cheap || m->keep == TRAIN_KEEP_ALL;
  train_block_acts shared;
  if (cheap) train_block_cheap_take(&shared, b, m->stream.M, acts);
  for (int i = 0; i < m->d.layers; i++) {
    // Buffers that serve every block must suit a time block, whose needs include a space block's.
    const train_block_shape *s = all ? shape_of(m, i) : &m->time_shape;
    if (i == 0 || all)
      train_block_acts_take(&m->acts[i], b, s, cheap ? &shared : NULL, acts);
    else
      m->acts[i] = m->acts[0];
    // Without a backward pass two buffers take turns as input and output.
    if (m->keep == TRAIN_NO_BACKWARD && i >= 2)
      m->acts[i].x = m->acts[i - 2].x;
    else
      m->acts[i].x = orr_arena_take(acts, rows * row);
  }
  m->x_last = orr_arena_take(acts, rows * row);
}

orr_code train_dynamics_place_both(train_dynamics *m, orr_arena *acts, orr_arena *exchange) {
  const train_block_dims *b = &m->d.block;
  const bool backward = m->keep != TRAIN_NO_BACKWARD;
  ORR_TRY(place_ropes(m, acts));
  ORR_TRY(place_exchange(m, exchange));
  place_blocks(m, acts);
  ORR_TRY(train_embed_place(&m->embed, backward, acts));
  train_head_place(&m->head, backward, acts);
  ORR_TRY(train_registers_place(&m->registers, backward, acts));
  if (!backward) return ORR_OK;
  if (m->d.own_codes) train_own_codes_place(&m->own, acts);
  m->dx = orr_arena_take(acts, (size_t)(m->stream.rows * b->D) * kern_dtype_size(b->act));
  train_block_scratch_take(&m->scratch, b, &m->space_shape, acts);
  return ORR_OK;
}

orr_code train_dynamics_place(train_dynamics *m, orr_arena *acts) {
  return train_dynamics_place_both(m, acts, acts);
}

static void *output_of(train_dynamics *m, int64_t layer) {
  return layer + 1 < m->d.layers ? m->acts[layer + 1].x : m->x_last;
}

static train_embed_inputs inputs_of(const train_dynamics_dims *d, const train_dynamics_batch *b) {
  return (train_embed_inputs){.tokens = b->tokens,
                              .before = d->before ? b->before : NULL,
                              .action = b->action,
                              .has_action = b->has_action,
                              .branch = b->branch};
}

orr_code train_dynamics_forward(train_dynamics *m, const train_dynamics_batch *b) {
  const train_embed_inputs in = inputs_of(&m->d, b);
  ORR_TRY(train_embed_forward(&m->embed, &in, m->acts[0].x));
  for (int64_t i = 0; i < m->d.layers; i++) {
    const train_block block = block_of(m, i);
    ORR_TRY(train_need(m->w, place_of(m, i), place_of(m, i + 1)));
    ORR_TRY(train_block_forward(&block, shape_of(m, i), &m->acts[i], output_of(m, i)));
  }
  return ORR_OK;
}

orr_code train_dynamics_draw(train_dynamics *m, const train_dynamics_batch *b,
                             const train_own_rows *r) {
  const void *x;
  ORR_TRY(train_dynamics_forward(m, b));
  ORR_TRY(train_rows_gather(&m->stream, m->d.block.act, m->d.block.D, m->x_last, &x));
  ORR_TRY(train_need(m->w, m->p->norm, -1));
  return train_own_codes_draw(&m->own, x, r);
}

orr_code train_dynamics_logits(train_dynamics *m, const int32_t *row, int64_t count,
                               float *logits) {
  for (int64_t at = 0; at < count; at += TRAIN_LOSS_ROWS)
    ORR_TRY(train_head_logits(&m->head, m->x_last, row + at, logits + at * m->d.V));
  return ORR_OK;
}

orr_code train_dynamics_outcome(train_dynamics *m, train_outcome o, const float **logits) {
  ORR_TRY(train_registers_logits(&m->registers, m->x_last));
  *logits = m->registers.logits[o];
  return ORR_OK;
}

// The loss of `rows` rows of the batch's lists, from row `first` of these on.
static orr_code loss_of(train_dynamics *m, const train_dynamics_batch *b, const void *x,
                        const float *scale, bool backward, int64_t leaf, int64_t first,
                        int64_t rows, double *loss_sum) {
  ORR_CHECK(rows <= m->loss_rows && rows % m->head.C == 0, ORR_EINVAL,
            "%" PRId64 " masked rows do not fit the plan's %" PRId64, rows, m->loss_rows);
  return train_head_loss(
      &m->head,
      &(train_head_rows){.x = x,
                         .row = b->masked_row + first,
                         .target = b->target + first,
                         .weight = b->weight ? b->weight + first : NULL,
                         .rows = rows,
                         .leaf = leaf,
                         .scale = scale,
                         .first_row = m->stream.rows * train_axes_rank(m->axes, DIST_AXIS_TP),
                         .own_rows = m->stream.rows,
                         .dx = backward ? m->dx : NULL},
      loss_sum);
}

// The losses of the heads on the registers of frames [first, first + count).
static orr_code outcomes_of(train_dynamics *m, const train_dynamics_batch *b, bool backward,
                            int64_t leaf, int64_t first, int64_t count) {
  const train_registers_gradient g = {.first_row =
                                          m->stream.rows * train_axes_rank(m->axes, DIST_AXIS_TP),
                                      .own_rows = m->stream.rows,
                                      .dx = m->dx,
                                      .apart = leaf > 0 ? &m->head : NULL};
  if (!b->outcomes) return ORR_OK;
  train_outcome_targets t = *b->outcomes;
  t.loss_sum += leaf;
  return train_registers_loss(&m->registers, first, count, &t, backward ? &g : NULL);
}

static orr_code all_losses(train_dynamics *m, const train_dynamics_batch *b, const void *x,
                           const float *scale, bool backward, double *loss_sum) {
  const int64_t leaves = m->stream.leaves;
  if (b->outcomes) ORR_TRY(train_registers_logits(&m->registers, x));
  if (!leaves) {
    ORR_TRY(loss_of(m, b, x, scale, backward, 0, 0, b->masked_rows, loss_sum));
    return outcomes_of(m, b, backward, 0, 0, m->BT);
  }
  for (int64_t i = 0; i < leaves; i++) {
    ORR_TRY(
        loss_of(m, b, x, scale, backward, i, i * b->leaf_capacity, b->leaf_rows[i], loss_sum + i));
    ORR_TRY(outcomes_of(m, b, backward, i, i * (m->BT / leaves), m->BT / leaves));
    if (backward) ORR_TRY(train_head_add_leaf(&m->head, i));
  }
  return ORR_OK;
}

orr_code train_dynamics_loss(train_dynamics *m, const train_dynamics_batch *b, const float *scale,
                             bool backward, double *loss_sum, train_grad_ready_fn ready,
                             void *ready_ctx) {
  const train_embed_inputs in = inputs_of(&m->d, b);
  const void *x;
  ORR_TRY(train_need(m->w, m->p->norm, place_of(m, m->d.layers - 1)));
  ORR_TRY(train_rows_gather(&m->stream, m->d.block.act, m->d.block.D, m->x_last, &x));
  ORR_TRY(all_losses(m, b, x, scale, backward, loss_sum));
  if (!backward) return ORR_OK;
  if (ready) ORR_TRY(ready(ready_ctx, m->p->norm));
  for (int64_t i = m->d.layers - 1; i >= 0; i--) {
    train_block_acts *a = &m->acts[i];
    const train_block block = block_of(m, i);
    ORR_TRY(train_need(m->w, place_of(m, i), place_of(m, i - 1)));
    if (m->keep == TRAIN_RECOMPUTE && i + 1 < m->d.layers)
      ORR_TRY(train_block_forward(&block, shape_of(m, i), a, output_of(m, i)));
    ORR_TRY(train_block_backward(&block, shape_of(m, i), a, &m->scratch, m->dx));
    if (ready) ORR_TRY(ready(ready_ctx, m->p->blocks[i].norm1));
  }
  ORR_TRY(train_embed_backward(&m->embed, &in, m->dx));
  return ready ? ready(ready_ctx, 0) : ORR_OK;
}
