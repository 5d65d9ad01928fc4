#include "train/step/partition.h"

#include "train/model/params.h"

train_partition train_partition_make(int ranks, int rank, int64_t total, int64_t bucket_bytes) {
  const int64_t unit = (int64_t)ranks * TRAIN_PARAM_ALIGN;
  int64_t bucket = bucket_bytes / (int64_t)sizeof(float) / unit * unit;
  if (bucket < unit) bucket = unit;
  return (train_partition){
      .ranks = ranks, .rank = rank, .total = total, .bucket = ranks == 1 ? total : bucket};
}

int64_t train_partition_elements(const train_partition *s) {
  return s->total / s->ranks;
}

int64_t train_partition_buckets(const train_partition *s) {
  return s->bucket ? (s->total + s->bucket - 1) / s->bucket : 0;
}

void train_partition_bucket(const train_partition *s, int64_t i, int64_t *at, int64_t *count) {
  *at = i * s->bucket;
  *count = *at + s->bucket < s->total ? s->bucket : s->total - *at;
}

train_partition_piece train_partition_piece_of(const train_partition *s, int64_t i) {
  int64_t at, count;
  train_partition_bucket(s, i, &at, &count);
  const int64_t part = count / s->ranks;
  return (train_partition_piece){.at = at + s->rank * part, .count = part, .place = at / s->ranks};
}
