// The evaluation of a model of several branches as one table: what `orrery eval --by-branch`
// prints.
#ifndef TRAIN_CLI_EVAL_BRANCHES_H
#define TRAIN_CLI_EVAL_BRANCHES_H

#include <jansson.h>
#include <stdio.h>

#include "base/status.h"

// Local. Adds the figures `one` (borrowed) of a data set under the name of its branch to `all`,
// an object; of a second set of that branch under its name and the set's. ORR_ENOMEM.
orr_code train_eval_branches_add(json_t *all, const char *branch, const char *data, json_t *one);
// Local. Where a set's strip goes: `path` with -NAME before its ending, NAME what the set will be
// called in the table, without signs that a file's name may not have. *out NULL where path is; the
// caller frees it. ORR_ENOMEM.
orr_code train_eval_branches_strip(const json_t *all, const char *path, const char *branch,
                                   const char *data, char **out);
// Local. A row a figure, a column a branch; '-' where a branch has no such figure.
void train_eval_branches_print(FILE *to, const json_t *all);

#endif
