// labels: quick
// Data sets of the tabletop scene: the same bytes from any number of processes, actions and states
// in step, pairs of futures, and failures of workers that come out as one error. The parent draws
// nothing itself, so that it may fork.
#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/fault.h"
#include "data/set/index.h"
#include "data/shard/shard.h"
#include "data/sim/generate.h"
#include "data/sim/tabletop.h"
#include "tests/base/folder.h"

enum { SIDE = 32, LENGTH = 12, Q = DATA_TABLETOP_STATE };

// A small data set of two episodes a shard in the folder `name` of the fixture.
static data_sim_options options(void **fixture, const char *name, char dir[ORR_PATH_MAX]) {
  if (!data_tabletop_available()) {
    print_message("skipped: this build has no MuJoCo\n");
    skip();
  }
  assert_int_equal(orr_fs_join(dir, ORR_PATH_MAX, *fixture, name), ORR_OK);
  return (data_sim_options){.scene = &data_scene_tabletop,
                            .dir = dir,
                            .branch = "worlds",
                            .setting = {.height = SIDE, .width = SIDE, .fps = 10},
                            .seed = 3,
                            .episodes = 6,
                            .episode_frames = LENGTH,
                            .shard_frames = 2 * LENGTH,
                            .processes = 2};
}

static void generate(const data_sim_options *o) {
  if (data_sim_generate(o) != ORR_OK) fail_msg("%s", orr_status_message());
}

static data_shard *open_shard(const char *dir, int64_t number) {
  orr_path path;
  data_shard *s = NULL;
  assert_int_equal(data_shard_name_in(dir, number, path, sizeof path), ORR_OK);
  if (data_shard_open(path, &s) != ORR_OK) fail_msg("%s", orr_status_message());
  return s;
}

static void test_bytes_do_not_depend_on_the_number_of_processes(void **fixture) {
  char *index[3];
  const int processes[3] = {1, 2, 7}; // more than there are shards
  for (int i = 0; i < 3; i++) {
    orr_path dir;
    data_sim_options o = options(fixture, "", dir);
    char *name = orr_format("%s/p%d", (char *)*fixture, processes[i]);
    o.dir = name;
    o.processes = processes[i];
    generate(&o);
    index[i] = folder_text(name, "index.json"); // holds every shard's hash
    orr_free(name);
  }
  assert_string_equal(index[0], index[1]);
  assert_string_equal(index[0], index[2]);
  for (int i = 0; i < 3; i++) orr_free(index[i]);
}

static void test_another_seed_gives_other_clips(void **fixture) {
  uint8_t frames[2][SIDE * SIDE * 3];
  for (int i = 0; i < 2; i++) {
    orr_path dir;
    data_sim_options o = options(fixture, i ? "a" : "b", dir);
    o.seed = (uint64_t)i;
    o.episodes = 1;
    generate(&o);
    data_shard *s = open_shard(dir, 0);
    assert_int_equal(data_shard_read_frames(s, 0, 1, 1, frames[i]), ORR_OK);
    data_shard_close(s);
  }
  assert_memory_not_equal(frames[0], frames[1], sizeof frames[0]);
}

static void test_the_index_tells_what_was_made(void **fixture) {
  orr_path dir;
  data_sim_options o = options(fixture, "clips", dir);
  o.episodes = 5;
  o.setting.width = 48;
  generate(&o);
  data_index *x = NULL;
  if (data_index_open(dir, &x) != ORR_OK) fail_msg("%s", orr_status_message());
  assert_int_equal(x->episodes, 5);
  assert_int_equal(x->frames, 5 * LENGTH);
  assert_int_equal(x->count, 3);
  assert_int_equal(x->shards[2].episodes, 1);
  assert_int_equal(x->format.height, SIDE);
  assert_int_equal(x->format.width, 48);
  assert_string_equal(x->format.branch, "worlds");
  assert_string_equal(x->format.action_names[1], "vy");
  assert_string_equal(x->format.state_names[DATA_TABLETOP_BOX_ANGLE], "box.angle");
  assert_null(json_object_get(x->json, "forks"));
  data_index_close(x);
}

// The puck goes from frame t to t+1 as actions[t] says, and not as the one before or after it.
static void test_action_t_acts_between_frames_t_and_t_plus_1(void **fixture) {
  orr_path dir;
  data_sim_options o = options(fixture, "clips", dir);
  o.episodes = 8;
  o.episode_frames = 40;
  o.shard_frames = 8 * 40;
  generate(&o);
  data_shard *s = open_shard(dir, 0);
  static float actions[8 * 40][DATA_TABLETOP_ACTIONS], states[8 * 40][Q];
  assert_int_equal(data_shard_read_actions(s, 0, 8 * 40, 1, actions[0]), ORR_OK);
  assert_int_equal(data_shard_read_state(s, 0, 8 * 40, 1, states[0]), ORR_OK);
  data_shard_close(s);
  double error[3] = {0}; // of actions[t-1], actions[t], actions[t+1]
  for (int e = 0; e < 8; e++)
    for (int t = 1; t < 38; t++)
      for (int lag = -1; lag <= 1; lag++)
        for (int i = 0; i < 2; i++) {
          const float *now = states[e * 40 + t], *next = states[e * 40 + t + 1];
          double wanted = actions[e * 40 + t + lag][i] * DATA_TABLETOP_PUCK_SPEED;
          error[lag + 1] += pow((next[i] - now[i]) * o.setting.fps - wanted, 2);
        }
  // Not zero: objects and walls are in the way. Measured 0.24 of the better neighbour.
  assert_true(error[1] < 0.4 * error[0] && error[1] < 0.4 * error[2]);
}

