// Which data set of a mixture gives sample g, so that after every number of samples each set has
// given its share of them to within one. The shares are turned into whole numbers with a sum P (the
// period); inside a period each next sample goes to the set whose next one is due first among those
// that are not ahead of their share (Tijdeman 1980, "The chairman assignment problem"). A pure
// function of the weights and g. O(sets) memory; a jump costs O(P), a step forward O(sets).
// Not thread safe: it remembers the last place.
#ifndef DATA_QUOTA_H
#define DATA_QUOTA_H

#include <stdint.h>

#include "base/status.h"

typedef struct data_quota data_quota;

// Local. weights [n], not negative, one above 0. Exact for weights with a common denominator up to
// 2^20 (decimals of six digits, say), else to within 1e-6 of each share. ORR_EINVAL, ORR_ENOMEM.
orr_code data_quota_create(const double *weights, int n, data_quota **out);
// Local. Shares by counts [n]: every set is used up at the same time. Exact up to 2^24 counts in
// all (divided by what they have in common), else as above.
orr_code data_quota_create_counts(const uint64_t *counts, int n, data_quota **out);
void data_quota_destroy(data_quota *q); // takes NULL

// Local. The set of sample g, and how many samples that set gave before it.
void data_quota_at(data_quota *q, uint64_t g, int *set, uint64_t *index);

#endif
