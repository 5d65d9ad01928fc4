// Options of `orrery data import` that say how pictures are turned and how actions belong to them.
#ifndef TRAIN_IMPORT_TIMES_H
#define TRAIN_IMPORT_TIMES_H

#include "base/args.h"
#include "data/import/import.h"

#define TRAIN_ONE_HOT_MAX   64
#define TRAIN_ONE_HOT_WORDS 1024
#define TRAIN_ONE_HOT_TEXT  8192

// What the options are read into, for as long as they are used.
typedef struct {
  data_one_hot one_hot[TRAIN_ONE_HOT_MAX];
  const char *words[TRAIN_ONE_HOT_WORDS];
  int64_t word_count;
  char text[TRAIN_ONE_HOT_TEXT];
} train_import_times;

#define TRAIN_IMPORT_TURN_OPTIONS                                                                  \
  {"rotate", "DEGREES", "turn pictures clockwise: 90, 180 or 270", ORR_OPTION_ONCE}, {             \
    "flip", "h|v", "then swap left and right (h) or top and bottom (v)", ORR_OPTION_ONCE           \
  }

#define TRAIN_IMPORT_TIME_OPTIONS                                                                  \
  {"align", "HOW", "rows: one row of actions a frame; time: by time stamps (as it fits)",          \
   ORR_OPTION_ONCE},                                                                               \
      {"time-column", "NAME", "column of time stamps of the actions (by its name)",                \
       ORR_OPTION_ONCE},                                                                           \
      {"time-offset", "SECONDS", "added to the times of the actions (0)", ORR_OPTION_ONCE}, {      \
    "action-fps", "F", "actions a second, if they have a rate of their own", ORR_OPTION_ONCE       \
  }

#define TRAIN_IMPORT_CHOICE_OPTIONS                                                                \
  {"one-hot", "NAME:N[,..]", "a choice 0 to N-1, or NAME:WORD|WORD: a component each",             \
   ORR_OPTION_ONCE},                                                                               \
      {"no-actions", NULL, "pictures alone", ORR_OPTION_ONCE}, {                                   \
    "audio", "mel", "the sound of each film, or the WAV file beside it, as actions",               \
        ORR_OPTION_ONCE                                                                            \
  }

// Local. ORR_ECONFIG names the option, what it got and what it takes.
orr_code train_import_times_parse(const orr_args *args, train_import_times *t,
                                  data_import_options *o);

#endif
