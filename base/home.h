// The user's home, and paths as people write them where no shell reads them: in configuration files
// and after an equals sign a shell leaves `~/x` and, in quotes, `$NAME/x` as they are.
#ifndef ORR_HOME_H
#define ORR_HOME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

// Local. $HOME, else the home of the process's user; false when there is none.
bool orr_home(char *out, size_t size);
// Local. `path` with a leading "~/" made the home folder, into out[size]. ORR_ECONFIG for what
// would make a folder called "~" or "$NAME": the home of another user, a variable (a variable of
// the environment decides nothing here), no home. A path of such a name that exists is taken, and
// so is an address (with "://").
orr_code orr_home_expand(const char *path, char *out, size_t size);

#endif
