// What the `orrery bench` commands share: how they end.
#ifndef TRAIN_BENCH_H
#define TRAIN_BENCH_H

#include <jansson.h>

#include "base/args.h"
#include "dist/world.h"
#include "kernels/kern.h"

// Local. A process alone, with what --device, --threads and --isa say. ORR_ECONFIG.
orr_code train_bench_setup(const orr_args *a, kern_setup *out);
// Local. Takes over a report and prints it as one line of JSON on stdout. ORR_ENOMEM; NULL is a
// report that there was out of memory for.
orr_code train_bench_print(json_t *report);
// Local. Passes a code on. Among several ranks a failure ends all of them instead: the others wait
// in a collective that this one will not enter.
orr_code train_bench_end_all(dist_world *world, orr_code rc);

#endif
