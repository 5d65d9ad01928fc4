// What `orrery data inspect` says about whether actions stand where they belong.
#ifndef TRAIN_INSPECT_LAG_H
#define TRAIN_INSPECT_LAG_H

#include "base/json.h"
#include "data/set/lag.h"

// Local. Words for people, on stdout.
void train_inspect_print_lag(const data_index *x, const data_lag *l);
// Local. The same for programs; the caller owns it. NULL when out of memory.
json_t *train_inspect_describe_lag(const data_lag *l);

#endif
