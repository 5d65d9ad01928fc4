#include "train/save/whole.h"

#include <string.h>

#include "base/mem.h"
#include "train/save/store.h"
#include "train/step/stage.h"

struct train_whole {
  train_state *s;
  train_axes *axes;
  int tp;
  bool as_alone;               // the flat layout is that of one rank alone
  train_params *theirs, alone; // [tp] of the ranks of tp, and of one rank alone, where it is not
  float *here;                 // [total] of this rank
  float *parts;                // [tp, total] of all ranks of tp, on the first one
  float *whole;                // [alone.total], there
  int64_t *bytes;              // [4, tp]: counts and places of the exchange
};

// Rank 0 puts together what its neighbours of tp send; their replicas have the same.
static bool gathers(const train_whole *w) {
  return w->axes->grid.tp_i == 0;
}

static orr_code take_tables(train_whole *w, const cfg *c) {
  const size_t tp = (size_t)w->tp, total = (size_t)w->s->params.total;
  w->theirs = orr_calloc(tp, sizeof *w->theirs);
  w->bytes = orr_calloc(4 * tp, sizeof *w->bytes);
  ORR_CHECK(w->theirs && w->bytes, ORR_ENOMEM, "weights of the whole model: out of memory");
  for (int r = 0; r < w->tp; r++) {
    train_axes other = *w->axes;
    other.grid.tp_i = r;
    ORR_TRY(train_stage_list_model(c, &other, &w->theirs[r]));
  }
  ORR_TRY(train_stage_list_model(c, NULL, &w->alone));
  if (!gathers(w)) return ORR_OK;
  w->parts = w->tp > 1 ? orr_malloc(tp * total * sizeof *w->parts) : w->here;
  w->whole = orr_calloc((size_t)w->alone.total, sizeof *w->whole);
  ORR_CHECK(w->parts && w->whole, ORR_ENOMEM, "weights of the whole model: out of memory");
  return ORR_OK;
}

orr_code train_whole_create(const cfg *c, train_state *s, train_axes *axes, train_whole **out) {
  train_whole *w = orr_calloc(1, sizeof *w);
  ORR_CHECK(w, ORR_ENOMEM, "weights of the whole model: out of memory");
  *w = (train_whole){.s = s, .axes = axes, .tp = train_axes_size(axes, DIST_AXIS_TP)};
  w->as_alone = w->tp == 1 && s->params.segments == 0;
  w->here = orr_malloc((size_t)s->params.total * sizeof *w->here);
  orr_code rc =
      w->here ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "weights of the whole model: out of memory");
  if (rc == ORR_OK && !w->as_alone) rc = take_tables(w, c);
  if (rc != ORR_OK) {
    train_whole_destroy(w);
    return rc;
  }
  *out = w;
  return ORR_OK;
}

void train_whole_destroy(train_whole *w) {
  if (!w) return;
  for (int r = 0; w->theirs && r < w->tp; r++) train_params_release(&w->theirs[r]);
  train_params_release(&w->alone);
  orr_free(w->theirs);
  orr_free(w->bytes);
  orr_free(w->whole);
  if (w->parts != w->here) orr_free(w->parts);
  orr_free(w->here);
  orr_free(w);
}

// Part r of a parameter, to its places in the whole one.
static void place_part(const train_whole *w, int i, int r) {
  const train_param *p = &w->theirs[r].list[i];
  const float *from = w->parts + r * w->s->params.total + p->at;
  float *to = w->whole + w->alone.list[i].at;
  for (int64_t at = 0, run, global; at < p->count; at += run) {
    run = train_param_here(p, at, &global);
    if (run > p->count - at) run = p->count - at;
    if (global >= 0) memcpy(to + global, from + at, (size_t)run * sizeof *to);
  }
}

static orr_code gather(train_whole *w) {
  int64_t *send = w->bytes, *recv = send + w->tp, *send_at = recv + w->tp,
          *recv_at = send_at + w->tp;
  const int64_t all = w->s->params.total * (int64_t)sizeof *w->here;
  for (int r = 0; r < w->tp; r++) {
    send[r] = r == 0 ? all : 0;
    recv[r] = gathers(w) ? all : 0;
    recv_at[r] = r * all;
  }
  if (w->tp > 1)
    ORR_TRY(train_axes_host_all_to_all(w->axes, DIST_AXIS_TP, w->here, send, send_at, w->parts,
                                       recv, recv_at));
  for (int i = 0; gathers(w) && i < w->alone.count; i++)
    for (int r = 0; r < w->tp; r++) place_part(w, i, r);
  return ORR_OK;
}

orr_code train_whole_take(train_whole *w, const float **flat) {
  train_state *s = w->s;
  *flat = NULL;
  for (int i = 0; i < train_state_parts(s); i++) {
    train_store_part part;
    ORR_TRY(train_store_bring(s, w->axes, s->has_ema ? 3 : 0, i, &part));
    ORR_TRY(kern_copy(s->k, &(kern_copy_args){.dst = w->here + part.at,
                                              .src = part.values,
                                              .bytes = (size_t)part.count * sizeof *part.values,
                                              .way = KERN_COPY_OUT}));
  }
  ORR_TRY(kern_sync(s->k));
  if (!w->as_alone) ORR_TRY(gather(w));
  if (w->axes->grid.rank == 0) *flat = w->as_alone ? w->here : w->whole;
  return ORR_OK;
}
