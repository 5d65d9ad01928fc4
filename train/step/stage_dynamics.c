#include <math.h>

#include "base/mem.h"
#include "train/model/exact.h"
#include "train/model/masking.h"
#include "train/step/stage.h"

// Inputs of the whole local batch, micro-batch by micro-batch: T_cp frames of every clip.
typedef struct {
  int32_t *tokens;     // [clips*T_cp,S]
  int32_t *before;     // [clips*T_cp,S], where the model asks for it
  float *action;       // [clips*T_cp,2A]
  uint8_t *has_action; // [clips*T_cp]
  int32_t *branch;     // [clips]
  int32_t *masked_row; // [micros,capacity]
  int32_t *target;     // [micros,capacity]
  float *weight;       // [micros,capacity]; NULL: all losses count alike
  // Targets of the heads on registers; NULL where there is no such head.
  int32_t *bin[TRAIN_OUTCOMES][2]; // [clips*T_cp]
  float *share[TRAIN_OUTCOMES][2]; // [clips*T_cp]
  // Of frames whose codes the model draws itself; NULL without model.own_codes.
  int32_t *given;                          // [clips*T_cp,S] what it draws them from
  int32_t *own_row, *place, *before_place; // [micros,capacity]
  uint64_t *seed, *sample, *draw;          // [micros,capacity]
  float *temperature;                      // [micros,capacity]
} dynamics_inputs;

typedef struct {
  train_stage base;
  train_dynamics_dims d;
  train_dynamics_params p;
  train_dynamics *model;
  train_masking masking;
  train_dynamics_frames frames;
  int64_t T, micros, capacity;          // capacity: masked rows of a micro-batch
  int64_t leaves, leaf_capacity, chunk; // parts of these, one without run.exact; rows of a chunk
  dynamics_inputs inputs[TRAIN_INPUT_SETS];
  int64_t unit;                  // of their number where steps are captured
  int64_t *masked, *masked_rows; // [micros,leaves] positions, and rows with padding
  int64_t *own, *own_rows;       // [micros] likewise of own codes
} dynamics_stage;

static bool weighs(const dynamics_stage *s) {
  return s->masking.change_weight != 1.0;
}

static void place_own(const dynamics_stage *s, orr_arena *arena, dynamics_inputs *in) {
  const size_t positions = (size_t)(s->base.clips * s->frames.count * s->d.S),
               rows = (size_t)(s->micros * s->capacity);
  if (!s->d.own_codes) return;
  in->given = orr_arena_take(arena, positions * sizeof *in->given);
  in->own_row = orr_arena_take(arena, rows * sizeof *in->own_row);
  in->place = orr_arena_take(arena, rows * sizeof *in->place);
  in->before_place = orr_arena_take(arena, rows * sizeof *in->before_place);
  in->seed = orr_arena_take(arena, rows * sizeof *in->seed);
  in->sample = orr_arena_take(arena, rows * sizeof *in->sample);
  in->draw = orr_arena_take(arena, rows * sizeof *in->draw);
  in->temperature = orr_arena_take(arena, rows * sizeof *in->temperature);
}

static void stage_place_inputs(train_stage *base, orr_arena *arena, int set) {
  dynamics_stage *s = (dynamics_stage *)base;
  dynamics_inputs *in = &s->inputs[set];
  const size_t frames = (size_t)(base->clips * s->frames.count),
               rows = (size_t)(s->micros * s->capacity);
  in->tokens = orr_arena_take(arena, frames * (size_t)s->d.S * sizeof *in->tokens);
  if (s->d.before) in->before = orr_arena_take(arena, frames * (size_t)s->d.S * sizeof *in->before);
  in->action = orr_arena_take(arena, frames * 2 * (size_t)s->d.A * sizeof *in->action);
  in->has_action = orr_arena_take(arena, frames);
  in->branch = orr_arena_take(arena, (size_t)base->clips * sizeof *in->branch);
  in->masked_row = orr_arena_take(arena, rows * sizeof *in->masked_row);
  in->target = orr_arena_take(arena, rows * sizeof *in->target);
  place_own(s, arena, in);
  in->weight = weighs(s) ? orr_arena_take(arena, rows * sizeof *in->weight) : NULL;
  for (int i = 0; i < 2 * TRAIN_OUTCOMES; i++) {
    if (!s->d.outcome[i / 2]) continue;
    in->bin[i / 2][i % 2] = orr_arena_take(arena, frames * sizeof(int32_t));
    in->share[i / 2][i % 2] = orr_arena_take(arena, frames * sizeof(float));
  }
}

