// Which elements of the flat layout a replica keeps the optimizer's states of (Rajbhandari et al.
// 2020, stage 1). The parts of all buckets that a rank keeps lie one after the other in arrays of
// its own. One rank owns everything as it lies. There are two ways to share out:
//
//   equal parts  of every gradient bucket, so that a bucket's reduce-scatter gives each replica
//   what
//                it needs while the backward pass goes on
//   whole        buckets, each of one owner and of whole matrices, for an optimizer that needs its
//                matrices uncut (train/step/muon.h); the owner of each is the one with the least so
//                far. Gradients are all-reduced then, as without sharing, in the same buckets: the
//                same bits
//
// Where the flat layout is cut into segments (train/model/params.h) no bucket crosses one.
#ifndef TRAIN_PARTITION_H
#define TRAIN_PARTITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "train/model/axes.h"
#include "train/model/params.h"

// A bucket, where they are not all alike.
typedef struct {
  int64_t at, count;
  int64_t place; // where its owner keeps it
  int owner;     // of whole matrices; else everyone keeps a part
} train_partition_bucket_of;

typedef struct {
  int ranks, rank;
  int64_t total;  // elements of the flat layout, a multiple of ranks * TRAIN_PARAM_ALIGN
  int64_t bucket; // elements, a multiple of the same; the last bucket may be smaller
  train_partition_bucket_of *list; // NULL: equal parts of equal buckets
  bool whole;                      // buckets of `list` have owners
  int64_t buckets, elements;       // of `list`: their number, and what this rank keeps
} train_partition;

// Elements [at, at+count) of the flat layout, kept from `place` on.
typedef struct {
  int64_t at, count, place;
} train_partition_piece;

// Local. The shard of `rank`; buckets of about bucket_bytes of float32. total must be padded.
train_partition train_partition_make(int ranks, int rank, int64_t total, int64_t bucket_bytes);
// Local. The same, in buckets that cross no segment of `params`. ORR_ENOMEM.
orr_code train_partition_make_segmented(int ranks, int rank, const train_params *params,
                                        int64_t bucket_bytes, train_partition *out);
// Local. Whole buckets: matrices of blocks are not cut. ORR_ENOMEM.
orr_code train_partition_make_whole(int ranks, int rank, const train_params *params,
                                    int64_t bucket_bytes, train_partition *out);
void train_partition_release(train_partition *s);
int64_t train_partition_elements(const train_partition *s); // kept by this rank
int64_t train_partition_buckets(const train_partition *s);
// Local. Bucket i: its first element and its number of elements.
void train_partition_bucket(const train_partition *s, int64_t i, int64_t *at, int64_t *count);
// Local. The bucket of element `at`.
int64_t train_partition_find(const train_partition *s, int64_t at);
// Local. Who keeps all of bucket i; -1: everyone a part.
int train_partition_owner(const train_partition *s, int64_t i);
// Local. This rank's part of bucket i.
train_partition_piece train_partition_piece_of(const train_partition *s, int64_t i);
// Local. The part of bucket i, from its first element on, that is summed on replica number
// `replica` of `replicas` for all that keep it: what its rank keeps, divided between the groups.
train_part train_partition_share(const train_partition *s, int64_t i, int replica, int replicas);

#endif
