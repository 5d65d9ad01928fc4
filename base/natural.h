// Natural order of names: runs of digits compare as numbers, so "episode_9" < "episode_10".
#ifndef BASE_NATURAL_H
#define BASE_NATURAL_H

// Local. Below, equal to or above 0, as strcmp; equal only for equal names.
int orr_natural_compare(const char *a, const char *b);
// Local. The same for qsort over an array of char *.
int orr_natural_compare_names(const void *a, const void *b);

#endif
