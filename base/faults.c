#include "base/faults.h"

#include <stdio.h>
#include <string.h>

orr_code orr_faults_take(orr_faults *f, orr_code rc) {
  if (rc == ORR_OK || rc == ORR_ENOMEM || rc == ORR_ESTOPPED || rc == ORR_ECOMM) return rc;
  const size_t at = strlen(f->text);
  if (f->count++ == 0) {
    f->code = rc;
    orr_status_copy(f->only, sizeof f->only);
  }
  snprintf(f->text + at, sizeof f->text - at, "\n  %d. %s", f->count, orr_status_message());
  orr_status_clear();
  return ORR_OK;
}

orr_code orr_faults_end(const orr_faults *f) {
  char all[ORR_STATUS_MESSAGE_MAX + 32];
  if (f->count == 0) return ORR_OK;
  snprintf(all, sizeof all, "%d faults:%s", f->count, f->text);
  orr_status_set(f->count == 1 ? f->only : all);
  return f->code;
}
