// A temporary folder as a test's fixture, and the texts that a test puts there and reads back.
#ifndef TESTS_BASE_FOLDER_H
#define TESTS_BASE_FOLDER_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "tests/base/assert.h"

enum { FOLDER_PATH = 64 }; // bytes of a folder's path

static inline void folder_make_in(const char *parent, char path[FOLDER_PATH]) {
  snprintf(path, FOLDER_PATH, "%s/orrery-test-XXXXXX", parent);
  if (!mkdtemp(path)) fail_msg("%s: %s", path, strerror(errno));
}

static inline void folder_make(char path[FOLDER_PATH]) {
  folder_make_in("/tmp", path);
}

static inline void folder_remove(const char *path) {
  assert_ok(orr_fs_remove_tree(path));
}

// cmocka's state is the path of a fresh folder.
static inline int folder_setup(void **state) {
  char path[FOLDER_PATH];
  folder_make(path);
  *state = orr_strdup(path);
  return *state ? 0 : -1;
}

static inline int folder_teardown(void **state) {
  folder_remove(*state);
  orr_free(*state);
  return 0;
}

// Writes DIR/NAME; makes the folders on the way.
static inline void folder_store(const char *dir, const char *name, const char *text) {
  char path[512], parent[512];
  assert_ok(orr_fs_join(path, sizeof path, dir, name));
  snprintf(parent, sizeof parent, "%.*s", (int)(strrchr(path, '/') - path), path);
  assert_ok(orr_fs_mkdirs(parent));
  assert_ok(orr_fs_write_atomic(path, text, strlen(text)));
}

// The text of a file; free with orr_free. Not inline: GCC 12 would take what comes back for a
// pointer to a variable in here, and warn wherever it is used.
__attribute__((noinline, unused)) static char *folder_read(const char *path) {
  char *text = NULL;
  size_t bytes = 0;
  assert_ok(orr_fs_read_all(path, &text, &bytes));
  assert_int_equal(strlen(text), bytes);
  return text;
}

// That of DIR/NAME.
static inline char *folder_text(const char *dir, const char *name) {
  char path[512];
  assert_ok(orr_fs_join(path, sizeof path, dir, name));
  return folder_read(path);
}

#endif
