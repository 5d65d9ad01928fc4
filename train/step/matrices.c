#include "train/step/matrices.h"

#include <string.h>

#include "base/mem.h"
#include "train/model/exact.h"
#include "train/step/muon.h"
#include "train/step/stage.h"
#include "train/step/state.h"

// One matrix, or this rank's part of one.
typedef struct {
  const train_param *p;
  train_partition_piece piece; // of the bucket that it lies in
} own_matrix;

struct train_matrices {
  train_state *s;
  const cfg *c;
  train_axes *axes;
  int tp, rank;
  own_matrix *list;
  int count, done;      // done: updated in this step
  train_params *theirs; // [tp] of all ranks of tp; NULL where there is one
  train_muon muon;
  int64_t most;    // elements of the largest one here
  void *out, *in;  // [tp, most], of the type of the products; with tp only
  double *sumsq;   // [count]
  int64_t *bins;   // [count,KERN_SQUARES_BINS] of them with run.exact (kernels/ops.h), else NULL
  int64_t *counts; // [6, tp]: counts and places of an exchange
};

// -- life -----------------------------------------------------------------------------------

static orr_code list_own(train_matrices *m) {
  const train_state *s = m->s;
  m->list = orr_calloc((size_t)s->params.count + 1, sizeof *m->list);
  ORR_CHECK(m->list, ORR_ENOMEM, "list of the matrices: out of memory");
  for (int i = 0; i < s->params.count; i++) {
    const train_param *p = &s->params.list[i];
    const train_partition_piece x =
        train_partition_piece_of(&s->shard, train_partition_find(&s->shard, p->at));
    if (!p->of_block || x.count == 0) continue;
    ORR_CHECK(p->have == p->capacity && p->at >= x.at && p->at + p->count <= x.at + x.count,
              ORR_EINVAL, "%s: an optimizer of whole matrices was given a part of it", p->name);
    m->list[m->count++] = (own_matrix){p, x};
    if (p->count > m->most) m->most = p->count;
  }
  return ORR_OK;
}

// What the ranks of tp have follows from the configuration.
static orr_code list_theirs(train_matrices *m) {
  m->counts = orr_calloc(6 * (size_t)m->tp, sizeof *m->counts);
  m->theirs = orr_calloc((size_t)m->tp, sizeof *m->theirs);
  ORR_CHECK(m->counts && m->theirs, ORR_ENOMEM, "exchange of the matrices: out of memory");
  for (int r = 0; r < m->tp; r++) {
    train_axes other = *m->axes;
    other.grid.tp_i = r;
    ORR_TRY(train_stage_list(m->c, &other, &m->theirs[r]));
  }
  return ORR_OK;
}

orr_code train_matrices_create(train_state *s, const cfg *c, train_axes *axes,
                               train_matrices **out) {
  train_matrices *m = orr_calloc(1, sizeof *m);
  ORR_CHECK(m, ORR_ENOMEM, "list of the matrices: out of memory");
  *m = (train_matrices){.s = s,
                        .c = c,
                        .axes = axes,
                        .tp = train_axes_size(axes, DIST_AXIS_TP),
                        .rank = train_axes_rank(axes, DIST_AXIS_TP)};
  orr_code rc = list_own(m);
  if (rc == ORR_OK && m->tp > 1) rc = list_theirs(m);
  if (rc != ORR_OK) {
    train_matrices_destroy(m);
    return rc;
  }
  train_muon_init(&m->muon, s->k, s->weights.act, &s->params);
  *out = m;
  return ORR_OK;
}

void train_matrices_destroy(train_matrices *m) {
  if (!m) return;
  for (int r = 0; m->theirs && r < m->tp; r++) train_params_release(&m->theirs[r]);
  orr_free(m->theirs);
  orr_free(m->counts);
  orr_free(m->list);
  orr_free(m);
}

void train_matrices_place(train_matrices *m, orr_arena *arena) {
  const size_t part = (size_t)(m->tp * m->most) * kern_dtype_size(m->muon.type);
  train_muon_place(&m->muon, arena);
  m->sumsq = orr_arena_take(arena, (size_t)m->count * sizeof *m->sumsq);
  m->bins = NULL;
  if (train_exact(m->axes))
    m->bins = orr_arena_take(arena, (size_t)(m->count * KERN_SQUARES_BINS) * sizeof *m->bins);
  if (m->tp == 1) return;
  m->out = orr_arena_take(arena, part);
  m->in = orr_arena_take(arena, part);
}

