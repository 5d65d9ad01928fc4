#include "data/remote/user_dirs.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"

bool data_user_dirs(char *out, size_t size) {
  const char *home = getenv("HOME");
  orr_path room;
  struct passwd entry, *found = NULL;
  if (!home || home[0] != '/')
    home = getpwuid_r(getuid(), &entry, room, sizeof room, &found) == 0 && found ? found->pw_dir
                                                                                 : NULL;
  if (!home || home[0] != '/') return false;
  int n = snprintf(out, size, "%s", home);
  return n > 0 && (size_t)n < size;
}

orr_code data_user_dirs_cache(char *out, size_t size) {
  const char *cache = getenv("XDG_CACHE_HOME");
  orr_path home;
  if (cache && cache[0] == '/') return orr_fs_join(out, size, cache, "orrery");
  ORR_CHECK(data_user_dirs(home, sizeof home), ORR_EINVAL,
            "no home folder to keep a cache in; name a folder in data.cache_dir");
  return orr_fs_join(out, size, home, ".cache/orrery");
}
