#include "train/save/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "train/step/stage.h"
#include "train/step/upload.h"

// A run of elements on its way to the rank that writes it; the elements follow.
typedef struct {
  int64_t tensor, first, count;
} run_head;

// What this rank writes of one tensor: elements [first, first+count), in `collected` from `at` on.
typedef struct {
  int64_t first, count, at;
} own_piece;

struct train_store {
  train_state *state;
  train_axes *axes;
  const ckpt_writer *writer;
  int sets, shift;
  bool direct;                      // everything lies on every rank as files want it
  own_piece *own;                   // [sets, tensors]
  float *collected;                 // own pieces
  int64_t *send_bytes, *recv_bytes; // [sets, tp]
  int64_t *send_at, *recv_at;       // [tp] of one set
  int64_t *sent;                    // [tp] of it so far
  unsigned char *send, *recv;       // send: pinned
  uint64_t bytes;
};

orr_code train_store_plan(train_state *s, int64_t file_bytes, ckpt_plan *out) {
  if (!s->tensors) ORR_TRY(train_params_tensors(&s->params, &s->tensors));
  static const char *const files[] = {"model", "optim", "optim", "optim"};
  static const char *const prefixes[] = {"", "m.", "v.", "ema."};
  int count = !s->training ? 1 : s->has_ema ? 4 : 3;
  for (int i = 0; i < count; i++)
    s->sets[i] = (ckpt_set){
        .file = files[i], .prefix = prefixes[i], .tensors = s->tensors, .count = s->params.count};
  *out = (ckpt_plan){.sets = s->sets, .count = count, .file_bytes = file_bytes};
  return ORR_OK;
}

// The array of a set, and whether it holds this rank's share alone.
static float *set_array(const train_state *s, int set, bool *shared) {
  float *const arrays[] = {s->own_master ? s->own_master : s->weights.master, s->m, s->v, s->ema};
  *shared = s->shard.ranks > 1 && (set > 0 || s->own_master != s->weights.master);
  return arrays[set];
}

// -- what is sent ---------------------------------------------------------------------------

static orr_code copy_out(const train_state *s, void *host, const void *device, size_t bytes) {
  return kern_copy(
      s->k, &(kern_copy_args){.dst = host, .src = device, .bytes = bytes, .way = KERN_COPY_OUT});
}

// The runs of one set that one rank of tp sends another: counted while `to` is NULL, else written
// there, when their copies have arrived.
typedef struct {
  const train_state *state;
  const train_param *list; // of the sender
  train_store_part part;   // what it sends of
  int set;
  unsigned char *to;
  int64_t bytes;
} sender;

static orr_code send_run(sender *x, int t, int64_t first, int64_t local, int64_t count) {
  const run_head head = {t, first, count};
  if (x->to) {
    memcpy(x->to + x->bytes, &head, sizeof head);
    ORR_TRY(copy_out(x->state, x->to + x->bytes + sizeof head,
                     x->part.values + (x->list[t].at - x->part.at) + local,
                     (size_t)count * sizeof(float)));
  }
  x->bytes += (int64_t)sizeof head + count * (int64_t)sizeof(float);
  return ORR_OK;
}

// A piece that the other rank writes, as far as it lies here.
static orr_code send_piece(void *ctx, int set, int t, uint64_t first, uint64_t bytes) {
  sender *x = ctx;
  const train_param *p = &x->list[t];
  const int64_t begin = (int64_t)(first / sizeof(float)),
                end = begin + (int64_t)(bytes / sizeof(float));
  if (set != x->set || p->counted_elsewhere) return ORR_OK;
  if (p->at < x->part.at || p->at >= x->part.at + x->part.count) return ORR_OK;
  for (int64_t g = begin, run, local; g < end; g += run) {
    run = train_param_there(p, g, &local);
    if (run > end - g) run = end - g;
    if (local >= 0) ORR_TRY(send_run(x, t, g, local, run));
  }
  return ORR_OK;
}

static int neighbour(const train_store *st, int tp_i) {
  return dist_grid_rank(&st->axes->grid, tp_i, st->axes->grid.cp_i, st->axes->grid.dp_i);
}

