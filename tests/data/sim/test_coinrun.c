// labels: quick; needs: fake_libenv
// CoinRun's buttons, and data sets of the scene: by a library that the test made, and by the real
// one where somebody has unpacked it.
#include <math.h>
#include <stdlib.h>

#include "base/sha256.h"
#include "data/set/index.h"
#include "data/shard/shard.h"
#include "data/sim/coinrun.h"
#include "data/sim/generate.h"
#include "tests/base/folder.h"
#include "tests/data/sim/fake_libenv.h"

#define FAKE ORR_BINARY_DIR "/libfake_libenv.so"
#define REAL ORR_SOURCE_DIR "/build/procgen2/procgen/data/prebuilt/libenv.so"

enum { A = DATA_COINRUN_BUTTONS, LENGTH = 30, BYTES = FAKE_SIDE * FAKE_SIDE * 3 };

static void test_buttons_and_actions_are_each_other(void **state) {
  float buttons[A];
  for (int32_t action = 0; action < DATA_COINRUN_ACTIONS; action++) {
    data_coinrun_press(action, buttons);
    assert_int_equal(data_coinrun_action(buttons), action);
  }
  data_coinrun_press(8, buttons);
  assert_true(buttons[1] == 1 && buttons[3] == 1); // right and up
  buttons[0] = 1;                                  // and left
  assert_int_equal(data_coinrun_action(buttons), 5);
}

static void test_the_driver_mostly_goes_right_and_uses_every_action(void **state) {
  enum { FRAMES = 20000 };
  data_coinrun_driver d;
  int32_t level, count[DATA_COINRUN_ACTIONS] = {0};
  data_coinrun_driver_start(&d, 1, 2, 10, 20, &level);
  assert_true(level >= 10 && level < 20);
  for (int i = 0; i < FRAMES; i++) count[data_coinrun_driver_act(&d)]++;
  assert_true(count[7] + count[8] > FRAMES / 2);
  assert_true(count[8] + count[5] + count[2] > FRAMES / 5);
  for (int i = 0; i < DATA_COINRUN_ACTIONS; i++) assert_true(count[i] > 0);
}

static orr_sha256_hex fake_hash(void) {
  orr_sha256_hex hash;
  assert_ok(orr_sha256_file(FAKE, &hash));
  return hash;
}

static data_sim_options options(const char *dir, const char *hash) {
  return (data_sim_options){.scene = &data_scene_coinrun,
                            .dir = dir,
                            .branch = "worlds",
                            .setting = {.height = FAKE_SIDE,
                                        .width = FAKE_SIDE,
                                        .fps = 15,
                                        .library = FAKE,
                                        .library_sha256 = hash,
                                        .assets = ORR_BINARY_DIR,
                                        .level_first = 20,
                                        .level_end = 40},
                            .seed = 3,
                            .episodes = 4,
                            .episode_frames = LENGTH,
                            .shard_frames = 2 * LENGTH,
                            .processes = 2};
}

static void test_an_unknown_library_is_refused_and_both_hashes_are_named(void **fixture) {
  const orr_sha256_hex hash = fake_hash();
  data_sim_options o = options(*fixture, NULL);
  assert_int_equal(data_sim_generate(&o), ORR_ECORRUPT);
  assert_message_names(FAKE, hash.s,
                       "1f80dfbb2a132aeb5ba385bd035ee5d329365d3e95affdb982c77023df1a7fe9",
                       "--library-sha256");
  o = options(*fixture, "1f80dfbb2a132aeb5ba385bd035ee5d329365d3e95affdb982c77023df1a7fe9");
  assert_int_equal(data_sim_generate(&o), ORR_ECORRUPT);
  assert_message_names(FAKE, hash.s);
}

static void test_what_is_missing_or_cannot_be_is_named(void **fixture) {
  const orr_sha256_hex hash = fake_hash();
  data_sim_options o = options(*fixture, hash.s);
  o.setting.library = NULL;
  assert_int_equal(data_sim_generate(&o), ORR_ECONFIG);
  assert_message_names("--library", "procgen2");
  o = options(*fixture, hash.s);
  o.setting.library = "/no/such/libenv.so";
  assert_int_equal(data_sim_generate(&o), ORR_ENOTFOUND);
  assert_message_names("/no/such/libenv.so");
  o = options(*fixture, hash.s);
  o.setting.assets = NULL; // beside the library, as in the wheel
  assert_int_equal(data_sim_generate(&o), ORR_ENOTFOUND);
  assert_message_names("--assets");
  o = options(*fixture, hash.s);
  o.setting.width = 32;
  assert_int_equal(data_sim_generate(&o), ORR_ECONFIG);
  assert_message_names("64 x 64", "64x32");
  o = options(*fixture, hash.s);
  o.setting.level_end = o.setting.level_first;
  assert_int_equal(data_sim_generate(&o), ORR_ECONFIG);
  assert_message_names("20:20");
  o = options(*fixture, hash.s);
  o.forks = 4;
  assert_int_equal(data_sim_generate(&o), ORR_EINVAL);
  assert_message_names("coinrun", "--forks");
}

