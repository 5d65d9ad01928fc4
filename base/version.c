// What the build knows comes from base/base.cmake; the commit from the file that it makes anew with
// every build (base/revision.cmake).
#include "base/version.h"

#include <jansson.h>
#include <stdio.h>
#include <xxhash.h>

extern const char orr_revision_built[];

const char *orr_version(void) {
  return ORR_BUILT_VERSION;
}

const char *orr_revision(void) {
  return orr_revision_built;
}

const char *orr_compiler(void) {
  return ORR_BUILT_WITH;
}

void orr_versions(orr_version_told *told, void *to) {
  char text[64];
  const unsigned x = XXH_versionNumber();
  told(to, "jansson", jansson_version_str());
  snprintf(text, sizeof text, "%u.%u.%u", x / 10000, x / 100 % 100, x % 100);
  told(to, "xxHash", text);
}
