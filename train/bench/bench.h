// What the `orrery bench` commands share: how they end.
#ifndef TRAIN_BENCH_H
#define TRAIN_BENCH_H

#include <jansson.h>

#include "dist/world.h"

// Local. Takes over a report and prints it as one line of JSON on stdout. ORR_ENOMEM; NULL is a
// report that there was out of memory for.
orr_code train_bench_print(json_t *report);
// Local. Passes a code on. Among several ranks a failure ends all of them instead: the others wait
// in a collective that this one will not enter.
orr_code train_bench_end_all(dist_world *world, orr_code rc);

#endif
