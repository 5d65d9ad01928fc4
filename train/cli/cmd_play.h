// `orrery play`: serves a page in which a person acts in a world.
#ifndef TRAIN_CMD_PLAY_H
#define TRAIN_CMD_PLAY_H

#include "base/status.h"

// Local. argv[0] is the command's own word.
orr_code train_cmd_play(int argc, char **argv);

#endif
