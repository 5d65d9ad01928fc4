#include "train/decoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/rng.h"
#include "train/rope.h"

// Keys and values of one time block. Ring slots are [B*N, GK] each, by frame number modulo `slots`;
// the sink keeps its raw projections, to be rotated again as the rollout moves on.
typedef struct {
  void *ring_k, *ring_v; // [slots, M, GK]
  void *sink_qkv;        // [M,(H+2G)K]
  void *sink_qk;         // [M,(H+G)K]
} time_cache;

typedef struct {
  float confidence;
  int32_t position;
} ranked;

struct train_decoder {
  kern *k;
  train_dynamics_dims d;
  const train_dynamics_params *p;
  const train_weights *w;
  train_decoder_options o;
  int64_t M;           // B*N rows
  int64_t chunk, rows; // rows of the head at once; B*S rounded up to it
  int64_t slots;       // of the ring: window - 1
  int64_t frame;
  train_rope space;
  orr_arena arena;
  train_block_shape space_shape, time_shape;
  train_block_acts acts;
  void *x[2];
  float *action_emb;  // [B,D]
  float *cos_, *sin_; // [K/2] of this frame
  float *sink_cos, *sink_sin;
  float *sink_rstd;              // [M,H+G]
  time_cache *cache;             // [layers], used for time blocks
  const void **k_slot, **v_slot; // [slots + 2]
  int64_t *ldk, *ldv;
  int32_t *row;  // [rows] row numbers of the S positions
  void *xg, *yg; // [chunk,D]
  float *rstd;
  float *logits;          // [rows,V]
  int32_t *tokens, *code; // [B,S]
  float *log_prob;        // [B,S]
  ranked *order;          // [S]
  uint64_t *sample;       // [B]
};

static size_t esize(const train_decoder *m) {
  return kern_dtype_size(m->d.block.act);
}

static void *offset(const train_decoder *m, const void *p, int64_t elements) {
  return (unsigned char *)(uintptr_t)p + (size_t)elements * esize(m);
}

static bool is_time(const train_decoder *m, int64_t layer) {
  return (layer + 1) % m->d.time_every == 0;
}

static void place_caches(train_decoder *m) {
  const train_block_dims *b = &m->d.block;
  const size_t e = esize(m), M = (size_t)m->M, GK = (size_t)(b->G * b->K),
               HK = (size_t)(b->H * b->K);
  for (int64_t i = 0; i < m->d.layers; i++) {
    if (!is_time(m, i)) continue;
    time_cache *c = &m->cache[i];
    c->ring_k = orr_arena_take(&m->arena, (size_t)m->slots * M * GK * e);
    c->ring_v = orr_arena_take(&m->arena, (size_t)m->slots * M * GK * e);
    c->sink_qkv = orr_arena_take(&m->arena, M * (HK + 2 * GK) * e);
    c->sink_qk = orr_arena_take(&m->arena, M * (HK + GK) * e);
  }
}

