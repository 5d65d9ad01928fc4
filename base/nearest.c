// Optimal string alignment distance over three rows.
#include "base/nearest.h"

#include <limits.h>
#include <string.h>

#define WORD_MAX 63

static int least(int a, int b) {
  return a < b ? a : b;
}

int orr_edit_distance(const char *a, const char *b) {
  int m = (int)strnlen(a, WORD_MAX), n = (int)strnlen(b, WORD_MAX);
  int rows[3][WORD_MAX + 1];
  int *before = rows[0], *last = rows[1], *now = rows[2];
  for (int j = 0; j <= n; j++) last[j] = j;
  for (int i = 1; i <= m; i++) {
    now[0] = i;
    for (int j = 1; j <= n; j++) {
      now[j] = least(last[j - 1] + (a[i - 1] != b[j - 1]), least(last[j], now[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        now[j] = least(now[j], before[j - 2] + 1);
      }
    }
    int *free_row = before;
    before = last;
    last = now;
    now = free_row;
  }
  return last[n];
}

orr_nearest orr_nearest_start(const char *word) {
  return (orr_nearest){.word = word, .distance = INT_MAX};
}

void orr_nearest_offer(orr_nearest *n, const char *name) {
  int letters = (int)strnlen(n->word, WORD_MAX);
  int furthest = letters < 6 ? 1 : letters / 3;
  int distance = orr_edit_distance(n->word, name);
  if (distance > furthest || distance >= n->distance) return;
  n->best = name;
  n->distance = distance;
}
