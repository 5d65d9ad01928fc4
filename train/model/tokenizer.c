#include "train/model/tokenizer.h"

#include <string.h>

#include "base/mem.h"
#include "train/model/exact.h"
#include "train/model/half.h"
#include "train/model/rope.h"

struct train_tokenizer {
  kern *k;
  train_tokenizer_dims d;
  const train_tokenizer_params *p;
  const train_weights *w;
  int64_t B;
  train_rows stream; // M = B*S rows, and those this rank of tp holds outside the products
  train_keep keep;
  train_rope space;
  train_half enc, dec;

  train_block_acts *acts; // [2*layers]: encoder, then decoder
  void *patches;          // [M,P]
  float *z;               // [M,n]
  void *code;             // [M,n]
  int32_t *index;         // [M]
  void *pixels;           // [M,P]
  train_block_scratch scratch;
  void *dpixels;    // [M,P]
  void *dx;         // [rows,D]
  void *dy;         // [M,D]
  void *dcode;      // [M,n]; also dz in the type of the activations
  float *dz;        // [M,n]
  float *leaf_grad; // with run.exact: of a bias or a norm, of a leaf that is not the first here
};

// Rows of the stream, some that lie side by side.
typedef struct {
  int64_t first, count;
} rows;

static int tp_of(const train_tokenizer *m) {
  return train_axes_size(m->stream.axes, DIST_AXIS_TP);
}

static rows all_rows(const train_tokenizer *m) {
  return (rows){0, m->stream.M};
}

// Those of this rank of tp: fewer than it has room for, or none, where tp does not divide them.
static rows own_rows(const train_tokenizer *m) {
  const int64_t first = m->stream.rows * train_axes_rank(m->stream.axes, DIST_AXIS_TP),
                left = m->stream.M > first ? m->stream.M - first : 0;
  return (rows){first, left < m->stream.rows ? left : m->stream.rows};
}

// A sequence is a frame, or where `alone` one patch.
static train_block_shape shape_of(const train_tokenizer *m, bool alone) {
  const int64_t S = m->d.S, L = alone ? 1 : S;
  return (train_block_shape){
      .M = m->stream.M,
      .full = m->stream.full,
      .seq = {.seqs = m->stream.M / L, .L = L, .inner = 1, .outer_stride = L, .pos_stride = 1},
      .cos = m->space.cos_, // NULL before they have a place
      .sin = m->space.sin_,
      .pos_div = 1,
      .pos_mod = S,
      .leaves = m->stream.leaves,
      .frames = m->B,
      .partial = m->stream.partial,
      .parts = m->stream.parts};
}

static void take_shapes(train_tokenizer *m) {
  m->enc.shape = shape_of(m, m->d.patchwise);
  m->dec.shape = shape_of(m, false);
}

static train_half half_of(const train_tokenizer *m, const train_block_params *blocks, int64_t norm,
                          train_block_acts *acts) {
  return (train_half){.k = m->k,
                      .w = m->w,
                      .d = &m->d.block,
                      .stream = &m->stream,
                      .blocks = blocks,
                      .layers = m->d.layers,
                      .norm = norm,
                      .keep = m->keep,
                      .acts = acts};
}

orr_code train_tokenizer_create(kern *k, const train_tokenizer_dims *d,
                                const train_tokenizer_params *p, const train_weights *w, int64_t B,
                                train_keep keep, train_tokenizer **out) {
  orr_code rc;
  train_tokenizer *m = orr_calloc(1, sizeof *m);
  ORR_CHECK(m, ORR_ENOMEM, "tokenizer: out of memory");
  *m = (train_tokenizer){.k = k, .d = *d, .p = p, .w = w, .keep = keep};
  m->stream.axes = d->block.axes;
  if (train_exact(m->stream.axes)) m->stream.leaves = train_exact_leaves(m->stream.axes);
  m->acts = orr_calloc((size_t)(2 * d->layers), sizeof *m->acts);
  ORR_CHECK_GOTO(m->acts, fail, ORR_ENOMEM, "tokenizer: out of memory");
  m->enc = half_of(m, p->enc, p->enc_norm, m->acts);
  m->dec = half_of(m, p->dec, p->dec_norm, m->acts + d->layers);
  ORR_TRY_GOTO(train_rope_space(&m->space, 0, d->rows, d->cols, 0, d->block.K, NULL), fail);
  train_tokenizer_take(m, B);
  *out = m;
  return ORR_OK;
fail:
  train_tokenizer_destroy(m);
  return rc;
}

