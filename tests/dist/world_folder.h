// A temporary folder that all ranks of a world know, on one machine.
#ifndef TESTS_DIST_WORLD_FOLDER_H
#define TESTS_DIST_WORLD_FOLDER_H

#include "dist/comm.h"
#include "dist/world.h"
#include "tests/base/folder.h"

// Collective over the world.
static inline void world_folder_make(const dist_world *w, char path[FOLDER_PATH]) {
  if (w->grid.rank == 0) folder_make(path);
  assert_ok(dist_broadcast(w->axis[DIST_AXIS_WORLD], path, FOLDER_PATH, DIST_U8, 0));
}

// Collective over the world.
static inline void world_folder_remove(const dist_world *w, const char *path) {
  assert_ok(dist_barrier(w->axis[DIST_AXIS_WORLD]));
  if (w->grid.rank == 0) folder_remove(path);
}

#endif
