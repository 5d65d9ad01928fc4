// Writes what tests from outside train on: a data set of random tokens in DIR/tokens and the
// configuration of the smallest dynamics model in DIR/small.yaml.
#include "tests/train/small_run.h"

int main(int argc, char **argv) {
  small_run r = {0};
  if (argc != 2 || snprintf(r.root, sizeof r.root, "%s", argv[1]) >= (int)sizeof r.root) return 2;
  assert_ok(orr_fs_mkdirs(r.root));
  small_run_data(&r, "tokens");
  small_run_store(&r, "small.yaml", small_run_config(&r, "run", (const char *const[]){NULL}));
  return 0;
}
