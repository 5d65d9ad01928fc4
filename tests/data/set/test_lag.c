// labels: quick
// Actions that stand some rows off are found out, with the number of rows; those that have nothing
// to do with the pictures are called so.
#include "tests/data/shards.h"

#include <math.h>

#include "base/rng.h"
#include "data/set/lag.h"

#define EPISODES 3
#define FRAMES   70
#define SIDE     24

// Action of a frame, which moves slowly: its neighbours are like it. `scene`: an episode's number.
static float action(int scene, int64_t t, int component) {
  float sum = 0;
  for (int64_t k = 0; k < 4; k++)
    sum += orr_rng_normal(7, ORR_STREAM_TEST, (uint64_t)(scene * 2 + component),
                          (uint64_t)(t + 10 - k)) *
           (float)(4 - k) / 5;
  return sum;
}

// A light square on a pattern: the action moves it.
static void draw(uint8_t *rgb, float y, float x) {
  for (int i = 0; i < SIDE; i++) {
    for (int j = 0; j < SIDE; j++) {
      float away = (((float)i - y) * ((float)i - y) + ((float)j - x) * ((float)j - x)) / 12;
      float light = 60 + (float)((i * 7 + j * 13) % 31) + 150 * expf(-away);
      for (int c = 0; c < 3; c++) rgb[(i * SIDE + j) * 3 + c] = (uint8_t)light;
    }
  }
}

// Recorded row t holds the action of frame t - late. `strange`: of other episodes.
static void write_set(const char *dir, int late, int strange) {
  static const char *const names[] = {"dy", "dx"};
  static uint8_t frames[FRAMES][SIDE * SIDE * 3];
  float rows[FRAMES][2];
  data_shard_format f = shards_format(SIDE, SIDE, 0);
  data_shard_writer *w = NULL;
  char path[1024];
  f.Q = 0, f.state_names = NULL, f.action_names = names;
  snprintf(path, sizeof path, "%s/shard-00000.h5", dir);
  assert_ok(data_shard_writer_create(path, &f, DATA_FILTER_NONE, &w));
  for (int e = 0; e < EPISODES; e++) {
    float y = SIDE / 2, x = SIDE / 2;
    for (int64_t t = 0; t < FRAMES; t++) {
      draw(frames[t], y, x);
      y = fminf(fmaxf(y + action(e, t, 0), 3), SIDE - 4);
      x = fminf(fmaxf(x + action(e, t, 1), 3), SIDE - 4);
      for (int c = 0; c < 2; c++) rows[t][c] = action(e + strange, t - late, c);
    }
    assert_ok(data_shard_writer_append(
        w, &(data_shard_rows){.n = FRAMES, .frames = frames[0], .actions = rows[0]}));
    assert_ok(data_shard_writer_end_episode(w));
  }
  assert_ok(data_shard_writer_finish(w));
  data_shard_writer_destroy(w);
  assert_ok(data_index_build(dir, NULL));
}

static data_lag find(const char *dir) {
  data_index *x = NULL;
  data_action_stats stats[2];
  data_lag lag;
  assert_ok(data_index_open(dir, &x));
  assert_ok(data_action_stats_read(x, stats));
  assert_ok(data_lag_find(x, stats, &lag));
  data_index_close(x);
  return lag;
}

static void test_rows_that_stand_off_are_found_out(void **state) {
  for (int late = -1; late <= 2; late++) {
    const char *dir = shards_folder("lag");
    write_set(dir, late, 0);
    data_lag lag = find(dir);
    // measured: 0.63 to 0.69 explained, every draw the same
    if (!lag.known || lag.shift != late || lag.certainty < 0.95 || lag.explained < 0.4)
      fail_msg("late %d: shift %d, certainty %g, explained %g, %s", late, lag.shift, lag.certainty,
               lag.explained, lag.known ? "known" : lag.why);
    assert_true(late == 0 ? lag.unshifted == lag.explained : lag.unshifted < lag.explained);
    orr_fs_remove_tree(dir);
  }
}

static void test_actions_of_other_pictures_are_not_found(void **state) {
  const char *dir = shards_folder("lag");
  write_set(dir, 0, 50);
  data_lag lag = find(dir);
  if (lag.known && lag.certainty >= 0.8)
    fail_msg("shift %d, certainty %g, explained %g", lag.shift, lag.certainty, lag.explained);
  orr_fs_remove_tree(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows_that_stand_off_are_found_out),
      cmocka_unit_test(test_actions_of_other_pictures_are_not_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