// The rank whose extents a rank writes.
static int stands_for(const train_store *st, int rank) {
  const int ranks = st->axes->grid.ranks;
  return (rank + ranks - st->shift % ranks) % ranks;
}

// -- life -----------------------------------------------------------------------------------

static orr_code note_own(void *ctx, int set, int t, uint64_t first, uint64_t bytes) {
  train_store *st = ctx;
  own_piece *p = &st->own[set * st->state->params.count + t];
  if (p->count == 0)
    *p = (own_piece){.first = (int64_t)(first / sizeof(float)), .at = (int64_t)st->bytes / 4};
  p->count += (int64_t)(bytes / sizeof(float));
  st->bytes += bytes;
  return ORR_OK;
}

// Bytes of one set that a rank with the parameters `list` sends to the rank `to` of tp.
static orr_code count_set(const train_store *st, const train_param *list, int set, int to,
                          int64_t *bytes) {
  sender x = {.list = list, .set = set, .part = {.count = INT64_MAX}};
  ORR_TRY(ckpt_writer_visit(st->writer, stands_for(st, neighbour(st, to)), send_piece, &x));
  *bytes = x.bytes;
  return ORR_OK;
}

// What goes to rank i of tp and what comes from it, set by set. What it has follows from the
// configuration.
static orr_code count_neighbour(train_store *st, const cfg *c, int i) {
  train_axes other = *st->axes;
  train_params theirs;
  other.grid.tp_i = i;
  orr_code rc = train_stage_list(c, &other, &theirs);
  for (int s = 0; s < st->sets && rc == ORR_OK; s++) {
    const int64_t at = (int64_t)s * st->axes->grid.tp + i;
    rc = count_set(st, st->state->params.list, s, i, &st->send_bytes[at]);
    if (rc == ORR_OK) rc = count_set(st, theirs.list, s, st->axes->grid.tp_i, &st->recv_bytes[at]);
  }
  train_params_release(&theirs);
  return rc;
}

static int64_t most(const int64_t *bytes, int sets, int tp) {
  int64_t most_bytes = 0;
  for (int s = 0; s < sets; s++) {
    int64_t sum = 0;
    for (int i = 0; i < tp; i++) sum += bytes[s * tp + i];
    if (sum > most_bytes) most_bytes = sum;
  }
  return most_bytes;
}

static orr_code take_buffers(train_store *st) {
  const int tp = st->axes->grid.tp;
  const int64_t send = most(st->send_bytes, st->sets, tp),
                recv = most(st->recv_bytes, st->sets, tp);
  const uint64_t collected = st->bytes;
  st->bytes += (uint64_t)(send + recv);
  if (st->axes->planning) return ORR_OK;
  st->collected = orr_malloc((size_t)collected + 1);
  st->recv = orr_malloc((size_t)recv + 1);
  ORR_TRY(kern_alloc(st->state->k, KERN_PINNED, (size_t)send + 1, "checkpoint exchange",
                     (void **)&st->send));
  ORR_CHECK(st->collected && st->recv, ORR_ENOMEM,
            "buffers to collect a checkpoint in: %" PRId64 " bytes are not available", st->bytes);
  return ORR_OK;
}

static orr_code take_tables(train_store *st) {
  const size_t tp = (size_t)st->axes->grid.tp, sets = (size_t)st->sets;
  st->own = orr_calloc(sets * (size_t)st->state->params.count, sizeof *st->own);
  st->send_bytes = orr_calloc((2 * sets + 3) * tp, sizeof *st->send_bytes);
  ORR_CHECK(st->own && st->send_bytes, ORR_ENOMEM, "checkpoint exchange: out of memory");
  st->recv_bytes = st->send_bytes + sets * tp;
  st->send_at = st->recv_bytes + sets * tp;
  st->recv_at = st->send_at + tp;
  st->sent = st->recv_at + tp;
  return ckpt_writer_visit(st->writer, stands_for(st, st->axes->grid.rank), note_own, st);
}

