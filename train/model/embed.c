#include "train/model/embed.h"

#include "train/model/head.h"

static bool is_split(const train_embed *e) {
  return train_axes_size(e->rows->axes, DIST_AXIS_TP) > 1;
}

static bool is_first(const train_embed *e) {
  return train_axes_rank(e->rows->axes, DIST_AXIS_TP) == 0;
}

// Rows of action_emb: of a rank that embeds tokens alone as many zeros as stand for the rest.
static int64_t action_rows(const train_embed *e) {
  int64_t n = e->frames;
  if (is_first(e)) return n;
  if (n < e->d->branches) n = e->d->branches;
  return n < e->d->R ? e->d->R : n;
}

void train_embed_place(train_embed *e, bool backward, orr_arena *arena) {
  const size_t row = (size_t)e->d->block.D * sizeof(float);
  e->action_emb = orr_arena_take(arena, (size_t)action_rows(e) * row);
  if (backward) e->daction_emb = orr_arena_take(arena, (size_t)e->frames * row);
}

static orr_code embed_actions(const train_embed *e, const float *action) {
  return kern_matmul_fwd(
      e->k, &(kern_matmul_fwd_args){.type = KERN_F32,
                                    .y_type = KERN_F32,
                                    .M = e->frames,
                                    .N = e->d->block.D,
                                    .K = 2 * e->d->A,
                                    .x = action,
                                    .w = train_plain(e->w, e->p->action_w),
                                    .packed = train_packed_operand(e->w, e->p->action_w),
                                    .bias = train_plain(e->w, e->p->action_b),
                                    .y = e->action_emb});
}

orr_code train_embed_forward(const train_embed *e, const train_embed_inputs *in, void *x) {
  const train_dynamics_dims *d = e->d;
  const train_weights *w = e->w;
  const float *none = e->action_emb; // zeros where the rest is not embedded
  const train_part tokens = train_head_codes(e->rows->axes, d->V + 1);
  const bool split = is_split(e), rest = is_first(e);
  if (rest) ORR_TRY(embed_actions(e, in->action));
  ORR_TRY(kern_embed_fwd(
      e->k, &(kern_embed_fwd_args){.type = d->block.act,
                                   .BT = e->frames,
                                   .T = e->together,
                                   .clips = e->clips,
                                   .S = d->S,
                                   .R = d->R,
                                   .D = d->block.D,
                                   .tokens = in->tokens,
                                   .has_action = in->has_action,
                                   .branch_id = in->branch,
                                   .action_emb = e->action_emb,
                                   .table = train_plain(w, e->p->token),
                                   .no_action = rest ? train_plain(w, e->p->no_action) : none,
                                   .branch = rest ? train_plain(w, e->p->branch) : none,
                                   .reg = rest ? train_plain(w, e->p->reg) : none,
                                   .before = in->before,
                                   .before_table = in->before ? train_plain(w, e->p->before) : NULL,
                                   .v_first = tokens.first,
                                   .v_count = tokens.count,
                                   .x = split ? e->rows->full : x}));
  if (!split) return ORR_OK;
  return train_axes_reduce_scatter(e->rows->axes, DIST_AXIS_TP, e->rows->full, x,
                                   e->rows->rows * d->block.D, train_wire(d->block.act));
}

orr_code train_embed_backward(const train_embed *e, const train_embed_inputs *in, const void *dx) {
  const train_dynamics_dims *d = e->d;
  const train_part tokens = train_head_codes(e->rows->axes, d->V + 1);
  const void *all;
  ORR_TRY(train_rows_gather(e->rows, d->block.act, d->block.D, dx, &all));
  ORR_TRY(kern_embed_bwd(
      e->k, &(kern_embed_bwd_args){.type = d->block.act,
                                   .BT = e->frames,
                                   .T = e->together,
                                   .clips = e->clips,
                                   .S = d->S,
                                   .R = d->R,
                                   .D = d->block.D,
                                   .tokens = in->tokens,
                                   .before = in->before,
                                   .has_action = in->has_action,
                                   .branch_id = in->branch,
                                   .v_first = tokens.first,
                                   .v_count = tokens.count,
                                   .branches = d->branches,
                                   .dx = all,
                                   .daction_emb = e->daction_emb,
                                   .dtable = train_gradient(e->w, e->p->token),
                                   .dno_action = train_gradient(e->w, e->p->no_action),
                                   .dbranch = train_gradient(e->w, e->p->branch),
                                   .dreg = train_gradient(e->w, e->p->reg),
                                   .dbefore_table =
                                       in->before ? train_gradient(e->w, e->p->before) : NULL}));
  return kern_matmul_bwd_w(
      e->k, &(kern_matmul_bwd_w_args){.type = KERN_F32,
                                      .M = e->frames,
                                      .N = d->block.D,
                                      .K = 2 * d->A,
                                      .dy = e->daction_emb,
                                      .x = in->action,
                                      .dw = train_gradient(e->w, e->p->action_w),
                                      .dbias = train_gradient(e->w, e->p->action_b)});
}