static orr_code stage_place(train_stage *base) {
  dynamics_stage *s = (dynamics_stage *)base;
  return train_dynamics_place_both(s->model, &base->activations, &base->exchange);
}

static int64_t rounded_up(int64_t rows, int64_t unit) {
  return (rows + unit - 1) / unit * unit;
}

// All micro-batches have as many rows.
static void take_shape(dynamics_stage *s, int64_t shape) {
  const int64_t rows = (shape + 1) * s->unit;
  s->base.shape = shape;
  for (int64_t i = 0; i < s->micros * s->leaves; i++)
    s->masked_rows[i] = rows < s->leaf_capacity ? rows : s->leaf_capacity;
}

// From the numbers of masked positions to those of rows. Where steps are captured all micro-batches
// take as many as the longest one, rounded up so that a run meets few shapes.
static void settle_rows(dynamics_stage *s) {
  int64_t most = 1;
  for (int64_t i = 0; i < s->micros * s->leaves; i++) {
    if (most < s->masked[i]) most = s->masked[i];
    s->masked_rows[i] = rounded_up(s->masked[i], s->chunk);
    // A leaf's gradient is there, if only as zeros.
    if (s->base.axes->exact && s->masked_rows[i] == 0) s->masked_rows[i] = s->chunk;
  }
  if (s->base.k->can_capture) take_shape(s, rounded_up(most, s->unit) / s->unit - 1);
}

// The frames of leaf `leaf`, of every clip.
static train_masking masking_of(const dynamics_stage *s, int64_t leaf) {
  train_masking m = s->masking;
  m.frames = s->frames.count / s->leaves;
  m.first += leaf * m.frames;
  return m;
}

// Masks of leaf `leaf` of micro-batch `micro`; returns its number of masked positions.
static int64_t prepare_leaf(dynamics_stage *s, const data_clip_batch *b, int64_t micro,
                            int64_t leaf) {
  const dynamics_inputs *in = &s->inputs[s->base.turn];
  const train_masking masking = masking_of(s, leaf);
  const int64_t T = s->T, S = s->d.S, A = s->d.A,
                skipped = leaf * masking.frames * masking.frame_step, // frames before the leaf's
      first = micro * s->base.micro * s->frames.count + skipped,
                list = micro * s->capacity + leaf * s->leaf_capacity;
  int32_t *row = in->masked_row + list, *target = in->target + list;
  float *weight = in->weight ? in->weight + list : NULL;
  int64_t n = 0;
  for (int64_t i = 0; i < s->base.micro; i++) {
    const int64_t clip = micro * s->base.micro + i;
    train_masking_clip c = {.sample = b->sample[clip],
                            .tokens_in = b->tokens + clip * T * S,
                            .action_in = b->action + clip * T * A,
                            .valid_in = b->valid + clip * T * A,
                            .tokens = in->tokens + first * S,
                            .before = in->before ? in->before + first * S : NULL,
                            .given = in->given ? in->given + first * S : NULL,
                            .action = in->action + first * 2 * A,
                            .has_action = in->has_action + first};
    n += train_masking_apply(&masking, &c, i, row + n, target + n, weight ? weight + n : NULL);
    in->branch[clip] = b->branch[clip];
  }
  for (int64_t i = 0; i < n; i++) row[i] += (int32_t)(skipped * s->d.N);
  return n;
}

