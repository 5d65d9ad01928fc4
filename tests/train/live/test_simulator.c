// labels: quick; needs: orrery
// The simulator beside a session: under the actions of a generated episode it draws the episode's
// own frames, byte for byte, also after a way back.
#include "tests/base/assert.h"
#include "tests/data/sim/osmesa.h"
#include "tests/train/program.h"

#include "base/mem.h"
#include "data/set/index.h"
#include "train/live/simulator.h"

enum { HEIGHT = 16, WIDTH = 24, FRAMES = 90, PROMPT = 3, A = 2, PIXELS = HEIGHT * WIDTH * 3 };

typedef struct {
  char root[FOLDER_PATH];
  uint8_t *frames;         // [2,FRAMES,HEIGHT,WIDTH,3]
  float *actions;          // [2,FRAMES,A]
  train_live_scenery made; // how
} fixture;

static void make_set(fixture *f, const char *dir) {
  char err[FOLDER_PATH + 8];
  snprintf(err, sizeof err, "%s/err", f->root);
  const char *const words[] = {program_path,  "data",    "generate",   "--out",  dir,
                               "--size",      "16x24",   "--episodes", "4",      "--episode-frames",
                               "90",          "--forks", "40",         "--seed", "7",
                               "--processes", "1",       NULL};
  program_wait_ok(program_start(words, err, true), err);
}

// Episodes 2 and 3: two futures of one past.
static void read_set(fixture *f, const char *dir) {
  data_index *x = NULL;
  data_shard *s = NULL;
  assert_ok(data_index_open(dir, &x));
  f->made = train_live_scenery_of(x->json);
  assert_ok(data_index_open_shard(x, 0, &s));
  f->frames = malloc(2 * FRAMES * PIXELS);
  f->actions = malloc(2 * FRAMES * A * sizeof *f->actions);
  assert_ok(data_shard_read_frames(s, 2 * FRAMES, 2 * FRAMES, 1, f->frames));
  assert_ok(data_shard_read_actions(s, 2 * FRAMES, 2 * FRAMES, 1, f->actions));
  data_shard_close(s);
  data_index_close(x);
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  char dir[FOLDER_PATH + 8];
  *state = f;
  folder_make(f->root);
  if (!data_scene_at(0)->available()) return 0;
  snprintf(dir, sizeof dir, "%s/set", f->root);
  make_set(f, dir);
  read_set(f, dir);
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  folder_remove(f->root);
  free(f->actions);
  free(f->frames);
  free(f);
  return 0;
}

// A session in which everybody does what the episode's driver did.
static void record_of(const float *actions, train_record *r) {
  const int32_t tokens[PROMPT] = {0};
  *r = (train_record){.A = A, .S = 1, .prompt = PROMPT, .settings = {.steps = 1}};
  assert_ok(train_record_begin(r, tokens, actions, 1 << 20));
  for (int t = PROMPT; t < FRAMES; t++)
    assert_ok(train_record_add(r, actions + (t - 1) * A, (orr_hash128){0}));
}

static int64_t follow(train_live_simulator *s, const train_record *r, int64_t frame) {
  bool there = false;
  int64_t calls = 0;
  for (; !there; calls++) assert_ok(train_live_simulator_follow(s, r, frame, &there));
  return calls;
}

static void test_it_draws_the_episodes_own_frames(void **state) {
  const fixture *f = *state;
  if (!f->frames) skip();
  train_live_simulator s;
  assert_non_null(f->made.scene);
  assert_ok(train_live_simulator_create(&s, HEIGHT, WIDTH, 10.0));
  for (int which = 0; which < 2; which++) {
    const uint8_t *frames = f->frames + which * FRAMES * PIXELS;
    train_record r;
    record_of(f->actions + which * FRAMES * A, &r);
    assert_ok(train_live_simulator_begin(&s, &f->made, 2 + (uint64_t)which));
    for (int64_t t = 0; t < FRAMES; t++) {
      follow(&s, &r, t);
      assert_memory_equal(s.pixels, frames + t * PIXELS, PIXELS);
    }
    assert_int_equal(follow(&s, &r, PROMPT), 1); // back, and far ahead in more than one go
    assert_memory_equal(s.pixels, frames + PROMPT * PIXELS, PIXELS);
    assert_true(follow(&s, &r, FRAMES - 1) > 1);
    assert_memory_equal(s.pixels, frames + (FRAMES - 1) * PIXELS, PIXELS);
    train_record_release(&r);
  }
  train_live_simulator_release(&s);
}

static void test_other_actions_lead_elsewhere(void **state) {
  const fixture *f = *state;
  if (!f->frames) skip();
  train_live_simulator s;
  train_record r;
  record_of(f->actions, &r);
  train_record_cut(&r, 20, (orr_hash128){0});
  const float other[A] = {-1.0f, 1.0f};
  for (int i = 0; i < 30; i++) assert_ok(train_record_add(&r, other, (orr_hash128){0}));
  assert_ok(train_live_simulator_create(&s, HEIGHT, WIDTH, 10.0));
  assert_ok(train_live_simulator_begin(&s, &f->made, 2));
  follow(&s, &r, PROMPT + 19);
  assert_memory_equal(s.pixels, f->frames + (PROMPT + 19) * PIXELS, PIXELS);
  follow(&s, &r, PROMPT + 49);
  assert_memory_not_equal(s.pixels, f->frames + (PROMPT + 49) * PIXELS, PIXELS);
  train_live_simulator_release(&s);
  train_record_release(&r);
}

static void test_without_a_scene_it_stands_still(void **state) {
  train_live_simulator s;
  bool there = true;
  train_record r = {0};
  json_t *none = json_pack("{s:s}", "source", "a camera"),
         *unknown = json_pack("{s:s}", "scene", "moon");
  const train_live_scenery a = train_live_scenery_of(none), b = train_live_scenery_of(unknown);
  assert_null(a.scene);
  assert_null(b.scene);
  assert_ok(train_live_simulator_create(&s, HEIGHT, WIDTH, 10.0));
  assert_ok(train_live_simulator_begin(&s, &a, 0));
  assert_false(train_live_simulator_moves(&s));
  assert_ok(train_live_simulator_follow(&s, &r, 0, &there));
  assert_false(there);
  train_live_simulator_release(&s);
  json_decref(unknown);
  json_decref(none);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_it_draws_the_episodes_own_frames),
      cmocka_unit_test(test_other_actions_lead_elsewhere),
      cmocka_unit_test(test_without_a_scene_it_stands_still),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