void train_tokenizer_destroy(train_tokenizer *m) {
  if (!m) return;
  train_rope_release(&m->space);
  orr_free(m->acts);
  orr_free(m);
}

void train_tokenizer_take(train_tokenizer *m, int64_t frames) {
  m->B = frames;
  m->stream.M = frames * m->d.S;
  m->stream.rows = train_rows_part(m->stream.axes, m->stream.M);
  take_shapes(m);
}

// Buffers that tp communicates through.
static void place_exchange(train_tokenizer *m, orr_arena *arena) {
  const size_t row = (size_t)m->d.block.D * kern_dtype_size(m->d.block.act),
               all = (size_t)(m->stream.rows * tp_of(m)) * row,
               wide = (size_t)(m->stream.M * m->d.block.D) * sizeof(float);
  if (tp_of(m) == 1) return;
  m->stream.full = orr_arena_take(arena, all);
  if (!m->stream.leaves) return;
  m->stream.partial = orr_arena_take(arena, wide);
  m->stream.parts = orr_arena_take(arena, wide);
}

static void place_blocks(train_tokenizer *m, orr_arena *acts) {
  const train_block_dims *b = &m->d.block;
  const size_t x = (size_t)(m->stream.rows * b->D) * kern_dtype_size(b->act);
  const bool cheap = m->keep == TRAIN_RECOMPUTE_CHEAP;
  train_block_acts shared;
  if (cheap) train_block_cheap_take(&shared, b, m->stream.M, acts);
  for (int i = 0; i < 2 * m->d.layers; i++) {
    if (i == 0 || cheap || m->keep == TRAIN_KEEP_ALL)
      train_block_acts_take(&m->acts[i], b, &m->dec.shape, cheap ? &shared : NULL, acts);
    else
      m->acts[i] = m->acts[0];
    m->acts[i].x = orr_arena_take(acts, x);
  }
}

// The longest of the vectors at the halves' ends.
static int64_t longest(const train_tokenizer_dims *d) {
  const int64_t n = d->block.D > d->P ? d->block.D : d->P;
  return n > d->n ? n : d->n;
}

orr_code train_tokenizer_place_both(train_tokenizer *m, orr_arena *acts, orr_arena *exchange) {
  const train_block_dims *b = &m->d.block;
  const size_t e = kern_dtype_size(b->act), M = (size_t)m->stream.M, D = (size_t)b->D,
               P = (size_t)m->d.P, n = (size_t)m->d.n;
  ORR_TRY(train_rope_place(&m->space, m->k, acts));
  place_exchange(m, exchange);
  take_shapes(m);
  place_blocks(m, acts);
  m->patches = orr_arena_take(acts, M * P * e);
  train_half_place(&m->enc, acts, exchange);
  m->z = orr_arena_take(acts, M * n * sizeof(float));
  m->code = orr_arena_take(acts, M * n * e);
  m->index = orr_arena_take(acts, M * sizeof(int32_t));
  train_half_place(&m->dec, acts, exchange);
  m->pixels = orr_arena_take(acts, M * P * e);
  if (m->keep == TRAIN_NO_BACKWARD) return ORR_OK;
  m->dpixels = orr_arena_take(acts, M * P * e);
  m->dx = orr_arena_take(acts, (size_t)m->stream.rows * D * e);
  m->dy = orr_arena_take(acts, M * D * e);
  m->dcode = orr_arena_take(acts, M * n * e);
  m->dz = orr_arena_take(acts, M * n * sizeof(float));
  if (train_rows_leaves(&m->stream) > 1)
    m->leaf_grad = orr_arena_take(acts, (size_t)longest(&m->d) * sizeof *m->leaf_grad);
  train_block_scratch_take(&m->scratch, b, &m->dec.shape, acts);
  return ORR_OK;
}

orr_code train_tokenizer_place(train_tokenizer *m, orr_arena *acts) {
  return train_tokenizer_place_both(m, acts, acts);
}

