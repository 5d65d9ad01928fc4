// bench_clips DIR S: a data set of clips of S tokens a frame, for programs here that train.
#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"
#include "train/bench/io_set.h"

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  const train_bench_io_set set = {
      .frames = 8192, .S = strtol(argv[2], NULL, 10), .filter = DATA_FILTER_NONE};
  if (train_bench_io_write(argv[1], &set) == ORR_OK) return 0;
  fprintf(stderr, "%s\n", orr_status_message());
  return 1;
}