static void test_bytes_do_not_depend_on_the_number_of_processes(void **fixture) {
  const orr_sha256_hex hash = fake_hash();
  char *index[2];
  for (int i = 0; i < 2; i++) {
    orr_path dir;
    assert_ok(orr_fs_join(dir, sizeof dir, *fixture, i ? "two" : "one"));
    data_sim_options o = options(dir, hash.s);
    o.processes = i + 1;
    assert_ok(data_sim_generate(&o));
    index[i] = folder_text(dir, "index.json");
  }
  assert_string_equal(index[0], index[1]);
  assert_non_null(strstr(index[0], "\"levels\""));
  for (int i = 0; i < 2; i++) orr_free(index[i]);
}

// Of a shard of two places of LENGTH frames.
typedef struct {
  uint8_t frames[2 * LENGTH][BYTES], done[2 * LENGTH];
  float actions[2 * LENGTH][A], reward[2 * LENGTH];
} rows;

static void read_rows(const char *dir, rows *r) {
  orr_path path;
  data_shard *s = NULL;
  assert_ok(data_shard_name_in(dir, 0, path, sizeof path));
  assert_ok(data_shard_open(path, &s));
  assert_ok(data_shard_read_frames(s, 0, 2 * LENGTH, 1, r->frames[0]));
  assert_ok(data_shard_read_actions(s, 0, 2 * LENGTH, 1, r->actions[0]));
  assert_ok(data_shard_read_reward(s, 0, 2 * LENGTH, 1, r->reward));
  assert_ok(data_shard_read_done(s, 0, 2 * LENGTH, 1, r->done));
  data_shard_close(s);
}

static void test_rows_are_in_step_and_episodes_end_where_the_game_ends_them(void **fixture) {
  static rows r;
  const orr_sha256_hex hash = fake_hash();
  const data_sim_options o = options(*fixture, hash.s);
  assert_ok(data_sim_generate(&o));
  read_rows(*fixture, &r);
  int ends = 0;
  for (int t = 0; t < 2 * LENGTH; t++) {
    const uint8_t *now = r.frames[t];
    const bool last = now[1] == FAKE_STEPS(now[0]) - 1; // its action ends the game
    assert_true(now[0] >= 20 && now[0] < 40);
    assert_int_equal(r.done[t], last);
    assert_true(r.reward[t] == (last ? 10 : 0));
    ends += last;
    if (t + 1 == LENGTH || t + 1 == 2 * LENGTH) continue; // another place begins
    const uint8_t *next = r.frames[t + 1];
    assert_int_equal(next[1], last ? 0 : now[1] + 1);
    if (!last) assert_int_equal(next[2], data_coinrun_action(r.actions[t]));
  }
  assert_true(ends > 4);
  data_index *x = NULL;
  assert_ok(data_index_open(*fixture, &x));
  assert_int_equal(x->frames, 4 * LENGTH);
  assert_true(x->episodes > 4);
  data_index_close(x);
}

static void test_a_crash_of_the_game_fails_the_command(void **fixture) {
  const orr_sha256_hex hash = fake_hash();
  data_sim_options o = options(*fixture, hash.s);
  o.setting.level_first = FAKE_CRASHES;
  o.setting.level_end = FAKE_CRASHES + 1;
  assert_int_equal(data_sim_generate(&o), ORR_EIO);
  assert_message_names(FAKE, "signal 11", "level 200 of coinrun");
}

static void test_the_real_game_draws_the_same_bytes_again(void **fixture) {
  char *index[2];
  if (!orr_fs_exists(REAL)) {
    print_message("skipped: no %s (docs/coinrun.md)\n", REAL);
    skip();
  }
  for (int i = 0; i < 2; i++) {
    orr_path dir;
    assert_ok(orr_fs_join(dir, sizeof dir, *fixture, i ? "two" : "one"));
    data_sim_options o = options(dir, NULL);
    o.setting.library = REAL;
    o.setting.assets = NULL;
    o.processes = i + 1;
    assert_ok(data_sim_generate(&o));
    index[i] = folder_text(dir, "index.json");
  }
  assert_string_equal(index[0], index[1]);
  for (int i = 0; i < 2; i++) orr_free(index[i]);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_buttons_and_actions_are_each_other),
      cmocka_unit_test(test_the_driver_mostly_goes_right_and_uses_every_action),
      WITH_FOLDER(test_an_unknown_library_is_refused_and_both_hashes_are_named),
      WITH_FOLDER(test_what_is_missing_or_cannot_be_is_named),
      WITH_FOLDER(test_bytes_do_not_depend_on_the_number_of_processes),
      WITH_FOLDER(test_rows_are_in_step_and_episodes_end_where_the_game_ends_them),
      WITH_FOLDER(test_a_crash_of_the_game_fails_the_command),
      WITH_FOLDER(test_the_real_game_draws_the_same_bytes_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
