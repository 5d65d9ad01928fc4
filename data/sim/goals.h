// What there is to achieve in a scene, and who tries. Everything here works on a scene's state [Q],
// whether the simulator tells it or it was read from pictures, so that the same expert acts and the
// same rule judges in a simulator and in a model's frames. Needs no simulator. Local; thread safe.
#ifndef DATA_SIM_GOALS_H
#define DATA_SIM_GOALS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  const char *const *tasks; // names, ended by NULL; the first is the usual one
  // How far a task has come in `state`, 0..1; 1: it is solved while the state stays so.
  double (*progress)(int task, const float *state);
  // The scripted expert's next action [A]. A function of the state alone.
  void (*expert)(int task, const float *state, float *action);
  // Brings `state` [Q] from the frame before up to a picture rgb [height,width,3]: `action` [A] led
  // to it from there, NULL: this is the first frame and `state` holds nothing yet. What does not
  // show is as the action should have made it, or as it was.
  void (*see)(const uint8_t *rgb, int64_t height, int64_t width, double fps, const float *action,
              float *state);
} data_goals;

// A task counts as done once it has been solved for this many frames in a row.
enum { DATA_GOALS_HELD = 3 };

// Of an episode, from its first frame on; starts as {0}.
typedef struct {
  double progress; // at the last frame
  int held;        // frames in a row that it has been solved for
  bool done;       // from here on the episode is over, whatever happens
} data_goals_watch;

// Local. One frame more. Returns by how much the progress grew: what the action before it earned.
// Nothing is earned by the first frame, nor once the task is done.
float data_goals_look(const data_goals *g, int task, const float *state, bool first,
                      data_goals_watch *w);
// Local. Number of a task by its name, -1 = none.
int data_goals_task(const data_goals *g, const char *name);

#endif
