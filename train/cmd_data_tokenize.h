#ifndef TRAIN_CMD_DATA_TOKENIZE_H
#define TRAIN_CMD_DATA_TOKENIZE_H
#include "base/status.h"
// orrery data tokenize DIR --tokenizer CHECKPOINT --out DIR
// Writes a data set with /tokens in place of /frames, shard by shard; a shard that is there already
// with the same number of frames is kept, so a killed run goes on. Over MPI ranks, rank r of n
// takes every n-th shard. Collective when started by mpirun or srun.
orr_code train_cmd_data_tokenize(int argc, char **argv);
#endif
