#include "data/sim/coinrun.h"

#include <string.h>

#include "base/rng.h"

enum { LEFT, RIGHT, DOWN, UP, KEYS }; // of the buttons

const char *const data_coinrun_button_names[DATA_COINRUN_BUTTONS] = {
    "left", "right", "down", "up", "key_d", "key_a", "key_w", "key_s", "key_q", "key_e"};

// Actions 0..8 are (x, y) of {-1,0,1} x {-1,0,1}, x slowest; 9..14 are the keys.
enum { DIRECTIONS = 9, STILL = 4 };

void data_coinrun_press(int32_t action, float *buttons) {
  memset(buttons, 0, DATA_COINRUN_BUTTONS * sizeof *buttons);
  if (action >= DIRECTIONS) {
    buttons[KEYS + action - DIRECTIONS] = 1;
    return;
  }
  buttons[LEFT] = action / 3 == 0;
  buttons[RIGHT] = action / 3 == 2;
  buttons[DOWN] = action % 3 == 0;
  buttons[UP] = action % 3 == 2;
}

int32_t data_coinrun_action(const float *buttons) {
  const int x = (buttons[RIGHT] > 0.5f) - (buttons[LEFT] > 0.5f);
  const int y = (buttons[UP] > 0.5f) - (buttons[DOWN] > 0.5f);
  const int32_t action = 3 * (x + 1) + y + 1;
  for (int i = KEYS; action == STILL && i < DATA_COINRUN_BUTTONS; i++)
    if (buttons[i] > 0.5f) return DIRECTIONS + i - KEYS;
  return action;
}

// -- the driver -------------------------------------------------------------------------------

// X(action, share in percent, fewest frames, most frames)
#define HABITS(X)                                                                                  \
  X(7, 36, 3, 12) /* right */                                                                      \
  X(8, 30, 2, 8)  /* right and up: a jump is as long as it is held */                              \
  X(1, 12, 2, 8)  /* left */                                                                       \
  X(2, 6, 2, 6)   /* left and up */                                                                \
  X(5, 5, 1, 4)   /* up */                                                                         \
  X(4, 5, 1, 4)   /* still */

static uint64_t draw(data_coinrun_driver *d, uint64_t n) {
  return orr_rng_below(d->seed, ORR_STREAM_SCENE, d->episode, d->draws++, n);
}

void data_coinrun_driver_start(data_coinrun_driver *d, uint64_t seed, uint64_t episode,
                               int64_t first, int64_t end, int32_t *level) {
  *d = (data_coinrun_driver){.seed = seed, .episode = episode};
  *level = (int32_t)(first + (int64_t)draw(d, (uint64_t)(end - first)));
}

static void choose(data_coinrun_driver *d) {
  static const struct {
    int32_t action;
    int share, fewest, most;
  } habits[] = {
#define ROW(action, share, fewest, most) {action, share, fewest, most},
      HABITS(ROW)
#undef ROW
  };
  int u = (int)draw(d, 100);
  for (size_t i = 0; i < sizeof habits / sizeof *habits; i++) {
    u -= habits[i].share;
    if (u >= 0) continue;
    d->action = habits[i].action;
    d->left =
        habits[i].fewest + (int64_t)draw(d, (uint64_t)(habits[i].most - habits[i].fewest + 1));
    return;
  }
  d->action = (int32_t)draw(d, DATA_COINRUN_ACTIONS);
  d->left = 1 + (int64_t)draw(d, 2);
}

int32_t data_coinrun_driver_act(data_coinrun_driver *d) {
  if (d->left == 0) choose(d);
  d->left--;
  return d->action;
}