static void test_forks_share_their_prompt_and_part_after_it(void **fixture) {
  enum { PROMPT = 5 };
  orr_path dir;
  data_sim_options o = options(fixture, "clips", dir);
  o.forks = PROMPT;
  o.shard_frames = 3 * LENGTH; // rounded down to a pair
  generate(&o);
  data_index *x = NULL;
  int64_t prompt;
  assert_int_equal(data_index_open(dir, &x), ORR_OK);
  assert_int_equal(orr_json_get_i64(json_object_get(x->json, "forks"), "forks", "prompt", &prompt),
                   ORR_OK);
  assert_int_equal(prompt, PROMPT);
  assert_int_equal(x->count, 3);
  data_index_close(x);
  static uint8_t frames[2 * LENGTH][SIDE * SIDE * 3];
  float actions[2 * LENGTH][DATA_TABLETOP_ACTIONS];
  for (int shard = 0; shard < 3; shard++) {
    data_shard *s = open_shard(dir, shard);
    assert_int_equal(data_shard_read_frames(s, 0, 2 * LENGTH, 1, frames[0]), ORR_OK);
    assert_int_equal(data_shard_read_actions(s, 0, 2 * LENGTH, 1, actions[0]), ORR_OK);
    data_shard_close(s);
    assert_memory_equal(frames[0], frames[LENGTH], PROMPT * sizeof *frames);
    assert_memory_equal(actions[0], actions[LENGTH], (PROMPT - 1) * sizeof *actions);
    for (int t = PROMPT; t < LENGTH; t++)
      assert_memory_not_equal(frames[t], frames[LENGTH + t], sizeof *frames);
    const float *a = actions[PROMPT - 1], *b = actions[LENGTH + PROMPT - 1];
    assert_true(hypot(a[0] - b[0], a[1] - b[1]) > 1); // opposed, nearly at full speed
  }
}

static int count_files(const char *dir) {
  int n = 0;
  DIR *d = opendir(dir);
  assert_non_null(d);
  for (const struct dirent *entry; (entry = readdir(d));) n += entry->d_name[0] != '.';
  closedir(d);
  return n;
}

static void test_a_failing_worker_fails_the_command_and_leaves_nothing(void **fixture) {
  orr_path dir;
  data_sim_options o = options(fixture, "clips", dir);
  o.processes = 1;
  // Each worker inherits the armed fault. The last two come when a shard is already there.
  const struct {
    orr_fault_kind kind;
    int64_t n;
  } faults[] = {{ORR_FAULT_MALLOC, 8},
                {ORR_FAULT_FSYNC, 1},
                {ORR_FAULT_RENAME, 1},
                {ORR_FAULT_RENAME, 2},
                {ORR_FAULT_RENAME, 3}};
  for (int i = 0; i < 5; i++) {
    orr_fault_arm(faults[i].kind, faults[i].n);
    orr_code rc = data_sim_generate(&o);
    orr_fault_arm(faults[i].kind, 0);
    assert_int_not_equal(rc, ORR_OK);
    assert_null(strstr(orr_status_message(), "without a reason"));
    assert_int_equal(count_files(dir), 0);
  }
  generate(&o); // and the folder is as good as new
  assert_int_equal(count_files(dir), 4);
}

static void test_a_folder_that_holds_clips_is_refused(void **fixture) {
  orr_path dir;
  data_sim_options o = options(fixture, "clips", dir);
  generate(&o);
  char *before = folder_text(dir, "index.json");
  assert_int_equal(data_sim_generate(&o), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), dir));
  char *after = folder_text(dir, "index.json");
  assert_string_equal(before, after);
  orr_free(before);
  orr_free(after);
}

static void test_numbers_that_cannot_be_are_named(void **fixture) {
  orr_path dir;
  data_sim_options o = options(fixture, "clips", dir);
  o.forks = LENGTH;
  assert_int_equal(data_sim_generate(&o), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), "12"));
  o.forks = 3;
  o.episodes = 5;
  assert_int_equal(data_sim_generate(&o), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), "even"));
  o.forks = 0;
  o.episode_frames = 1;
  assert_int_equal(data_sim_generate(&o), ORR_EINVAL);
  assert_false(orr_fs_exists(dir));
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      WITH_FOLDER(test_bytes_do_not_depend_on_the_number_of_processes),
      WITH_FOLDER(test_another_seed_gives_other_clips),
      WITH_FOLDER(test_the_index_tells_what_was_made),
      WITH_FOLDER(test_action_t_acts_between_frames_t_and_t_plus_1),
      WITH_FOLDER(test_forks_share_their_prompt_and_part_after_it),
      WITH_FOLDER(test_a_failing_worker_fails_the_command_and_leaves_nothing),
      WITH_FOLDER(test_a_folder_that_holds_clips_is_refused),
      WITH_FOLDER(test_numbers_that_cannot_be_are_named),
  };
  return cmocka_run_group_tests_name("data/tabletop_generate", tests, NULL, NULL);
}
