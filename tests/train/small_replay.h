// Replays of small runs: what they return, and what they say.
#ifndef TESTS_TRAIN_SMALL_REPLAY_H
#define TESTS_TRAIN_SMALL_REPLAY_H

#include "tests/train/small_run.h"

#include "train/run/replay.h"

// Sends a stream to ROOT/file; returns the descriptor that was there.
static inline int small_replay_send(small_run *r, int stream, const char *file) {
  const int kept = dup(stream),
            fd = open(small_run_path(r, file), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(fd, stream);
  close(fd);
  return kept;
}

// `orrery train --replay STEP --repeat PASSES` of ROOT/name. Lines go to ROOT/stdout-RANK.
static inline orr_code small_replay_world(small_run *r, const char *name, int64_t step,
                                          int64_t passes, const char *const *more,
                                          dist_world *world) {
  cfg *c = small_run_config(r, name, more);
  char out[32], err[32];
  snprintf(out, sizeof out, "stdout-%d", r->rank);
  snprintf(err, sizeof err, "stderr-%d", r->rank);
  fflush(NULL);
  const int kept[] = {small_replay_send(r, 1, out), small_replay_send(r, 2, err)};
  const orr_code rc =
      train_replay(c, &(train_replay_options){.step = step, .passes = passes}, world);
  fflush(NULL);
  for (int i = 0; i < 2; i++) {
    dup2(kept[i], 1 + i);
    close(kept[i]);
  }
  cfg_destroy(c);
  return rc;
}

// Lines of the last replay, on rank 0, that contain `text`.
static inline int small_replay_lines(small_run *r, const char *text) {
  char line[512];
  int n = 0;
  FILE *f = fopen(small_run_path(r, "stdout-0"), "r");
  assert_non_null(f);
  while (fgets(line, sizeof line, f)) n += strstr(line, text) != NULL;
  fclose(f);
  return n;
}

// Fails unless the last replay's error says `text`.
static inline void small_replay_says(const char *text) {
  if (!strstr(orr_status_message(), text))
    fail_msg("wanted \"%s\", got: %s", text, orr_status_message());
}

#endif
