#include "train/model/dynamics_dims.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "train/model/exact.h"
#include "train/model/head.h"
#include "train/model/precision.h"

void train_dynamics_dims_from(const cfg *c, train_dynamics_dims *out) {
  *out = (train_dynamics_dims){.rows = c->model.rows,
                               .cols = c->model.cols,
                               .R = c->model.registers,
                               .layers = c->model.layers,
                               .time_every = c->model.time_every,
                               .A = c->model.actions,
                               .V = c->model.codes,
                               .branches = c->model.branches.n,
                               .z_loss = c->model.z_loss,
                               .before = c->model.before,
                               .own_codes = c->model.own_codes > 0.0,
                               .outcome = {[TRAIN_REWARD] = c->model.reward_weight > 0.0,
                                           [TRAIN_DONE] = c->model.done_weight > 0.0,
                                           [TRAIN_PROGRESS] = c->model.progress_weight > 0.0},
                               .block = {.D = c->model.width,
                                         .H = c->model.heads,
                                         .G = c->model.kv_heads,
                                         .K = c->model.width / c->model.heads,
                                         .F = c->model.hidden,
                                         .act = train_precision(c)}};
  if (c->model.digits) {
    out->levels.n = c->tokenizer.levels.n;
    for (int i = 0; i < out->levels.n; i++) out->levels.level[i] = c->tokenizer.levels.v[i];
  }
  // what cannot be is refused before (train_axes_check)
  if (train_views_of(c, &out->views) != ORR_OK) orr_status_clear();
  out->S = out->rows * out->cols;
  out->N = 1 + out->S + out->R;
  train_block_dims_split(&out->block, NULL);
}

// The heads on the registers: whole on every rank, whose gradients are all the same.
static orr_code list_outcomes(const train_dynamics_dims *d, train_params *list,
                              train_dynamics_params *out) {
  const bool second = train_axes_rank(d->block.axes, DIST_AXIS_TP) > 0;
  for (int o = 0; o < TRAIN_OUTCOMES; o++) {
    const char *name = train_outcome_name((train_outcome)o);
    const int64_t bins = train_outcome_bins((train_outcome)o);
    if (!d->outcome[o]) continue;
    ORR_TRY(train_params_add(list,
                             &(train_param_spec){.ndim = 2,
                                                 .shape = {bins, d->R * d->block.D},
                                                 .init = TRAIN_INIT_NORMAL,
                                                 .std = 0.02f,
                                                 .decay = true,
                                                 .counted_elsewhere = second},
                             &out->outcome_w[o], "heads.%s.weight", name));
    ORR_TRY(train_params_add(
        list, &(train_param_spec){.ndim = 1, .shape = {bins}, .counted_elsewhere = second},
        &out->outcome_b[o], "heads.%s.bias", name));
  }
  return ORR_OK;
}

int64_t train_dynamics_outcome_elements(const train_dynamics_dims *d) {
  int64_t n = 0;
  for (int o = 0; o < TRAIN_OUTCOMES; o++) {
    const int64_t bins = train_outcome_bins((train_outcome)o),
                  parts[] = {bins * d->R * d->block.D, bins};
    for (int i = 0; d->outcome[o] && i < 2; i++) n += train_param_aligned(parts[i]);
  }
  return n;
}

