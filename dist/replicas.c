// Replicas compared by hashes.
#include "dist/replicas.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define HOST_MAX 64

struct dist_replicas {
  const dist_world *world;
  dist_comm *comm;
  dist_axis axis;
  int n;
  dist_replica *parts; // [n]
  dist_replica_read_fn read;
  void *ctx;
  orr_hash128 *mine; // [n]
  orr_hash128 *sums; // [ranks]: the hash of each rank's hashes
};

orr_code dist_replicas_create(const dist_world *w, dist_axis axis, const dist_replica *parts, int n,
                              dist_replica_read_fn read, void *ctx, dist_replicas **out) {
  dist_comm *c = w->axis[axis];
  dist_replicas *r = orr_calloc(1, sizeof *r);
  ORR_CHECK(r, ORR_ENOMEM, "replicas: out of memory for them");
  *r = (dist_replicas){.world = w,
                       .comm = c,
                       .axis = axis,
                       .n = n,
                       .read = read,
                       .ctx = ctx,
                       .parts = orr_calloc((size_t)n, sizeof *r->parts),
                       .mine = orr_calloc((size_t)n, sizeof *r->mine),
                       .sums = orr_calloc((size_t)dist_comm_size(c), sizeof *r->sums)};
  if (!r->parts || !r->mine || !r->sums) {
    dist_replicas_destroy(r);
    return ORR_FAIL(ORR_ENOMEM, "replicas: out of memory for the hashes of %d parameters", n);
  }
  memcpy(r->parts, parts, (size_t)n * sizeof *parts);
  *out = r;
  return ORR_OK;
}

void dist_replicas_destroy(dist_replicas *r) {
  if (!r) return;
  orr_free(r->sums);
  orr_free(r->mine);
  orr_free(r->parts);
  orr_free(r);
}

// -- judgement ------------------------------------------------------------------------------

// The rank whose hash of `part` most ranks share, and how many they are.
static int usual_rank(const orr_hash128 *hashes, int ranks, int n, int part, int *votes) {
  int best = 0;
  *votes = 0;
  for (int i = 0; i < ranks && 2 * *votes <= ranks; i++) {
    int same = 0;
    for (int j = 0; j < ranks; j++) {
      same += orr_hash_equal(hashes[(size_t)i * (size_t)n + (size_t)part],
                             hashes[(size_t)j * (size_t)n + (size_t)part]);
    }
    if (same <= *votes) continue;
    *votes = same;
    best = i;
  }
  return best;
}

void dist_replicas_judge(const orr_hash128 *hashes, int ranks, int n, dist_replicas_verdict *v) {
  *v = (dist_replicas_verdict){.majority = true, .bad = v->bad};
  memset(v->bad, 0, (size_t)ranks);
  for (int part = 0; part < n; part++) {
    int votes = 0, usual = usual_rank(hashes, ranks, n, part, &votes);
    if (votes == ranks) continue;
    bool majority = 2 * votes > ranks;
    if (!v->parts++) v->first = part;
    v->differ = true;
    v->majority = v->majority && majority;
    for (int i = 0; i < ranks; i++) {
      if (!majority || !orr_hash_equal(hashes[(size_t)i * (size_t)n + (size_t)part],
                                       hashes[(size_t)usual * (size_t)n + (size_t)part]))
        v->bad[i] = 1;
    }
  }
}

// -- the check ------------------------------------------------------------------------------

static int world_rank(const dist_replicas *r, int place) {
  const dist_axis_line line = dist_grid_line(&r->world->grid, r->axis);
  return line.first + place * line.step;
}

// "ranks 4 (node2), 6 (node3)"
static void print_ranks(const dist_replicas *r, const dist_replicas_verdict *v,
                        const char (*hosts)[HOST_MAX], char *text, size_t size) {
  int ranks = dist_comm_size(r->comm), bad = 0;
  for (int i = 0; i < ranks; i++) bad += v->bad[i];
  size_t at = (size_t)snprintf(text, size, bad == 1 ? "rank" : "ranks");
  const char *between = " ";
  for (int i = 0; i < ranks && at < size; i++) {
    if (!v->bad[i]) continue;
    at += (size_t)snprintf(text + at, size - at, "%s%d (%s)", between, world_rank(r, i), hosts[i]);
    between = ", ";
  }
}

static orr_code verdict_of(const dist_replicas *r, const orr_hash128 *hashes,
                           const char (*hosts)[HOST_MAX], unsigned char *bad) {
  char who[1024], more[64] = "";
  dist_replicas_verdict v = {.bad = bad};
  dist_replicas_judge(hashes, dist_comm_size(r->comm), r->n, &v);
  // The sums differ and the parts do not: the hashes themselves were hit.
  ORR_CHECK(v.differ, ORR_ECORRUPT, "replicas on the %s axis: hashes differ, weights do not",
            dist_axis_name(r->axis));
  print_ranks(r, &v, hosts, who, sizeof who);
  if (v.parts > 1) snprintf(more, sizeof more, " and in %d more", v.parts - 1);
  return ORR_FAIL(ORR_ECORRUPT,
                  "replicas on the %s axis differ: %s %s, first in %s%s; suspect that memory or "
                  "device, and go on from a checkpoint (--resume) without it",
                  dist_axis_name(r->axis), who,
                  v.majority ? "against the majority" : "with no majority for either",
                  r->parts[v.first].name, more);
}

// Collective over the axis, when the sums differ: everyone's hashes to everyone, and the verdict.
static orr_code find_difference(dist_replicas *r) {
  size_t ranks = (size_t)dist_comm_size(r->comm), n = (size_t)r->n;
  orr_hash128 *all = orr_calloc(ranks * n, sizeof *all);
  char(*hosts)[HOST_MAX] = orr_calloc(ranks, sizeof *hosts);
  unsigned char *bad = orr_calloc(ranks, 1);
  char host[HOST_MAX] = "";
  gethostname(host, sizeof host - 1);
  orr_code rc = all && hosts && bad
                    ? ORR_OK
                    : ORR_FAIL(ORR_ENOMEM, "replicas differ; out of memory: cannot find out where");
  int64_t bytes = (int64_t)(n * sizeof *all);
  ORR_TRY_GOTO(dist_agree(r->comm, rc, "compare replicas"), release);
  ORR_TRY_GOTO(dist_all_gather(r->comm, r->mine, all, bytes, DIST_U8), release);
  ORR_TRY_GOTO(dist_all_gather(r->comm, host, hosts, HOST_MAX, DIST_U8), release);
  rc = verdict_of(r, all, (const char(*)[HOST_MAX])hosts, bad);
release:
  orr_free(bad);
  orr_free(hosts);
  orr_free(all);
  return rc;
}

static orr_code hash_parts(dist_replicas *r) {
  for (int i = 0; i < r->n; i++) {
    const dist_replica *part = &r->parts[i];
    const void *host = part->p;
    if (r->read) ORR_TRY(r->read(r->ctx, part->p, part->bytes, &host));
    r->mine[i] = orr_hash_bytes(host, part->bytes);
  }
  return ORR_OK;
}

orr_code dist_replicas_check(dist_replicas *r) {
  bool equal = true;
  ORR_TRY(hash_parts(r));
  orr_hash128 sum = orr_hash_bytes(r->mine, (size_t)r->n * sizeof *r->mine);
  ORR_TRY(dist_all_gather(r->comm, &sum, r->sums, (int64_t)sizeof sum, DIST_U8));
  for (int i = 1; i < dist_comm_size(r->comm); i++)
    equal = equal && orr_hash_equal(r->sums[0], r->sums[i]);
  return equal ? ORR_OK : find_difference(r);
}
