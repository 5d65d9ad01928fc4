#include "data/set/lag.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/set/motion.h"
#include "data/set/ridge.h"

#define PAIRS_MAX      2048
#define PAIRS_MIN      40
#define BYTES_MAX      ((int64_t)512 << 20) // of frames that are read
#define WINDOW         32                   // pairs in a row
#define COMPONENTS_MAX 24
#define GROUPS         10
#define DRAWS          400
#define FLOOR          0.02 // a smaller share of an action's variance is chance
#define SHIFTS         (2 * DATA_LAG_MOST + 1)
#define P              DATA_MOTION_FEATURES

typedef struct {
  const data_index *x;
  int64_t A, C; // components of the data set, and that are looked at
  int64_t Q;    // numbers to tell of each pair: [2,SHIFTS,C], actions and their differences
  int64_t n;    // pairs so far
  int windows;
  int *window;   // [PAIRS_MAX]: that a pair belongs to, rising
  float *change; // [PAIRS_MAX,P]
  float *told;   // [PAIRS_MAX,Q]
  data_motion *motion;
  uint8_t *frame;
  float *actions;            // [WINDOW + 2 MOST + 1, A]
  const int64_t *components; // [C]
} looking;

// -- examples --------------------------------------------------------------------------------

// The actions around a pair, row `at` of l->actions being the one that should lead to its second
// frame.
static void put_actions(looking *l, int64_t at) {
  float *to = l->told + l->n * l->Q;
  for (int difference = 0; difference < 2; difference++) {
    for (int64_t s = -DATA_LAG_MOST; s <= DATA_LAG_MOST; s++) {
      const float *row = l->actions + (at + s) * l->A, *before = row - l->A;
      for (int64_t c = 0; c < l->C; c++) {
        const int64_t i = l->components[c];
        *to++ = difference ? row[i] - before[i] : row[i];
      }
    }
  }
}

// Pairs first .. first+count-1 of the shard, all of one episode, with room for the shifts.
static orr_code look_at_window(looking *l, data_shard *shard, int64_t first, int64_t count) {
  const int64_t above = DATA_LAG_MOST + 1; // rows before the first pair's
  ORR_TRY(
      data_shard_read_actions(shard, first - above, count + 2 * DATA_LAG_MOST + 1, 1, l->actions));
  ORR_TRY(data_shard_read_frames(shard, first, 1, 1, l->frame));
  data_motion_begin(l->motion, l->frame);
  for (int64_t k = 0; k < count; k++, l->n++) {
    ORR_TRY(data_shard_read_frames(shard, first + k + 1, 1, 1, l->frame));
    data_motion_next(l->motion, l->frame, l->change + l->n * P);
    put_actions(l, above + k);
    l->window[l->n] = l->windows;
  }
  l->windows++;
  return ORR_OK;
}

// A window of the episode around a frame; none where the episode is too short.
static orr_code look_at_episode(looking *l, data_shard *shard, int64_t episode, int64_t around) {
  const int64_t *offsets = data_shard_offsets(shard);
  // the last row leads nowhere; differences need a row more before
  const int64_t low = offsets[episode] + DATA_LAG_MOST + 1,
                high = offsets[episode + 1] - 1 - DATA_LAG_MOST; // pairs low .. high-1
  int64_t count = high - low < WINDOW ? high - low : WINDOW, first = around - count / 2;
  if (count < 4 || l->n + count > PAIRS_MAX) return ORR_OK;
  if (first < low) first = low;
  if (first > high - count) first = high - count;
  return look_at_window(l, shard, first, count);
}

// Windows spread evenly over all frames, those of one shard together. No pair comes twice.
static orr_code look_at_shard(looking *l, data_shard *shard, int64_t before, int64_t windows) {
  const int64_t frames = data_shard_frames(shard), *offsets = data_shard_offsets(shard);
  int64_t episode = 0, end = -1;
  for (int64_t k = 0; k < windows; k++) {
    const int64_t around = (2 * k + 1) * l->x->frames / (2 * windows) - before;
    if (around < 0 || around >= frames) continue;
    while (around >= offsets[episode + 1]) episode++;
    if (around - WINDOW / 2 < end) continue; // a short episode's window was moved here
    const int64_t had = l->n;
    ORR_TRY(look_at_episode(l, shard, episode, around));
    if (l->n > had) end = around + WINDOW / 2;
  }
  return ORR_OK;
}

static orr_code look_at_all(looking *l) {
  const data_shard_format *f = &l->x->format;
  int64_t most = BYTES_MAX / (f->height * f->width * 3), before = 0;
  most = most < 256 ? 256 : most > PAIRS_MAX ? PAIRS_MAX : most;
  int64_t windows = l->x->frames / WINDOW;
  windows = windows < 1 ? 1 : windows > most / WINDOW ? most / WINDOW : windows;
  // short episodes: a window each, as far as there is room
  if (windows < l->x->episodes && windows < most / WINDOW)
    windows = l->x->episodes < most / WINDOW ? l->x->episodes : most / WINDOW;
  ORR_TRY(data_index_want_in_order(l->x, 0));
  for (int64_t i = 0; i < l->x->count; i++) {
    data_shard *shard = NULL;
    ORR_TRY(data_index_open_shard(l->x, i, &shard));
    const data_shard_format *own = data_shard_get_format(shard);
    orr_code rc = own->height == f->height && own->width == f->width && own->A == f->A
                      ? look_at_shard(l, shard, before, windows)
                      : ORR_FAIL(ORR_EFORMAT, "%s: not as index.json says; build the index again",
                                 data_shard_path(shard));
    before += data_shard_frames(shard);
    data_shard_close(shard);
    ORR_TRY(rc);
  }
  return ORR_OK;
}