// y (=) x W^T + b of rows r of x, to the first ones of y.
static orr_code linear(train_tokenizer *m, rows r, int64_t out, int64_t in, const void *x,
                       int64_t w, int64_t b, kern_dtype y_type, void *y) {
  ORR_TRY(train_need(m->w, w, -1));
  if (r.count == 0) return ORR_OK;
  return kern_matmul_fwd(m->k,
                         &(kern_matmul_fwd_args){.type = m->d.block.act,
                                                 .y_type = y_type,
                                                 .M = r.count,
                                                 .N = out,
                                                 .K = in,
                                                 .x = train_row(m->d.block.act, x, r.first, in),
                                                 .w = train_operand(m->w, w),
                                                 .packed = train_packed_operand(m->w, w),
                                                 .bias = train_plain(m->w, b),
                                                 .y = y});
}

orr_code train_tokenizer_encode(train_tokenizer *m, const train_frames *f, int32_t *index) {
  const train_tokenizer_dims *d = &m->d;
  const train_tokenizer_params *p = m->p;
  ORR_TRY(kern_patchify(m->k, &(kern_patchify_args){.type = d->block.act,
                                                    .B = m->B,
                                                    .rows = d->rows,
                                                    .cols = d->cols,
                                                    .p = d->patch,
                                                    .frames_u8 = f->u8,
                                                    .frames_f32 = f->f32,
                                                    .x = m->patches}));
  ORR_TRY(linear(m, own_rows(m), d->block.D, d->P, m->patches, p->enc_patch_w, p->enc_patch_b,
                 d->block.act, m->enc.acts[0].x));
  ORR_TRY(train_half_forward(&m->enc));
  ORR_TRY(linear(m, all_rows(m), d->n, d->block.D, m->enc.y, p->enc_code_w, p->enc_code_b, KERN_F32,
                 m->z));
  return kern_fsq_fwd(m->k, &(kern_fsq_fwd_args){.type = d->block.act,
                                                 .M = m->stream.M,
                                                 .n = d->n,
                                                 .levels = d->levels,
                                                 .z = m->z,
                                                 .code = m->code,
                                                 .index = index ? index : m->index});
}

// m->code -> m->pixels
static orr_code decode_code(train_tokenizer *m) {
  const train_tokenizer_dims *d = &m->d;
  const train_tokenizer_params *p = m->p;
  ORR_TRY(linear(m, own_rows(m), d->block.D, d->n, m->code, p->dec_code_w, p->dec_code_b,
                 d->block.act, m->dec.acts[0].x));
  ORR_TRY(train_half_forward(&m->dec));
  return linear(m, all_rows(m), d->P, d->block.D, m->dec.y, p->dec_pixel_w, p->dec_pixel_b,
                d->block.act, m->pixels);
}

orr_code train_tokenizer_decode(train_tokenizer *m, const int32_t *index, uint8_t *u8, float *f32) {
  const train_tokenizer_dims *d = &m->d;
  if (index)
    ORR_TRY(kern_fsq_lookup(m->k, &(kern_fsq_lookup_args){.type = d->block.act,
                                                          .M = m->stream.M,
                                                          .n = d->n,
                                                          .levels = d->levels,
                                                          .index = index,
                                                          .code = m->code}));
  ORR_TRY(decode_code(m));
  return kern_unpatchify(m->k, &(kern_unpatchify_args){.type = d->block.act,
                                                       .B = m->B,
                                                       .rows = d->rows,
                                                       .cols = d->cols,
                                                       .p = d->patch,
                                                       .x = m->pixels,
                                                       .frames_u8 = u8,
                                                       .frames_f32 = f32});
}

