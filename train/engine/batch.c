#include "train/engine/batch.h"

#include "base/mem.h"
#include "train/model/constants.h"

// -- memory -----------------------------------------------------------------------------------

static orr_code place(train_batch *b) {
  const train_block_dims *d = &b->d->block;
  const int64_t M = b->most * b->d->N, positions = b->most * b->d->S;
  const size_t row = (size_t)d->D * kern_dtype_size(d->act);
  orr_arena *a = &b->arena;
  train_block_acts_take(&b->acts, d, &(train_block_shape){.M = M}, NULL, a);
  for (int i = 0; i < 2; i++) b->x[i] = orr_arena_take(a, (size_t)M * row);
  ORR_TRY(train_embed_place(&b->embed, false, a));
  train_rings_place(&b->rings, a);
  train_head_place_logits(&b->head, a);
  ORR_TRY(train_registers_place(&b->registers, false, a));
  b->logits = orr_arena_take(a, (size_t)(positions * b->d->V) * sizeof(float));
  if (b->guidance > 0.0)
    b->without = orr_arena_take(a, (size_t)(positions * b->d->V) * sizeof(float));
  b->code = orr_arena_take(a, (size_t)positions * sizeof *b->code);
  b->log_prob = orr_arena_take(a, (size_t)positions * sizeof *b->log_prob);
  train_engine_side_place(&b->device, b->d, b->most, b->steps, b->memory);
  train_engine_side_place(&b->host, b->d, b->most, b->steps, b->memory);
  ORR_TRY(train_constants_place(b->k, a, b->host_row, (size_t)positions * sizeof *b->row,
                                (void **)&b->row));
  return train_rope_place(&b->space, b->k, a);
}

static orr_code take_memory(train_batch *b) {
  orr_arena *const all[] = {&b->arena, &b->device.arena, &b->host.arena};
  ORR_TRY(place(b));
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) ORR_TRY(orr_arena_commit(all[i]));
  ORR_TRY(place(b));
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) ORR_TRY(orr_arena_check(all[i]));
  return ORR_OK;
}

static void init_ends(train_batch *b) {
  const int64_t positions = b->most * b->d->S;
  b->embed = (train_embed){.k = b->k,
                           .d = b->d,
                           .p = b->p,
                           .w = b->w,
                           .clips = b->most,
                           .frames = b->most,
                           .together = 1,
                           .rows = &b->stream};
  b->head = (train_head){.k = b->k,
                         .w = b->w,
                         .d = b->d->block,
                         .norm = b->p->norm,
                         .head = b->p->head,
                         .codes = train_head_codes(b->d->block.axes, b->d->V),
                         .C = positions < TRAIN_LOSS_ROWS ? positions : TRAIN_LOSS_ROWS};
}

orr_code train_batch_init(train_batch *b, int64_t rings, int64_t places) {
  const int64_t S = b->d->S, N = b->d->N;
  kern_arena_init(b->k, &b->arena, "engine");
  kern_arena_init(b->k, &b->device.arena, "engine inputs");
  kern_arena_init_pinned(b->k, &b->host.arena, "staged engine inputs");
  init_ends(b);
  b->host_row = orr_calloc((size_t)(b->most * S), sizeof *b->host_row);
  b->graph = orr_calloc((size_t)b->steps + 1, sizeof *b->graph);
  ORR_CHECK(b->host_row && b->graph, ORR_ENOMEM, "engine: out of memory");
  ORR_TRY(train_embed_init(&b->embed));
  ORR_TRY(train_registers_init(&b->registers, b->k, b->d, b->p, b->w, b->most));
  for (int64_t i = 0; i < b->most * S; i++) b->host_row[i] = (int32_t)(i / S * N + 1 + i % S);
  ORR_TRY(
      train_rope_space(&b->space, 1, b->d->rows, b->d->cols, b->d->R, b->d->block.K, &b->d->views));
  ORR_TRY(train_rings_init(&b->rings, b->k, b->d, rings, places, b->pins));
  return take_memory(b);
}

void train_batch_release(train_batch *b) {
  for (int64_t i = 0; b->graph && i <= b->steps; i++) kern_graph_free(b->k, b->graph[i]);
  orr_arena_release(&b->host.arena);
  orr_arena_release(&b->device.arena);
  orr_arena_release(&b->arena);
  train_embed_release(&b->embed);
  train_registers_release(&b->registers);
  train_rings_release(&b->rings);
  train_rope_release(&b->space);
  orr_free(b->graph);
  orr_free(b->host_row);
}

// -- passes -----------------------------------------------------------------------------------

