// The tokenizer's sizes and parameters. What stands at the ends of its two halves is whole on every
// rank of tp, with gradients that are all the same there; blocks are split as any block is.
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "train/model/precision.h"
#include "train/model/tokenizer.h"

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

// Whether another rank of tp counts what is whole on all of them.
static bool is_second(const train_tokenizer_dims *d) {
  return train_axes_rank(d->block.axes, DIST_AXIS_TP) > 0;
}

static orr_code list_linear(train_params *list, const train_tokenizer_dims *d, int64_t out,
                            int64_t in, const char *name, int64_t *w, int64_t *b) {
  ORR_TRY(train_params_add(list,
                           &(train_param_spec){.ndim = 2,
                                               .shape = {out, in},
                                               .init = TRAIN_INIT_NORMAL,
                                               .std = 0.02f,
                                               .decay = true,
                                               .counted_elsewhere = is_second(d)},
                           w, "%s.weight", name));
  return train_params_add(
      list, &(train_param_spec){.ndim = 1, .shape = {out}, .counted_elsewhere = is_second(d)}, b,
      "%s.bias", name);
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
  return train_params_add(list,
                          &(train_param_spec){.ndim = 1,
                                              .shape = {d->block.D},
                                              .init = TRAIN_INIT_ONES,
                                              .counted_elsewhere = is_second(d)},
                          norm, "%s.norm.weight", half);
}

orr_code train_tokenizer_list(const train_tokenizer_dims *d, train_params *list,
                              train_tokenizer_params *out) {
  const int64_t D = d->block.D;
  out->enc = orr_calloc((size_t)(2 * d->layers), sizeof *out->enc);
  ORR_CHECK(out->enc, ORR_ENOMEM, "parameters of %" PRId64 " blocks: out of memory", 2 * d->layers);
  out->dec = out->enc + d->layers;
  ORR_TRY(train_params_segment(list));
  ORR_TRY(list_linear(list, d, D, d->P, "encoder.patch", &out->enc_patch_w, &out->enc_patch_b));
  ORR_TRY(list_half(list, d, "encoder", out->enc, &out->enc_norm));
  ORR_TRY(list_linear(list, d, d->n, D, "encoder.code", &out->enc_code_w, &out->enc_code_b));
  ORR_TRY(list_linear(list, d, D, d->n, "decoder.code", &out->dec_code_w, &out->dec_code_b));
  ORR_TRY(list_half(list, d, "decoder", out->dec, &out->dec_norm));
  return list_linear(list, d, d->P, D, "decoder.pixel", &out->dec_pixel_w, &out->dec_pixel_b);
}
