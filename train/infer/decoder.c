#include "train/infer/decoder.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/rng.h"
#include "train/model/embed.h"
#include "train/infer/ring.h"
#include "train/model/rope.h"
#include "train/model/constants.h"

typedef struct {
  float confidence;
  int32_t position;
} ranked;

// What the host says about a frame.
typedef struct {
  int32_t *tokens;            // [B,S]
  float *action;              // [B,2A]
  uint8_t *has_action;        // [B]
  int32_t *branch;            // [B]
  float *cos_, *sin_;         // [K/2] of this frame
  float *sink_cos, *sink_sin; // [K/2] of frame 0 as it sees it
  uint64_t *sample;           // [B]
} frame_inputs;

// What it hears about it.
typedef struct {
  int32_t *code;   // [B,S]
  float *log_prob; // [B,S]
} frame_draws;

struct train_decoder {
  kern *k;
  train_dynamics_dims d;
  const train_dynamics_params *p;
  const train_weights *w;
  train_decoder_options o;
  train_rows stream; // B*N rows
  int64_t rows;      // B*S rounded up to chunks of the head
  int64_t frame;
  train_rope space;
  train_ring *ring;
  orr_arena arena;
  // Both sides of the border between host and device, laid out alike.
  orr_arena inputs, draws, host_inputs, host_draws;
  frame_inputs in, host_in;
  frame_draws out, host_out;
  train_block_shape space_shape, time_shape;
  train_block_acts acts;
  void *x[2];
  train_embed embed;
  train_head head;
  int32_t *row; // [rows] row numbers of the S positions
  int32_t *host_row;
  float *logits; // [rows,V]
  ranked *order; // [S], on the host
};

static void place_inputs(const train_decoder *m, orr_arena *a, frame_inputs *in) {
  const size_t B = (size_t)m->o.B, half = (size_t)(m->d.block.K / 2) * sizeof(float);
  in->tokens = orr_arena_take(a, B * (size_t)m->d.S * sizeof *in->tokens);
  in->action = orr_arena_take(a, B * 2 * (size_t)m->d.A * sizeof *in->action);
  in->has_action = orr_arena_take(a, B);
  in->branch = orr_arena_take(a, B * sizeof *in->branch);
  in->cos_ = orr_arena_take(a, half);
  in->sin_ = orr_arena_take(a, half);
  in->sink_cos = orr_arena_take(a, half);
  in->sink_sin = orr_arena_take(a, half);
  in->sample = orr_arena_take(a, B * sizeof *in->sample);
}

static void place_draws(const train_decoder *m, orr_arena *a, frame_draws *out) {
  const size_t positions = (size_t)(m->o.B * m->d.S);
  out->code = orr_arena_take(a, positions * sizeof *out->code);
  out->log_prob = orr_arena_take(a, positions * sizeof *out->log_prob);
}

static orr_code place(train_decoder *m) {
  const train_block_dims *b = &m->d.block;
  const size_t row = (size_t)b->D * kern_dtype_size(b->act), rows = (size_t)m->rows;
  orr_arena *a = &m->arena;
  train_block_acts_take(&m->acts, b, &(train_block_shape){.M = m->stream.M}, a);
  for (int i = 0; i < 2; i++) m->x[i] = orr_arena_take(a, (size_t)m->stream.M * row);
  train_embed_place(&m->embed, false, a);
  train_ring_place(m->ring, a);
  train_head_place_logits(&m->head, a);
  m->logits = orr_arena_take(a, rows * (size_t)m->d.V * sizeof(float));
  place_inputs(m, &m->inputs, &m->in);
  place_inputs(m, &m->host_inputs, &m->host_in);
  place_draws(m, &m->draws, &m->out);
  place_draws(m, &m->host_draws, &m->host_out);
  ORR_TRY(train_constants_place(m->k, a, m->host_row, rows * sizeof *m->row, (void **)&m->row));
  return train_rope_place(&m->space, m->k, a);
}

static orr_code take_memory(train_decoder *m) {
  orr_arena *const all[] = {&m->arena, &m->inputs, &m->draws, &m->host_inputs, &m->host_draws};
  ORR_TRY(place(m));
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) ORR_TRY(orr_arena_commit(all[i]));
  ORR_TRY(place(m));
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) ORR_TRY(orr_arena_check(all[i]));
  return ORR_OK;
}

