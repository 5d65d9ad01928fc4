#include "train/model/embed.h"

#include "base/mem.h"
#include "train/model/constants.h"
#include "train/model/exact.h"
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

// Elements of the gradients of what is no table, from the action's bias on.
static int64_t rest_elements(const train_embed *e) {
  return e->p->blocks[0].norm1 - e->p->action_b;
}

// Whether views are added to rows whose tokens are summed over tp: of the token now, the one before
// and the view this is the last addend, wherever the two tokens come from.
static bool adds_views(const train_embed *e) {
  return e->d->views.n > 0 && is_split(e) && e->rows->leaves > 0;
}

orr_code train_embed_init(train_embed *e) {
  const train_dynamics_dims *d = e->d;
  const int64_t rows = adds_views(e) ? e->rows->rows : 0,
                first = rows * train_axes_rank(e->rows->axes, DIST_AXIS_TP);
  if (d->views.n == 0) return ORR_OK;
  e->host_view_of = orr_malloc((size_t)(d->N + rows) * sizeof *e->host_view_of);
  ORR_CHECK(e->host_view_of, ORR_ENOMEM, "views of a frame's tokens: out of memory");
  for (int64_t n = 0; n < d->N; n++)
    e->host_view_of[n] =
        n == 0 || n > d->S ? -1 : (int32_t)train_views_place(&d->views, d->cols, n - 1).view;
  for (int64_t i = 0; i < rows; i++)
    e->host_view_of[d->N + i] = e->host_view_of[(first + i) % d->N];
  return ORR_OK;
}

void train_embed_release(train_embed *e) {
  orr_free(e->host_view_of);
  e->host_view_of = NULL;
}

