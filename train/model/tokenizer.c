#include "train/model/tokenizer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "train/model/precision.h"
#include "train/model/rope.h"

struct train_tokenizer {
  kern *k;
  train_tokenizer_dims d;
  const train_tokenizer_params *p;
  const train_weights *w;
  int64_t B, M; // M = B*S rows
  train_keep keep;
  train_rope space;
  train_block_shape shape, enc_shape; // of the decoder's blocks and of the encoder's

  train_block_acts *acts; // [2*layers]: encoder, then decoder
  void *patches;          // [M,P]
  void *enc_last, *enc_y; // [M,D] before and after the encoder's norm
  float *enc_rstd;        // [M]
  float *z;               // [M,n]
  void *code;             // [M,n]
  int32_t *index;         // [M]
  void *dec_last, *dec_y; // [M,D]
  float *dec_rstd;
  void *pixels; // [M,P]
  train_block_scratch scratch;
  void *dpixels; // [M,P]
  void *dx, *dy; // [M,D]
  void *dcode;   // [M,n]; also dz in the type of the activations
  float *dz;     // [M,n]
};

void train_tokenizer_dims_from(const cfg *c, train_tokenizer_dims *out) {
  *out = (train_tokenizer_dims){.rows = c->tokenizer.rows,
                                .cols = c->tokenizer.cols,
                                .patch = c->tokenizer.patch,
                                .layers = c->tokenizer.layers,
                                .n = c->tokenizer.levels.n,
                                .l2 = c->tokenizer.l2,
                                .l1 = c->tokenizer.l1,
                                .patchwise = c->tokenizer.patchwise,
                                .block = {.D = c->tokenizer.width,
                                          .H = c->tokenizer.heads,
                                          .G = c->tokenizer.kv_heads,
                                          .K = c->tokenizer.width / c->tokenizer.heads,
                                          .F = c->tokenizer.hidden,
                                          .act = train_precision(c)}};
  out->S = out->rows * out->cols;
  out->P = 3 * out->patch * out->patch;
  train_block_dims_split(&out->block, NULL);
  for (int i = 0; i < out->n && i < KERN_FSQ_MAX; i++)
    out->levels[i] = (int32_t)c->tokenizer.levels.v[i];
}

double train_tokenizer_flops(const train_tokenizer_dims *d) {
  const train_block_dims *b = &d->block;
  double block = (double)b->D * (double)((2 * b->H + 2 * b->G) * b->K + 3 * b->F);
  return 6.0 * (double)d->S *
         (2.0 * (double)d->layers * block + 2.0 * (double)((d->P + d->n) * b->D));
}

int64_t train_tokenizer_codes(const train_tokenizer_dims *d) {
  int64_t V = 1;
  for (int i = 0; i < d->n; i++) V *= d->levels[i];
  return V;
}

static orr_code list_linear(train_params *list, int64_t out, int64_t in, const char *name,
                            int64_t *w, int64_t *b) {
  ORR_TRY(train_params_add(
      list,
      &(train_param_spec){
          .ndim = 2, .shape = {out, in}, .init = TRAIN_INIT_NORMAL, .std = 0.02f, .decay = true},
      w, "%s.weight", name));
  return train_params_add(list, &(train_param_spec){.ndim = 1, .shape = {out}}, b, "%s.bias", name);
}

static orr_code list_half(train_params *list, const train_tokenizer_dims *d, const char *half,
                          train_block_params *blocks, int64_t *norm) {
  for (int i = 0; i < d->layers; i++) {
    char prefix[48];
    snprintf(prefix, sizeof prefix, "%s.blocks.%d", half, i);
    ORR_TRY(train_params_segment(list));
    ORR_TRY(train_block_add(list, &d->block, 2 * (int)d->layers, prefix, &blocks[i]));
  }
  ORR_TRY(train_params_segment(list));
  return train_params_add(
      list, &(train_param_spec){.ndim = 1, .shape = {d->block.D}, .init = TRAIN_INIT_ONES}, norm,
      "%s.norm.weight", half);
}