static orr_code take_tables(train_decoder *m) {
  const int64_t S = m->d.S, N = m->d.N;
  m->host_row = orr_calloc((size_t)m->rows, sizeof *m->host_row);
  m->order = orr_calloc((size_t)S, sizeof *m->order);
  ORR_CHECK(m->host_row && m->order, ORR_ENOMEM, "decoder: out of memory");
  for (int64_t i = 0; i < m->rows; i++)
    m->host_row[i] = i < m->o.B * S ? (int32_t)(i / S * N + 1 + i % S) : -1;
  ORR_TRY(train_rope_space(&m->space, 1, m->d.rows, m->d.cols, m->d.R, m->d.block.K));
  return train_ring_create(m->k, &m->d, m->stream.M, m->o.window, &m->ring);
}

// Embedding and head. One frame of every clip; a head of fewer rows than a chunk has is one chunk.
static void init_ends(train_decoder *m) {
  const int64_t B = m->o.B, positions = B * m->d.S,
                C = positions < TRAIN_LOSS_ROWS ? positions : TRAIN_LOSS_ROWS;
  m->rows = (positions + C - 1) / C * C;
  m->embed = (train_embed){.k = m->k,
                           .d = &m->d,
                           .p = m->p,
                           .w = m->w,
                           .clips = B,
                           .frames = B,
                           .together = 1,
                           .rows = &m->stream};
  m->head = (train_head){.k = m->k,
                         .w = m->w,
                         .d = m->d.block,
                         .norm = m->p->norm,
                         .head = m->p->head,
                         .codes = train_head_codes(m->d.block.axes, m->d.V),
                         .C = C};
}

// After the tables, whose places they hold.
static void init_shapes(train_decoder *m) {
  const int64_t N = m->d.N;
  m->space_shape = (train_block_shape){
      .M = m->stream.M,
      .seq = {.seqs = m->o.B, .L = N, .inner = 1, .outer_stride = N, .pos_stride = 1},
      .cos = m->space.cos_,
      .sin = m->space.sin_,
      .pos_div = 1,
      .pos_mod = N};
  // One frame: all rows share one position.
  m->time_shape = (train_block_shape){
      .M = m->stream.M, .cos = m->in.cos_, .sin = m->in.sin_, .pos_div = m->stream.M, .pos_mod = 1};
}

static void init_arenas(train_decoder *m) {
  kern_arena_init(m->k, &m->arena, "rollout");
  kern_arena_init(m->k, &m->inputs, "rollout inputs");
  kern_arena_init(m->k, &m->draws, "rollout draws");
  kern_arena_init_pinned(m->k, &m->host_inputs, "staged rollout inputs");
  kern_arena_init_pinned(m->k, &m->host_draws, "staged rollout draws");
}

int64_t train_decoder_window(const cfg *c, int64_t frames) {
  const int64_t trained = c->data.frames > 2 ? c->data.frames - 1 : 1;
  int64_t window = c->model.window;
  if (window > trained) window = trained;
  return window < frames ? window : frames;
}

orr_code train_decoder_create(kern *k, const train_dynamics_dims *d, const train_dynamics_params *p,
                              const train_weights *w, const train_decoder_options *o,
                              train_decoder **out) {
  orr_code rc;
  train_decoder *m = orr_calloc(1, sizeof *m);
  ORR_CHECK(m, ORR_ENOMEM, "decoder: out of memory");
  *m = (train_decoder){.k = k, .d = *d, .p = p, .w = w, .o = *o};
  m->stream = (train_rows){.M = o->B * d->N, .rows = o->B * d->N};
  init_ends(m);
  init_arenas(m);
  ORR_CHECK_GOTO(o->window >= 1 && o->steps >= 1, fail, ORR_EINVAL,
                 "rollout of window %" PRId64 " and %" PRId64
                 " passes a frame: both must be at least 1",
                 o->window, o->steps);
  ORR_CHECK_GOTO(m->stream.M <= INT32_MAX, fail, ORR_EINVAL,
                 "rollout of %" PRId64 " clips with %" PRId64 " tokens a frame: %" PRId64
                 " rows, kernels count to %d: "
                 "fewer clips at once",
                 o->B, d->N, m->stream.M, INT32_MAX);
  ORR_TRY_GOTO(take_tables(m), fail);
  ORR_TRY_GOTO(take_memory(m), fail);
  init_shapes(m);
  *out = m;
  return ORR_OK;
fail:
  train_decoder_destroy(m);
  return rc;
}

