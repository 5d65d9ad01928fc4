// Trains the smallest world model into DIR (tests/train/tiny_world.h) for tests from outside, and
// another one beside it, DIR/another. DIR/heard is its clips as if their components were sound.
#include "tests/train/tiny_world.h"

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  assert_ok(orr_fs_mkdirs(argv[1]));
  tiny_world_make(argv[1]);
  tiny_world_train(argv[1], "dynamics", "another", "tokens", 24);
  tiny_world_set(argv[1], "heard", (const char *const[]){"mel00", "mel01"});
  return 0;
}
