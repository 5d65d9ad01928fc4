#include "data/set/action_stats.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

#define ROWS 4096 // rows read at once

typedef struct {
  int64_t A;
  data_action_stats *stats;
  uint64_t count; // of values of each component so far
} gathering;

// Range, mean and sum of squared distances from it (Welford 1962).
static void gather_moments(gathering *g, const float *row) {
  g->count++;
  for (int64_t i = 0; i < g->A; i++) {
    data_action_stats *s = &g->stats[i];
    double off = row[i] - s->mean;
    s->low = row[i] < s->low ? row[i] : s->low;
    s->high = row[i] > s->high ? row[i] : s->high;
    s->mean += off / (double)g->count;
    s->deviation += off * (row[i] - s->mean);
  }
}

static void gather_bins(gathering *g, const float *row) {
  for (int64_t i = 0; i < g->A; i++) {
    data_action_stats *s = &g->stats[i];
    double width = s->high - s->low;
    int bin = width > 0 ? (int)((row[i] - s->low) / width * DATA_ACTION_BINS) : 0;
    s->bins[bin < DATA_ACTION_BINS ? bin : DATA_ACTION_BINS - 1]++;
  }
}

static orr_code each_row_of_shard(gathering *g, data_shard *s, float *rows,
                                  void (*gather)(gathering *g, const float *row)) {
  int64_t frames = data_shard_frames(s);
  for (int64_t first = 0; first < frames; first += ROWS) {
    int64_t n = frames - first < ROWS ? frames - first : ROWS;
    ORR_TRY(data_shard_read_actions(s, first, n, 1, rows));
    for (int64_t i = 0; i < n * g->A; i++) {
      ORR_CHECK(isfinite(rows[i]), ORR_EFORMAT,
                "%s: /actions[%" PRId64 ",%" PRId64 "] is %g, wanted a finite number",
                data_shard_path(s), first + i / g->A, i % g->A, (double)rows[i]);
    }
    for (int64_t i = 0; i < n; i++) gather(g, rows + i * g->A);
  }
  return ORR_OK;
}

static orr_code each_row(gathering *g, const data_index *x, float *rows,
                         void (*gather)(gathering *g, const float *row)) {
  ORR_TRY(data_index_want_in_order(x, 0));
  for (int64_t i = 0; i < x->count; i++) {
    data_shard *s = NULL;
    ORR_TRY(data_index_open_shard(x, i, &s));
    orr_code rc = data_shard_get_format(s)->A == g->A
                      ? each_row_of_shard(g, s, rows, gather)
                      : ORR_FAIL(ORR_EFORMAT,
                                 "%s: %" PRId64 " action components, but index.json says %" PRId64,
                                 data_shard_path(s), data_shard_get_format(s)->A, g->A);
    data_shard_close(s);
    ORR_TRY(rc);
  }
  return ORR_OK;
}

orr_code data_action_stats_read(const data_index *x, data_action_stats *stats) {
  gathering g = {.A = x->format.A, .stats = stats};
  orr_code rc = ORR_OK;
  float *rows = orr_malloc((size_t)(ROWS * g.A) * sizeof *rows);
  ORR_CHECK(rows, ORR_ENOMEM, "%s: out of memory: cannot look at its actions", x->dir);
  for (int64_t i = 0; i < g.A; i++)
    stats[i] = (data_action_stats){.low = INFINITY, .high = -INFINITY};
  ORR_TRY_GOTO(each_row(&g, x, rows, gather_moments), done);
  for (int64_t i = 0; i < g.A; i++) stats[i].deviation = sqrt(stats[i].deviation / (double)g.count);
  rc = each_row(&g, x, rows, gather_bins);
done:
  orr_free(rows);
  return rc;
}