void train_decoder_destroy(train_decoder *m) {
  if (!m) return;
  orr_arena_release(&m->host_draws);
  orr_arena_release(&m->host_inputs);
  orr_arena_release(&m->draws);
  orr_arena_release(&m->inputs);
  orr_arena_release(&m->arena);
  train_ring_destroy(m->ring);
  train_rope_release(&m->space);
  orr_free(m->order);
  orr_free(m->host_row);
  orr_free(m);
}

orr_code train_decoder_reset(train_decoder *m, const uint64_t *sample) {
  ORR_TRY(kern_sync(m->k)); // the copy of the last frame's inputs has passed
  m->frame = 0;
  memcpy(m->host_in.sample, sample, (size_t)m->o.B * sizeof *sample);
  return ORR_OK;
}

int64_t train_decoder_frame(const train_decoder *m) {
  return m->frame;
}

// What is known about the frame, on its way.
static orr_code send_inputs(train_decoder *m) {
  return kern_copy(m->k, &(kern_copy_args){.dst = m->inputs.base,
                                           .src = m->host_inputs.base,
                                           .bytes = m->inputs.used,
                                           .way = KERN_COPY_IN});
}

static orr_code begin_frame(train_decoder *m, const int32_t *tokens,
                            const train_decoder_input *in) {
  const int64_t t = m->frame, K = m->d.block.K, B = m->o.B;
  const frame_inputs *to = &m->host_in;
  ORR_TRY(kern_sync(m->k));
  memcpy(to->tokens, tokens, (size_t)(B * m->d.S) * sizeof *tokens);
  memcpy(to->action, in->action, (size_t)(B * 2 * m->d.A) * sizeof *to->action);
  memcpy(to->has_action, in->has_action, (size_t)B);
  memcpy(to->branch, in->branch, (size_t)B * sizeof *to->branch);
  train_rope_time_row((double)t, K, to->cos_, to->sin_);
  // Once frame 0 has left the window, its keys turn on with the rollout.
  const bool turns = t >= m->o.window && t > 0;
  if (turns) train_rope_time_row((double)(t - m->o.window), K, to->sink_cos, to->sink_sin);
  ORR_TRY(send_inputs(m));
  return turns ? train_ring_turn_sink(m->ring, m->p, m->w, m->in.sink_cos, m->in.sink_sin) : ORR_OK;
}

// One pass of the current frame through all blocks; the result is in m->x[layers % 2].
static orr_code pass(train_decoder *m, bool keep) {
  const frame_inputs *in = &m->in;
  const train_embed_inputs what = {.tokens = in->tokens,
                                   .action = in->action,
                                   .has_action = in->has_action,
                                   .branch = in->branch};
  ORR_TRY(train_embed_forward(&m->embed, &what, m->x[0]));
  for (int64_t i = 0; i < m->d.layers; i++) {
    const train_block block = {.k = m->k, .d = &m->d.block, .p = &m->p->blocks[i], .w = m->w};
    m->acts.x = m->x[i % 2];
    void *out = m->x[(i + 1) % 2];
    if (!train_dynamics_is_time(&m->d, i)) {
      ORR_TRY(train_block_forward(&block, &m->space_shape, &m->acts, out));
      continue;
    }
    ORR_TRY(train_block_before(&block, &m->time_shape, &m->acts));
    ORR_TRY(train_ring_attend(m->ring, i, m->frame, &m->acts));
    if (keep) ORR_TRY(train_ring_keep(m->ring, i, m->frame, &m->acts));
    ORR_TRY(train_block_after(&block, &m->time_shape, &m->acts, out));
  }
  return ORR_OK;
}

static orr_code head(train_decoder *m) {
  for (int64_t at = 0; at < m->rows; at += m->head.C)
    ORR_TRY(
        train_head_logits(&m->head, m->x[m->d.layers % 2], m->row + at, m->logits + at * m->d.V));
  return ORR_OK;
}

