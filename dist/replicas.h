// Replicas: arrays that every rank of an axis holds equal, to the bit. Compared by hashes, they
// show a rank whose memory, device or program has gone astray before its numbers spread.
#ifndef DIST_REPLICAS_H
#define DIST_REPLICAS_H

#include "base/hash.h"
#include "dist/comm.h"
#include "dist/world.h"

#define DIST_REPLICA_BYTES 16 // that a rank gathers from every other where all are equal

typedef struct dist_replicas dist_replicas;

typedef struct {
  const char *name; // of a parameter; borrowed
  const void *p;    // borrowed
  size_t bytes;
} dist_replica;

// *host (=) where the bytes at p lie in host memory until the next call; p itself, or a copy.
typedef orr_code (*dist_replica_read_fn)(void *ctx, const void *p, size_t bytes, const void **host);

// Which ranks differ, from everybody's hashes.
typedef struct {
  bool differ;
  int first;          // the first part that differs somewhere
  int parts;          // how many do
  bool majority;      // most ranks agree on every part; false: every rank of such a part is named
  unsigned char *bad; // [ranks], of the caller: 1 = it differs from the majority
} dist_replicas_verdict;

// Local. `parts` [n] is copied; the arrays are read by each check, through `read` with its ctx
// where they do not lie in host memory (NULL: they do). ORR_ENOMEM.
orr_code dist_replicas_create(const dist_world *w, dist_axis axis, const dist_replica *parts, int n,
                              dist_replica_read_fn read, void *ctx, dist_replicas **out);
// Local. Takes NULL.
void dist_replicas_destroy(dist_replicas *r);
// Collective over the axis. Every rank gives its hashes (XXH3-128) one number of
// DIST_REPLICA_BYTES; only when these differ are the parts' hashes gathered. ORR_ECORRUPT on all
// ranks of the axis names the ranks that differ from the majority (all, where there is none) and
// the first part that does.
orr_code dist_replicas_check(dist_replicas *r);

// Local. The judgement alone: hashes [ranks][n], rank by rank. Fills v->bad.
void dist_replicas_judge(const orr_hash128 *hashes, int ranks, int n, dist_replicas_verdict *v);

#endif
