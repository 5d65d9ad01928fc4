// Small runs (tests/train/small_run.h) on all ranks of a world, in one folder.
#ifndef TESTS_TRAIN_WORLD_RUN_H
#define TESTS_TRAIN_WORLD_RUN_H

#include "tests/dist/world_folder.h"
#include "tests/train/small_run.h"

typedef struct {
  small_run run; // first, so that the helpers take it
  dist_world *world;
} world_run;

// Every run splits the world anew, so nobody keeps a communicator.
static inline dist_comm *world_run_all(const world_run *r) {
  return r->world->axis[DIST_AXIS_WORLD];
}

// Collective over the world. cmocka's state is a world_run.
static inline int world_run_setup(void **state) {
  world_run *r = calloc(1, sizeof *r);
  *state = r;
  assert_ok(dist_world_open(&r->world));
  r->run.rank = r->world->grid.rank;
  world_folder_make(r->world, r->run.root);
  if (r->run.rank == 0) small_run_data(&r->run, "tokens");
  assert_ok(dist_barrier(world_run_all(r)));
  return 0;
}

// Collective over the world.
static inline int world_run_teardown(void **state) {
  world_run *r = *state;
  world_folder_remove(r->world, r->run.root);
  dist_world_close(r->world);
  free(r);
  return 0;
}

// Collective over the world.
static inline orr_code world_run_train(world_run *r, const char *name, const char *resume,
                                       const char *const *more) {
  return small_run_train_world(&r->run, name, resume, more, r->world);
}

#endif
