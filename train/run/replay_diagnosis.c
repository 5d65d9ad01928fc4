#include "train/run/replay_diagnosis.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

train_replay_diagnosis train_replay_diagnosis_of(const train_fingerprint *was,
                                                 const train_fingerprint *is, int ranks) {
  train_replay_diagnosis v = {.was = was, .is = is};
  for (int p = 0; p < TRAIN_FINGERPRINT_PARTS && !v.differs; p++) {
    for (int i = 0; i < ranks; i++) v.ranks += was[i].v[p] != is[i].v[p];
    v.differs = v.ranks > 0;
    v.first = (train_fingerprint_part)p;
  }
  return v;
}

const char *train_replay_diagnosis_name(const train_replay_diagnosis *v) {
  static const char *const names[TRAIN_FINGERPRINT_PARTS] = {
      [TRAIN_FINGERPRINT_BATCH] = "the batch differs",
      [TRAIN_FINGERPRINT_LOCAL] = "gradients differ",
      [TRAIN_FINGERPRINT_GRADIENTS] = "reduced gradients differ",
      [TRAIN_FINGERPRINT_LOSS] = "the loss differs",
      [TRAIN_FINGERPRINT_NORM] = "the gradient norm differs",
      [TRAIN_FINGERPRINT_WEIGHTS] = "the weights differ",
  };
  return names[v->first];
}

static const char *meaning_of(const train_replay_diagnosis *v, const dist_grid *g) {
  switch (v->first) {
  case TRAIN_FINGERPRINT_BATCH:
    return "the data changed since: not the hardware";
  case TRAIN_FINGERPRINT_LOCAL:
    return v->ranks > 1 && g->tp * g->cp > 1
               ? "the same clips and weights gave other gradients, on ranks that exchange "
                 "activations: hardware of one of them failed, then or now, or an op is not "
                 "deterministic"
               : "the same clips and weights gave other gradients: its hardware failed, then or "
                 "now, or an op is not deterministic";
  case TRAIN_FINGERPRINT_GRADIENTS:
    return "every rank brought the same to the sum: the reduction, its network, or memory that "
           "held the result failed, then or now";
  case TRAIN_FINGERPRINT_LOSS:
  case TRAIN_FINGERPRINT_NORM:
    return "the gradients are the same: a sum over them, or memory that held it, failed, then or "
           "now";
  default:
    return "the gradients are the same: the update, or memory that holds weights or moments, "
           "failed, then or now";
  }
}

static const char *host_then(const train_replay_diagnosis_place *at, int rank) {
  const char *host =
      json_string_value(json_array_get(json_object_get(at->head, "hosts"), (size_t)rank));
  return host ? host : "an unknown host";
}

// "rank 1 (node7)", up to a few of them.
static void list_ranks(const train_replay_diagnosis *v, const train_replay_diagnosis_place *at,
                       char *out, size_t size) {
  enum { MOST = 8 };
  size_t n = (size_t)snprintf(out, size, "rank%s ", v->ranks > 1 ? "s" : "");
  int listed = 0;
  for (int i = 0; i < at->world->grid.ranks && n < size; i++) {
    if (v->was[i].v[v->first] == v->is[i].v[v->first]) continue;
    if (listed++ == MOST) {
      snprintf(out + n, size - n, " and %d more", v->ranks - MOST);
      return;
    }
    n += (size_t)snprintf(out + n, size - n, "%s%d (trained on %s)", listed > 1 ? ", " : "", i,
                          host_then(at, i));
  }
}

void train_replay_diagnosis_tell(const train_replay_diagnosis *v,
                                 const train_replay_diagnosis_place *at, char *out, size_t size) {
  char ranks[512], gap[128] = "";
  list_ranks(v, at, ranks, sizeof ranks);
  if (at->equal_until < at->step - 1)
    snprintf(gap, sizeof gap, " (or in a step since %" PRId64 " that is not recorded)",
             at->equal_until + 1);
  snprintf(out, size, "replay differs first in step %" PRId64 "%s on %s: %s; %s", at->step, gap,
           ranks, train_replay_diagnosis_name(v), meaning_of(v, &at->world->grid));
}
