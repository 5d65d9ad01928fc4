// How the main function of a test over several ranks begins and ends.
#ifndef TESTS_DIST_WORLD_MAIN_H
#define TESTS_DIST_WORLD_MAIN_H

#include <stdio.h>
#include <unistd.h>

#include "dist/world.h"

// Collective over the world. NULL, with a line on stderr, unless there are that many ranks (0: any
// number). A rank that waits for ever ends the test, instead of the build.
static inline dist_world *world_start(int ranks) {
  dist_world *w = NULL;
  alarm(1200); // none but a rank that hangs gets near it, however busy the machine
  if (dist_world_open(&w) == ORR_OK && (ranks == 0 || w->grid.ranks == ranks)) return w;
  fprintf(stderr, "wanted %d ranks: %s\n", ranks, w ? "got another number" : orr_status_message());
  return NULL;
}

// Collective over the world. Passes on how many tests failed; then it ends all ranks, as this one
// may have left the others in a collective.
static inline int world_finish(dist_world *w, int failed) {
  if (failed) dist_world_abort(w, 1);
  dist_world_close(w);
  return failed;
}

#endif
