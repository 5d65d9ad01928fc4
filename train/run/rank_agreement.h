// Whether all ranks run the same thing. Ranks that plan different collectives would hang in the
// first one, so this comes before anything else.
#ifndef TRAIN_RANK_AGREEMENT_H
#define TRAIN_RANK_AGREEMENT_H

#include "data/clips/mix.h"
#include "dist/comm.h"

// Collective over `all`. Compares every rank's configuration (cfg_print's text) and program (the
// bytes of its executable) with rank 0's. ORR_ECONFIG on all ranks names the lowest rank that
// differs, and the first line of the configuration that does.
orr_code train_rank_agreement_check(dist_comm *all, const char *config_text);
// Collective over `all`. Compares the data sets that the ranks opened, by data_mix_hash: an index
// that changes while a run starts, or folders that differ from host to host, would part what must
// be one sequence of clips. ORR_ECONFIG on all ranks names the lowest rank that differs.
orr_code train_rank_agreement_data(dist_comm *all, const data_mix *mix);

#endif
