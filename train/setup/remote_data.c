#include "train/setup/remote_data.h"

#include <string.h>

orr_code train_remote_create(const cfg *c, data_remote **out) {
  data_remote_options o = data_remote_defaults();
  o.cache_dir = c->data.cache_dir;
  o.cache_bytes = (uint64_t)c->data.cache_bytes;
  o.downloads = (int)c->data.downloads;
  o.endpoint = c->data.endpoint;
  o.region = c->data.region;
  o.ca_file = c->data.ca_file;
  o.timeout_s = c->data.timeout_s;
  return data_remote_create(&o, out);
}

orr_code train_remote_create_args(const orr_args *a, data_remote **out) {
  cfg *c = NULL;
  orr_code rc = ORR_OK;
  ORR_TRY(cfg_create(&c));
  for (int i = 0; rc == ORR_OK; i++) {
    const char *assignment = orr_args_nth(a, "set", i);
    if (!assignment) break;
    rc = strncmp(assignment, "data.", 5) == 0
             ? cfg_set(c, assignment)
             : ORR_FAIL(ORR_ECONFIG, "--set %s: this command takes knobs of section data only",
                        assignment);
  }
  if (rc == ORR_OK) rc = train_remote_create(c, out);
  cfg_destroy(c);
  return rc;
}
