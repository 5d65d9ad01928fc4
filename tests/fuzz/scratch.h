// Files for targets that read files: in memory where the system has such a place, one folder a
// process, removed at its end.
#ifndef TESTS_FUZZ_SCRATCH_H
#define TESTS_FUZZ_SCRATCH_H

#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "tests/fuzz/fuzz.h"

static char scratch_dir[] = "/dev/shm/orrery-fuzz-XXXXXX";

static void scratch_remove(void) {
  orr_fs_remove_tree(scratch_dir);
}

// The folder, made at the first call.
static inline const char *scratch_folder(void) {
  static int made;
  if (made++) return scratch_dir;
  if (access("/dev/shm", W_OK) != 0) memcpy(scratch_dir, "/tmp/././", 9); // of the same length
  FUZZ_PROMISE(mkdtemp(scratch_dir) != NULL);
  atexit(scratch_remove);
  return scratch_dir;
}

// Writes a file of that name into the folder; its path stays valid until the next call.
static inline const char *scratch_file(const char *name, const void *bytes, size_t size) {
  static char path[sizeof scratch_dir + 64];
  snprintf(path, sizeof path, "%s/%s", scratch_folder(), name);
  FILE *f = fopen(path, "wb");
  FUZZ_PROMISE(f && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
  return path;
}

#endif
