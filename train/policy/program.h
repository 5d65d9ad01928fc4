// A program that says actions: started once, spoken to in lines of JSON over its standard input and
// output. docs/evaluation.md has the lines. Every wait has an end, and what it started goes with
// it. One thread at a time.
#ifndef TRAIN_POLICY_PROGRAM_H
#define TRAIN_POLICY_PROGRAM_H

#include <jansson.h>

#include "base/status.h"

typedef struct train_policy_program train_policy_program;

// Local. Starts `command` by the shell, in a process group of its own. ORR_EIO, ORR_ENOMEM.
orr_code train_policy_program_open(const char *command, double patience_s,
                                   train_policy_program **out);
void train_policy_program_close(train_policy_program *p); // takes NULL; ends the group
// Local. One line to it.
orr_code train_policy_program_say(train_policy_program *p, const json_t *line);
// Local. One line from it; the caller owns *out. ORR_EIO where none comes in time or it has ended,
// ORR_EFORMAT where the line is no JSON or longer than anybody needs.
orr_code train_policy_program_hear(train_policy_program *p, json_t **out);

#endif
