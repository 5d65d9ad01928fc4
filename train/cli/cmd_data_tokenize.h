// `orrery data tokenize`: from frames to tokens, with a trained tokenizer.
#ifndef TRAIN_CMD_DATA_TOKENIZE_H
#define TRAIN_CMD_DATA_TOKENIZE_H

#include "base/status.h"

// Collective over the world when started by mpirun or srun: the ranks share out the shards.
// `orrery data tokenize DIR --tokenizer CHECKPOINT --out DIR`; argv[0] is "tokenize". Writes a data
// set with /tokens in place of /frames, shard by shard, the same for any number of ranks; a shard
// that this tokenizer has made before from the same frames is kept, so a killed run goes on.
// ORR_ECONFIG for bad usage, ORR_EINVAL for frames of another size.
orr_code train_cmd_data_tokenize(int argc, char **argv);

#endif