static void place(train_decoder *m) {
  const train_block_dims *b = &m->d.block;
  const size_t e = esize(m), M = (size_t)m->M, D = (size_t)b->D, half = (size_t)(b->K / 2),
               BS = (size_t)(m->o.B * m->d.S);
  const size_t slots = (size_t)m->slots + 2, C = (size_t)m->chunk;
  orr_arena *a = &m->arena;
  train_block_acts_take(&m->acts, b, &(train_block_shape){.M = m->M}, a);
  for (int i = 0; i < 2; i++) m->x[i] = orr_arena_take(a, M * D * e);
  m->action_emb = orr_arena_take(a, (size_t)m->o.B * D * sizeof(float));
  m->cos_ = orr_arena_take(a, half * sizeof(float));
  m->sin_ = orr_arena_take(a, half * sizeof(float));
  m->sink_cos = orr_arena_take(a, half * sizeof(float));
  m->sink_sin = orr_arena_take(a, half * sizeof(float));
  m->sink_rstd = orr_arena_take(a, M * (size_t)(b->H + b->G) * sizeof(float));
  m->cache = orr_arena_take(a, (size_t)m->d.layers * sizeof *m->cache);
  m->k_slot = orr_arena_take(a, slots * sizeof *m->k_slot);
  m->v_slot = orr_arena_take(a, slots * sizeof *m->v_slot);
  m->ldk = orr_arena_take(a, slots * sizeof *m->ldk);
  m->ldv = orr_arena_take(a, slots * sizeof *m->ldv);
  m->row = orr_arena_take(a, (size_t)m->rows * sizeof *m->row);
  m->xg = orr_arena_take(a, C * D * e);
  m->yg = orr_arena_take(a, C * D * e);
  m->rstd = orr_arena_take(a, C * sizeof(float));
  m->logits = orr_arena_take(a, (size_t)(m->rows * m->d.V) * sizeof(float));
  m->tokens = orr_arena_take(a, BS * sizeof *m->tokens);
  m->code = orr_arena_take(a, BS * sizeof *m->code);
  m->log_prob = orr_arena_take(a, BS * sizeof *m->log_prob);
  m->order = orr_arena_take(a, (size_t)m->d.S * sizeof *m->order);
  m->sample = orr_arena_take(a, (size_t)m->o.B * sizeof *m->sample);
}

// The caches' addresses live in the arena themselves: their bytes are counted apart.
static orr_code take_memory(train_decoder *m) {
  time_cache *counted = orr_calloc((size_t)m->d.layers, sizeof *counted);
  ORR_CHECK(counted, ORR_ENOMEM, "decoder: out of memory");
  place(m);
  m->cache = counted;
  place_caches(m);
  orr_code rc = orr_arena_commit(&m->arena);
  if (rc == ORR_OK) {
    place(m);
    place_caches(m);
    rc = orr_arena_check(&m->arena);
  }
  orr_free(counted);
  return rc;
}

static void list_rows(train_decoder *m) {
  const int64_t S = m->d.S, N = m->d.N;
  for (int64_t i = 0; i < m->rows; i++)
    m->row[i] = i < m->o.B * S ? (int32_t)(i / S * N + 1 + i % S) : -1;
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
  *m = (train_decoder){
      .k = k, .d = *d, .p = p, .w = w, .o = *o, .M = o->B * d->N, .slots = o->window - 1};
  m->chunk = o->B * d->S < TRAIN_LOSS_ROWS ? o->B * d->S : TRAIN_LOSS_ROWS;
  m->rows = (o->B * d->S + m->chunk - 1) / m->chunk * m->chunk;
  orr_arena_init(&m->arena, "rollout");
  ORR_CHECK_GOTO(o->window >= 1 && o->steps >= 1, fail, ORR_EINVAL,
                 "rollout of window %lld and %lld passes a frame: both must be at least 1",
                 (long long)o->window, (long long)o->steps);
  ORR_CHECK_GOTO(m->M <= INT32_MAX, fail, ORR_EINVAL,
                 "rollout of %lld clips with %lld tokens a frame: %lld rows, kernels count to %d: "
                 "fewer clips at once",
                 (long long)o->B, (long long)d->N, (long long)m->M, INT32_MAX);
  ORR_TRY_GOTO(train_rope_space(&m->space, 1, d->rows, d->cols, d->R, d->block.K), fail);
  ORR_TRY_GOTO(take_memory(m), fail);
  list_rows(m);
  m->space_shape = (train_block_shape){.M = m->M,
                                       .seqs = o->B,
                                       .L = d->N,
                                       .inner = 1,
                                       .outer_stride = d->N,
                                       .pos_stride = 1,
                                       .cos = m->space.cos_,
                                       .sin = m->space.sin_,
                                       .pos_div = 1,
                                       .pos_mod = d->N};
  // One frame: all rows share one position.
  m->time_shape =
      (train_block_shape){.M = m->M, .cos = m->cos_, .sin = m->sin_, .pos_div = m->M, .pos_mod = 1};
  *out = m;
  return ORR_OK;
fail:
  train_decoder_destroy(m);
  return rc;
}