orr_code train_batch_begin(train_batch *b, int64_t n) {
  const int64_t N = b->d->N, M = n * N;
  ORR_TRY(kern_sync(b->k));
  b->B = n;
  b->stream = (train_rows){.M = M, .rows = M};
  b->embed.frames = b->embed.clips = b->registers.frames = n;
  b->space_shape = (train_block_shape){
      .M = M,
      .seq = {.seqs = n, .L = N, .inner = 1, .outer_stride = N, .pos_stride = 1},
      .cos = b->space.cos_,
      .sin = b->space.sin_,
      .pos_div = 1,
      .pos_mod = N};
  b->time_shape = (train_block_shape){
      .M = M, .cos = b->device.in.cos_, .sin = b->device.in.sin_, .pos_div = N, .pos_mod = n};
  return ORR_OK;
}

static orr_code send_inputs(train_batch *b) {
  return kern_copy(b->k, &(kern_copy_args){.dst = b->device.arena.base,
                                           .src = b->host.arena.base,
                                           .bytes = b->device.arena.used,
                                           .way = KERN_COPY_IN});
}

// What lies at the beginning up to `end`: what the heads on registers say, tokens, nll.
static orr_code fetch_until(train_batch *b, const void *end_of) {
  const unsigned char *end = end_of;
  return kern_copy(b->k, &(kern_copy_args){.dst = b->host.arena.base,
                                           .src = b->device.arena.base,
                                           .bytes = (size_t)(end - b->device.arena.base),
                                           .way = KERN_COPY_OUT});
}

static train_block block_of(const train_batch *b, int64_t layer) {
  return (train_block){.k = b->k, .d = &b->d->block, .p = &b->p->blocks[layer], .w = b->w};
}

// Whether a frame that is kept goes through all blocks.
static bool asks_heads(const train_batch *b) {
  return train_registers_any(b->d);
}

// The last block that keeps anything; what comes after its keys and values is of no use to a frame
// that is only kept.
static int64_t last_kept(const train_batch *b) {
  return b->d->layers / b->d->time_every * b->d->time_every - 1;
}

// First what leaves the window: its place may be that of the frame at hand.
static orr_code keep_rows(train_batch *b, const kern_ring *r) {
  const train_engine_inputs *in = &b->device.in;
  if (b->memory)
    ORR_TRY(kern_ring_pin(b->k, &(kern_ring_pin_args){.r = *r,
                                                      .to = in->pin_to,
                                                      .from = in->pin_from,
                                                      .cos = in->pin_cos,
                                                      .sin = in->pin_sin}));
  return kern_ring_keep(
      b->k,
      &(kern_ring_keep_args){.r = *r, .H = b->d->block.H, .qk = b->acts.qk, .qkv = b->acts.qkv});
}

static orr_code time_block(train_batch *b, int64_t layer, bool keep, void *out) {
  const train_block_dims *d = &b->d->block;
  const train_engine_inputs *in = &b->device.in;
  const train_block block = block_of(b, layer);
  kern_ring r = b->rings.of[layer];
  r.B = b->B;
  r.ring = in->ring;
  r.frame = in->frame;
  r.pin = in->pin;
  r.most_pins = b->memory;
  ORR_TRY(train_block_before(&block, &b->time_shape, &b->acts));
  if (keep && layer == last_kept(b) && !asks_heads(b)) return keep_rows(b, &r);
  ORR_TRY(kern_ring_attend(b->k, &(kern_ring_attend_args){.r = r,
                                                          .H = d->H,
                                                          .window = b->window,
                                                          .qk = b->acts.qk,
                                                          .qkv = b->acts.qkv,
                                                          .cos = in->sink_cos,
                                                          .sin = in->sink_sin,
                                                          .o = b->acts.o}));
  // a frame may take the place of the oldest one that it sees
  if (keep) ORR_TRY(keep_rows(b, &r));
  return train_block_after(&block, &b->time_shape, &b->acts, out);
}

// The result is in b->x[layers % 2]; of a frame that is kept there is none unless heads are asked.
// has_action: [batch],
// the frames' own or none at all.
static orr_code pass(train_batch *b, bool keep, const uint8_t *has_action) {
  const train_engine_inputs *in = &b->device.in;
  const train_embed_inputs what = {.tokens = in->tokens,
                                   .before = in->before,
                                   .action = in->action,
                                   .has_action = has_action,
                                   .branch = in->branch};
  const int64_t layers = keep && !asks_heads(b) ? last_kept(b) + 1 : b->d->layers;
  ORR_TRY(train_embed_forward(&b->embed, &what, b->x[0]));
  for (int64_t i = 0; i < layers; i++) {
    b->acts.x = b->x[i % 2];
    void *out = b->x[(i + 1) % 2];
    if (train_dynamics_is_time(b->d, i)) {
      ORR_TRY(time_block(b, i, keep, out));
    } else {
      const train_block block = block_of(b, i);
      ORR_TRY(train_block_forward(&block, &b->space_shape, &b->acts, out));
    }
  }
  return ORR_OK;
}

