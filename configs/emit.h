// Printing a part of the configuration. Private to configs/.
#ifndef CONFIGS_EMIT_H
#define CONFIGS_EMIT_H

#include "configs/schema.h"

typedef bool (*cfg_wanted_fn)(const cfg_knob *k);

// Local. The wanted knobs (NULL = all) as YAML, in order of declaration; *yaml is malloc'ed.
orr_code cfg_emit(const cfg *c, cfg_wanted_fn wanted, char **yaml);

#endif
