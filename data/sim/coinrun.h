// CoinRun's buttons, and who presses them when clips are made. All draws are keyed by (seed,
// episode): no state but the driver's struct. Needs no library.
#ifndef DATA_COINRUN_H
#define DATA_COINRUN_H

#include <stdint.h>

#define DATA_COINRUN_SIDE 64
#define DATA_COINRUN_BUTTONS                                                                       \
  10 // action components, each 0 or 1: directions, then keys without effect here
#define DATA_COINRUN_ACTIONS 15 // what the game takes: combinations of buttons

extern const char *const data_coinrun_button_names[DATA_COINRUN_BUTTONS];

// Local. Which buttons [DATA_COINRUN_BUTTONS] one of the game's actions presses.
void data_coinrun_press(int32_t action, float *buttons);
// Local. The game's action that is nearest to `buttons`: those above 0.5 are pressed; left and
// right together are neither, as are up and down; without directions the first key counts.
int32_t data_coinrun_action(const float *buttons);

// The driver holds an action for a few frames, then draws the next: mostly to the right, often
// jumping, at times back, still, or any of the fifteen.
typedef struct {
  uint64_t seed, episode, draws;
  int64_t left; // frames until the next choice
  int32_t action;
} data_coinrun_driver;

// Local. Begins an episode of a level in [first, end), which it draws.
void data_coinrun_driver_start(data_coinrun_driver *d, uint64_t seed, uint64_t episode,
                               int64_t first, int64_t end, int32_t *level);
// Local. The action for the next frame.
int32_t data_coinrun_driver_act(data_coinrun_driver *d);

#endif
