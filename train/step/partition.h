// Which elements of the flat layout a replica keeps the optimizer's states of (Rajbhandari et al.
// 2020, stage 1): an equal part of every gradient bucket, so that a bucket's reduce-scatter gives
// each replica what it needs while the backward pass goes on. The parts of all buckets lie one
// after the other in an array of total / ranks elements. One rank owns everything as it lies.
#ifndef TRAIN_PARTITION_H
#define TRAIN_PARTITION_H

#include <stdint.h>

typedef struct {
  int ranks, rank;
  int64_t total;  // elements of the flat layout, a multiple of ranks * TRAIN_PARAM_ALIGN
  int64_t bucket; // elements, a multiple of the same; the last bucket may be smaller
} train_partition;

// Elements [at, at+count) of the flat layout, kept from `place` on.
typedef struct {
  int64_t at, count, place;
} train_partition_piece;

// Local. The shard of `rank`; buckets of about bucket_bytes of float32. total must be padded.
train_partition train_partition_make(int ranks, int rank, int64_t total, int64_t bucket_bytes);
int64_t train_partition_elements(const train_partition *s); // kept by a rank
int64_t train_partition_buckets(const train_partition *s);
// Local. Bucket i: its first element and its number of elements.
void train_partition_bucket(const train_partition *s, int64_t i, int64_t *at, int64_t *count);
// Local. This rank's part of bucket i.
train_partition_piece train_partition_piece_of(const train_partition *s, int64_t i);

#endif