static void prepare_micro(dynamics_stage *s, const data_clip_batch *b, int64_t micro) {
  for (int64_t leaf = 0; leaf < s->leaves; leaf++)
    s->masked[micro * s->leaves + leaf] = prepare_leaf(s, b, micro, leaf);
}

// Where frame t of clip `clip`, both counted over all of this rank's, lies among the inputs.
static int64_t frame_of(const dynamics_stage *s, int64_t clip, int64_t t) {
  const int64_t micro = clip / s->base.micro, in = clip % s->base.micro;
  return micro * s->base.micro * s->frames.count + in * s->frames.clip_step +
         (t - s->frames.first) * s->frames.frame_step;
}

// Targets of head o; returns how many are known.
static double prepare_outcome(const dynamics_stage *s, train_outcome o, const float *values) {
  const dynamics_inputs *in = &s->inputs[s->base.turn];
  double known = 0.0;
  for (int64_t clip = 0; clip < s->base.clips; clip++)
    for (int64_t t = s->frames.first; t < s->frames.first + s->frames.count; t++) {
      const train_two_hot x =
          train_outcome_target(o, values ? values[clip * s->T + t] : (float)NAN);
      const int64_t at = frame_of(s, clip, t);
      for (int i = 0; i < 2; i++) {
        in->bin[o][i][at] = x.bin[i];
        in->share[o][i][at] = x.share[i];
      }
      known += x.bin[0] >= 0;
    }
  return known;
}

// Whether no frame of the same clip, on this rank, follows frame t.
static bool ends(const dynamics_stage *s, int64_t t) {
  return t + 1 == s->frames.first + s->frames.count ||
         (s->masking.piece && (t + 1) % s->masking.piece == 0);
}

// The row of micro-batch `micro` at frame `frame` of it and position p, which draws number `draw`.
static void add_own(dynamics_stage *s, int64_t micro, uint64_t sample, int64_t draw, int64_t frame,
                    int64_t p, bool last) {
  const dynamics_inputs *in = &s->inputs[s->base.turn];
  const int64_t at = micro * s->capacity + s->own[micro]++, S = s->d.S,
                first = micro * s->base.micro * s->frames.count;
  const bool context = in->tokens[(first + frame) * S + p] != s->d.V;
  in->own_row[at] = (int32_t)(frame * s->d.N + 1 + p);
  in->place[at] = context ? (int32_t)(frame * S + p) : -1;
  in->before_place[at] = last ? -1 : (int32_t)((frame + s->frames.frame_step) * S + p);
  in->seed[at] = s->masking.seed;
  in->sample[at] = sample;
  in->draw[at] = (uint64_t)draw;
  in->temperature[at] = 1.0f;
}

// Lists what the model draws itself, and pads the list.
static void list_own(dynamics_stage *s, const data_clip_batch *b, int64_t micro) {
  const dynamics_inputs *in = &s->inputs[s->base.turn];
  const train_dynamics_frames *f = &s->frames;
  s->own[micro] = 0;
  for (int64_t i = 0; i < s->base.micro; i++) {
    const uint64_t sample = b->sample[micro * s->base.micro + i];
    for (int64_t t = f->first; t < f->first + f->count; t++) {
      const int64_t frame = i * f->clip_step + (t - f->first) * f->frame_step;
      if (!train_masking_own(&s->masking, sample, t)) continue;
      for (int64_t p = 0; p < s->d.S; p++)
        add_own(s, micro, sample, t * s->d.S + p, frame, p, ends(s, t));
    }
  }
  s->own_rows[micro] = s->base.k->can_capture ? s->capacity : rounded_up(s->own[micro], s->chunk);
  for (int64_t r = s->own[micro]; r < s->own_rows[micro]; r++) {
    const int64_t at = micro * s->capacity + r;
    in->own_row[at] = in->place[at] = in->before_place[at] = -1;
    in->temperature[at] = 1.0f;
  }
}

