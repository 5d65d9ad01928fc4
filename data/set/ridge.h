// How much of some numbers can be told from others by a linear rule, on examples that the rule has
// not seen. Private to data/set/.
//
// Ridge regression (Hoerl and Kennard 1970) with cross-validation: the examples lie in groups, and
// those of each group are predicted by a rule made from all the others.
#ifndef DATA_SET_RIDGE_H
#define DATA_SET_RIDGE_H

#include <stdint.h>

#include "base/status.h"

// Local. n examples: x [n,P] and y [n,Q], both changed: brought to mean 0 and deviation 1 column by
// column (columns without any to 0). group: [n], 0 .. groups-1, rising. out [groups,Q]: of the
// examples of a group, the mean square of y less that of what is left after the prediction; 1 is
// all, below 0 worse than nothing. ORR_ENOMEM.
orr_code data_ridge_explain(float *x, float *y, const int *group, int64_t n, int64_t P, int64_t Q,
                            int groups, double *out);

#endif
