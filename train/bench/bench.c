#include "train/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

orr_code train_bench_print(json_t *report) {
  char *text = report ? json_dumps(report, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
  json_decref(report);
  ORR_CHECK(text, ORR_ENOMEM, "bench: out of memory for the report");
  puts(text);
  free(text);
  return ORR_OK;
}

orr_code train_bench_end_all(dist_world *world, orr_code rc) {
  if (rc == ORR_OK || world->grid.ranks == 1) return rc;
  ORR_ERROR("%s", orr_status_message());
  dist_world_abort(world, 1);
}
