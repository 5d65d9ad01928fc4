// How well a score tells what is of a kind from what is not, whatever the threshold.
#ifndef BASE_AUROC_H
#define BASE_AUROC_H

#include <stdbool.h>
#include <stdint.h>

// A score of something that is or is not of a kind.
typedef struct {
  double score;
  bool is;
} orr_judged;

// Local. The chance that one that is scores higher than one that is not (area under the curve of
// Mann & Whitney; equals share); NaN where all are or none is. Sorts `all`.
double orr_auroc(orr_judged *all, int64_t n);

#endif
