// One rank stops itself (SIGSTOP) at the place that STOP_AT names, if STOP_RANK names it.
#ifndef TESTS_DIST_STOP_AT_H
#define TESTS_DIST_STOP_AT_H

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static inline void stop_at(const char *place) {
  const char *where = getenv("STOP_AT"), *who = getenv("STOP_RANK"),
             *rank = getenv("OMPI_COMM_WORLD_RANK");
  if (where && who && rank && strcmp(where, place) == 0 && strcmp(who, rank) == 0) raise(SIGSTOP);
}

#endif