// -- the verdict -----------------------------------------------------------------------------

// Explained shares summed over what can be told at all, for each group and shift.
static void sum_shares(const looking *l, const double *explained, int groups,
                       double shares[GROUPS][SHIFTS], double *counted) {
  memset(shares, 0, sizeof(double) * GROUPS * SHIFTS);
  *counted = 0;
  for (int64_t kind = 0; kind < 2; kind++) {
    for (int64_t c = 0; c < l->C; c++) {
      double best = 0;
      for (int64_t s = 0; s < SHIFTS; s++) {
        double mean = 0;
        for (int g = 0; g < groups; g++)
          mean += explained[g * l->Q + (kind * SHIFTS + s) * l->C + c] / groups;
        best = fmax(best, mean);
      }
      if (best < FLOOR) continue;
      *counted += 1;
      for (int g = 0; g < groups; g++)
        for (int64_t s = 0; s < SHIFTS; s++)
          shares[g][s] += explained[g * l->Q + (kind * SHIFTS + s) * l->C + c];
    }
  }
}

static int best_shift(double shares[GROUPS][SHIFTS], const int *drawn, int groups) {
  double sums[SHIFTS] = {0};
  int best = DATA_LAG_MOST; // no shift, where nothing is better
  for (int k = 0; k < groups; k++)
    for (int s = 0; s < SHIFTS; s++) sums[s] += shares[drawn[k]][s];
  for (int s = 0; s < SHIFTS; s++)
    if (sums[s] > sums[best]) best = s;
  return best;
}

static void judge(double shares[GROUPS][SHIFTS], int groups, double counted, data_lag *out) {
  int drawn[GROUPS], same = 0;
  for (int g = 0; g < groups; g++) drawn[g] = g;
  const int best = best_shift(shares, drawn, groups);
  for (int d = 0; d < DRAWS; d++) {
    for (int k = 0; k < groups; k++)
      drawn[k] =
          (int)orr_rng_below(0, ORR_STREAM_INSPECT, (uint64_t)d, (uint64_t)k, (uint64_t)groups);
    same += best_shift(shares, drawn, groups) == best;
  }
  for (int g = 0; g < groups; g++) {
    out->explained += shares[g][best] / groups / counted;
    out->unshifted += shares[g][DATA_LAG_MOST] / groups / counted;
  }
  out->known = true;
  out->shift = best - DATA_LAG_MOST;
  out->certainty = (double)same / DRAWS;
}

static orr_code compare(looking *l, data_lag *out) {
  double shares[GROUPS][SHIFTS], counted;
  const int groups = l->windows < GROUPS ? l->windows : GROUPS;
  out->pairs = l->n;
  if (l->n < PAIRS_MIN || groups < 3) {
    out->why = "too few frames";
    return ORR_OK;
  }
  double *explained = orr_calloc((size_t)(groups * l->Q), sizeof *explained);
  ORR_CHECK(explained, ORR_ENOMEM, "%s: out of memory to look at its actions", l->x->dir);
  // neighbours stay together, so that a group is not told from its own pictures
  for (int64_t t = 0; t < l->n; t++)
    l->window[t] = (int)((int64_t)l->window[t] * groups / l->windows);
  orr_code rc = data_ridge_explain(l->change, l->told, l->window, l->n, P, l->Q, groups, explained);
  if (rc == ORR_OK) {
    sum_shares(l, explained, groups, shares, &counted);
    if (counted > 0)
      judge(shares, groups, counted, out);
    else
      out->why = "the change of the pictures tells nothing about the actions";
  }
  orr_free(explained);
  return rc;
}

// The components that vary; of many, the first ones.
static int64_t choose(const data_index *x, const data_action_stats *stats,
                      int64_t components[COMPONENTS_MAX]) {
  int64_t n = 0;
  for (int64_t i = 0; i < x->format.A && n < COMPONENTS_MAX; i++)
    if (stats[i].deviation > 0) components[n++] = i;
  return n;
}

orr_code data_lag_find(const data_index *x, const data_action_stats *stats, data_lag *out) {
  const data_shard_format *f = &x->format;
  int64_t components[COMPONENTS_MAX];
  looking l = {.x = x, .A = f->A, .C = choose(x, stats, components), .components = components};
  orr_code rc = ORR_OK;
  *out = (data_lag){.why = f->height ? "no action varies" : "no frames"};
  if (!l.C || !f->height) return ORR_OK;
  l.Q = 2 * SHIFTS * l.C;
  l.window = orr_malloc(PAIRS_MAX * sizeof *l.window);
  l.change = orr_malloc((size_t)PAIRS_MAX * P * sizeof *l.change);
  l.told = orr_malloc((size_t)(PAIRS_MAX * l.Q) * sizeof *l.told);
  l.frame = orr_malloc((size_t)(f->height * f->width * 3));
  l.actions = orr_malloc((size_t)((WINDOW + 2 * DATA_LAG_MOST + 2) * l.A) * sizeof *l.actions);
  ORR_CHECK_GOTO(l.window && l.change && l.told && l.frame && l.actions, done, ORR_ENOMEM,
                 "%s: out of memory to look at its actions", x->dir);
  ORR_TRY_GOTO(data_motion_create(f->height, f->width, &l.motion), done);
  ORR_TRY_GOTO(look_at_all(&l), done);
  rc = compare(&l, out);
done:
  data_motion_destroy(l.motion);
  orr_free(l.actions);
  orr_free(l.frame);
  orr_free(l.told);
  orr_free(l.change);
  orr_free(l.window);
  return rc;
}
