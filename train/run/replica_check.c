#include "train/run/replica_check.h"

#include "base/mem.h"

struct train_replica_check {
  dist_replicas *hashes;
  kern *k;
  void *host; // pinned, as large as the largest part
};

static orr_code read_part(void *ctx, const void *p, size_t bytes, const void **host) {
  const train_replica_check *r = ctx;
  ORR_TRY(kern_copy(
      r->k, &(kern_copy_args){.dst = r->host, .src = p, .bytes = bytes, .way = KERN_COPY_OUT}));
  *host = r->host;
  return kern_sync(r->k);
}

// Returns the number of parts; *most gets the bytes of the largest.
static int list_parts(const train_state *s, dist_replica *parts, size_t *most) {
  const train_weights *weights = &s->weights;
  int n = 0;
  for (int i = 0; i < s->params.count; i++) {
    const train_param *p = &s->params.list[i];
    const size_t count = (size_t)p->count;
    if (weights->master || !p->decay) // shared-out matrices have no float32 copy on every rank
      parts[n++] = (dist_replica){p->name, train_plain(weights, p->at), count * sizeof(float)};
    if (weights->work)
      parts[n++] = (dist_replica){p->name, weights->work + p->at, count * sizeof(uint16_t)};
  }
  *most = 0;
  for (int i = 0; i < n; i++)
    if (*most < parts[i].bytes) *most = parts[i].bytes;
  return n;
}

orr_code train_replica_check_create(const cfg *c, const dist_world *w, const train_state *s,
                                    train_replica_check **out) {
  orr_code rc;
  size_t most;
  *out = NULL;
  if (c->dist.check_replicas == 0 || w->grid.cp * w->grid.dp == 1) return ORR_OK;
  train_replica_check *r = orr_calloc(1, sizeof *r);
  dist_replica *parts = orr_calloc(2 * (size_t)s->params.count, sizeof *parts);
  ORR_CHECK_GOTO(r && parts, free_parts, ORR_ENOMEM,
                 "list of %d replicated parameters: out of memory", s->params.count);
  r->k = s->k;
  const int n = list_parts(s, parts, &most);
  ORR_TRY_GOTO(kern_alloc(s->k, KERN_PINNED, most, "comparison of replicas", &r->host), free_parts);
  ORR_TRY_GOTO(dist_replicas_create(w, DIST_AXIS_REPLICA, parts, n, read_part, r, &r->hashes),
               free_parts);
  *out = r;
  r = NULL;
free_parts:
  orr_free(parts);
  train_replica_check_destroy(r);
  return rc;
}

void train_replica_check_destroy(train_replica_check *r) {
  if (!r) return;
  dist_replicas_destroy(r->hashes);
  kern_free(r->k, KERN_PINNED, r->host);
  orr_free(r);
}

orr_code train_replica_check_run(train_replica_check *r) {
  return dist_replicas_check(r->hashes);
}

void train_replica_check_foresee(const cfg *c, const train_axes *axes,
                                 train_moved moved[DIST_AXES][TRAIN_MOVES]) {
  const int replicas = train_axes_size(axes, DIST_AXIS_REPLICA);
  if (c->dist.check_replicas == 0 || replicas == 1) return;
  moved[DIST_AXIS_REPLICA][TRAIN_ALL_GATHER] =
      (train_moved){.calls = 1, .bytes = DIST_REPLICA_BYTES * replicas};
  moved[DIST_AXIS_WORLD][TRAIN_ALL_REDUCE] = // the agreement on the outcome
      (train_moved){.calls = 1, .bytes = sizeof(int64_t)};
}