orr_code train_store_create(const cfg *c, train_state *s, train_axes *axes,
                            const ckpt_writer *writer, int shift, train_store **out) {
  orr_code rc;
  const bool direct = train_axes_size(axes, DIST_AXIS_TP) == 1 && s->shard.ranks == 1;
  train_store *st = orr_calloc(1, sizeof *st);
  ORR_CHECK(st, ORR_ENOMEM, "checkpoint exchange: out of memory");
  *st = (train_store){.state = s,
                      .axes = axes,
                      .writer = writer,
                      .sets = s->has_ema ? 4 : 3,
                      .shift = shift,
                      .direct = direct};
  *out = st;
  if (direct) return ORR_OK;
  ORR_TRY_GOTO(take_tables(st), fail);
  for (int i = 0; i < axes->grid.tp; i++) ORR_TRY_GOTO(count_neighbour(st, c, i), fail);
  ORR_TRY_GOTO(take_buffers(st), fail);
  return ORR_OK;
fail:
  train_store_destroy(st);
  *out = NULL;
  return rc;
}

void train_store_destroy(train_store *st) {
  if (!st) return;
  kern_free(st->state->k, KERN_PINNED, st->send);
  orr_free(st->recv);
  orr_free(st->collected);
  orr_free(st->send_bytes);
  orr_free(st->own);
  orr_free(st);
}

uint64_t train_store_bytes(const train_store *st) {
  return st->bytes;
}

// -- collecting -----------------------------------------------------------------------------

// Bucket i of the array `own`, of which each has a part, or its owner all of it.
static orr_code bring_bucket(train_state *s, train_axes *axes, const float *own, int64_t i) {
  const train_partition_piece x = train_partition_piece_of(&s->shard, i);
  const dist_axis axis = train_axes_sharing(axes);
  int64_t at, count;
  train_partition_bucket(&s->shard, i, &at, &count);
  float *to = train_state_room(s, at);
  if (!s->shard.whole)
    return train_axes_all_gather(axes, axis, own + x.place, to, x.count, DIST_F32);
  if (x.count > 0)
    ORR_TRY(kern_copy(s->k, &(kern_copy_args){.dst = to,
                                              .src = own + x.place,
                                              .bytes = (size_t)count * sizeof *own,
                                              .way = KERN_COPY_WITHIN}));
  return train_axes_broadcast(axes, axis, to, count, DIST_F32, train_partition_owner(&s->shard, i));
}

orr_code train_store_bring(train_state *s, train_axes *axes, int set, int i,
                           train_store_part *part) {
  bool shared;
  const float *own = set_array(s, set, &shared);
  const int64_t buckets = train_partition_buckets(&s->shard);
  train_state_part(s, i, &part->at, &part->count);
  part->values = shared ? train_state_room(s, part->at) : own + part->at;
  for (int64_t b = train_partition_find(&s->shard, part->at); shared && b < buckets; b++) {
    int64_t at, count;
    train_partition_bucket(&s->shard, b, &at, &count);
    if (at >= part->at + part->count) break;
    ORR_TRY(bring_bucket(s, axes, own, b));
  }
  return ORR_OK;
}

static void receive_runs(train_store *st, const unsigned char *from, int set, int64_t bytes) {
  for (int64_t at = 0; at < bytes;) {
    run_head head;
    memcpy(&head, from + at, sizeof head);
    at += (int64_t)sizeof head;
    const own_piece *p = &st->own[set * st->state->params.count + head.tensor];
    memcpy(st->collected + p->at + (head.first - p->first), from + at,
           (size_t)head.count * sizeof(float));
    at += head.count * (int64_t)sizeof(float);
  }
}

// Places of a set's runs by rank of tp.
static void place_set(train_store *st, int set, int64_t *received) {
  const int tp = st->axes->grid.tp;
  int64_t sent = 0;
  *received = 0;
  for (int i = 0; i < tp; i++) {
    st->sent[i] = 0;
    st->send_at[i] = sent;
    st->recv_at[i] = *received;
    sent += st->send_bytes[set * tp + i];
    *received += st->recv_bytes[set * tp + i];
  }
}