void train_decoder_destroy(train_decoder *m) {
  if (!m) return;
  orr_arena_release(&m->arena);
  train_rope_release(&m->space);
  orr_free(m);
}

void train_decoder_reset(train_decoder *m, const uint64_t *sample) {
  m->frame = 0;
  memcpy(m->sample, sample, (size_t)m->o.B * sizeof *sample);
}

int64_t train_decoder_frame(const train_decoder *m) {
  return m->frame;
}

// Once frame 0 has left the window, its keys turn on with the rollout.
static orr_code turn_sink(train_decoder *m, int64_t layer) {
  const train_block_dims *b = &m->d.block;
  const train_block_params *p = &m->p->blocks[layer];
  time_cache *c = &m->cache[layer];
  return kern_qknorm_rope_fwd(m->k, &(kern_qknorm_rope_fwd_args){.type = b->act,
                                                                 .M = m->M,
                                                                 .H = b->H,
                                                                 .G = b->G,
                                                                 .K = b->K,
                                                                 .qkv = c->sink_qkv,
                                                                 .q_w = m->w->master + p->q_norm,
                                                                 .k_w = m->w->master + p->k_norm,
                                                                 .cos = m->sink_cos,
                                                                 .sin = m->sink_sin,
                                                                 .pos_div = m->M,
                                                                 .pos_mod = 1,
                                                                 .qk = c->sink_qk,
                                                                 .rstd = m->sink_rstd});
}

static orr_code begin_frame(train_decoder *m) {
  const int64_t t = m->frame, K = m->d.block.K;
  train_rope_time_row((double)t, K, m->cos_, m->sin_);
  if (t < m->o.window || t == 0) return ORR_OK;
  train_rope_time_row((double)(t - m->o.window), K, m->sink_cos, m->sink_sin);
  for (int64_t i = 0; i < m->d.layers; i++)
    if (is_time(m, i)) ORR_TRY(turn_sink(m, i));
  return ORR_OK;
}

static void set_slot(train_decoder *m, int64_t i, const void *k, int64_t ldk, const void *v,
                     int64_t ldv) {
  m->k_slot[i] = k;
  m->v_slot[i] = v;
  m->ldk[i] = ldk;
  m->ldv[i] = ldv;
}

static orr_code time_attention(train_decoder *m, int64_t layer) {
  const train_block_dims *b = &m->d.block;
  const int64_t HK = b->H * b->K, GK = b->G * b->K, t = m->frame;
  const time_cache *c = &m->cache[layer];
  int64_t n = 0;
  if (t > 0)
    set_slot(m, n++, offset(m, c->sink_qk, HK), HK + GK, offset(m, c->sink_qkv, HK + GK),
             HK + 2 * GK);
  for (int64_t f = t - m->slots > 1 ? t - m->slots : 1; f < t; f++) {
    const int64_t at = f % m->slots * m->M * GK;
    set_slot(m, n++, offset(m, c->ring_k, at), GK, offset(m, c->ring_v, at), GK);
  }
  set_slot(m, n++, offset(m, m->acts.qk, HK), HK + GK, offset(m, m->acts.qkv, HK + GK),
           HK + 2 * GK);
  return kern_attention_decode(m->k, &(kern_attention_decode_args){.type = b->act,
                                                                   .M = m->M,
                                                                   .H = b->H,
                                                                   .G = b->G,
                                                                   .K = b->K,
                                                                   .slots = n,
                                                                   .q = m->acts.qk,
                                                                   .ldq = HK + GK,
                                                                   .ldo = HK,
                                                                   .k_slots = m->k_slot,
                                                                   .v_slots = m->v_slot,
                                                                   .ldk = m->ldk,
                                                                   .ldv = m->ldv,
                                                                   .o = m->acts.o});
}

