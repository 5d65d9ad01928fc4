// labels: quick; needs: orrery
// Sessions become a data set: its frames are those that were seen, each action the one that led
// from its frame to the next - shown by a world whose frames show their action - and one can train
// on it.
#include "tests/train/tiny_world.h"

#include <math.h>

#include "base/args.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/live/record_file.h"
#include "train/live/scribe.h"
#include "train/live/session.h"

enum { PROMPT = 3, FRAMES = 24, PIXELS = TINY_HEIGHT * TINY_WIDTH * 3 };

typedef struct {
  char root[FOLDER_PATH], dir[FOLDER_PATH + 16];
  train_live_world world;
} fixture;

static int setup(void **state) {
  static const orr_option options[] = {
      {"tokenizer", "CHECKPOINT", "", 0}, {"any-tokenizer", NULL, "", 0}, {"threads", "N", "", 0},
      {"device", "WHERE", "", 0},         {"no-ema", NULL, "", 0},        {0}};
  static const orr_command command = {"test", "", 0, 0, "", options};
  static char *words[] = {"test", "--device", "cpu", "--threads", "1"};
  fixture *f = calloc(1, sizeof *f);
  char path[600];
  orr_args a;
  *state = f;
  orr_log_setup(ORR_LOG_ERROR, 0, 1);
  folder_make(f->root);
  tiny_world_make(f->root);
  snprintf(f->dir, sizeof f->dir, "%s/played", f->root);
  snprintf(path, sizeof path, "%s/dynamics", f->root);
  assert_ok(orr_args_parse(&command, 5, words, &a));
  assert_ok(train_live_world_open(
      &a, path, NULL, &(train_live_world_options){.sessions = 2, .steps = 4, .ahead = 1},
      &f->world));
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  train_live_world_close(&f->world);
  folder_remove(f->root);
  free(f);
  return 0;
}

static train_live_scribe *open_scribe(fixture *f) {
  static const char *const names[] = {"left", "right"};
  train_live_scribe *s = NULL;
  assert_ok(train_live_scribe_create(&(train_live_scribe_options){.dir = f->dir,
                                                                  .slot = 1,
                                                                  .name = "worlds",
                                                                  .fps = 10.0,
                                                                  .A = TINY_A,
                                                                  .action_names = names},
                                     &f->world, &s));
  return s;
}

static void work_off(train_live_scribe *s, bool alone) {
  for (bool more = true; more;) assert_ok(train_live_scribe_work(s, alone, &more));
}

// -- playing ------------------------------------------------------------------------------------

typedef struct {
  train_live_session session;
  uint8_t frames[(PROMPT + FRAMES) * PIXELS];
  float actions[(PROMPT + FRAMES) * TINY_A];
} played;

static void begin(fixture *f, played *p) {
  train_live_world *const worlds[] = {&f->world};
  for (int t = 0; t < PROMPT - 1; t++)
    for (int i = 0; i < TINY_A; i++) p->actions[t * TINY_A + i] = tiny_world_action(99, t, i);
  const float none[TINY_A] = {0};
  tiny_world_draw(none, p->frames);
  for (int t = 1; t < PROMPT; t++)
    tiny_world_draw(p->actions + (t - 1) * TINY_A, p->frames + t * PIXELS);
  const train_live_start start = {.prompt = PROMPT,
                                  .frames = p->frames,
                                  .actions = p->actions,
                                  .A_set = TINY_A,
                                  .fps = 10.0,
                                  .settings = {.steps = 4, .temperature = 0.1, .seed = 5}};
  assert_ok(train_live_session_create(worlds, 1, 0, 1 << 16, &p->session));
  assert_ok(train_live_session_begin(&p->session, &start, 1 << 20));
}

static void step(played *p, const float *action) {
  train_live_session *s = &p->session;
  const int64_t t = s->frame;
  train_live_session_act(s, action, TINY_A);
  assert_ok(train_live_session_step(&s, 1));
  assert_ok(train_live_session_settle(&s, 1));
  memcpy(p->frames + t * PIXELS, s->pixels[0], PIXELS);
  memcpy(p->actions + (t - 1) * TINY_A, action, TINY_A * sizeof *action);
}

static void play(played *p, uint64_t who) {
  for (int t = 0; t < FRAMES; t++) {
    const float action[] = {tiny_world_action(who, t, 0), tiny_world_action(who, t, 1)};
    step(p, action);
    if (t != 12) continue;
    const float away[] = {-1, 1};
    for (int i = 0; i < 3; i++) step(p, away);
    assert_ok(train_live_session_back(&p->session, PROMPT + 12));
    while (train_live_session_catching_up(&p->session)) {
      train_live_session *s = &p->session;
      assert_ok(train_live_session_step(&s, 1));
      assert_ok(train_live_session_settle(&s, 1));
    }
  }
}

static void end(played *p) {
  train_live_session_release(&p->session);
  free(p);
}

