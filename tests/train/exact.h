// Runs of one tiny model whose weights and moments come to one hash, whatever the layout
// (run.exact). Every tests/train/step/test_exact_<ranks>.c names its layouts and compares with one
// rank.
#ifndef TESTS_TRAIN_EXACT_H
#define TESTS_TRAIN_EXACT_H

#include "base/hash.h"
#include "tests/train/layouts.h"

// The bits of one array of a parameter, whole, on every rank: each element from one rank that has
// it.
static inline void exact_whole(const trainee *t, const train_param *p, const float *array,
                               bool flat, int64_t *bits) {
  const train_state *s = &t->work.state;
  const dist_grid *g = &t->axes.grid;
  const bool first =
      s->shard.ranks > 1 ? dist_grid_line(g, DIST_AXIS_COPIES).place == 0 : g->dp_i + g->cp_i == 0;
  const bool mine = !p->counted_elsewhere && first;
  memset(bits, 0, (size_t)train_param_whole(p) * sizeof *bits);
  for (int64_t b = 0; mine && b < train_partition_buckets(&s->shard); b++) {
    const train_partition_piece x = train_partition_piece_of(&s->shard, b);
    for (int64_t at = x.at; at < x.at + x.count; at++) {
      int64_t global;
      uint32_t one;
      if (at < p->at || at >= p->at + p->count) continue;
      train_param_here(p, at - p->at, &global);
      memcpy(&one, array + (flat ? at : x.place + at - x.at), sizeof one);
      if (global >= 0) bits[global] = one;
    }
  }
  if (t->axes.comm[DIST_AXIS_WORLD])
    assert_ok(dist_all_reduce(t->axes.comm[DIST_AXIS_WORLD], bits, train_param_whole(p), DIST_I64,
                              DIST_SUM));
}

// Collective over the trainee's world. XXH3 of weights, moments and the average of all parameters.
static inline uint64_t exact_hash(const trainee *t) {
  const train_state *s = &t->work.state;
  const float *arrays[] = {s->own_master, s->m, s->v, s->ema};
  uint64_t hash = 0;
  for (int i = 0; i < s->params.count; i++) {
    const train_param *p = &s->params.list[i];
    int64_t *bits = orr_malloc((size_t)train_param_whole(p) * sizeof *bits);
    for (int a = 0; a < 4; a++) {
      if (!arrays[a]) continue;
      exact_whole(t, p, arrays[a], a == 0 && s->own_master == s->weights.master, bits);
      hash = orr_hash64(bits, (size_t)train_param_whole(p) * sizeof *bits, hash);
    }
    orr_free(bits);
  }
  return hash;
}

enum { EXACT_BATCH = 24 };

// Collective over the layout's ranks: all of w, or this one alone where the layout is of one rank.
static inline uint64_t exact_run(dist_world *w, const layout *l, int steps) {
  layout x = *l;
  dist_grid one;
  trainee t;
  dist_traffic before[DIST_AXES];
  x.exact = true;
  if (x.batch == 0) x.batch = EXACT_BATCH;
  const bool alone = x.tp * x.cp * x.dp == 1;
  assert_ok(dist_grid_init(1, 1, 1, 0, 1, &one));
  if (!alone) layout_split(w, &x);
  trainee_open(&t, &x, alone ? &one : &w->grid, alone ? NULL : w);
  for (int a = 0; a < DIST_AXES; a++) before[a] = axis_traffic(w, a);
  for (int64_t step = 0; step < steps; step++) {
    trainee_gradients(&t, step);
    trainee_update(&t, step);
    if (step == 0 && !alone) compare_traffic(&t, w, before);
  }
  const uint64_t hash = exact_hash(&t);
  if (w->grid.rank == 0)
    print_message(
        "tp%d cp%d dp%d zero%d in %d micro%d threads%d%s%s %s: loss %.9g, norm %.9g, %016" PRIx64
        "\n",
        x.tp, x.cp, x.dp, x.zero, x.shard ? x.shard : x.cp * x.dp, x.micro,
        x.threads ? x.threads : 1, x.recompute ? " recompute" : "", x.muon ? " muon" : "",
        x.bf16 ? "bf16" : "fp32", t.loss, t.norm, hash);
  trainee_close(&t);
  return hash;
}

// Collective over w. All layouts, in both precisions, against one rank, which the first one is.
// Those of one rank run on that alone.
static inline void exact_layouts(dist_world *w, const layout *layouts, int count, int steps) {
  for (int bf16 = 0; bf16 < 2; bf16++) {
    layout single = layouts[0]; // its model and batch
    single.tp = single.cp = single.dp = 1;
    single.zero = single.shard = single.micro = single.threads = 0;
    single.recompute = false;
    single.bf16 = bf16;
    int64_t want = 0;
    if (w->grid.rank == 0) want = (int64_t)exact_run(w, &single, steps);
    assert_ok(dist_broadcast(w->axis[DIST_AXIS_WORLD], &want, 1, DIST_I64, 0));
    for (int i = 0; i < count; i++) {
      layout l = layouts[i];
      l.bf16 = bf16;
      if (l.tp * l.cp * l.dp > 1 || w->grid.rank == 0)
        assert_int_equal(exact_run(w, &l, steps), (uint64_t)want);
    }
  }
}

#endif
