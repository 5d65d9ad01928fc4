#include "train/model/exchange.h"

#include <inttypes.h>

#include "base/mem.h"
#include "train/model/constants.h"

static int parts(const train_exchange *e) {
  return train_axes_size(e->axes, DIST_AXIS_CP);
}

// Row (frame, clip, token) is sent after those of lower ranks' positions.
static void fill_order(train_exchange *e) {
  int32_t sent = 0, *order = e->host, *place = e->host + e->M;
  for (int c = 0; c < parts(e); c++) {
    const train_part to = train_part_of(e->N, parts(e), c);
    for (int64_t frame = 0; frame < e->frames.count * e->B; frame++)
      for (int64_t n = to.first; n < to.first + to.count; n++, sent++) {
        order[sent] = (int32_t)(frame * e->N + n);
        place[order[sent]] = sent;
      }
  }
}

orr_code train_exchange_init(train_exchange *e, train_axes *axes, int64_t B, int64_t T, int64_t N) {
  const int cp = train_axes_size(axes, DIST_AXIS_CP), i = train_axes_rank(axes, DIST_AXIS_CP);
  *e = (train_exchange){.axes = axes,
                        .B = B,
                        .T = T,
                        .N = N,
                        .frames = train_part_of(T, cp, i),
                        .positions = train_part_of(N, cp, i)};
  e->M = B * e->frames.count * N;
  e->M_time = B * T * e->positions.count;
  e->host = orr_malloc(2 * (size_t)e->M * sizeof *e->host);
  e->counts = orr_malloc(4 * (size_t)cp * sizeof *e->counts);
  ORR_CHECK(e->host && e->counts, ORR_ENOMEM,
            "tables for the exchange of %" PRId64 " rows: out of memory", e->M);
  fill_order(e);
  return ORR_OK;
}

void train_exchange_release(train_exchange *e) {
  orr_free(e->counts);
  orr_free(e->host);
  *e = (train_exchange){0};
}

orr_code train_exchange_place(train_exchange *e, kern *k, size_t qkv_bytes, size_t qk_bytes,
                              size_t o_bytes, bool backward, orr_arena *arena) {
  const size_t table = (size_t)e->M * sizeof *e->host;
  ORR_TRY(train_constants_place(k, arena, e->host, table, (void **)&e->order));
  ORR_TRY(train_constants_place(k, arena, e->host + e->M, table, (void **)&e->place));
  e->packed = orr_arena_take(arena, (size_t)e->M * qkv_bytes);
  e->qk = orr_arena_take(arena, (size_t)e->M * qk_bytes);
  if (!backward) return ORR_OK;
  e->dqkv = orr_arena_take(arena, (size_t)e->M_time * qkv_bytes);
  e->d_o = orr_arena_take(arena, (size_t)e->M_time * o_bytes);
  return ORR_OK;
}

// Numbers that go to and come from every rank on the way to the attention, and their places.
static void fill_counts(const train_exchange *e, int64_t width, int64_t **here, int64_t **time) {
  const int cp = parts(e);
  *here = e->counts;
  *time = e->counts + 2 * cp;
  for (int c = 0; c < cp; c++) {
    const train_part n = train_part_of(e->N, cp, c), t = train_part_of(e->T, cp, c);
    (*here)[c] = e->B * e->frames.count * n.count * width;
    (*here)[cp + c] = e->B * e->frames.count * n.first * width;
    (*time)[c] = e->B * t.count * e->positions.count * width;
    (*time)[cp + c] = e->B * t.first * e->positions.count * width;
  }
}

orr_code train_exchange_to_time(const train_exchange *e, kern_dtype t, int64_t width,
                                const void *send, void *recv) {
  int64_t *here, *time;
  fill_counts(e, width, &here, &time);
  return train_axes_all_to_all(e->axes, DIST_AXIS_CP, send, here, here + parts(e), recv, time,
                               time + parts(e), train_wire(t));
}

orr_code train_exchange_to_frames(const train_exchange *e, kern_dtype t, int64_t width,
                                  const void *send, void *recv) {
  int64_t *here, *time;
  fill_counts(e, width, &here, &time);
  return train_axes_all_to_all(e->axes, DIST_AXIS_CP, send, time, time + parts(e), recv, here,
                               here + parts(e), train_wire(t));
}
