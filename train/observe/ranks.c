#include "train/observe/ranks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sort.h"

enum {
  BUSY = TRAIN_PHASES, // what the rank did itself, by the clock
  CPU,                 // and by its thread's computing time
  COLUMNS,
  OWN = COLUMNS - BUSY,
  MOST_STEPS = 4096, // whose own times are kept
  IN_A_ROW = 3       // one slow comparison is noise
};

// A rank that computes this much longer than the median one is a straggler.
static const double straggler_ratio = 1.15;

struct train_ranks {
  dist_comm *all;
  int rank, ranks;
  int64_t every, steps; // steps in `sum`
  double sum[COLUMNS];
  double *own; // [OWN, room]: own times of the last steps
  int64_t room;
  double *table;  // [ranks, COLUMNS]
  double *column; // [ranks]
  char **host;    // [ranks], rank 0
  int suspect[OWN], times[OWN];
  train_straggler named;
  int quick; // comparisons in a row in which the named rank was no slower than others
  bool told;
  const char *event; // what `words` tell of
  char words[512];
  bool axis_used[DIST_AXES];
};

// Collective over the world.
static orr_code read_hosts(train_ranks *r) {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  return dist_gather_text(r->all, host, 0, &r->host);
}

orr_code train_ranks_create(dist_world *w, int64_t every, train_ranks **out) {
  *out = NULL;
  if (every == 0) return ORR_OK;
  train_ranks *r = orr_calloc(1, sizeof *r);
  orr_code rc = r ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "comparison of ranks: out of memory");
  if (r) {
    *r = (train_ranks){.all = w->axis[DIST_AXIS_WORLD],
                       .rank = w->grid.rank,
                       .ranks = w->grid.ranks,
                       .every = every,
                       .named = {.rank = -1}};
    for (int a = 0; a < DIST_AXES; a++)
      r->axis_used[a] = w->axis[a] && dist_comm_size(w->axis[a]) > 1;
    r->room = every < MOST_STEPS ? every : MOST_STEPS;
    r->own = orr_calloc((size_t)(OWN * r->room), sizeof *r->own);
    r->table = orr_calloc((size_t)r->ranks * (COLUMNS + 1), sizeof *r->table);
    r->column = r->table ? r->table + r->ranks * COLUMNS : NULL;
    if (!r->table || !r->own)
      rc = ORR_FAIL(ORR_ENOMEM, "comparison of %d ranks: out of memory", r->ranks);
  }
  rc = dist_agree(w->axis[DIST_AXIS_WORLD], rc, "compare ranks");
  if (rc == ORR_OK) rc = read_hosts(r);
  if (rc != ORR_OK) {
    train_ranks_destroy(r);
    return rc;
  }
  *out = r;
  return ORR_OK;
}

void train_ranks_destroy(train_ranks *r) {
  if (!r) return;
  dist_texts_free(r->host, r->ranks);
  orr_free(r->table);
  orr_free(r->own);
  orr_free(r);
}

// Names of a phase's five values. The waits for clips and for checkpoints have names of old.
typedef struct {
  const char *own, *least, *median, *largest, *whose;
} names;

#define NAMES(x)                                                                                   \
  { x "_ms", x "_ms_min", x "_ms_median", x "_ms_max", x "_ms_rank" }
static const names phase_names[COLUMNS] = {
    [TRAIN_PHASE_OTHER] = NAMES("other"),
    [TRAIN_PHASE_DATA] = NAMES("data"),
    [TRAIN_PHASE_INPUT] = NAMES("input"),
    [TRAIN_PHASE_FORWARD] = NAMES("forward"),
    [TRAIN_PHASE_BACKWARD] = NAMES("backward"),
    [TRAIN_PHASE_OPTIMIZER] = NAMES("optimizer"),
    [TRAIN_PHASE_CHECKPOINT] = NAMES("checkpoint"),
    [TRAIN_PHASE_AXIS + DIST_AXIS_TP] = NAMES("tp"),
    [TRAIN_PHASE_AXIS + DIST_AXIS_CP] = NAMES("cp"),
    [TRAIN_PHASE_AXIS + DIST_AXIS_DP] = NAMES("dp"),
    [TRAIN_PHASE_AXIS + DIST_AXIS_REPLICA] = NAMES("replica"),
    [TRAIN_PHASE_AXIS + DIST_AXIS_SHARD] = NAMES("shard"),
    [TRAIN_PHASE_AXIS + DIST_AXIS_COPIES] = NAMES("copies"),
    [TRAIN_PHASE_AXIS + DIST_AXIS_WORLD] = NAMES("world"),
    [BUSY] = NAMES("busy"),
    [CPU] = NAMES("busy_cpu"),
};
#undef NAMES

// Replicas are cp x dp: nothing goes along dp alone.
static bool shown(const train_ranks *r, int column) {
  const int axis = column - TRAIN_PHASE_AXIS;
  if (column < TRAIN_PHASE_AXIS || column >= BUSY) return true;
  return r->axis_used[axis] && axis != DIST_AXIS_DP;
}

// What a rank does by itself, whatever the others do.
static double busy(const train_times *t) {
  return t->phase[TRAIN_PHASE_INPUT] + t->phase[TRAIN_PHASE_FORWARD] +
         t->phase[TRAIN_PHASE_BACKWARD] + t->phase[TRAIN_PHASE_OPTIMIZER];
}

static bool known(const train_ranks *r, int column) {
  for (int i = 0; i < r->ranks; i++)
    if (isnan(r->table[i * COLUMNS + column])) return false;
  return true;
}