// Rows that do not count.
static void pad_micro(dynamics_stage *s, int64_t micro) {
  const dynamics_inputs *in = &s->inputs[s->base.turn];
  for (int64_t leaf = 0; leaf < s->leaves; leaf++) {
    const int64_t of = micro * s->leaves + leaf,
                  list = micro * s->capacity + leaf * s->leaf_capacity;
    int32_t *row = in->masked_row + list, *target = in->target + list;
    for (int64_t i = s->masked[of]; i < s->masked_rows[of]; i++) row[i] = target[i] = -1;
  }
}

// Ranks of cp share clips: the first one counts for all.
static double bad_clips(const train_stage *s, const data_clip_batch *b) {
  int64_t n = 0;
  for (int64_t i = 0; b->bad && s->axes->grid.cp_i == 0 && i < b->B; i++) n += b->bad[i].count > 0;
  return (double)n;
}

// What the loss of the prepared batch is a mean over.
static double units_of(const dynamics_stage *s) {
  const dynamics_inputs *in = &s->inputs[s->base.turn];
  double units = 0.0;
  for (int64_t l = 0; l < s->micros * s->leaves; l++)
    for (int64_t i = 0; i < s->masked[l]; i++)
      units +=
          in->weight
              ? (double)
                    in->weight[l / s->leaves * s->capacity + l % s->leaves * s->leaf_capacity + i]
              : 1.0;
  return units;
}

static orr_code stage_prepare(train_stage *base, const data_clip_batch *b, train_batch_sums *sums) {
  dynamics_stage *s = (dynamics_stage *)base;
  s->masking.piece = base->frames;
  for (int64_t micro = 0; micro < s->micros; micro++) {
    prepare_micro(s, b, micro);
    if (s->d.own_codes) list_own(s, b, micro);
  }
  settle_rows(s);
  for (int64_t micro = 0; micro < s->micros; micro++) pad_micro(s, micro);
  *sums = (train_batch_sums){.units = units_of(s), .bad = bad_clips(base, b)};
  const float *const values[TRAIN_OUTCOMES] = {b->reward, b->done, b->progress};
  for (int o = 0; o < TRAIN_OUTCOMES; o++)
    if (s->d.outcome[o]) sums->outcomes[o] = prepare_outcome(s, (train_outcome)o, values[o]);
  return ORR_OK;
}

static void stage_widen(train_stage *base, int64_t shape) {
  dynamics_stage *s = (dynamics_stage *)base;
  take_shape(s, shape);
  for (int64_t micro = 0; micro < s->micros; micro++) pad_micro(s, micro);
}

// Masks depend on sample numbers alone.
static void stage_foresee(train_stage *base) {
  dynamics_stage *s = (dynamics_stage *)base;
  s->masking.piece = base->frames;
  for (int64_t micro = 0; micro < s->micros; micro++) {
    s->own[micro] = 0;
    for (int64_t leaf = 0; leaf < s->leaves; leaf++) s->masked[micro * s->leaves + leaf] = 0;
    for (int64_t i = 0; i < base->micro; i++) {
      const uint64_t sample =
          (uint64_t)train_axes_clip(base->axes, base->clips, micro * base->micro + i);
      for (int64_t leaf = 0; leaf < s->leaves; leaf++) {
        const train_masking masking = masking_of(s, leaf);
        s->masked[micro * s->leaves + leaf] += train_masking_count(&masking, sample);
      }
      for (int64_t t = s->frames.first; t < s->frames.first + s->frames.count; t++)
        if (train_masking_own(&s->masking, sample, t)) s->own[micro] += s->d.S;
    }
    s->own_rows[micro] = base->k->can_capture ? s->capacity : rounded_up(s->own[micro], s->chunk);
  }
  settle_rows(s);
}