// -- the element-wise halves ----------------------------------------------------------------

static float *direction_of(const train_matrices *m, const own_matrix *x) {
  return train_state_gradients_of(m->s, &x->piece) + (x->p->at - x->piece.at);
}

static int64_t own_place(const own_matrix *x) {
  return x->piece.place + (x->p->at - x->piece.at);
}

static orr_code begin_one(train_matrices *m, int i, const train_update_numbers *x) {
  const own_matrix *o = &m->list[i];
  kern *k = m->s->k;
  ORR_TRY(kern_muon_blend(k, &(kern_muon_blend_args){.n = o->p->count,
                                                     .g = direction_of(m, o),
                                                     .m = m->s->m + own_place(o),
                                                     .momentum = (float)m->c->optim.muon_momentum,
                                                     .verdict = x->verdict}));
  if (o->p->counted_elsewhere) return ORR_OK;
  if (m->bins)
    return kern_squares(k, &(kern_squares_args){.n = o->p->count,
                                                .x = direction_of(m, o),
                                                .bins = m->bins + i * KERN_SQUARES_BINS});
  return kern_sumsq(
      k, &(kern_sumsq_args){.n = o->p->count, .x = direction_of(m, o), .sum = &m->sumsq[i]});
}

// Norms that are the same over any parts of a matrix.
static orr_code begin_exact(train_matrices *m, const train_update_numbers *x) {
  const int64_t bins = (int64_t)m->count * KERN_SQUARES_BINS;
  ORR_TRY(
      kern_fill(m->s->k, &(kern_fill_args){.x = m->bins, .bytes = (size_t)bins * sizeof *m->bins}));
  for (int i = 0; i < m->count; i++) ORR_TRY(begin_one(m, i, x));
  ORR_TRY(train_axes_all_reduce(m->axes, DIST_AXIS_TP, m->bins, bins, DIST_I64, DIST_SUM));
  return kern_squares_sum(
      m->s->k, &(kern_squares_sum_args){.count = m->count, .bins = m->bins, .sum = m->sumsq});
}

orr_code train_matrices_begin(train_matrices *m, const train_update_numbers *x) {
  m->done = 0;
  if (m->count == 0) return ORR_OK;
  if (m->bins) return begin_exact(m, x);
  if (m->tp > 1)
    ORR_TRY(kern_fill(
        m->s->k, &(kern_fill_args){.x = m->sumsq, .bytes = (size_t)m->count * sizeof *m->sumsq}));
  for (int i = 0; i < m->count; i++) ORR_TRY(begin_one(m, i, x));
  if (m->tp == 1) return ORR_OK;
  return train_axes_all_reduce(m->axes, DIST_AXIS_TP, m->sumsq, m->count, DIST_F64, DIST_SUM);
}

// X_0 of matrix i, as far as it lies here.
static orr_code normalise(train_matrices *m, int i, void *to) {
  const own_matrix *o = &m->list[i];
  return kern_muon_norm(m->s->k, &(kern_muon_norm_args){.type = m->muon.type,
                                                        .n = o->p->count,
                                                        .g = direction_of(m, o),
                                                        .sumsq = &m->sumsq[i],
                                                        .x = to});
}

static orr_code apply(train_matrices *m, int i, const void *x, const train_update_numbers *n) {
  const own_matrix *o = &m->list[i];
  const train_state *s = m->s;
  const int64_t in = o->p->at - o->piece.at;
  uint16_t *work = train_state_work_of(s, &o->piece);
  return kern_muon_apply(
      s->k, &(kern_muon_apply_args){.type = m->muon.type,
                                    .n = o->p->count,
                                    .x = x,
                                    .w = train_state_master_of(s, &o->piece) + in,
                                    .ema = s->ema ? s->ema + own_place(o) : NULL,
                                    .w_bf16 = work ? work + in : NULL,
                                    .gain = train_muon_gain(m->c, o->p->shape[0], o->p->shape[1]),
                                    .weight_decay = (float)m->c->optim.weight_decay,
                                    .ema_decay = (float)m->c->optim.ema_decay,
                                    .rates = n->rates,
                                    .verdict = n->verdict});
}

static orr_code orthogonal(train_matrices *m, const train_param *p, const void **x) {
  return train_muon_orthogonal(&m->muon, p->shape[0], p->shape[1], m->c->optim.muon_steps, x);
}

