#include "configs/versions.h"

#include <yaml.h>

void cfg_versions(orr_version_told *told, void *to) {
  told(to, "libyaml", yaml_get_version_string());
}