static orr_code pack_part(train_store *st, int set, const train_store_part *part) {
  for (int i = 0; i < st->axes->grid.tp; i++) {
    sender x = {.state = st->state,
                .list = st->state->params.list,
                .set = set,
                .part = *part,
                .to = st->send + st->send_at[i],
                .bytes = st->sent[i]};
    ORR_TRY(ckpt_writer_visit(st->writer, stands_for(st, neighbour(st, i)), send_piece, &x));
    st->sent[i] = x.bytes;
  }
  return ORR_OK;
}

static orr_code collect_set(train_store *st, int set) {
  const int tp = st->axes->grid.tp;
  const int64_t *send = st->send_bytes + set * tp, *recv = st->recv_bytes + set * tp;
  int64_t received = 0;
  place_set(st, set, &received);
  for (int i = 0; i < train_state_parts(st->state); i++) {
    train_store_part part;
    ORR_TRY(train_store_bring(st->state, st->axes, set, i, &part));
    if (!st->axes->planning) ORR_TRY(pack_part(st, set, &part));
  }
  if (!st->axes->planning) ORR_TRY(kern_sync(st->state->k));
  ORR_TRY(train_axes_host_all_to_all(st->axes, DIST_AXIS_TP, st->send, send, st->send_at, st->recv,
                                     recv, st->recv_at));
  if (st->axes->planning) return ORR_OK;
  receive_runs(st, tp == 1 ? st->send : st->recv, set, received);
  return ORR_OK;
}

orr_code train_store_collect(train_store *st) {
  if (st->direct) return ORR_OK;
  for (int s = 0; s < st->sets; s++) ORR_TRY(collect_set(st, s));
  return ORR_OK;
}

orr_code train_store_arrived(void *store) {
  const train_store *st = store;
  return kern_sync(st->state->k);
}

orr_code train_store_get(void *store, int set, int tensor, uint64_t first, size_t bytes,
                         void *host) {
  const train_store *st = store;
  bool shared;
  if (st->direct) {
    const float *array = set_array(st->state, set, &shared) + st->state->params.list[tensor].at;
    return copy_out(st->state, host, (const unsigned char *)array + first, bytes);
  }
  const own_piece *p = &st->own[set * st->state->params.count + tensor];
  memcpy(host, (const unsigned char *)(st->collected + p->at - p->first) + first, bytes);
  return ORR_OK;
}

// -- loading --------------------------------------------------------------------------------

// A set on its way to its array: the whole flat layout, or, where it is shared out, own pieces.
typedef struct {
  train_state *state;
  ckpt_reader *reader;
  const ckpt_set *set;
  const train_base *base; // NULL: the file has the shapes of this model
  bool shared;
} loader;

static orr_code load_run(const loader *l, const char *name, const train_param *p, int64_t global,
                         int64_t count, int64_t local, float *to) {
  if (l->base)
    return train_base_read(l->base, l->reader, l->set->file, name, &l->state->params, p, global,
                           count, local, to);
  return ckpt_read(l->reader, l->set->file, name, (uint64_t)global * sizeof(float),
                   (size_t)count * sizeof(float), to);
}

// Elements [begin, end) of the flat layout that belong to parameter p, to `to` on.
static orr_code load_param(const loader *l, const train_param *p, int64_t begin, int64_t end,
                           float *to) {
  char name[192];
  size_t prefix = strlen(l->set->prefix), length = strlen(p->name);
  ORR_CHECK(prefix + length < sizeof name, ORR_EINVAL, "parameter name '%s' is too long", p->name);
  memcpy(name, l->set->prefix, prefix);
  memcpy(name + prefix, p->name, length + 1);
  for (int64_t at = begin, run, global; at < end; at += run) {
    run = train_param_here(p, at - p->at, &global);
    if (run > end - at) run = end - at;
    if (global >= 0) ORR_TRY(load_run(l, name, p, global, run, at, to + (at - begin)));
  }
  return ORR_OK;
}

// Elements [first, end) of the flat layout.
static orr_code load_range(const loader *l, int64_t first, int64_t end, float *to) {
  const train_params *all = &l->state->params;
  for (int i = 0; i < all->count; i++) {
    const train_param *p = &all->list[i];
    const int64_t begin = p->at > first ? p->at : first,
                  stop = p->at + p->count < end ? p->at + p->count : end;
    if (begin < stop) ORR_TRY(load_param(l, p, begin, stop, to + (begin - first)));
  }
  return ORR_OK;
}

