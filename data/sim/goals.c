#include "data/sim/goals.h"

#include <string.h>

float data_goals_look(const data_goals *g, int task, const float *state, bool first,
                      data_goals_watch *w) {
  const double before = w->progress;
  if (w->done) return 0;
  w->progress = g->progress(task, state);
  w->held = w->progress >= 1 ? w->held + 1 : 0;
  if (w->held >= DATA_GOALS_HELD) w->done = true;
  return first ? 0 : (float)(w->progress - before);
}

int data_goals_task(const data_goals *g, const char *name) {
  for (int i = 0; g->tasks[i]; i++)
    if (strcmp(g->tasks[i], name) == 0) return i;
  return -1;
}
