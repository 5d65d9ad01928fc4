#include "train/reduce.h"

#include "base/clock.h"
#include "base/mem.h"

struct train_reduce {
  dist_comm *comm;
  float *grad;
  int64_t n, bucket; // elements
  int64_t buckets;   // bucket i covers [i*bucket, min(n, (i+1)*bucket))
  int64_t started;   // buckets started in this step, counted from the end
  int64_t finished;
  dist_request *requests; // [buckets], by order of start
};

orr_code train_reduce_create(dist_comm *comm, float *grad, int64_t n, int64_t bucket_bytes,
                             train_reduce **out) {
  train_reduce *r = orr_calloc(1, sizeof *r);
  ORR_CHECK(r, ORR_ENOMEM, "gradient buckets: out of memory");
  *r = (train_reduce){
      .comm = comm, .grad = grad, .n = n, .bucket = bucket_bytes / (int64_t)sizeof(float)};
  r->buckets = (n + r->bucket - 1) / r->bucket;
  r->requests = orr_calloc((size_t)r->buckets, sizeof *r->requests);
  if (!r->requests) {
    orr_free(r);
    return ORR_FAIL(ORR_ENOMEM, "%lld gradient buckets: out of memory",
                    (long long)(n / (bucket_bytes / 4)));
  }
  *out = r;
  return ORR_OK;
}

void train_reduce_destroy(train_reduce *r) {
  if (!r) return;
  orr_free(r->requests);
  orr_free(r);
}

orr_code train_reduce_ready(void *reduce, int64_t first) {
  train_reduce *r = reduce;
  if (dist_comm_size(r->comm) == 1) return ORR_OK;
  while (r->started < r->buckets) {
    int64_t at = (r->buckets - 1 - r->started) * r->bucket;
    if (at < first) break;
    int64_t count = at + r->bucket < r->n ? r->bucket : r->n - at;
    ORR_TRY(dist_all_reduce_start(r->comm, r->grad + at, count, DIST_F32, DIST_SUM,
                                  &r->requests[r->started]));
    r->started++;
  }
  // MPI moves data while it is called: look at the oldest bucket under way.
  while (r->finished < r->started) {
    bool done = false;
    ORR_TRY(dist_test(r->comm, &r->requests[r->finished], &done));
    if (!done) break;
    r->finished++;
  }
  return ORR_OK;
}

orr_code train_reduce_finish(train_reduce *r, double *wait_ms) {
  const double begin = orr_clock_ms();
  ORR_TRY(train_reduce_ready(r, 0));
  for (; r->finished < r->started; r->finished++)
    ORR_TRY(dist_wait(r->comm, &r->requests[r->finished]));
  r->started = r->finished = 0;
  *wait_ms += orr_clock_ms() - begin;
  return ORR_OK;
}