// Keeps the current frame's keys and values of one time block.
static void keep_frame(train_decoder *m, int64_t layer) {
  const train_block_dims *b = &m->d.block;
  const int64_t HK = b->H * b->K, GK = b->G * b->K, t = m->frame;
  const size_t e = esize(m);
  time_cache *c = &m->cache[layer];
  if (t == 0) {
    memcpy(c->sink_qkv, m->acts.qkv, (size_t)(m->M * (HK + 2 * GK)) * e);
    memcpy(c->sink_qk, m->acts.qk, (size_t)(m->M * (HK + GK)) * e);
    return;
  }
  if (m->slots == 0) return;
  const int64_t at = t % m->slots * m->M;
  for (int64_t r = 0; r < m->M; r++) {
    memcpy(offset(m, c->ring_k, (at + r) * GK), offset(m, m->acts.qk, r * (HK + GK) + HK),
           (size_t)GK * e);
    memcpy(offset(m, c->ring_v, (at + r) * GK), offset(m, m->acts.qkv, r * (HK + 2 * GK) + HK + GK),
           (size_t)GK * e);
  }
}

static orr_code embed(train_decoder *m, const int32_t *tokens, const train_decoder_input *in) {
  const train_dynamics_dims *d = &m->d;
  const float *w = m->w->master;
  ORR_TRY(kern_matmul_fwd(m->k, &(kern_matmul_fwd_args){.type = KERN_F32,
                                                        .y_type = KERN_F32,
                                                        .M = m->o.B,
                                                        .N = d->block.D,
                                                        .K = 2 * d->A,
                                                        .x = in->action,
                                                        .w = w + m->p->action_w,
                                                        .bias = w + m->p->action_b,
                                                        .y = m->action_emb}));
  return kern_embed_fwd(m->k, &(kern_embed_fwd_args){.type = d->block.act,
                                                     .BT = m->o.B,
                                                     .T = 1,
                                                     .clips = m->o.B,
                                                     .S = d->S,
                                                     .R = d->R,
                                                     .D = d->block.D,
                                                     .tokens = tokens,
                                                     .has_action = in->has_action,
                                                     .branch_id = in->branch,
                                                     .action_emb = m->action_emb,
                                                     .table = w + m->p->token,
                                                     .no_action = w + m->p->no_action,
                                                     .branch = w + m->p->branch,
                                                     .reg = w + m->p->reg,
                                                     .v_first = 0,
                                                     .v_count = d->V + 1,
                                                     .x = m->x[0]});
}

// One pass of the current frame through all blocks; the result is in m->x[layers % 2].
static orr_code pass(train_decoder *m, const int32_t *tokens, const train_decoder_input *in,
                     bool keep) {
  ORR_TRY(embed(m, tokens, in));
  for (int64_t i = 0; i < m->d.layers; i++) {
    const train_block_params *p = &m->p->blocks[i];
    m->acts.x = m->x[i % 2];
    void *out = m->x[(i + 1) % 2];
    if (!is_time(m, i)) {
      ORR_TRY(train_block_forward(m->k, &m->d.block, p, m->w, &m->space_shape, &m->acts, out));
      continue;
    }
    ORR_TRY(train_block_before(m->k, &m->d.block, p, m->w, &m->time_shape, &m->acts));
    ORR_TRY(time_attention(m, i));
    if (keep) keep_frame(m, i); // takes the slot of a frame that was still seen
    ORR_TRY(train_block_after(m->k, &m->d.block, p, m->w, &m->time_shape, &m->acts, out));
  }
  return ORR_OK;
}

