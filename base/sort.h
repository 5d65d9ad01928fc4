// Numbers in ascending order, and the one in the middle.
#ifndef BASE_SORT_H
#define BASE_SORT_H

#include <stdint.h>

// Local, both: in place; no NaN among them.
void orr_sort_f64(double *v, int64_t n);
void orr_sort_i64(int64_t *v, int64_t n);
// Local. The median, of an even number the upper of two; sorts v. n > 0.
double orr_median_f64(double *v, int64_t n);

#endif
