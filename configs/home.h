// Texts of a configuration as people write paths: base/home.h. Private to configs/.
#ifndef CONFIGS_HOME_H
#define CONFIGS_HOME_H

#include "configs/config.h"

// Local. Paths that begin in the home folder, in every text of `c`, written out. ORR_ECONFIG names
// `file`, key and text where that cannot be (base/home.h). Not for what a checkpoint holds.
orr_code cfg_expand_home(cfg *c, const char *file);

#endif
