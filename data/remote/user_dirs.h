// The user's own folders. Private to data/.
#ifndef DATA_USER_DIRS_H
#define DATA_USER_DIRS_H

#include <stddef.h>

#include "base/status.h"

// Local. Where this program may keep what it can fetch again: $XDG_CACHE_HOME/orrery, else
// ~/.cache/orrery. ORR_EINVAL when there is no home: data.cache_dir is then wanted.
orr_code data_user_dirs_cache(char *out, size_t size);

#endif
