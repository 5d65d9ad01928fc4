#define _GNU_SOURCE // sched_getaffinity
#include "train/setup/threads.h"

#include <sched.h>
#include <unistd.h>

int train_threads(int64_t wanted, int node_ranks) {
  if (wanted > 0) return (int)wanted;
  const int all = (int)sysconf(_SC_NPROCESSORS_ONLN);
  cpu_set_t allowed;
  int mine = all;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) mine = CPU_COUNT(&allowed);
  const int share = mine < all ? mine : all / (node_ranks > 0 ? node_ranks : 1);
  return share > 0 ? share : 1;
}
