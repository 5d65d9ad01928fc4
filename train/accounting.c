#include "train/accounting.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

void train_accounting_memory(const train_step *s, train_account out[TRAIN_ACCOUNTS]) {
  const train_account all[TRAIN_ACCOUNTS] = {
      {"parameters", s->state.parameters.used},
      {"gradients", s->state.gradients.used},
      {"optimizer", s->state.optimizer.used},
      {"activations", s->stage->activations.used},
      {"inputs", s->stage->inputs.used},
      {"communication", s->stage->exchange.used + s->exchange.used},
      {"workspace", s->k->workspace_bytes},
      {"staging", s->stage->staging[0].used + s->stage->staging[1].used + s->results.used},
  };
  memcpy(out, all, sizeof all);
}

static void log_memory(const train_step *s) {
  train_account a[TRAIN_ACCOUNTS];
  char text[512] = "";
  uint64_t total = 0;
  train_accounting_memory(s, a);
  for (int i = 0; i < TRAIN_ACCOUNTS; i++) {
    const size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, "%s %.1f MiB, ", a[i].name,
             (double)a[i].bytes / 1048576.0);
    total += a[i].bytes;
  }
  ORR_INFO("%s: %.2f M parameters; rank %d of %d (tp %d, cp %d, dp %d%s) holds %s%.1f MiB "
           "(%" PRIu64 " bytes) in all",
           s->stage->table->name, (double)train_params_elements(&s->state.params) / 1e6,
           s->axes->grid.rank, s->axes->grid.ranks, s->axes->grid.tp, s->axes->grid.cp,
           s->axes->grid.dp, s->state.shard.ranks > 1 ? ", zero 1" : "", text,
           (double)total / 1048576.0, total);
}

static void log_traffic(const train_step *s) {
  for (int a = 0; a < DIST_AXES; a++)
    for (int m = 0; m < TRAIN_MOVES; m++) {
      const train_moved *x = &s->announced[a][m];
      if (x->calls == 0) continue;
      ORR_INFO("a step moves over %s: %s %" PRId64 " bytes (%.1f MiB) in %" PRId64 " calls",
               dist_axis_name((dist_axis)a), train_move_name((train_move)m), x->bytes,
               (double)x->bytes / 1048576.0, x->calls);
    }
}

void train_accounting_log(const train_step *s) {
  log_memory(s);
  log_traffic(s);
}