// The inputs of a micro-batch.
static train_dynamics_batch batch_of(const dynamics_stage *s, int64_t micro) {
  const dynamics_inputs *in = &s->inputs[TRAIN_INPUTS_ON_DEVICE];
  const int64_t first = micro * s->base.micro * s->frames.count;
  train_dynamics_batch b = {.tokens = in->tokens + first * s->d.S,
                            .before = in->before ? in->before + first * s->d.S : NULL,
                            .action = in->action + first * 2 * s->d.A,
                            .has_action = in->has_action + first,
                            .branch = in->branch + micro * s->base.micro,
                            .masked_row = in->masked_row + micro * s->capacity,
                            .target = in->target + micro * s->capacity,
                            .weight = in->weight ? in->weight + micro * s->capacity : NULL,
                            .masked_rows = s->masked_rows[micro * s->leaves],
                            .leaf_capacity = s->leaf_capacity};
  for (int64_t leaf = 0; leaf < s->leaves; leaf++)
    b.leaf_rows[leaf] = s->masked_rows[micro * s->leaves + leaf];
  return b;
}

// Some of the context becomes what the model makes of the frames around it.
static orr_code draw_own(dynamics_stage *s, int64_t micro) {
  const dynamics_inputs *in = &s->inputs[TRAIN_INPUTS_ON_DEVICE];
  const int64_t S = s->d.S, at = micro * s->capacity,
                first = micro * s->base.micro * s->frames.count;
  train_dynamics_batch b = batch_of(s, micro);
  b.tokens = in->given + first * S;
  return train_dynamics_draw(
      s->model, &b,
      &(train_own_rows){.row = in->own_row + at,
                        .place = in->place + at,
                        .before_place = in->before_place + at,
                        .seed = in->seed + at,
                        .sample = in->sample + at,
                        .draw = in->draw + at,
                        .temperature = in->temperature + at,
                        .rows = s->own_rows[micro],
                        .places = s->base.micro * s->frames.count * S,
                        .tokens = in->tokens + first * S,
                        .before = in->before ? in->before + first * S : NULL});
}

static orr_code stage_forward(train_stage *base, int64_t micro) {
  dynamics_stage *s = (dynamics_stage *)base;
  const train_dynamics_batch b = batch_of(s, micro);
  if (base->frames) train_dynamics_take_frames(s->model, base->frames);
  if (s->d.own_codes) ORR_TRY(draw_own(s, micro));
  return train_dynamics_forward(s->model, &b);
}

static train_outcome_targets targets_of(const dynamics_stage *s, int64_t micro) {
  const dynamics_inputs *in = &s->inputs[TRAIN_INPUTS_ON_DEVICE];
  const int64_t first = micro * s->base.micro * s->frames.count;
  train_outcome_targets t = {.scale = s->base.scalars[TRAIN_INPUTS_ON_DEVICE]->outcome_scale,
                             .loss_sum = s->base.outcome_sum,
                             .stride = s->base.outcome_stride};
  for (int i = 0; i < 2 * TRAIN_OUTCOMES; i++) {
    if (!s->d.outcome[i / 2]) continue;
    t.bin[i / 2][i % 2] = in->bin[i / 2][i % 2] + first;
    t.share[i / 2][i % 2] = in->share[i / 2][i % 2] + first;
  }
  return t;
}

static orr_code stage_backward(train_stage *base, int64_t micro, train_grad_ready_fn ready,
                               void *ctx) {
  dynamics_stage *s = (dynamics_stage *)base;
  const train_outcome_targets targets = targets_of(s, micro);
  train_dynamics_batch b = batch_of(s, micro);
  if (base->outcomes) b.outcomes = &targets;
  return train_dynamics_loss(s->model, &b, &base->scalars[TRAIN_INPUTS_ON_DEVICE]->scale, true,
                             base->loss_sum, ready, ctx);
}

static void stage_destroy(train_stage *base) {
  dynamics_stage *s = (dynamics_stage *)base;
  train_dynamics_destroy(s->model);
  orr_free(s->p.blocks);
  orr_free(s->masked);
  train_stage_release(base);
  orr_free(s);
}