orr_code train_tokenizer_list(const train_tokenizer_dims *d, train_params *list,
                              train_tokenizer_params *out) {
  const int64_t D = d->block.D;
  out->enc = orr_calloc((size_t)(2 * d->layers), sizeof *out->enc);
  ORR_CHECK(out->enc, ORR_ENOMEM, "parameters of %" PRId64 " blocks: out of memory", 2 * d->layers);
  out->dec = out->enc + d->layers;
  ORR_TRY(train_params_segment(list));
  ORR_TRY(list_linear(list, D, d->P, "encoder.patch", &out->enc_patch_w, &out->enc_patch_b));
  ORR_TRY(list_half(list, d, "encoder", out->enc, &out->enc_norm));
  ORR_TRY(list_linear(list, d->n, D, "encoder.code", &out->enc_code_w, &out->enc_code_b));
  ORR_TRY(list_linear(list, D, d->n, "decoder.code", &out->dec_code_w, &out->dec_code_b));
  ORR_TRY(list_half(list, d, "decoder", out->dec, &out->dec_norm));
  return list_linear(list, d->P, D, "decoder.pixel", &out->dec_pixel_w, &out->dec_pixel_b);
}

// A sequence is a frame, or where `alone` one patch.
static train_block_shape shape_of(const train_tokenizer_dims *d, int64_t B, bool alone) {
  const int64_t L = alone ? 1 : d->S;
  return (train_block_shape){
      .M = B * d->S,
      .seq = {.seqs = B * d->S / L, .L = L, .inner = 1, .outer_stride = L, .pos_stride = 1},
      .pos_div = 1,
      .pos_mod = d->S};
}

orr_code train_tokenizer_create(kern *k, const train_tokenizer_dims *d,
                                const train_tokenizer_params *p, const train_weights *w, int64_t B,
                                train_keep keep, train_tokenizer **out) {
  orr_code rc;
  train_tokenizer *m = orr_calloc(1, sizeof *m);
  ORR_CHECK(m, ORR_ENOMEM, "tokenizer: out of memory");
  *m = (train_tokenizer){.k = k, .d = *d, .p = p, .w = w, .B = B, .M = B * d->S, .keep = keep};
  m->acts = orr_calloc((size_t)(2 * d->layers), sizeof *m->acts);
  ORR_CHECK_GOTO(m->acts, fail, ORR_ENOMEM, "tokenizer: out of memory");
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
  const float *cos_ = m->space.cos_, *sin_ = m->space.sin_; // NULL before they have a place
  m->B = frames;
  m->M = frames * m->d.S;
  m->shape = shape_of(&m->d, frames, false);
  m->enc_shape = shape_of(&m->d, frames, m->d.patchwise);
  m->shape.cos = m->enc_shape.cos = cos_;
  m->shape.sin = m->enc_shape.sin = sin_;
}

orr_code train_tokenizer_place(train_tokenizer *m, orr_arena *acts) {
  const train_block_dims *b = &m->d.block;
  const size_t e = kern_dtype_size(b->act), M = (size_t)m->M, D = (size_t)b->D, P = (size_t)m->d.P,
               n = (size_t)m->d.n;
  ORR_TRY(train_rope_place(&m->space, m->k, acts));
  m->shape.cos = m->enc_shape.cos = m->space.cos_;
  m->shape.sin = m->enc_shape.sin = m->space.sin_;
  const bool cheap = m->keep == TRAIN_RECOMPUTE_CHEAP;
  train_block_acts shared;
  if (cheap) train_block_cheap_take(&shared, b, m->M, acts);
  for (int i = 0; i < 2 * m->d.layers; i++) {
    if (i == 0 || cheap || m->keep == TRAIN_KEEP_ALL)
      train_block_acts_take(&m->acts[i], b, &m->shape, cheap ? &shared : NULL, acts);
    else
      m->acts[i] = m->acts[0];
    m->acts[i].x = orr_arena_take(acts, M * D * e);
  }
  m->patches = orr_arena_take(acts, M * P * e);
  m->enc_last = orr_arena_take(acts, M * D * e);
  m->enc_y = orr_arena_take(acts, M * D * e);
  m->enc_rstd = orr_arena_take(acts, M * sizeof(float));
  m->z = orr_arena_take(acts, M * n * sizeof(float));
  m->code = orr_arena_take(acts, M * n * e);
  m->index = orr_arena_take(acts, M * sizeof(int32_t));
  m->dec_last = orr_arena_take(acts, M * D * e);
  m->dec_y = orr_arena_take(acts, M * D * e);
  m->dec_rstd = orr_arena_take(acts, M * sizeof(float));
  m->pixels = orr_arena_take(acts, M * P * e);
  if (m->keep == TRAIN_NO_BACKWARD) return ORR_OK;
  m->dpixels = orr_arena_take(acts, M * P * e);
  m->dx = orr_arena_take(acts, M * D * e);
  m->dy = orr_arena_take(acts, M * D * e);
  m->dcode = orr_arena_take(acts, M * n * e);
  m->dz = orr_arena_take(acts, M * n * sizeof(float));
  train_block_scratch_take(&m->scratch, b, &m->shape, acts);
  return ORR_OK;
}

