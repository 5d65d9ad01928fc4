// Which worlds of the physics scene a command line asks for.
#ifndef TRAIN_CLI_PHYSICS_ARGS_H
#define TRAIN_CLI_PHYSICS_ARGS_H

#include "base/args.h"
#include "base/status.h"
#include "data/sim/physics.h"

// clang-format off
#define TRAIN_PHYSICS_OPTIONS                                                                      \
  {"concept", "NAME|all", "physics: what its worlds are about; the concepts are listed below (all)", ORR_OPTION_ONCE},\
  {"range", "training|inside|outside", "physics: what its numbers are drawn from (training)", ORR_OPTION_ONCE},\
  {"pairs", NULL, "physics: possible and impossible endings, in groups of four episodes", 0},      \
  {"change", "action|removal|mass|colour|all", "physics: episodes in twos that differ in this alone", ORR_OPTION_ONCE},\
  {"confounded", "none|agree|flip", "physics: warm colours are heavy (agree) or light (flip) (none)", ORR_OPTION_ONCE}
// clang-format on

// Local. ORR_ECONFIG names what was got and what there is.
orr_code train_physics_args(const orr_args *a, data_physics_choice *out);
// Local. ORR_ECONFIG where one of the options is given.
orr_code train_physics_args_none(const orr_args *a, const char *scene);

#endif