orr_code train_decoder_logits(train_decoder *m, const int32_t *tokens,
                              const train_decoder_input *in, float *logits) {
  ORR_TRY(begin_frame(m, tokens, in));
  ORR_TRY(pass(m, false));
  ORR_TRY(head(m));
  ORR_TRY(kern_copy(m->k,
                    &(kern_copy_args){.dst = logits,
                                      .src = m->logits,
                                      .bytes = (size_t)(m->o.B * m->d.S * m->d.V) * sizeof *logits,
                                      .way = KERN_COPY_OUT}));
  return kern_sync(m->k);
}

orr_code train_decoder_push(train_decoder *m, const int32_t *tokens,
                            const train_decoder_input *in) {
  ORR_TRY(begin_frame(m, tokens, in));
  ORR_TRY(pass(m, true));
  m->frame++;
  return ORR_OK;
}

static int by_confidence(const void *a, const void *b) {
  const ranked *x = a, *y = b;
  if (x->confidence != y->confidence) return x->confidence < y->confidence ? 1 : -1;
  return x->position < y->position ? -1 : 1;
}

// Keeps the most confident of clip b's masked positions, so that `left` stay masked. The Gumbel
// noise on the confidence fades with the passes: early choices are spread over the frame.
static void keep_confident(train_decoder *m, int64_t b, int64_t step, int64_t left) {
  const int64_t S = m->d.S, V = m->d.V;
  const double noise = m->o.choice_temperature * (1.0 - (double)(step + 1) / (double)m->o.steps);
  const float *log_prob = m->host_out.log_prob + b * S;
  int32_t *tokens = m->host_in.tokens + b * S;
  int64_t n = 0;
  for (int64_t s = 0; s < S; s++) {
    if (tokens[s] != V) continue;
    double u = orr_rng_uniform(m->o.seed, ORR_STREAM_CHOICE, m->host_in.sample[b],
                               (uint64_t)((m->frame * m->o.steps + step) * S + s));
    double gumbel = -log(-log(u + 1e-12) + 1e-12);
    m->order[n++] =
        (ranked){.confidence = (float)(log_prob[s] + noise * gumbel), .position = (int32_t)s};
  }
  qsort(m->order, (size_t)n, sizeof *m->order, by_confidence);
  for (int64_t i = 0; i < n - left; i++) {
    const int64_t at = m->order[i].position;
    tokens[at] = m->host_out.code[b * S + at];
  }
}

// A code for every position of the frame, and its log probability, to the host.
static orr_code draw(train_decoder *m, int64_t step) {
  const int64_t S = m->d.S, V = m->d.V;
  ORR_TRY(kern_sample(
      m->k, &(kern_sample_args){.M = m->o.B * S,
                                .V = V,
                                .rows_per_sample = S,
                                .logits = m->logits,
                                .temperature = (float)m->o.temperature,
                                .seed = m->o.seed,
                                .sample = m->in.sample,
                                .position0 = (uint64_t)((m->frame * m->o.steps + step) * S * V),
                                .code = m->out.code,
                                .log_prob = m->out.log_prob}));
  ORR_TRY(kern_copy(m->k, &(kern_copy_args){.dst = m->host_draws.base,
                                            .src = m->draws.base,
                                            .bytes = m->draws.used,
                                            .way = KERN_COPY_OUT}));
  return kern_sync(m->k);
}

orr_code train_decoder_next(train_decoder *m, const train_decoder_input *in, int32_t *tokens) {
  const int64_t B = m->o.B, S = m->d.S, steps = m->o.steps;
  for (int64_t i = 0; i < B * S; i++) tokens[i] = (int32_t)m->d.V;
  ORR_TRY(begin_frame(m, tokens, in));
  for (int64_t step = 0; step < steps; step++) {
    ORR_TRY(pass(m, false));
    ORR_TRY(head(m));
    ORR_TRY(draw(m, step));
    const double share = cos(0.5 * 3.14159265358979323846 * (double)(step + 1) / (double)steps);
    int64_t left = step + 1 == steps ? 0 : (int64_t)floor((double)S * share);
    for (int64_t b = 0; b < B; b++) keep_confident(m, b, step, left);
    ORR_TRY(send_inputs(m));
  }
  memcpy(tokens, m->host_in.tokens, (size_t)(B * S) * sizeof *tokens);
  ORR_TRY(pass(m, true));
  m->frame++;
  return ORR_OK;
}
