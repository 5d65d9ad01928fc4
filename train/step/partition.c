#include "train/step/partition.h"

#include "base/mem.h"

train_partition train_partition_make(int ranks, int rank, int64_t total, int64_t bucket_bytes) {
  const int64_t unit = (int64_t)ranks * TRAIN_PARAM_ALIGN;
  int64_t bucket = bucket_bytes / (int64_t)sizeof(float) / unit * unit;
  if (bucket < unit) bucket = unit;
  return (train_partition){
      .ranks = ranks, .rank = rank, .total = total, .bucket = ranks == 1 ? total : bucket};
}

// -- listed buckets -------------------------------------------------------------------------

// The matrix of a block that a cut at element `at` would divide; NULL = none.
static const train_param *divided(const train_params *params, int64_t at) {
  int low = -1, high = params->count; // the last parameter that begins before `at`
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (params->list[middle].at < at)
      low = middle;
    else
      high = middle;
  }
  const train_param *p = low < 0 ? NULL : &params->list[low];
  return p && p->of_block && at < p->at + p->count ? p : NULL;
}

static int64_t aligned_down(int64_t at) {
  return at / TRAIN_PARAM_ALIGN * TRAIN_PARAM_ALIGN;
}

// Where the segment of element `at` ends.
static int64_t end_of_segment(const train_params *params, int64_t at) {
  if (params->segments == 0) return params->total;
  return params->segment[train_params_segment_of(params, at) + 1];
}

// The end of the bucket that begins at `at`: as far as `bucket` elements on if matrices allow it,
// else after the first ones. Copies of 2 bytes an element have to be aligned there, too.
static int64_t cut_after(const train_params *params, int64_t at, int64_t bucket) {
  const train_param *p;
  int64_t end = at + bucket;
  const int64_t stop = end_of_segment(params, at);
  if (end >= stop) return stop;
  while (end > at && (p = divided(params, end))) end = aligned_down(p->at);
  if (end > at) return end;
  end = at + TRAIN_PARAM_ALIGN;
  while ((p = divided(params, end))) end = train_param_aligned(p->at + p->count);
  return end;
}

// The same where matrices may be cut.
static int64_t cut_anywhere(const train_params *params, int64_t at, int64_t bucket) {
  const int64_t stop = end_of_segment(params, at);
  return at + bucket < stop ? at + bucket : stop;
}

// Writes the buckets to s->list; only counts them where that is NULL.
static void cut(train_partition *s, const train_params *params) {
  s->buckets = 0;
  for (int64_t at = 0, end; at < s->total; at = end) {
    end = s->whole ? cut_after(params, at, s->bucket) : cut_anywhere(params, at, s->bucket);
    if (s->list) s->list[s->buckets] = (train_partition_bucket_of){.at = at, .count = end - at};
    s->buckets++;
  }
}

static orr_code list_buckets(train_partition *s, const train_params *params) {
  cut(s, params);
  s->list = orr_calloc((size_t)s->buckets, sizeof *s->list);
  ORR_CHECK(s->list, ORR_ENOMEM, "buckets of the parameters: out of memory");
  cut(s, params);
  return ORR_OK;
}

orr_code train_partition_make_segmented(int ranks, int rank, const train_params *params,
                                        int64_t bucket_bytes, train_partition *out) {
  *out = train_partition_make(ranks, rank, params->total, bucket_bytes);
  out->elements = params->total / ranks;
  return list_buckets(out, params);
}

// Each bucket to the rank that has the least so far, of equals the first.
static void give_owners(train_partition *s, int64_t *kept) {
  for (int64_t i = 0; i < s->buckets; i++) {
    train_partition_bucket_of *b = &s->list[i];
    for (int r = 1; r < s->ranks; r++)
      if (kept[r] < kept[b->owner]) b->owner = r;
    b->place = kept[b->owner];
    kept[b->owner] += b->count;
  }
  s->elements = kept[s->rank];
}

orr_code train_partition_make_whole(int ranks, int rank, const train_params *params,
                                    int64_t bucket_bytes, train_partition *out) {
  *out = train_partition_make(ranks, rank, params->total, bucket_bytes);
  const int64_t share = aligned_down(params->total / ranks);
  if (ranks == 1) return ORR_OK;
  if (out->bucket > share) out->bucket = share; // or a small model would have few owners
  out->whole = true;
  int64_t *kept = orr_calloc((size_t)ranks, sizeof *kept);
  ORR_CHECK(kept, ORR_ENOMEM, "owners of the parameters: out of memory");
  const orr_code rc = list_buckets(out, params);
  if (rc == ORR_OK) give_owners(out, kept);
  orr_free(kept);
  return rc;
}

void train_partition_release(train_partition *s) {
  orr_free(s->list);
  s->list = NULL;
}

// -- either way -----------------------------------------------------------------------------

int64_t train_partition_elements(const train_partition *s) {
  return s->list ? s->elements : s->total / s->ranks;
}

int64_t train_partition_buckets(const train_partition *s) {
  if (s->list) return s->buckets;
  return s->bucket ? (s->total + s->bucket - 1) / s->bucket : 0;
}

void train_partition_bucket(const train_partition *s, int64_t i, int64_t *at, int64_t *count) {
  if (s->list) {
    *at = s->list[i].at;
    *count = s->list[i].count;
    return;
  }
  *at = i * s->bucket;
  *count = *at + s->bucket < s->total ? s->bucket : s->total - *at;
}

int64_t train_partition_find(const train_partition *s, int64_t at) {
  int64_t low = 0, high = s->buckets;
  if (!s->list) return at / s->bucket;
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    if (s->list[middle].at <= at)
      low = middle;
    else
      high = middle;
  }
  return low;
}

int train_partition_owner(const train_partition *s, int64_t i) {
  return s->whole ? s->list[i].owner : -1;
}

train_partition_piece train_partition_piece_of(const train_partition *s, int64_t i) {
  int64_t at, count;
  train_partition_bucket(s, i, &at, &count);
  if (s->whole)
    return (train_partition_piece){
        .at = at, .count = s->list[i].owner == s->rank ? count : 0, .place = s->list[i].place};
  const int64_t part = count / s->ranks;
  return (train_partition_piece){.at = at + s->rank * part, .count = part, .place = at / s->ranks};
}

train_part train_partition_share(const train_partition *s, int64_t i, int replica, int replicas) {
  train_partition other = *s;
  int64_t at, count;
  other.rank = replica % s->ranks;
  train_partition_bucket(s, i, &at, &count);
  const train_partition_piece x = train_partition_piece_of(&other, i);
  train_part part = train_part_of(x.count, replicas / s->ranks, replica / s->ranks);
  part.first += x.at - at;
  return part;
}
