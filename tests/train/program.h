// Starting the program itself from a test: `orrery WORDS...` with its output in files.
#ifndef TESTS_TRAIN_PROGRAM_H
#define TESTS_TRAIN_PROGRAM_H

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/base/folder.h"

extern char **environ;

static const char program_path[] = ORR_BINARY_DIR "/orrery";

// Starts words[0] (looked up in PATH), ended by NULL, with stderr in a file. When `alone`, the
// launcher's variables are left out, so that the program does not take itself for a rank.
static inline pid_t program_start(const char *const *words, const char *err, bool alone) {
  posix_spawn_file_actions_t to;
  char *clean[512];
  int n = 0;
  pid_t pid;
  for (char **e = environ; *e && n < 511; e++)
    if (!alone || (strncmp(*e, "OMPI_COMM", 9) && strncmp(*e, "PMI", 3))) clean[n++] = *e;
  clean[n] = NULL;
  posix_spawn_file_actions_init(&to);
  posix_spawn_file_actions_addopen(&to, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&to, 2, err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int rc = posix_spawnp(&pid, words[0], &to, NULL, (char *const *)(uintptr_t)words, clean);
  posix_spawn_file_actions_destroy(&to);
  if (rc != 0) fail_msg("%s: %s", words[0], strerror(rc));
  return pid;
}

// Its exit code, or 128 + the signal that ended it.
static inline int program_wait(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, 0) != pid) fail_msg("waitpid failed");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Fails with what the program said in the file `err`, unless it succeeds.
static inline void program_wait_ok(pid_t pid, const char *err) {
  const int code = program_wait(pid);
  if (code != 0) fail_msg("exit code %d: %s", code, folder_read(err));
}

#endif
