#include "train/run/accounting.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "train/run/replica_check.h"

orr_code train_accounting_plan(train_accounting *a, const train_step *s) {
  *a = (train_accounting){.step = s, .process_bytes = orr_memory_resident()};
  train_replica_check_foresee(s->c, s->axes, a->compare);
  ORR_TRY(train_saver_plan(s->c, s->axes, (train_state *)&s->state, &a->save));
  return train_copies_plan(s->c, s->axes, (train_state *)&s->state, &a->copies);
}

// What collectives hold beside the buffers that they are given.
static uint64_t staged(const train_axes *ax) {
  uint64_t bytes = 0;
  for (int i = 0; i < DIST_AXES; i++) bytes += ax->stage[i];
  return bytes;
}

void train_accounting_memory(const train_accounting *a, train_account out[TRAIN_ACCOUNTS]) {
  const train_step *s = a->step;
  const train_account all[TRAIN_ACCOUNTS] = {
      {"parameters", s->state.parameters.used + s->base.parameters.used +
                         (s->adapter ? train_adapter_arena(s->adapter)->used : 0)},
      {"gradients", s->state.gradients.used + s->base.gradients.used},
      {"optimizer", s->state.optimizer.used},
      {"activations", s->stage->activations.used},
      {"inputs", s->stage->inputs.used},
      {"communication", s->stage->exchange.used + s->exchange.used + staged(s->axes)},
      {"workspace", s->k->workspace_bytes},
      {"staging", s->stage->staging[0].used + s->stage->staging[1].used + s->results.used},
      {"checkpoints", a->save.host_bytes + a->copies.host_bytes},
  };
  memcpy(out, all, sizeof all);
}

// What a process takes whatever the model is; what lies on a device is not in its memory.
static void log_process(const train_accounting *a, uint64_t total) {
  const double own = (double)a->process_bytes / 1048576.0, all = own + (double)total / 1048576.0;
  if (a->process_bytes == 0) return;
  if (a->step->k->device_memory)
    ORR_INFO("beside what lies on the device the process takes %.0f MiB of the host now", own);
  else
    ORR_INFO("the process itself takes %.0f MiB now (program, libraries, MPI): %.0f MiB with the "
             "above, and what its clips take while they are read",
             own, all);
}

static void log_memory(const train_accounting *accounting) {
  const train_step *s = accounting->step;
  train_account a[TRAIN_ACCOUNTS];
  char text[512] = "";
  char zero[48] = "";
  uint64_t total = 0;
  if (s->state.zero && s->axes->grid.shard)
    snprintf(zero, sizeof zero, ", zero %d in groups of %d", s->state.zero, s->axes->grid.shard);
  else if (s->state.zero)
    snprintf(zero, sizeof zero, ", zero %d", s->state.zero);
  train_accounting_memory(accounting, a);
  for (int i = 0; i < TRAIN_ACCOUNTS; i++) {
    const size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, "%s %.1f MiB, ", a[i].name,
             (double)a[i].bytes / 1048576.0);
    total += a[i].bytes;
  }
  if (s->adapter)
    ORR_INFO("an adapter of %.3f M parameters, %.2f %% of the model's",
             (double)train_params_elements(&s->state.params) / 1e6,
             100.0 * (double)train_params_elements(&s->state.params) /
                 (double)train_params_elements(&s->base.params));
  ORR_INFO("%s: %.2f M parameters; rank %d of %d (tp %d, cp %d, dp %d%s) holds %s%.1f MiB "
           "(%" PRIu64 " bytes) in all",
           s->stage->ops->name,
           (double)train_params_elements(&(s->adapter ? &s->base : &s->state)->params) / 1e6,
           s->axes->grid.rank, s->axes->grid.ranks, s->axes->grid.tp, s->axes->grid.cp,
           s->axes->grid.dp, zero, text, (double)total / 1048576.0, total);
  log_process(accounting, total);
}

static void log_traffic(const char *what, const train_moved moved[DIST_AXES][TRAIN_MOVES]) {
  for (int a = 0; a < DIST_AXES; a++)
    for (int m = 0; m < TRAIN_MOVES; m++) {
      const train_moved *x = &moved[a][m];
      if (x->calls == 0) continue;
      ORR_INFO("%s moves over %s: %s %" PRId64 " bytes (%.1f MiB) in %" PRId64 " calls", what,
               dist_axis_name((dist_axis)a), train_move_name((train_move)m), x->bytes,
               (double)x->bytes / 1048576.0, x->calls);
    }
}

void train_accounting_log(const train_accounting *a) {
  log_memory(a);
  log_traffic("a step", a->step->announced);
  log_traffic("a checkpoint", a->save.moved);
  log_traffic("a copy in memory", a->copies.moved);
  log_traffic("a comparison of replicas", a->compare);
}
