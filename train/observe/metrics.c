#include "train/observe/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "train/observe/journal.h"

struct train_metrics {
  train_journal *journal;
};

orr_code train_metrics_open(const char *path, int64_t from, train_outage *outage,
                            train_metrics **out) {
  train_metrics *m = orr_calloc(1, sizeof *m);
  ORR_CHECK(m, ORR_ENOMEM, "%s: out of memory", path);
  const orr_code rc = train_journal_open(
      &(train_journal_options){.path = path, .outage = outage, .by_steps = true, .from = from},
      &m->journal);
  if (rc != ORR_OK) {
    orr_free(m);
    return rc;
  }
  *out = m;
  return ORR_OK;
}

// JSON has no NaN and no infinity: they become null.
static int print_number(char *out, size_t size, const char *name, const char *format, double v) {
  int n = snprintf(out, size, ", \"%s\": ", name);
  return n + (isfinite(v) ? snprintf(out + n, size - (size_t)n, format, v)
                          : snprintf(out + n, size - (size_t)n, "null"));
}

void train_metrics_list(const train_step_metrics *s, train_scalars *out) {
  *out = (train_scalars){.step = s->step, .wall_s = orr_clock_wall()};
  train_scalars_add(out, "loss", "%.9g", s->loss);
#define LOSS(NAME, word)                                                                           \
  if (s->outcome[TRAIN_##NAME])                                                                    \
    train_scalars_add(out, #word "_loss", "%.9g", s->outcomes[TRAIN_##NAME]);
  TRAIN_OUTCOME_LIST(LOSS)
#undef LOSS
  train_scalars_add(out, "lr", "%.9g", s->lr);
  train_scalars_add(out, "grad_norm", "%.9g", s->grad_norm);
  train_scalars_add(out, "tokens", "%.0f", s->tokens);
  train_scalars_add(out, "tflop", "%.6g", s->tflop);
  train_scalars_add(out, "tokens_per_s", "%.1f", s->tokens_per_s);
  train_scalars_add(out, "frames_per_s", "%.2f", s->frames_per_s);
  train_scalars_add(out, "step_ms", "%.3f", s->step_ms);
  train_scalars_add(out, "data_wait_ms", "%.3f", s->data_wait_ms);
  train_scalars_add(out, "comm_ms", "%.3f", s->comm_ms);
  train_scalars_add(out, "ckpt_stall_ms", "%.3f", s->ckpt_stall_ms);
  train_scalars_add(out, "data_bytes", "%.0f", s->data_bytes);
  train_scalars_add(out, "data_unpacked_bytes", "%.0f", s->data_unpacked_bytes);
  train_scalars_add(out, "data_chunks", "%.0f", s->data_chunks);
  train_scalars_add(out, "data_chunk_hits", "%.0f", s->data_chunk_hits);
  train_scalars_add(out, "data_queue", "%.0f", s->data_queue);
  if (s->fetches) {
    train_scalars_add(out, "data_fetched_bytes", "%.0f", s->data_fetched_bytes);
    train_scalars_add(out, "data_cache_hits", "%.0f", s->data_cache_hits);
    train_scalars_add(out, "data_fetch_waits", "%.0f", s->data_fetch_waits);
    train_scalars_add(out, "data_fetch_retries", "%.0f", s->data_fetch_retries);
  }
  train_scalars_add(out, "mfu", "%.4f", s->mfu);
  if (s->bad_clips > 0) train_scalars_add(out, "bad_clips", "%.0f", (double)s->bad_clips);
  if (s->skipped) train_scalars_add(out, "skipped", "%.0f", 1.0);
  if (s->eval_ms > 0.0) train_scalars_add(out, "eval_ms", "%.3f", s->eval_ms);
  for (int i = 0; i < s->figures; i++)
    train_scalars_add(out, s->figure[i].name, s->figure[i].format, s->figure[i].value);
}

void train_metrics_write(train_metrics *m, const train_scalars *s) {
  // a number takes at most 318 characters ("%.3f" of 1e308)
  char line[(TRAIN_SCALARS + 2) * 400];
  int n = snprintf(line, sizeof line, "{\"step\": %" PRId64, s->step);
  for (int i = 0; i < s->n; i++)
    n += print_number(line + n, sizeof line - (size_t)n, s->v[i].name, s->v[i].format,
                      s->v[i].value);
  n += snprintf(line + n, sizeof line - (size_t)n, ", \"time\": %.3f}\n", s->wall_s);
  train_journal_put(m->journal, line, (size_t)n);
}

void train_metrics_close(train_metrics *m) {
  if (!m) return;
  train_journal_close(m->journal);
  orr_free(m);
}
