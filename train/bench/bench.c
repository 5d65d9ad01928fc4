#include "train/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

orr_code train_bench_setup(const orr_args *a, kern_setup *out) {
  static const char *const names[] = {"auto", "cpu", "cuda"};
  const char *device = orr_args_text(a, "device", "auto");
  int64_t threads = 0;
  int at = 0;
  *out = (kern_setup){.node_ranks = 1};
  ORR_TRY(orr_args_i64(a, "threads", 0, 4096, &threads));
  ORR_TRY(kern_isa_read("--isa", orr_args_text(a, "isa", "auto"), &out->isa));
  while (at < 3 && strcmp(device, names[at]) != 0) at++;
  ORR_CHECK(at < 3, ORR_ECONFIG, "--device is '%s': wanted auto, cpu or cuda", device);
  out->device = (kern_device)at;
  out->threads = (int)threads;
  return ORR_OK;
}

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
