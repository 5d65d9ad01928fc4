#include "data/remote/user_dirs.h"

#include <stdlib.h>

#include "base/fs.h"
#include "base/home.h"

orr_code data_user_dirs_cache(char *out, size_t size) {
  const char *cache = getenv("XDG_CACHE_HOME");
  orr_path home;
  if (cache && cache[0] == '/') return orr_fs_join(out, size, cache, "orrery");
  ORR_CHECK(orr_home(home, sizeof home), ORR_EINVAL,
            "no home folder to keep a cache in; name a folder in data.cache_dir");
  return orr_fs_join(out, size, home, ".cache/orrery");
}
