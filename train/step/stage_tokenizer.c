#include <string.h>

#include "base/mem.h"
#include "train/step/stage.h"
#include "train/model/tokenizer.h"

typedef struct {
  train_stage base;
  train_tokenizer_dims d;
  train_tokenizer_params p;
  train_tokenizer *model;
  train_part part;                   // of a clip's frames, on this rank of cp
  int64_t frame_values;              // height * width * 3
  uint8_t *frames[TRAIN_INPUT_SETS]; // [clips*part,height,width,3], micro-batch by micro-batch
} tokenizer_stage;

static int64_t input_bytes(const tokenizer_stage *s, int64_t clips) {
  return clips * s->part.count * s->frame_values;
}

static void stage_place_inputs(train_stage *base, orr_arena *arena, int set) {
  tokenizer_stage *s = (tokenizer_stage *)base;
  s->frames[set] = orr_arena_take(arena, (size_t)input_bytes(s, base->clips));
}

static orr_code stage_place(train_stage *base) {
  return train_tokenizer_place_both(((tokenizer_stage *)base)->model, &base->activations,
                                    &base->exchange);
}

// Frames of a micro-batch lie clip by clip; with run.exact in order of time, so that halves of the
// clips lie side by side.
static int64_t place_of(const tokenizer_stage *s, int64_t clip, int64_t t) {
  const int64_t micro = clip / s->base.micro, in = clip % s->base.micro,
                at = s->base.axes->exact ? t * s->base.micro + in : in * s->part.count + t;
  return micro * s->base.micro * s->part.count + at;
}

static orr_code stage_prepare(train_stage *base, const data_clip_batch *b, train_batch_sums *sums) {
  tokenizer_stage *s = (tokenizer_stage *)base;
  const int64_t values = s->frame_values, T = base->c->data.frames,
                together = base->axes->exact ? 1 : s->part.count;
  for (int64_t clip = 0; clip < base->clips; clip++)
    for (int64_t t = 0; t < s->part.count; t += together)
      memcpy(s->frames[base->turn] + place_of(s, clip, t) * values,
             b->frames + (clip * T + s->part.first + t) * values, (size_t)(together * values));
  *sums = (train_batch_sums){.units = (double)input_bytes(s, base->clips)};
  return ORR_OK;
}

// Every batch is as much work as any other.
static void stage_foresee(train_stage *s) {}

// The frames of a micro-batch.
static train_frames frames_of(const tokenizer_stage *s, int64_t micro) {
  return (train_frames){.u8 = s->frames[TRAIN_INPUTS_ON_DEVICE] +
                              micro * input_bytes(s, s->base.micro)};
}

static orr_code stage_forward(train_stage *base, int64_t micro) {
  tokenizer_stage *s = (tokenizer_stage *)base;
  const train_frames f = frames_of(s, micro);
  return train_tokenizer_forward(s->model, &f);
}

static orr_code stage_backward(train_stage *base, int64_t micro, train_grad_ready_fn ready,
                               void *ctx) {
  tokenizer_stage *s = (tokenizer_stage *)base;
  const train_frames f = frames_of(s, micro);
  return train_tokenizer_loss(s->model, &f, &base->scalars[TRAIN_INPUTS_ON_DEVICE]->scale, true,
                              base->loss_sum, ready, ctx);
}

static void stage_destroy(train_stage *base) {
  tokenizer_stage *s = (tokenizer_stage *)base;
  train_tokenizer_destroy(s->model);
  orr_free(s->p.enc);
  train_stage_release(base);
  orr_free(s);
}

static orr_code stage_create(kern *k, const cfg *c, train_axes *axes, train_state *state,
                             int64_t clips, int64_t micro, train_stage **out) {
  orr_code rc;
  tokenizer_stage *s = orr_calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "tokenizer stage: out of memory");
  train_stage_init(&s->base, &train_stage_tokenizer, k, c, axes, state, clips, micro);
  train_tokenizer_dims_from(c, &s->d);
  train_block_dims_split(&s->d.block, axes);
  s->part = train_part_of(c->data.frames, train_axes_size(axes, DIST_AXIS_CP),
                          train_axes_rank(axes, DIST_AXIS_CP));
  s->frame_values = s->d.S * s->d.P;
  ORR_TRY_GOTO(train_tokenizer_list(&s->d, &state->params, &s->p), fail);
  ORR_TRY_GOTO(train_tokenizer_create(k, &s->d, &s->p, &state->weights, micro * s->part.count,
                                      train_block_keep(c), &s->model),
               fail);
  s->base.tokens_per_clip = (double)(c->data.frames * s->d.S);
  s->base.frames_per_clip = (double)c->data.frames;
  s->base.flops_per_clip = (double)c->data.frames * train_tokenizer_flops(&s->d);
  *out = &s->base;
  return ORR_OK;
fail:
  stage_destroy(&s->base);
  return rc;
}

static orr_code stage_list(const cfg *c, train_axes *axes, train_params *out) {
  train_tokenizer_dims d;
  train_tokenizer_params p = {0};
  train_tokenizer_dims_from(c, &d);
  train_block_dims_split(&d.block, axes);
  orr_code rc = train_tokenizer_list(&d, out, &p);
  orr_free(p.enc);
  return rc;
}

const train_stage_ops train_stage_tokenizer = {.name = "tokenizer",
                                               .list = stage_list,
                                               .create = stage_create,
                                               .place_inputs = stage_place_inputs,
                                               .place = stage_place,
                                               .prepare = stage_prepare,
                                               .foresee = stage_foresee,
                                               .forward = stage_forward,
                                               .backward = stage_backward,
                                               .destroy = stage_destroy};