static orr_code stage_create(kern *k, const cfg *c, train_axes *axes, train_state *state,
                             int64_t clips, int64_t micro, train_stage **out) {
  orr_code rc;
  dynamics_stage *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "dynamics stage: out of memory");
  train_stage_init(&s->base, &train_stage_dynamics, k, c, axes, state, clips, micro);
  train_dynamics_dims_from(c, &s->d);
  train_block_dims_split(&s->d.block, axes);
  s->T = c->data.frames;
  s->frames = train_dynamics_frames_of(&s->d, micro, s->T);
  s->micros = clips / micro;
  s->masking = (train_masking){.T = s->T,
                               .S = s->d.S,
                               .A = s->d.A,
                               .V = s->d.V,
                               .N = s->d.N,
                               .full_mask = c->model.full_mask,
                               .corrupt = c->model.corrupt,
                               .action_drop = c->model.action_drop,
                               .change_weight = c->model.change_weight,
                               .own_codes = c->model.own_codes,
                               .blind = c->model.blind,
                               .seed = (uint64_t)c->run.seed,
                               .first = s->frames.first,
                               .frames = s->frames.count,
                               .clip_step = s->frames.clip_step,
                               .frame_step = s->frames.frame_step};
  s->base.outcome_weight[TRAIN_REWARD] = c->model.reward_weight;
  s->base.outcome_weight[TRAIN_DONE] = c->model.done_weight;
  s->base.outcome_weight[TRAIN_PROGRESS] = c->model.progress_weight;
  if (train_registers_any(&s->d)) s->base.outcomes = TRAIN_OUTCOMES;
  s->chunk = train_head_chunk(axes);
  s->leaves = axes->exact ? train_exact_leaves(axes) : 1;
  s->masked = orr_calloc((size_t)(s->micros * (2 * s->leaves + 2)), sizeof *s->masked);
  ORR_CHECK_GOTO(s->masked, fail, ORR_ENOMEM, "dynamics stage: out of memory");
  s->masked_rows = s->masked + s->micros * s->leaves;
  s->own = s->masked_rows + s->micros * s->leaves;
  s->own_rows = s->own + s->micros;
  ORR_TRY_GOTO(train_dynamics_list(&s->d, &state->params, &s->p), fail);
  ORR_TRY_GOTO(train_dynamics_create(k, &s->d, &s->p, &state->weights, micro, s->T,
                                     train_block_keep(c), &s->model),
               fail);
  s->leaf_capacity = train_dynamics_loss_capacity(s->model);
  s->capacity = s->leaves * s->leaf_capacity;
  s->unit =
      rounded_up(s->leaf_capacity, TRAIN_STAGE_MOST_SHAPES * s->chunk) / TRAIN_STAGE_MOST_SHAPES;
  if (k->can_capture) s->base.shapes = rounded_up(s->leaf_capacity, s->unit) / s->unit;
  // Until a step is foreseen or prepared: one chunk, whose shape all chunks have.
  for (int64_t i = 0; i < s->micros; i++) s->own_rows[i] = s->chunk;
  for (int64_t i = 0; i < s->micros * s->leaves; i++) s->masked_rows[i] = s->chunk;
  s->base.tokens_per_clip = (double)(s->T * s->d.N);
  s->base.frames_per_clip = (double)s->T;
  s->base.flops_per_clip = train_dynamics_flops(&s->d, 1, s->T);
  if (s->d.own_codes) s->base.flops_per_clip *= 4.0 / 3.0; // a forward pass more
  *out = &s->base;
  return ORR_OK;
fail:
  stage_destroy(&s->base);
  return rc;
}

static orr_code stage_list(const cfg *c, train_axes *axes, train_params *out) {
  train_dynamics_dims d;
  train_dynamics_params p = {0};
  train_dynamics_dims_from(c, &d);
  train_block_dims_split(&d.block, axes);
  orr_code rc = train_dynamics_list(&d, out, &p);
  orr_free(p.blocks);
  return rc;
}

const train_stage_ops train_stage_dynamics = {.name = "dynamics",
                                              .list = stage_list,
                                              .create = stage_create,
                                              .place_inputs = stage_place_inputs,
                                              .place = stage_place,
                                              .prepare = stage_prepare,
                                              .foresee = stage_foresee,
                                              .widen = stage_widen,
                                              .forward = stage_forward,
                                              .backward = stage_backward,
                                              .destroy = stage_destroy};