// -- over tp --------------------------------------------------------------------------------

static char *part_at(const train_matrices *m, void *parts, int64_t element) {
  return (char *)parts + (size_t)element * kern_dtype_size(m->muon.type);
}

// A rank's part of a matrix, to its place in the whole, or back.
static orr_code copy_part(const train_matrices *m, const train_param *p, void *whole, void *part,
                          bool back) {
  const size_t e = kern_dtype_size(m->muon.type), width = (size_t)(p->have * p->inner) * e,
               pitch = (size_t)(p->shape[p->dim] * p->inner) * e;
  void *here = part_at(m, whole, p->first * p->inner);
  return kern_copy_rows(m->s->k, &(kern_copy_rows_args){.dst = back ? part : here,
                                                        .src = back ? here : part,
                                                        .dst_pitch = back ? width : pitch,
                                                        .src_pitch = back ? pitch : width,
                                                        .width = width,
                                                        .rows = p->outer,
                                                        .way = KERN_COPY_WITHIN});
}

// The parameter of matrix i as rank r of tp has it.
static const train_param *their(const train_matrices *m, int i, int r) {
  return &m->theirs[r].list[m->list[i].p - m->s->params.list];
}

// Elements of matrix i that rank r brings to whoever makes it orthogonal.
static int64_t brought(const train_matrices *m, int i, int r) {
  const train_param *p = their(m, i, r);
  return p->counted_elsewhere ? 0 : p->count;
}

// Matrices [first, first+n): i goes to rank i - first of tp (`back`: comes from there).
static orr_code exchange(train_matrices *m, int first, int n, bool back) {
  int64_t *send = m->counts, *recv = send + m->tp, *send_at = recv + m->tp,
          *recv_at = send_at + m->tp;
  const int mine = first + m->rank;
  for (int r = 0; r < m->tp; r++) {
    const int64_t theirs = r < n ? m->list[first + r].p->count : 0,
                  own = m->rank < n ? m->list[mine].p->count : 0;
    send[r] = back ? own : r < n ? brought(m, first + r, m->rank) : 0;
    recv[r] = back ? theirs : m->rank < n ? brought(m, mine, r) : 0;
    send_at[r] = recv_at[r] = r * m->most;
  }
  return train_axes_all_to_all(m->axes, DIST_AXIS_TP, back ? m->in : m->out, send, send_at,
                               back ? m->out : m->in, recv, recv_at, train_wire(m->muon.type));
}

// Matrix i, whose parts lie in m->in; X's parts take their places.
static orr_code orthogonal_of_parts(train_matrices *m, int i) {
  const void *x;
  for (int r = 0; r < m->tp; r++)
    if (brought(m, i, r) > 0)
      ORR_TRY(copy_part(m, their(m, i, r), m->muon.x[0], part_at(m, m->in, r * m->most), false));
  ORR_TRY(orthogonal(m, m->list[i].p, &x));
  for (int r = 0; r < m->tp; r++)
    ORR_TRY(copy_part(m, their(m, i, r), (void *)x, part_at(m, m->in, r * m->most), true));
  return ORR_OK;
}

static orr_code update_group(train_matrices *m, int first, int n, const train_update_numbers *x) {
  for (int j = 0; j < n; j++) ORR_TRY(normalise(m, first + j, part_at(m, m->out, j * m->most)));
  ORR_TRY(exchange(m, first, n, false));
  if (m->rank < n) ORR_TRY(orthogonal_of_parts(m, first + m->rank));
  ORR_TRY(exchange(m, first, n, true));
  for (int j = 0; j < n; j++) ORR_TRY(apply(m, first + j, part_at(m, m->out, j * m->most), x));
  return ORR_OK;
}

static orr_code update_alone(train_matrices *m, int i, const train_update_numbers *n) {
  const void *x;
  ORR_TRY(normalise(m, i, m->muon.x[0]));
  ORR_TRY(orthogonal(m, m->list[i].p, &x));
  return apply(m, i, x, n);
}

orr_code train_matrices_until(train_matrices *m, int64_t end, const train_update_numbers *x) {
  while (m->done < m->count && m->list[m->done].p->at < end) {
    const int left = m->count - m->done, n = left < m->tp ? left : m->tp, first = m->done;
    ORR_TRY(m->tp > 1 ? update_group(m, first, n, x) : update_alone(m, first, x));
    m->done += n;
  }
  return ORR_OK;
}
