#include "train/bench/machine_moves.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/sort.h"

enum { ROUNDS = 5 };

typedef struct {
  dist_comm *c;
  float *send, *recv;   // [largest] bytes and a rank's part more
  int64_t *counts, *at; // [ranks]
} place;

static orr_code call(const place *p, train_move move, int64_t share) {
  const int n = dist_comm_size(p->c);
  switch (move) {
  case TRAIN_ALL_REDUCE:
    return dist_all_reduce(p->c, p->recv, share * n, DIST_F32, DIST_SUM);
  case TRAIN_REDUCE_SCATTER:
    return dist_reduce_scatter(p->c, p->send, p->recv, share, DIST_F32, DIST_SUM);
  case TRAIN_ALL_GATHER:
    return dist_all_gather(p->c, p->send, p->recv, share, DIST_F32);
  case TRAIN_ALL_TO_ALL:
    for (int i = 0; i < n; i++) {
      p->counts[i] = share;
      p->at[i] = i * share;
    }
    return dist_all_to_all(p->c, p->send, p->counts, p->at, p->recv, p->counts, p->at, DIST_F32);
  default:
    return dist_broadcast(p->c, p->recv, share * n, DIST_F32, 0);
  }
}

// Seconds a call, of the slowest rank of all.
static orr_code time_row(dist_world *w, const place *p, train_move move, int64_t share,
                         int64_t steps, double *s) {
  dist_comm *all = w->axis[DIST_AXIS_WORLD];
  ORR_TRY(dist_barrier(all));
  const int64_t from = orr_clock_ns();
  for (int64_t i = 0; i < steps; i++) ORR_TRY(call(p, move, share));
  *s = (double)(orr_clock_ns() - from) * 1e-9 / (double)steps;
  return dist_all_reduce(all, s, 1, DIST_F64, DIST_MAX);
}

static orr_code time_size(dist_world *w, const place *p, train_move move, int64_t bytes,
                          int64_t steps, train_machine *m) {
  const int n = dist_comm_size(p->c);
  const int64_t share = bytes / 4 / n;
  double s[ROUNDS];
  if (share == 0) return ORR_OK;
  for (int i = 0; i < ROUNDS; i++) ORR_TRY(time_row(w, p, move, share, steps, &s[i]));
  const double payload = (double)(share * 4 * n);
  return train_machine_add_move(m, move, n, payload, orr_median_f64(s, ROUNDS));
}

static orr_code time_group(dist_world *w, place *p, int64_t largest, int64_t steps,
                           train_machine *m) {
  for (int move = 0; move < TRAIN_MOVES; move++)
    for (int64_t bytes = 64; bytes <= largest; bytes *= 4)
      ORR_TRY(time_size(w, p, (train_move)move, bytes, bytes > 1 << 20 ? steps / 4 + 1 : steps, m));
  return ORR_OK;
}

static orr_code time_all(dist_world *w, place *p, int64_t largest, int64_t steps,
                         train_machine *m) {
  const int ranks = w->grid.ranks;
  for (int n = 2; n <= ranks; n *= 2) {
    if (ranks % n != 0) continue;
    ORR_TRY(dist_world_split(w, n, 1, 0));
    p->c = w->axis[DIST_AXIS_TP];
    ORR_TRY(time_group(w, p, largest, steps, m));
  }
  return dist_world_split(w, 1, 1, 0);
}

orr_code train_bench_machine_moves(dist_world *w, int64_t largest, int64_t steps,
                                   train_machine *m) {
  const size_t ranks = (size_t)w->grid.ranks;
  if (ranks == 1) return ORR_OK;
  place p = {.send = orr_calloc(1, (size_t)largest),
             .recv = orr_calloc(1, (size_t)largest),
             .counts = orr_calloc(2 * ranks, sizeof *p.counts)};
  orr_code rc = p.send && p.recv && p.counts
                    ? ORR_OK
                    : ORR_FAIL(ORR_ENOMEM, "bench: out of memory for collectives");
  rc = dist_agree(w->axis[DIST_AXIS_WORLD], rc, "take the bench's memory");
  p.at = p.counts ? p.counts + ranks : NULL;
  if (rc == ORR_OK) rc = time_all(w, &p, largest, steps, m);
  orr_free(p.counts);
  orr_free(p.recv);
  orr_free(p.send);
  return rc;
}
