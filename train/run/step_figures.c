#include "train/run/step_figures.h"

#include "train/setup/remote_data.h"
#include "train/step/peak.h"

// What was fetched since `before` (=), for a step's line; nothing unless a set of `c` is remote.
static void count_remote(const cfg *c, data_remote *r, data_remote_counters *before,
                         train_step_metrics *s) {
  data_remote_counters now;
  for (int i = 0; i < c->data.train.n; i++) s->fetches |= data_remote_reads(c->data.train.v[i]);
  data_remote_count(r, &now);
  s->data_fetched_bytes = (double)(now.bytes - before->bytes);
  s->data_cache_hits = (double)(now.hits - before->hits);
  s->data_fetch_waits = (double)(now.waits - before->waits);
  s->data_fetch_retries = (double)(now.retries - before->retries);
  *before = now;
}

// The matmul rate of a step over the best that this machine has shown.
static orr_code rate_step(train_run *r, train_step_metrics *s) {
  const double rate = (double)r->c->train.batch * r->work.stage->flops_per_clip /
                      (1e-3 * s->step_ms) / r->world->grid.ranks;
  if (r->world->grid.rank == 0) ORR_TRY(train_peak_raise(r->k, r->act, rate, &r->peak));
  s->mfu = rate / r->peak;
  return ORR_OK;
}

void train_step_figures_restart(train_step_figures *f, const train_run *r) {
  data_loader_count(r->loader, &f->read);
}

orr_code train_step_figures_fill(train_step_figures *f, train_run *r, train_step_metrics *s) {
  const double clips = (double)r->c->train.batch, seconds = 1e-3 * s->step_ms;
  s->tokens = (double)s->step * clips * r->work.stage->tokens_per_clip;
  s->tflop = 1e-12 * (double)s->step * clips * r->work.stage->flops_per_clip;
  s->tokens_per_s = clips * r->work.stage->tokens_per_clip / seconds;
  s->frames_per_s = clips * r->work.stage->frames_per_clip / seconds;
  data_loader_counters now;
  data_loader_count(r->loader, &now);
  s->data_bytes = (double)(now.bytes_read - f->read.bytes_read);
  s->data_unpacked_bytes = (double)(now.bytes_unpacked - f->read.bytes_unpacked);
  s->data_chunks = (double)(now.chunk_reads - f->read.chunk_reads);
  s->data_chunk_hits = (double)(now.chunk_hits - f->read.chunk_hits);
  s->data_queue = (double)now.queue;
  f->read = now;
  count_remote(r->c, r->remote, &f->fetched, s);
  return rate_step(r, s);
}