// -- the data set -------------------------------------------------------------------------------

typedef struct {
  uint8_t frames[(PROMPT + FRAMES) * PIXELS];
  float actions[(PROMPT + FRAMES) * TINY_A];
} episode;

static void read_shard(const fixture *f, int number, episode *e) {
  char path[600];
  data_shard *s = NULL;
  assert_ok(data_shard_name_in(f->dir, number, path, sizeof path));
  assert_ok(data_shard_open(path, &s));
  assert_int_equal(data_shard_episodes(s), 1);
  assert_int_equal(data_shard_frames(s), PROMPT + FRAMES);
  assert_string_equal(data_shard_get_format(s)->action_names[1], "right");
  assert_ok(data_shard_read_frames(s, 0, PROMPT + FRAMES, 1, e->frames));
  assert_ok(data_shard_read_actions(s, 0, PROMPT + FRAMES, 1, e->actions));
  data_shard_close(s);
}

static void assert_frame_shows(const uint8_t *frame, const float *action) {
  for (int half = 0; half < 2; half++) {
    const double seen = tiny_world_seen(frame, half);
    // trained for seconds: shades of -1, 0 and 1 lie 1 apart, it is off by up to 0.35
    if (!(fabs(seen - (double)action[half]) < 0.5))
      fail_msg("half %d shows %g, the action was %g", half, seen, (double)action[half]);
  }
}

static void test_action_t_leads_from_frame_t_to_the_next(void **state) {
  fixture *f = *state;
  train_live_scribe *s = open_scribe(f);
  for (uint64_t who = 0; who < 2; who++) {
    played *p = calloc(1, sizeof *p);
    episode *e = calloc(1, sizeof *e);
    begin(f, p);
    play(p, who);
    assert_ok(train_live_scribe_keep(s, &p->session.record));
    work_off(s, false); // while the session goes on
    read_shard(f, (int)who, e);
    assert_memory_equal(e->frames + PROMPT * PIXELS, p->frames + PROMPT * PIXELS, FRAMES * PIXELS);
    assert_memory_equal(e->actions, p->actions, (PROMPT + FRAMES - 1) * TINY_A * sizeof(float));
    for (int t = 0; t + 1 < PROMPT + FRAMES; t++)
      assert_frame_shows(e->frames + (t + 1) * PIXELS, e->actions + t * TINY_A);
    free(e);
    end(p);
  }
  work_off(s, true);
  train_live_scribe_destroy(s);
}

static void test_sessions_without_a_shard_are_made_the_next_time(void **state) {
  fixture *f = *state;
  played *p = calloc(1, sizeof *p);
  episode *e = calloc(1, sizeof *e);
  train_live_scribe *s = open_scribe(f);
  char path[600];
  bool more;
  begin(f, p);
  play(p, 7);
  assert_ok(train_live_scribe_keep(s, &p->session.record));
  for (int i = 0; i < 5; i++) assert_ok(train_live_scribe_work(s, false, &more));
  train_live_scribe_destroy(s); // in the midst of it
  assert_ok(data_shard_name_in(f->dir, 2, path, sizeof path));
  assert_false(orr_fs_exists(path));
  folder_store(f->dir, "session-00003.orrery", "no session"); // is left alone, the others are made
  s = open_scribe(f);
  work_off(s, true);
  train_live_scribe_destroy(s);
  read_shard(f, 2, e);
  assert_memory_equal(e->frames + PROMPT * PIXELS, p->frames + PROMPT * PIXELS, FRAMES * PIXELS);
  data_index *x = NULL;
  assert_ok(data_index_open(f->dir, &x));
  assert_int_equal(x->episodes, 3);
  assert_true(x->format.fps == 10.0);
  data_index_close(x);
  free(e);
  end(p);
}

static void test_one_can_train_on_it(void **state) {
  fixture *f = *state;
  tiny_world_train(f->root, "tokenizer", "own_tokenizer", "played", 24);
  tiny_world_tokenize(f->root, "played", "played_tokens");
  tiny_world_train(f->root, "dynamics", "own_dynamics", "played_tokens", 24);
}

static void test_a_folder_of_something_else_is_refused(void **state) {
  fixture *f = *state;
  train_live_scribe *s = NULL;
  char clips[FOLDER_PATH + 16];
  snprintf(clips, sizeof clips, "%s/clips", f->root);
  const train_live_scribe_options o = {
      .dir = clips, .slot = 1, .name = "worlds", .fps = 10.0, .A = 2};
  assert_int_equal(train_live_scribe_create(&o, &f->world, &s), ORR_EINVAL);
  assert_message_names("clips", "--record");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_action_t_leads_from_frame_t_to_the_next),
      cmocka_unit_test(test_sessions_without_a_shard_are_made_the_next_time),
      cmocka_unit_test(test_one_can_train_on_it),
      cmocka_unit_test(test_a_folder_of_something_else_is_refused),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
