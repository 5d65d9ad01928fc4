#include "train/replicas.h"

#include "base/mem.h"

orr_code train_replicas_create(const cfg *c, const dist_world *w, const train_state *s,
                               dist_replicas **out) {
  *out = NULL;
  if (c->dist.check_replicas == 0 || w->grid.cp * w->grid.dp == 1) return ORR_OK;
  const train_weights *weights = &s->weights;
  dist_replica *parts = orr_calloc(2 * (size_t)s->params.count, sizeof *parts);
  ORR_CHECK(parts, ORR_ENOMEM, "list of %d replicated parameters: out of memory", s->params.count);
  int n = 0;
  for (int i = 0; i < s->params.count; i++) {
    const train_param *p = &s->params.list[i];
    const size_t count = (size_t)p->count;
    if (weights->master || !p->decay) // shared-out matrices have no float32 copy on every rank
      parts[n++] = (dist_replica){p->name, train_plain(weights, p->at), count * sizeof(float)};
    if (weights->work)
      parts[n++] = (dist_replica){p->name, weights->work + p->at, count * sizeof(uint16_t)};
  }
  orr_code rc = dist_replicas_create(w, DIST_AXIS_REPLICA, parts, n, out);
  orr_free(parts);
  return rc;
}

void train_replicas_foresee(const cfg *c, const train_axes *axes,
                            train_moved moved[DIST_AXES][TRAIN_MOVES]) {
  const int replicas = train_axes_size(axes, DIST_AXIS_REPLICA);
  if (c->dist.check_replicas == 0 || replicas == 1) return;
  moved[DIST_AXIS_REPLICA][TRAIN_ALL_GATHER] =
      (train_moved){.calls = 1, .bytes = DIST_REPLICA_BYTES * replicas};
  moved[DIST_AXIS_WORLD][TRAIN_ALL_REDUCE] = // the agreement on the outcome
      (train_moved){.calls = 1, .bytes = sizeof(int64_t)};
}