static orr_code give_elements(void *ctx, int64_t first, int64_t count, float *to) {
  const loader *l = ctx;
  if (!l->shared) return load_range(l, first, first + count, to);
  for (int64_t i = 0; i < train_partition_buckets(&l->state->shard); i++) {
    const train_partition_piece x = train_partition_piece_of(&l->state->shard, i);
    const int64_t begin = x.place > first ? x.place : first,
                  end = x.place + x.count < first + count ? x.place + x.count : first + count,
                  flat = x.at - x.place;
    if (begin < end) ORR_TRY(load_range(l, flat + begin, flat + end, to + (begin - first)));
  }
  return ORR_OK;
}

static orr_code load_set(train_state *s, ckpt_reader *r, const ckpt_set *set, float *array,
                         bool shared) {
  loader l = {.state = s, .reader = r, .set = set, .shared = shared};
  ORR_TRY(ckpt_reader_match(r, set));
  return train_upload(s->k, array, shared ? train_partition_elements(&s->shard) : s->params.total,
                      give_elements, &l);
}

orr_code train_store_load(train_state *s, ckpt_reader *r) {
  ckpt_plan plan;
  ORR_TRY(train_store_plan(s, 1 << 30, &plan));
  loader weights = {.state = s, .reader = r, .set = &plan.sets[0]};
  ORR_TRY(ckpt_reader_match(r, weights.set));
  ORR_TRY(train_state_set(s, give_elements, &weights));
  for (int i = 1; i < plan.count; i++) {
    bool shared;
    float *array = set_array(s, i, &shared);
    ORR_TRY(load_set(s, r, &plan.sets[i], array, shared));
  }
  return ORR_OK;
}

// The shapes that `set` has in the base.
static orr_code match_base(const train_base *base, const ckpt_reader *r, const ckpt_set *set) {
  const size_t bytes = (size_t)set->count * sizeof *set->tensors;
  ckpt_tensor *theirs = orr_malloc(bytes);
  ORR_CHECK(theirs, ORR_ENOMEM, "list of %d checkpoint tensors: out of memory", set->count);
  ckpt_set as_there = *set;
  as_there.tensors = theirs;
  as_there.count = 0;
  for (int i = 0; i < set->count; i++) {
    char name[192];
    snprintf(name, sizeof name, "%s%s", set->prefix, set->tensors[i].name);
    if (base && train_base_lacks(r, set->file, name, set->tensors[i].name)) continue;
    theirs[as_there.count++] = set->tensors[i];
  }
  if (base) train_base_shapes(base, theirs, as_there.count);
  const orr_code rc = ckpt_reader_match(r, &as_there);
  orr_free(theirs);
  return rc;
}

orr_code train_store_load_named(train_state *s, ckpt_reader *r, const char *prefix, bool ema,
                                bool *took_ema) {
  ckpt_plan plan;
  if (!prefix[0]) return train_store_load_weights(s, r, ema, NULL, took_ema);
  ORR_TRY(train_store_plan(s, 1 << 30, &plan));
  ckpt_set set = plan.sets[0];
  set.prefix = prefix;
  if (took_ema) *took_ema = false;
  return load_set(s, r, &set, train_state_weights(s), false);
}

orr_code train_store_load_weights(train_state *s, ckpt_reader *r, bool ema, const train_base *base,
                                  bool *took_ema) {
  ckpt_plan plan;
  ORR_TRY(train_store_plan(s, 1 << 30, &plan));
  ckpt_set average = {
      .file = "optim", .prefix = "ema.", .tensors = s->tensors, .count = s->params.count};
  char first[192] = "ema.";
  strncat(first, s->params.list[0].name, sizeof first - 5);
  bool use = ema && ckpt_reader_has(r, "optim", first);
  loader l = {.state = s, .reader = r, .set = use ? &average : &plan.sets[0], .base = base};
  ORR_TRY(match_base(base, r, l.set));
  ORR_TRY(train_state_set(s, give_elements, &l));
  if (took_ema) *took_ema = use;
  return train_state_average_is_weights(s);
}
