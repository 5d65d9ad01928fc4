// The nearest known name to a mistyped word, for "did you mean" in messages. Names are offered one
// by one, so that any table can be searched without making a list of it first.
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

typedef struct {
  const char *word; // not owned
  const char *best; // nearest name offered so far, NULL = none near enough; not owned
  int distance;     // of best
} orr_nearest;

// Local. Letters to insert, delete, replace or swap with a neighbour to turn one word into the
// other (optimal string alignment). Words beyond 63 letters are compared by their beginnings.
int orr_edit_distance(const char *a, const char *b);
orr_nearest orr_nearest_start(const char *word);
// Keeps `name` when it is nearer than those before and not further than a third of the word's
// letters (one letter for short words). `name` must outlive the search.
void orr_nearest_offer(orr_nearest *n, const char *name);

#endif
