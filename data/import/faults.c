#include "data/import/faults.h"

#include <string.h>

#include "base/mem.h"

orr_code data_import_faults_add(data_import_faults *f, const char *recording, const char *path,
                                const char *reason, orr_code code) {
  if (f->n == f->room) {
    int64_t room = f->room ? 2 * f->room : 16;
    data_import_fault *v = orr_realloc(f->v, (size_t)room * sizeof *v);
    ORR_CHECK(v, ORR_ENOMEM, "%s: out of memory: cannot list what is wrong with it", recording);
    f->v = v;
    f->room = room;
  }
  data_import_fault *fault = &f->v[f->n++];
  *fault = (data_import_fault){orr_strdup(recording), orr_strdup(path), orr_strdup(reason), code};
  ORR_CHECK(fault->recording && fault->path && fault->reason, ORR_ENOMEM,
            "%s: out of memory: cannot list what is wrong with it", recording);
  return ORR_OK;
}

orr_code data_import_faults_take(data_import_faults *f, const char *recording, const char *path,
                                 orr_code rc) {
  char message[ORR_STATUS_MESSAGE_MAX];
  if (rc == ORR_OK || rc == ORR_ENOMEM || rc == ORR_ESTOPPED) return rc;
  orr_status_copy(message, sizeof message);
  ORR_TRY(data_import_faults_add(f, recording, path, message, rc));
  orr_status_clear();
  return ORR_OK;
}

const data_import_fault *data_import_faults_find(const data_import_faults *f, const char *path) {
  for (int64_t i = 0; i < f->n; i++)
    if (strcmp(f->v[i].path, path) == 0) return &f->v[i];
  return NULL;
}

static void fault_release(data_import_fault *fault) {
  orr_free(fault->reason);
  orr_free(fault->path);
  orr_free(fault->recording);
}

void data_import_faults_drop(data_import_faults *f, int64_t i) {
  fault_release(&f->v[i]);
  memmove(f->v + i, f->v + i + 1, (size_t)(f->n - i - 1) * sizeof *f->v);
  f->n--;
}

void data_import_faults_release(data_import_faults *f) {
  for (int64_t i = 0; i < f->n; i++) fault_release(&f->v[i]);
  orr_free(f->v);
  *f = (data_import_faults){0};
}