static orr_code linear(train_tokenizer *m, int64_t out, int64_t in, const void *x, int64_t w,
                       int64_t b, kern_dtype y_type, void *y) {
  ORR_TRY(train_need(m->w, w, -1));
  return kern_matmul_fwd(m->k, &(kern_matmul_fwd_args){.type = m->d.block.act,
                                                       .y_type = y_type,
                                                       .M = m->M,
                                                       .N = out,
                                                       .K = in,
                                                       .x = x,
                                                       .w = train_operand(m->w, w),
                                                       .packed = train_packed_operand(m->w, w),
                                                       .bias = train_plain(m->w, b),
                                                       .y = y});
}

static orr_code norm(train_tokenizer *m, const void *x, int64_t w, void *y, float *rstd) {
  return kern_rmsnorm_fwd(m->k, &(kern_rmsnorm_fwd_args){.type = m->d.block.act,
                                                         .M = m->M,
                                                         .D = m->d.block.D,
                                                         .x = x,
                                                         .w = train_plain(m->w, w),
                                                         .y = y,
                                                         .rstd = rstd});
}

static const train_block_shape *shape_at(const train_tokenizer *m, int64_t block) {
  return block < m->d.layers ? &m->enc_shape : &m->shape;
}

// Blocks first..first+layers-1 of acts; the last one writes to `last`.
static orr_code run_blocks(train_tokenizer *m, int64_t first, const train_block_params *p,
                           void *last) {
  for (int64_t i = 0; i < m->d.layers; i++) {
    void *out = i + 1 < m->d.layers ? m->acts[first + i + 1].x : last;
    const train_block block = {.k = m->k, .d = &m->d.block, .p = &p[i], .w = m->w};
    ORR_TRY(train_need(m->w, p[i].norm1, i + 1 < m->d.layers ? p[i + 1].norm1 : -1));
    ORR_TRY(train_block_forward(&block, shape_at(m, first), &m->acts[first + i], out));
  }
  return ORR_OK;
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
  ORR_TRY(linear(m, d->block.D, d->P, m->patches, p->enc_patch_w, p->enc_patch_b, d->block.act,
                 m->acts[0].x));
  ORR_TRY(run_blocks(m, 0, p->enc, m->enc_last));
  ORR_TRY(norm(m, m->enc_last, p->enc_norm, m->enc_y, m->enc_rstd));
  ORR_TRY(linear(m, d->n, d->block.D, m->enc_y, p->enc_code_w, p->enc_code_b, KERN_F32, m->z));
  return kern_fsq_fwd(m->k, &(kern_fsq_fwd_args){.type = d->block.act,
                                                 .M = m->M,
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
  ORR_TRY(linear(m, d->block.D, d->n, m->code, p->dec_code_w, p->dec_code_b, d->block.act,
                 m->acts[d->layers].x));
  ORR_TRY(run_blocks(m, d->layers, p->dec, m->dec_last));
  ORR_TRY(norm(m, m->dec_last, p->dec_norm, m->dec_y, m->dec_rstd));
  return linear(m, d->P, d->block.D, m->dec_y, p->dec_pixel_w, p->dec_pixel_b, d->block.act,
                m->pixels);
}

orr_code train_tokenizer_decode(train_tokenizer *m, const int32_t *index, uint8_t *u8, float *f32) {
  const train_tokenizer_dims *d = &m->d;
  if (index)
    ORR_TRY(kern_fsq_lookup(m->k, &(kern_fsq_lookup_args){.type = d->block.act,
                                                          .M = m->M,
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

// Gradients of y = x W^T + b: dx (when wanted), W and b.
static orr_code linear_backward(train_tokenizer *m, int64_t out, int64_t in, const void *dy,
                                const void *x, int64_t w, int64_t b, void *dx) {
  const kern_dtype t = m->d.block.act;
  ORR_TRY(train_need(m->w, w, -1));
  if (dx)
    ORR_TRY(kern_matmul_bwd_x(m->k, &(kern_matmul_bwd_x_args){.type = t,
                                                              .M = m->M,
                                                              .N = out,
                                                              .K = in,
                                                              .dy = dy,
                                                              .w = train_operand(m->w, w),
                                                              .dx = dx}));
  return kern_matmul_bwd_w(m->k, &(kern_matmul_bwd_w_args){.type = t,
                                                           .M = m->M,
                                                           .N = out,
                                                           .K = in,
                                                           .dy = dy,
                                                           .x = x,
                                                           .dw = train_gradient(m->w, w),
                                                           .dbias = train_gradient(m->w, b)});
}

// dy -> dx through the norm, then through the blocks.
static orr_code blocks_backward(train_tokenizer *m, int64_t first, const train_block_params *p,
                                const void *x, int64_t norm_w, const float *rstd, void *last,
                                train_grad_ready_fn ready, void *ready_ctx) {
  const train_block_dims *b = &m->d.block;
  ORR_TRY(kern_rmsnorm_bwd(m->k, &(kern_rmsnorm_bwd_args){.type = b->act,
                                                          .M = m->M,
                                                          .D = b->D,
                                                          .dy = m->dy,
                                                          .x = x,
                                                          .w = train_plain(m->w, norm_w),
                                                          .rstd = rstd,
                                                          .dx = m->dx,
                                                          .dw = train_gradient(m->w, norm_w)}));
  if (ready) ORR_TRY(ready(ready_ctx, norm_w));
  for (int64_t i = m->d.layers - 1; i >= 0; i--) {
    train_block_acts *a = &m->acts[first + i];
    const train_block block = {.k = m->k, .d = b, .p = &p[i], .w = m->w};
    ORR_TRY(train_need(m->w, p[i].norm1, i > 0 ? p[i - 1].norm1 : -1));
    if (m->keep == TRAIN_RECOMPUTE) {
      void *out = i + 1 < m->d.layers ? m->acts[first + i + 1].x : last;
      ORR_TRY(train_block_forward(&block, shape_at(m, first), a, out));
    }
    ORR_TRY(train_block_backward(&block, shape_at(m, first), a, &m->scratch, m->dx));
    if (ready) ORR_TRY(ready(ready_ctx, p[i].norm1));
  }
  return ORR_OK;
}

static orr_code backward(train_tokenizer *m, train_grad_ready_fn ready, void *ready_ctx) {
  const train_tokenizer_dims *d = &m->d;
  const train_tokenizer_params *p = m->p;
  const kern_dtype t = d->block.act;
  ORR_TRY(linear_backward(m, d->P, d->block.D, m->dpixels, m->dec_y, p->dec_pixel_w, p->dec_pixel_b,
                          m->dy));
  ORR_TRY(blocks_backward(m, d->layers, p->dec, m->dec_last, p->dec_norm, m->dec_rstd, m->dec_last,
                          ready, ready_ctx));
  ORR_TRY(
      linear_backward(m, d->block.D, d->n, m->dx, m->code, p->dec_code_w, p->dec_code_b, m->dcode));
  ORR_TRY(kern_fsq_bwd(m->k, &(kern_fsq_bwd_args){.type = t,
                                                  .M = m->M,
                                                  .n = d->n,
                                                  .levels = d->levels,
                                                  .z = m->z,
                                                  .dcode = m->dcode,
                                                  .dz = m->dz}));
  ORR_TRY(kern_cast(
      m->k,
      &(kern_cast_args){.n = m->M * d->n, .from = KERN_F32, .to = t, .x = m->dz, .y = m->dcode}));
  ORR_TRY(linear_backward(m, d->n, d->block.D, m->dcode, m->enc_y, p->enc_code_w, p->enc_code_b,
                          m->dy));
  ORR_TRY(blocks_backward(m, 0, p->enc, m->enc_last, p->enc_norm, m->enc_rstd, m->enc_last, ready,
                          ready_ctx));
  ORR_TRY(linear_backward(m, d->block.D, d->P, m->dx, m->patches, p->enc_patch_w, p->enc_patch_b,
                          NULL));
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
  ORR_TRY(kern_pixel_loss(m->k, &(kern_pixel_loss_args){.type = d->block.act,
                                                        .B = m->B,
                                                        .rows = d->rows,
                                                        .cols = d->cols,
                                                        .p = d->patch,
                                                        .x = m->pixels,
                                                        .frames_u8 = f->u8,
                                                        .frames_f32 = f->f32,
                                                        .l2 = d->l2,
                                                        .l1 = d->l1,
                                                        .scale = scale,
                                                        .loss_sum = loss_sum,
                                                        .dx = with_backward ? m->dpixels : NULL}));
  return with_backward ? backward(m, ready, ready_ctx) : ORR_OK;
}
