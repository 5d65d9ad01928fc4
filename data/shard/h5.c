#include "data/shard/h5.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"

// HDF5's library is one per process and so is its lock.
static pthread_mutex_t hdf5_lock = PTHREAD_MUTEX_INITIALIZER;

void data_h5_enter(void) {
  pthread_mutex_lock(&hdf5_lock);
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  H5Eclear2(H5E_DEFAULT);
}

void data_h5_leave(void) {
  pthread_mutex_unlock(&hdf5_lock);
}

// Upward walks begin where the fault was seen: the first description is the most specific.
static herr_t first_description(unsigned n, const H5E_error2_t *error, void *ctx) {
  const char **text = ctx;
  if (!*text && error->desc && error->desc[0]) *text = error->desc;
  return 0;
}

orr_code data_h5_fail(orr_code code, const char *file, int line, const char *fmt, ...) {
  char words[ORR_STATUS_MESSAGE_MAX];
  va_list args;
  va_start(args, fmt);
  vsnprintf(words, sizeof words, fmt, args);
  va_end(args);
  const char *reason = NULL;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, first_description, &reason);
  char limit[160] = "";
  if (reason && strstr(reason, strerror(EFBIG))) orr_limits_file_words(limit, sizeof limit);
  orr_fail(code, file, line, "%s%s%s%s%s", words, reason ? " (HDF5: " : "", reason ? reason : "",
           reason ? ")" : "", limit);
  H5Eclear2(H5E_DEFAULT);
  return code;
}

orr_code data_h5_blame(const data_h5_fault *fault, const char *path, const char *what,
                       const char *remedy) {
  if (fault->rc == ORR_OK) {
    return data_h5_fail(ORR_EFORMAT, __FILE__, __LINE__, "%s: cannot %s; %s", path, what, remedy);
  }
  orr_status_set(fault->message);
  return fault->rc;
}

bool data_h5_lacks_filter(hid_t create, data_h5_filter *missing) {
  const int filters = H5Pget_nfilters(create);
  for (int i = 0; i < filters; i++) {
    unsigned flags, config;
    size_t values = 0;
    missing->name[0] = 0;
    missing->id = H5Pget_filter2(create, (unsigned)i, &flags, &values, NULL, sizeof missing->name,
                                 missing->name, &config);
    if (missing->id < 0 || H5Zfilter_avail(missing->id) <= 0) return true;
  }
  return false;
}