// Fills r->column and gives its largest value's rank; sorted afterwards.
static int sort_column(train_ranks *r, int column) {
  int slowest = 0;
  for (int i = 0; i < r->ranks; i++) {
    r->column[i] = r->table[i * COLUMNS + column];
    if (r->column[i] > r->column[slowest]) slowest = i;
  }
  orr_sort_f64(r->column, r->ranks);
  return slowest;
}

// The lower of two middles: of two ranks the faster one is the measure.
static double median(const train_ranks *r) {
  return r->column[(r->ranks - 1) / 2];
}

// One own time of the slowest rank, on top of r->column. Each clock has its own suspect: noise by
// one is no alibi by the other.
static void judge(train_ranks *r, int column, train_straggler slowest) {
  const int clock = column - BUSY;
  const bool slow = slowest.score >= straggler_ratio;
  r->times[clock] = slow && slowest.rank == r->suspect[clock] ? r->times[clock] + 1 : slow;
  r->suspect[clock] = slowest.rank;
  if (!slow || r->times[clock] < IN_A_ROW || slowest.rank == r->named.rank) return;
  r->named = slowest;
  r->quick = 0;
  r->told = false;
  r->event = "slow";
  snprintf(
      r->words, sizeof r->words,
      "rank %d on %s computes %.2f times as long as the median rank (%.1f ms against %.1f ms%s "
      "a step): the others wait for it",
      slowest.rank, r->host[slowest.rank], slowest.score, r->column[r->ranks - 1], median(r),
      column == CPU ? " of computing time" : "");
}

// After a comparison: `slower` tells whether the named rank stood out by one of the clocks.
static void acquit(train_ranks *r, bool slower) {
  if (r->named.rank < 0) return;
  r->quick = slower ? 0 : r->quick + 1;
  if (r->quick < IN_A_ROW) return;
  snprintf(r->words, sizeof r->words, "rank %d on %s computes as fast as the others again",
           r->named.rank, r->host[r->named.rank]);
  r->named = (train_straggler){.rank = -1};
  r->told = false;
  r->event = "quick";
}

static void compare(train_ranks *r, train_scalars *s) {
  train_straggler most = {.rank = -1};
  bool slower = false;
  for (int c = 0; c < COLUMNS; c++) {
    if (!shown(r, c) || !known(r, c)) continue;
    const int slowest = sort_column(r, c);
    train_scalars_add(s, phase_names[c].least, "%.3f", r->column[0]);
    train_scalars_add(s, phase_names[c].median, "%.3f", median(r));
    train_scalars_add(s, phase_names[c].largest, "%.3f", r->column[r->ranks - 1]);
    train_scalars_add(s, phase_names[c].whose, "%.0f", slowest);
    if (c < BUSY) continue;
    const double middle = median(r), score = middle > 0.0 ? r->column[r->ranks - 1] / middle : 1.0;
    if (r->named.rank >= 0)
      slower = slower || r->table[r->named.rank * COLUMNS + c] >= straggler_ratio * middle;
    const train_straggler now = {.rank = slowest, .score = score};
    judge(r, c, now);
    if (score > most.score) most = now;
  }
  acquit(r, slower);
  if (most.rank < 0) return;
  train_scalars_add(s, "straggler_rank", "%.0f", most.rank);
  train_scalars_add(s, "straggler_score", "%.3f", most.score);
}

// The median of an own time over the steps since the last comparison; NaN when it is not known.
static double usual(train_ranks *r, int column) {
  const int64_t n = r->steps < r->room ? r->steps : r->room;
  if (isnan(r->sum[column])) return NAN;
  return orr_median_f64(r->own + (column - BUSY) * r->room, n);
}

orr_code train_ranks_step(train_ranks *r, int64_t step, const train_times *t, train_scalars *s) {
  if (!r) return ORR_OK;
  for (int c = 0; c < COLUMNS; c++) {
    const double ms = c == BUSY ? busy(t) : c == CPU ? t->cpu : t->phase[c];
    r->sum[c] += ms;
    // waits for clips and checkpoints stand in the line already
    if (shown(r, c) && !isnan(ms) && c != TRAIN_PHASE_DATA && c != TRAIN_PHASE_CHECKPOINT)
      train_scalars_add(s, phase_names[c].own, "%.3f", ms);
  }
  if (r->axis_used[DIST_AXIS_REPLICA] &&
      !isnan(t->hidden[DIST_AXIS_REPLICA])) // the only one that overlaps with anything
    train_scalars_add(s, "replica_hidden_ms", "%.3f", t->hidden[DIST_AXIS_REPLICA]);
  r->own[r->steps % r->room] = busy(t);
  r->own[r->room + r->steps % r->room] = t->cpu;
  r->steps++;
  if (r->ranks == 1 || step % r->every != 0) return ORR_OK;
  for (int c = 0; c < COLUMNS; c++) r->sum[c] /= (double)r->steps;
  for (int c = BUSY; c < COLUMNS; c++) r->sum[c] = usual(r, c);
  ORR_TRY(dist_all_gather(r->all, r->sum, r->table, COLUMNS, DIST_F64));
  memset(r->sum, 0, sizeof r->sum);
  r->steps = 0;
  if (r->rank == 0) compare(r, s);
  return ORR_OK;
}

train_straggler train_ranks_named(const train_ranks *r) {
  return r ? r->named : (train_straggler){.rank = -1};
}

const char *train_ranks_straggler(train_ranks *r, const char **event) {
  if (!r || !r->words[0] || r->told) return NULL;
  r->told = true;
  *event = r->event;
  return r->words;
}