// Gradients of y = x W^T + b over all rows: dx (when wanted), W and b.
static orr_code linear_backward(train_tokenizer *m, int64_t out, int64_t in, const void *dy,
                                const void *x, int64_t w, int64_t b, void *dx) {
  const kern_dtype t = m->d.block.act;
  const int64_t leaves = train_rows_leaves(&m->stream), n = m->stream.M / leaves;
  ORR_TRY(train_need(m->w, w, -1));
  if (dx)
    ORR_TRY(kern_matmul_bwd_x(m->k, &(kern_matmul_bwd_x_args){.type = t,
                                                              .M = m->stream.M,
                                                              .N = out,
                                                              .K = in,
                                                              .dy = dy,
                                                              .w = train_operand(m->w, w),
                                                              .dx = dx}));
  for (int64_t i = 0; i < leaves; i++) {
    float *dbias;
    ORR_TRY(train_exact_vector(m->k, m->w, i, b, out, m->leaf_grad, &dbias));
    ORR_TRY(kern_matmul_bwd_w(m->k, &(kern_matmul_bwd_w_args){.type = t,
                                                              .M = n,
                                                              .N = out,
                                                              .K = in,
                                                              .dy = train_row(t, dy, i * n, out),
                                                              .x = train_row(t, x, i * n, in),
                                                              .dw = train_gradient(m->w, w),
                                                              .dbias = dbias}));
    ORR_TRY(train_exact_add_vector(m->k, m->w, i, b, out, dbias));
  }
  return ORR_OK;
}

static orr_code backward(train_tokenizer *m, train_grad_ready_fn ready, void *ready_ctx) {
  const train_tokenizer_dims *d = &m->d;
  const train_tokenizer_params *p = m->p;
  const int64_t M = m->stream.M, D = d->block.D;
  const train_half_scratch t = {
      .blocks = &m->scratch, .dy = m->dy, .dx = m->dx, .leaf_grad = m->leaf_grad};
  const void *dx;
  ORR_TRY(linear_backward(m, d->P, D, m->dpixels, m->dec.y, p->dec_pixel_w, p->dec_pixel_b, m->dy));
  ORR_TRY(train_half_backward(&m->dec, &t, ready, ready_ctx, &dx));
  ORR_TRY(linear_backward(m, D, d->n, dx, m->code, p->dec_code_w, p->dec_code_b, m->dcode));
  ORR_TRY(kern_fsq_bwd(m->k, &(kern_fsq_bwd_args){.type = d->block.act,
                                                  .M = M,
                                                  .n = d->n,
                                                  .levels = d->levels,
                                                  .z = m->z,
                                                  .dcode = m->dcode,
                                                  .dz = m->dz}));
  ORR_TRY(kern_cast(
      m->k, &(kern_cast_args){
                .n = M * d->n, .from = KERN_F32, .to = d->block.act, .x = m->dz, .y = m->dcode}));
  ORR_TRY(linear_backward(m, d->n, D, m->dcode, m->enc.y, p->enc_code_w, p->enc_code_b, m->dy));
  ORR_TRY(train_half_backward(&m->enc, &t, ready, ready_ctx, &dx));
  ORR_TRY(linear_backward(m, D, d->P, dx, m->patches, p->enc_patch_w, p->enc_patch_b, NULL));
  return ready ? ready(ready_ctx, 0) : ORR_OK;
}

orr_code train_tokenizer_forward(train_tokenizer *m, const train_frames *f) {
  ORR_TRY(train_tokenizer_encode(m, f, NULL));
  return decode_code(m);
}

orr_code train_tokenizer_loss(train_tokenizer *m, const train_frames *f, const float *scale,
                              bool with_backward, double *loss_sum, train_grad_ready_fn ready,
                              void *ready_ctx) {
  const train_tokenizer_dims *d = &m->d;
  const int64_t leaves = train_rows_leaves(&m->stream), frames = m->B / leaves,
                values = frames * d->S * d->P;
  for (int64_t i = 0; i < leaves; i++)
    ORR_TRY(kern_pixel_loss(
        m->k, &(kern_pixel_loss_args){
                  .type = d->block.act,
                  .B = frames,
                  .rows = d->rows,
                  .cols = d->cols,
                  .p = d->patch,
                  .x = train_row(d->block.act, m->pixels, i, values),
                  .frames_u8 = f->u8 ? f->u8 + i * values : NULL,
                  .frames_f32 = f->f32 ? f->f32 + i * values : NULL,
                  .l2 = d->l2,
                  .l1 = d->l1,
                  .scale = scale,
                  .loss_sum = loss_sum + i,
                  .dx = with_backward ? train_row(d->block.act, m->dpixels, i, values) : NULL}));
  return with_backward ? backward(m, ready, ready_ctx) : ORR_OK;
}
