// Sizes of tables over the digits of codes (kern_digits, kernels/ops.h), on every backend.
#ifndef KERNELS_DIGITS_H
#define KERNELS_DIGITS_H

#include <stdint.h>

#include "kernels/ops.h"

// Codes that a table has rows for.
static inline int64_t kern_digits_codes(const kern_digits *a) {
  int64_t codes = 1;
  for (int64_t j = 0; j < a->digits; j++) codes *= a->level[j];
  return codes;
}

// Rows of the arrays over digits.
static inline int64_t kern_digits_rows(const kern_digits *a) {
  int64_t rows = 0;
  for (int64_t j = 0; j < a->digits; j++) rows += a->level[j];
  return rows;
}

#endif