static orr_code head(train_batch *b, float *logits) {
  const int64_t rows = b->B * b->d->S;
  for (int64_t at = 0; at < rows; at += TRAIN_LOSS_ROWS) {
    b->head.C = rows - at < TRAIN_LOSS_ROWS ? rows - at : TRAIN_LOSS_ROWS;
    ORR_TRY(
        train_head_logits(&b->head, b->x[b->d->layers % 2], b->row + at, logits + at * b->d->V));
  }
  return ORR_OK;
}

// b->logits (=) what codes are drawn from.
static orr_code predict(train_batch *b) {
  const float w = (float)b->guidance;
  ORR_TRY(pass(b, false, b->device.in.has_action));
  ORR_TRY(head(b, b->logits));
  if (w == 0.0f) return ORR_OK;
  ORR_TRY(pass(b, false, b->device.in.no_action));
  ORR_TRY(head(b, b->without));
  return kern_axpby(b->k, &(kern_axpby_args){.type = KERN_F32,
                                             .n = b->B * b->d->S * b->d->V,
                                             .a = -w,
                                             .b = 1.0f + w,
                                             .x = b->without,
                                             .y = b->logits});
}

// A code for every position of the frames; the most confident of the masked ones take theirs.
static orr_code draw(train_batch *b, int64_t step) {
  const train_engine_inputs *in = &b->device.in;
  const int64_t S = b->d->S, V = b->d->V, at = step * b->most;
  ORR_TRY(kern_sample(b->k, &(kern_sample_args){.M = b->B * S,
                                                .V = V,
                                                .rows_per_sample = S,
                                                .logits = b->logits,
                                                .temperature = in->temperature,
                                                .seed = in->seed,
                                                .sample = in->sample,
                                                .draw = in->draw + at,
                                                .code = b->code,
                                                .log_prob = b->log_prob}));
  return kern_choose(b->k, &(kern_choose_args){.B = b->B,
                                               .S = S,
                                               .V = V,
                                               .code = b->code,
                                               .log_prob = b->log_prob,
                                               .noise = in->noise + at,
                                               .left = in->left + at,
                                               .seed = in->seed,
                                               .sample = in->sample,
                                               .draw = in->draw + at,
                                               .tokens = in->tokens,
                                               .nll = in->nll});
}

// What the heads on registers say of frames that have just been kept.
static orr_code ask_heads(train_batch *b) {
  ORR_TRY(train_registers_logits(&b->registers, b->x[b->d->layers % 2]));
  for (int o = 0; o < TRAIN_OUTCOMES; o++) {
    if (!b->d->outcome[o]) continue;
    const size_t bytes =
        (size_t)(b->B * train_outcome_bins((train_outcome)o)) * sizeof *b->registers.logits[o];
    ORR_TRY(kern_copy(b->k, &(kern_copy_args){.dst = b->device.in.outcome[o],
                                              .src = b->registers.logits[o],
                                              .bytes = bytes,
                                              .way = KERN_COPY_WITHIN}));
  }
  return fetch_until(b, b->device.in.tokens);
}

static orr_code work(train_batch *b, int64_t steps) {
  ORR_TRY(send_inputs(b));
  if (steps == TRAIN_BATCH_COMMIT) {
    ORR_TRY(pass(b, true, b->device.in.has_action));
    return asks_heads(b) ? ask_heads(b) : ORR_OK;
  }
  for (int64_t i = 0; i < steps; i++) {
    ORR_TRY(predict(b));
    ORR_TRY(draw(b, i));
  }
  return fetch_until(b, b->device.in.nll + b->B);
}

static orr_code capture(train_batch *b, int64_t steps) {
  void *graph = NULL;
  ORR_TRY(kern_capture_begin(b->k));
  const orr_code rc = work(b, steps);
  if (rc != ORR_OK) {
    char why[ORR_STATUS_MESSAGE_MAX]; // ending the capture of a failure may say something itself
    orr_status_copy(why, sizeof why);
    if (kern_capture_end(b->k, &graph) == ORR_OK) kern_graph_free(b->k, graph);
    orr_status_set(why);
    return rc;
  }
  ORR_TRY(kern_capture_end(b->k, &graph));
  b->graph[steps] = graph;
  return ORR_OK;
}

// Where a backend can capture, batches are of one frame (train/engine/engine.c), so that a capture
// for each number of passes serves all of them.
orr_code train_batch_run(train_batch *b, int64_t steps) {
  if (!b->k->can_capture || b->k->rows_apart) return work(b, steps);
  if (!b->warm) { // every op meets its shape once before it is captured
    b->warm = steps != TRAIN_BATCH_COMMIT;
    return work(b, steps);
  }
  if (!b->graph[steps]) ORR_TRY(capture(b, steps));
  return kern_replay(b->k, b->graph[steps]);
}

orr_code train_batch_logits(train_batch *b) {
  ORR_TRY(send_inputs(b));
  ORR_TRY(pass(b, false, b->device.in.has_action));
  return head(b, b->logits);
}