orr_code train_embed_place(train_embed *e, bool backward, orr_arena *arena) {
  const size_t row = (size_t)e->d->block.D * sizeof(float);
  e->action_emb = orr_arena_take(arena, (size_t)action_rows(e) * row);
  const int64_t views = e->d->N + (adds_views(e) ? e->rows->rows : 0);
  if (e->host_view_of)
    ORR_TRY(train_constants_place(e->k, arena, e->host_view_of, (size_t)views * sizeof *e->view_of,
                                  (void **)&e->view_of));
  if (!backward) return ORR_OK;
  e->daction_emb = orr_arena_take(arena, (size_t)e->frames * row);
  if (e->rows->leaves > 1)
    e->leaf_grad = orr_arena_take(arena, (size_t)rest_elements(e) * sizeof(float));
  return ORR_OK;
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

// sum [rows,D] (+=) the views of this rank's rows.
static orr_code add_views(const train_embed *e, float *sum) {
  const train_rows *r = e->rows;
  const int64_t D = e->d->block.D;
  ORR_TRY(kern_gather_rows(e->k, &(kern_gather_rows_args){.type = KERN_F32,
                                                          .M = r->rows,
                                                          .D = D,
                                                          .x = train_plain(e->w, e->p->view),
                                                          .index = e->view_of + e->d->N,
                                                          .y = r->partial}));
  return kern_axpby(
      e->k,
      &(kern_axpby_args){
          .type = KERN_F32, .n = r->rows * D, .a = 1.0f, .b = 1.0f, .x = r->partial, .y = sum});
}

// At most two addends of an element are not 0, so any order gives one sum.
static orr_code scatter_wide(const train_embed *e, void *x) {
  const train_rows *r = e->rows;
  const bool bf16 = e->d->block.act == KERN_BF16;
  const int64_t n = r->rows * e->d->block.D;
  float *sum = bf16 ? r->parts : x;
  ORR_TRY(train_axes_reduce_scatter(r->axes, DIST_AXIS_TP, r->partial, sum, n, DIST_F32));
  if (adds_views(e)) ORR_TRY(add_views(e, sum));
  if (!bf16) return ORR_OK;
  return kern_cast(e->k,
                   &(kern_cast_args){.n = n, .from = KERN_F32, .to = KERN_BF16, .x = sum, .y = x});
}

orr_code train_embed_forward(const train_embed *e, const train_embed_inputs *in, void *x) {
  const train_dynamics_dims *d = e->d;
  const train_weights *w = e->w;
  const float *none = e->action_emb; // zeros where the rest is not embedded
  const train_part tokens = train_head_codes(e->rows->axes, d->V + 1);
  const bool split = is_split(e), rest = is_first(e);
  // With run.exact tokens of two ranks are added before they are rounded.
  const bool wide = split && e->rows->leaves && (d->block.act == KERN_BF16 || adds_views(e));
  if (rest) ORR_TRY(embed_actions(e, in->action));
  ORR_TRY(kern_embed_fwd(
      e->k, &(kern_embed_fwd_args){.type = wide ? KERN_F32 : d->block.act,
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
                                   .view_of = rest && !adds_views(e) ? e->view_of : NULL,
                                   .view = e->view_of ? train_plain(w, e->p->view) : NULL,
                                   .v_first = tokens.first,
                                   .v_count = tokens.count,
                                   .x = wide    ? e->rows->partial
                                        : split ? e->rows->full
                                                : x}));
  if (!split) return ORR_OK;
  if (wide) return scatter_wide(e, x);
  return train_axes_reduce_scatter(e->rows->axes, DIST_AXIS_TP, e->rows->full, x,
                                   e->rows->rows * d->block.D, train_wire(d->block.act));
}

// Where the gradient of the parameter at `at` goes: the gradients, or what stands for them.
static float *place_of(const train_embed *e, float *rest, int64_t at) {
  return rest ? rest + at : train_gradient(e->w, at);
}

// Gradients of the frames [first, first + count), whose clips are all of the batch, from all rows'
// dx; of all but the tables into `rest`, which stands
// for the gradients unless it is NULL.
static orr_code backward_frames(const train_embed *e, const train_embed_inputs *in, const void *dx,
                                int64_t first, int64_t count, float *rest) {
  const train_dynamics_dims *d = e->d;
  const train_part tokens = train_head_codes(e->rows->axes, d->V + 1);
  const int64_t D = d->block.D, S = d->S;
  ORR_TRY(kern_embed_bwd(
      e->k, &(kern_embed_bwd_args){
                .type = d->block.act,
                .BT = count,
                .T = e->together,
                .clips = e->clips,
                .S = S,
                .R = d->R,
                .D = D,
                .tokens = in->tokens + first * S,
                .before = in->before ? in->before + first * S : NULL,
                .has_action = in->has_action + first,
                .branch_id = in->branch,
                .v_first = tokens.first,
                .v_count = tokens.count,
                .branches = d->branches,
                .dx = (const char *)dx + (size_t)(first * d->N * D) * kern_dtype_size(d->block.act),
                .daction_emb = e->daction_emb + first * D,
                .dtable = train_gradient(e->w, e->p->token),
                .dno_action = place_of(e, rest, e->p->no_action),
                .dbranch = place_of(e, rest, e->p->branch),
                .dreg = place_of(e, rest, e->p->reg),
                .view_of = e->view_of,
                .views = d->views.n,
                .dview = e->view_of ? place_of(e, rest, e->p->view) : NULL,
                .dbefore_table = in->before ? train_gradient(e->w, e->p->before) : NULL}));
  return kern_matmul_bwd_w(e->k,
                           &(kern_matmul_bwd_w_args){.type = KERN_F32,
                                                     .M = count,
                                                     .N = D,
                                                     .K = 2 * d->A,
                                                     .dy = e->daction_emb + first * D,
                                                     .x = in->action + first * 2 * d->A,
                                                     .dw = train_gradient(e->w, e->p->action_w),
                                                     .dbias = place_of(e, rest, e->p->action_b)});
}

// A leaf's own sums, then those of the leaves before it and its.
static orr_code backward_leaf(const train_embed *e, const train_embed_inputs *in, const void *dx,
                              int64_t leaf) {
  const int64_t frames = e->frames / e->rows->leaves, n = rest_elements(e);
  if (leaf == 0) return backward_frames(e, in, dx, 0, frames, NULL);
  ORR_TRY(kern_fill(
      e->k, &(kern_fill_args){.x = e->leaf_grad, .bytes = (size_t)n * sizeof *e->leaf_grad}));
  ORR_TRY(backward_frames(e, in, dx, leaf * frames, frames, e->leaf_grad - e->p->action_b));
  return kern_axpby(e->k, &(kern_axpby_args){.type = KERN_F32,
                                             .n = n,
                                             .a = 1.0f,
                                             .b = 1.0f,
                                             .x = e->leaf_grad,
                                             .y = train_gradient(e->w, e->p->action_b)});
}

orr_code train_embed_backward(const train_embed *e, const train_embed_inputs *in, const void *dx) {
  const void *all;
  ORR_TRY(train_rows_gather(e->rows, e->d->block.act, e->d->block.D, dx, &all));
  if (!e->rows->leaves) return backward_frames(e, in, all, 0, e->frames, NULL);
  for (int64_t i = 0; i < e->rows->leaves; i++) ORR_TRY(backward_leaf(e, in, all, i));
  return ORR_OK;
}