orr_code train_dynamics_list(const train_dynamics_dims *d, train_params *list,
                             train_dynamics_params *out) {
  const int64_t D = d->block.D;
  const float std = 0.02f;
  train_axes *ax = d->block.axes;
  const train_part tokens = train_head_codes(ax, d->V + 1), codes = train_head_codes(ax, d->V);
  const bool second = train_axes_rank(ax, DIST_AXIS_TP) > 0;
  out->blocks = orr_calloc((size_t)d->layers, sizeof *out->blocks);
  ORR_CHECK(out->blocks, ORR_ENOMEM, "parameters of %" PRId64 " blocks: out of memory", d->layers);
  ORR_TRY(train_params_segment(list));
#define NORMAL(...) &(train_param_spec){__VA_ARGS__, .init = TRAIN_INIT_NORMAL, .std = std}
#define CODES(...)                                                                                 \
  &(train_param_spec) {                                                                            \
    __VA_ARGS__, .init = d->levels.n ? TRAIN_INIT_CODES : TRAIN_INIT_NORMAL, .std = std,           \
                 .levels = &d->levels                                                              \
  }
#define VECTOR                                                                                     \
  &(train_param_spec) {                                                                            \
    .ndim = 1, .shape = {D}, .counted_elsewhere = second                                           \
  }
  ORR_TRY(train_params_add(list, CODES(.ndim = 2, .shape = {d->V + 1, D}, .part = &tokens),
                           &out->token, "embed.token.weight"));
  if (d->before)
    ORR_TRY(train_params_add(list, CODES(.ndim = 2, .shape = {d->V + 1, D}, .part = &tokens),
                             &out->before, "embed.before.weight"));
  ORR_TRY(train_params_add(list,
                           NORMAL(.ndim = 2, .shape = {D, 2 * d->A}, .counted_elsewhere = second),
                           &out->action_w, "embed.action.weight"));
  ORR_TRY(train_params_add(list, VECTOR, &out->action_b, "embed.action.bias"));
  ORR_TRY(train_params_add(list, VECTOR, &out->no_action, "embed.no_action"));
  ORR_TRY(train_params_add(
      list, NORMAL(.ndim = 2, .shape = {d->branches, D}, .counted_elsewhere = second), &out->branch,
      "embed.branch.weight"));
  if (d->R > 0) // files of tensors have no empty ones
    ORR_TRY(train_params_add(list,
                             NORMAL(.ndim = 2, .shape = {d->R, D}, .counted_elsewhere = second),
                             &out->reg, "embed.register"));
  if (d->views.n > 0)
    ORR_TRY(train_params_add(
        list, NORMAL(.ndim = 2, .shape = {d->views.n, D}, .counted_elsewhere = second), &out->view,
        "embed.view.weight"));
  for (int i = 0; i < d->layers; i++) {
    char prefix[32];
    snprintf(prefix, sizeof prefix, "blocks.%d", i);
    ORR_TRY(train_params_segment(list));
    ORR_TRY(train_block_add(list, &d->block, (int)d->layers, prefix, &out->blocks[i]));
  }
  ORR_TRY(train_params_segment(list));
  ORR_TRY(train_params_add(
      list,
      &(train_param_spec){
          .ndim = 1, .shape = {D}, .init = TRAIN_INIT_ONES, .counted_elsewhere = second},
      &out->norm, "norm.weight"));
  ORR_TRY(train_params_add(list,
                           CODES(.ndim = 2, .shape = {d->V, D}, .decay = true, .part = &codes),
                           &out->head, "head.weight"));
  return list_outcomes(d, list, out);
#undef VECTOR
#undef NORMAL
}

train_dynamics_frames train_dynamics_frames_of(const train_dynamics_dims *d, int64_t B, int64_t T) {
  const int cp = train_axes_size(d->block.axes, DIST_AXIS_CP);
  const train_part t = train_part_of(T, cp, train_axes_rank(d->block.axes, DIST_AXIS_CP));
  const bool by_clip = cp == 1 && !train_exact(d->block.axes);
  return (train_dynamics_frames){.first = t.first,
                                 .count = t.count,
                                 .clip_step = by_clip ? T : 1,
                                 .frame_step = by_clip ? 1 : B};
}

double train_dynamics_flops(const train_dynamics_dims *d, int64_t B, int64_t T) {
  const train_block_dims *b = &d->block;
  double block = (double)b->D * (double)((2 * b->H + 2 * b->G) * b->K + 3 * b->F);
  double tokens = (double)(B * T);
  return 6.0 * tokens * ((double)(d->N * d->layers) * block + (double)(d->S * d->V * b->D));
}
