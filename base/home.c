#include "base/home.h"

#include <ctype.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"

bool orr_home(char *out, size_t size) {
  const char *home = getenv("HOME");
  orr_path room;
  struct passwd entry, *found = NULL;
  if (!home || home[0] != '/')
    home = getpwuid_r(getuid(), &entry, room, sizeof room, &found) == 0 && found ? found->pw_dir
                                                                                 : NULL;
  if (!home || home[0] != '/') return false;
  const int n = snprintf(out, size, "%s", home);
  return n > 0 && (size_t)n < size;
}

// The first variable in the way of a shell: "$NAME", "${NAME". NULL without one.
static const char *variable_in(const char *path) {
  for (const char *at = strchr(path, '$'); at; at = strchr(at + 1, '$'))
    if (at[1] == '{' || at[1] == '_' || isalpha((unsigned char)at[1])) return at;
  return NULL;
}

static orr_code copy(const char *path, char *out, size_t size) {
  const int n = snprintf(out, size, "%s", path);
  ORR_CHECK(n >= 0 && (size_t)n < size, ORR_EINVAL, "'%.80s...': %zu bytes, wanted below %zu", path,
            strlen(path), size);
  return ORR_OK;
}

orr_code orr_home_expand(const char *path, char *out, size_t size) {
  orr_path home;
  const bool own = path[0] == '~' && path[1] == '/';
  const char *variable = variable_in(path);
  if (strstr(path, "://") || (path[0] != '~' && !variable)) return copy(path, out, size);
  if (!own && orr_fs_exists(path)) return copy(path, out, size);
  ORR_CHECK(!variable, ORR_ECONFIG,
            "'%.200s': variables are not expanded here; let the shell do it, outside of single "
            "quotes, or write the path out",
            path);
  ORR_CHECK(own, ORR_ECONFIG,
            "'%.200s': wanted ~/... for a folder in the home, or a path written out", path);
  ORR_CHECK(orr_home(home, sizeof home), ORR_ECONFIG,
            "'%.200s': there is no home folder; write the path out", path);
  return orr_fs_join(out, size, home, path + 2);
}