static orr_code head(train_decoder *m, float *logits) {
  const train_block_dims *b = &m->d.block;
  for (int64_t at = 0; at < m->rows; at += m->chunk) {
    ORR_TRY(kern_gather_rows(m->k, &(kern_gather_rows_args){.type = b->act,
                                                            .M = m->chunk,
                                                            .D = b->D,
                                                            .x = m->x[m->d.layers % 2],
                                                            .index = m->row + at,
                                                            .y = m->xg}));
    ORR_TRY(kern_rmsnorm_fwd(m->k, &(kern_rmsnorm_fwd_args){.type = b->act,
                                                            .M = m->chunk,
                                                            .D = b->D,
                                                            .x = m->xg,
                                                            .w = m->w->master + m->p->norm,
                                                            .y = m->yg,
                                                            .rstd = m->rstd}));
    ORR_TRY(kern_matmul_fwd(m->k, &(kern_matmul_fwd_args){.type = b->act,
                                                          .y_type = KERN_F32,
                                                          .M = m->chunk,
                                                          .N = m->d.V,
                                                          .K = b->D,
                                                          .x = m->yg,
                                                          .w = train_operand(m->w, m->p->head),
                                                          .y = logits + at * m->d.V}));
  }
  return ORR_OK;
}

orr_code train_decoder_logits(train_decoder *m, const int32_t *tokens,
                              const train_decoder_input *in, float *logits) {
  ORR_TRY(begin_frame(m));
  ORR_TRY(pass(m, tokens, in, false));
  return head(m, logits);
}

orr_code train_decoder_push(train_decoder *m, const int32_t *tokens,
                            const train_decoder_input *in) {
  ORR_TRY(begin_frame(m));
  ORR_TRY(pass(m, tokens, in, true));
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
  int64_t n = 0;
  for (int64_t s = 0; s < S; s++) {
    if (m->tokens[b * S + s] != V) continue;
    double u = orr_rng_uniform(m->o.seed, ORR_STREAM_CHOICE, m->sample[b],
                               (uint64_t)((m->frame * m->o.steps + step) * S + s));
    double gumbel = -log(-log(u + 1e-12) + 1e-12);
    m->order[n++] = (ranked){.confidence = (float)(m->log_prob[b * S + s] + noise * gumbel),
                             .position = (int32_t)s};
  }
  qsort(m->order, (size_t)n, sizeof *m->order, by_confidence);
  for (int64_t i = 0; i < n - left; i++) {
    const int64_t at = b * S + m->order[i].position;
    m->tokens[at] = m->code[at];
  }
}

orr_code train_decoder_next(train_decoder *m, const train_decoder_input *in, int32_t *tokens) {
  const int64_t B = m->o.B, S = m->d.S, V = m->d.V, steps = m->o.steps;
  ORR_TRY(begin_frame(m));
  for (int64_t i = 0; i < B * S; i++) m->tokens[i] = (int32_t)V;
  for (int64_t step = 0; step < steps; step++) {
    ORR_TRY(pass(m, m->tokens, in, false));
    ORR_TRY(head(m, m->logits));
    ORR_TRY(kern_sample(
        m->k, &(kern_sample_args){.M = B * S,
                                  .V = V,
                                  .rows_per_sample = S,
                                  .logits = m->logits,
                                  .temperature = (float)m->o.temperature,
                                  .seed = m->o.seed,
                                  .sample = m->sample,
                                  .position0 = (uint64_t)((m->frame * steps + step) * S * V),
                                  .code = m->code,
                                  .log_prob = m->log_prob}));
    const double share = cos(0.5 * 3.14159265358979323846 * (double)(step + 1) / (double)steps);
    int64_t left = step + 1 == steps ? 0 : (int64_t)floor((double)S * share);
    for (int64_t b = 0; b < B; b++) keep_confident(m, b, step, left);
  }
  ORR_TRY(pass(m, m->tokens, in, true));
  memcpy(tokens, m->tokens, (size_t)(B * S) * sizeof *tokens);
  m->frame++;
  return ORR_OK;
}
