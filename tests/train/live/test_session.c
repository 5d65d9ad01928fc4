// labels: quick; needs: orrery
// A session's frames follow from its record alone: whoever decodes them, with whom, how often and
// by what way.
#include "tests/train/tiny_world.h"

#include "base/args.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/live/record_file.h"
#include "train/live/session.h"

enum { MANY = 8, FRAMES = 40, PROMPT = 3, A_SET = 2 };

typedef struct {
  char root[FOLDER_PATH];
  train_live_world world, other; // at 1 thread and at 2
} fixture;

static void open_world(const fixture *f, const char *name, const char *threads,
                       train_live_world *w) {
  static const orr_option options[] = {
      {"tokenizer", "CHECKPOINT", "", 0}, {"any-tokenizer", NULL, "", 0}, {"threads", "N", "", 0},
      {"device", "WHERE", "", 0},         {"no-ema", NULL, "", 0},        {0}};
  static const orr_command command = {"test", "", 0, 0, "", options};
  char path[600];
  char *words[] = {(char *)(uintptr_t) "test", (char *)(uintptr_t) "--device",
                   (char *)(uintptr_t) "cpu", (char *)(uintptr_t) "--threads",
                   (char *)(uintptr_t)threads};
  orr_args a;
  snprintf(path, sizeof path, "%s/%s", f->root, name);
  assert_ok(orr_args_parse(&command, 5, words, &a));
  assert_ok(train_live_world_open(
      &a, path, NULL, &(train_live_world_options){.sessions = MANY, .steps = 4, .ahead = 1}, w));
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  *state = f;
  orr_log_setup(ORR_LOG_ERROR, 0, 1);
  folder_make(f->root);
  tiny_world_make(f->root);
  tiny_world_train(f->root, "dynamics", "another", "tokens", 24);
  open_world(f, "dynamics", "1", &f->world);
  open_world(f, "dynamics", "2", &f->other);
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  train_live_world_close(&f->other);
  train_live_world_close(&f->world);
  folder_remove(f->root);
  free(f);
  return 0;
}

// -- sessions that play by themselves -----------------------------------------------------------

// What player `who` does at frame i: held for a while, then something else.
static void act(train_live_session *s, int who, int64_t i) {
  const float action[A_SET] = {400.0f * (float)((i / 5 + who) % 3) - 400.0f,
                               (float)(300 * (who % 2))};
  train_live_session_act(s, action, A_SET);
}

static void create(train_live_world *w, int32_t slot, train_live_session *s) {
  train_live_world *const worlds[] = {w};
  assert_ok(train_live_session_create(worlds, 1, slot, 1 << 16, s));
}

static void begin(train_live_session *s, int who) {
  const train_live_world *w = s->world[0];
  uint8_t *frames = orr_malloc(PROMPT * w->frame_bytes);
  const float actions[(PROMPT - 1) * A_SET] = {0};
  for (size_t i = 0; i < PROMPT * w->frame_bytes; i++)
    frames[i] = (uint8_t)((size_t)who * 37 + i * 3);
  const train_live_start start = {.prompt = PROMPT,
                                  .frames = frames,
                                  .actions = actions,
                                  .A_set = A_SET,
                                  .fps = 10.0,
                                  .settings = {.steps = 2,
                                               .temperature = 5.0,
                                               .choice_temperature = 1.0,
                                               .seed = 5,
                                               .sample = (uint64_t)who}};
  assert_ok(train_live_session_begin(s, &start, 1 << 20));
  orr_free(frames);
}

static void step(train_live_session *s, orr_hash128 *hash) {
  assert_ok(train_live_session_step(&s, 1));
  *hash = s->hash[0];
  assert_ok(train_live_session_settle(&s, 1));
}

// Player `who`'s frames, alone and one by one.
static void play_alone(train_live_world *w, int who, int64_t frames, orr_hash128 *hash,
                       train_live_session *s) {
  create(w, 0, s);
  begin(s, who);
  for (int64_t i = 0; i < frames; i++) {
    act(s, who, i);
    step(s, &hash[i]);
  }
}

static void assert_same(const orr_hash128 *a, const orr_hash128 *b, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (!orr_hash_equal(a[i], b[i])) fail_msg("frame %d differs", (int)i);
}

// What shows that hashes can differ at all.
static void assert_varied(const orr_hash128 *a, int64_t n) {
  int64_t changes = 0;
  for (int64_t i = 1; i < n; i++) changes += !orr_hash_equal(a[i], a[i - 1]);
  assert_true(changes > n / 2);
}

static void play_together(train_live_world *w, orr_hash128 hash[MANY][FRAMES]) {
  train_live_session s[MANY], *all[MANY];
  for (int i = 0; i < MANY; i++) {
    create(w, i, &s[i]);
    begin(&s[i], i);
    all[i] = &s[i];
  }
  for (int64_t t = 0; t < FRAMES; t++) {
    for (int i = 0; i < MANY; i++) act(&s[i], i, t);
    assert_ok(train_live_session_step(all, MANY));
    for (int i = 0; i < MANY; i++) hash[i][t] = s[i].hash[0];
    assert_ok(train_live_session_settle(all, MANY));
  }
  for (int i = 0; i < MANY; i++) train_live_session_release(&s[i]);
}

static void test_frames_are_the_same_alone_among_eight_and_with_two_threads(void **state) {
  fixture *f = *state;
  static orr_hash128 one[MANY][FRAMES], two[MANY][FRAMES];
  play_together(&f->world, one);
  play_together(&f->other, two);
  for (int i = 0; i < MANY; i++) {
    orr_hash128 alone[FRAMES];
    train_live_session s;
    play_alone(i % 2 ? &f->other : &f->world, i, FRAMES, alone, &s);
    assert_same(alone, one[i], FRAMES);
    assert_same(alone, two[i], FRAMES);
    assert_varied(alone, FRAMES);
    if (i) assert_false(orr_hash_equal(one[i][FRAMES - 1], one[0][FRAMES - 1]));
    train_live_session_release(&s);
  }
}

static void test_a_frame_ahead_is_the_frame_itself_or_is_dropped(void **state) {
  fixture *f = *state;
  orr_hash128 plain[FRAMES], ahead[FRAMES];
  train_live_session s, t, *one = &t;
  int64_t used = 0;
  play_alone(&f->world, 1, FRAMES, plain, &s);
  create(&f->world, 1, &t);
  begin(&t, 1);
  for (int64_t i = 0; i < FRAMES; i++) {
    assert_ok(train_live_session_look_ahead(&one, 1)); // under what was held so far
    act(&t, 1, i);
    step(&t, &ahead[i]);
    used += t.decode_ms == 0.0;
  }
  assert_same(plain, ahead, FRAMES);
  assert_true(used > FRAMES / 2 && used < FRAMES);
  assert_true(orr_hash_equal(s.chain, t.chain));
  train_live_session_release(&t);
  train_live_session_release(&s);
}

// -- going back ---------------------------------------------------------------------------------

static void catch_up(train_live_session *s) {
  orr_hash128 unseen;
  while (train_live_session_catching_up(s)) step(s, &unseen);
}

// `frame` is the last one again.
static void go_back(train_live_session *s, int64_t frame) {
  assert_ok(train_live_session_back(s, frame));
  catch_up(s);
  assert_int_equal(s->frame, frame + 1);
  assert_int_equal(s->record.frames, frame + 1 - PROMPT);
}

static void test_what_follows_a_way_back_is_as_if_it_had_never_been_taken(void **state) {
  fixture *f = *state;
  orr_hash128 plain[FRAMES], again[FRAMES];
  train_live_session s, t;
  bool parted = false;
  play_alone(&f->world, 2, FRAMES, plain, &s);
  play_alone(&f->world, 3, FRAMES, again, &t); // another's actions, of slot 0 as well
  train_live_session_release(&t);
  create(&f->world, 4, &t);
  begin(&t, 2);
  for (int64_t i = 0; i < FRAMES; i++) {
    act(&t, 2, i);
    step(&t, &again[i]);
    if (i % 7 != 6) continue;
    const int64_t there = PROMPT + i;  // its number
    for (int64_t j = 0; j < 20; j++) { // a fork that is given up
      orr_hash128 other;
      act(&t, 5, j);
      if (j % 3 == 0) assert_ok(train_live_session_look_ahead(&(train_live_session *){&t}, 1));
      step(&t, &other);
      parted = parted || (i + 1 + j < FRAMES && !orr_hash_equal(other, plain[i + 1 + j]));
    }
    go_back(&t, there);
    assert_true(orr_hash_equal(t.hash[0], again[i])); // what is shown there
  }
  assert_true(parted); // actions matter
  assert_same(plain, again, FRAMES);
  assert_true(orr_hash_equal(s.chain, t.chain));
  train_live_session_release(&t);
  train_live_session_release(&s);
}

static void test_every_frame_can_be_gone_back_to(void **state) {
  fixture *f = *state;
  orr_hash128 plain[FRAMES], again[FRAMES];
  train_live_session s, t;
  play_alone(&f->world, 2, FRAMES, plain, &s);
  for (int64_t to = PROMPT - 1; to < PROMPT + FRAMES; to += 3) {
    play_alone(&f->world, 2, FRAMES, again, &t);
    go_back(&t, to);
    const int64_t left = to + 1 - PROMPT;
    if (left > 0) assert_true(orr_hash_equal(t.hash[0], plain[left - 1]));
    for (int64_t i = left; i < FRAMES; i++) {
      act(&t, 2, i);
      step(&t, &again[i]);
    }
    assert_same(plain + left, again + left, FRAMES - left);
    train_live_session_release(&t);
  }
  assert_int_equal(train_live_session_back(&s, PROMPT - 2), ORR_EINVAL);
  assert_int_equal(train_live_session_back(&s, PROMPT + FRAMES), ORR_EINVAL);
  train_live_session_release(&s);
}

// A second thought while the first way back is still being gone.
static void test_a_way_back_can_be_changed_on_the_way(void **state) {
  fixture *f = *state;
  orr_hash128 plain[FRAMES], unseen;
  train_live_session s;
  play_alone(&f->world, 2, FRAMES, plain, &s);
  assert_ok(train_live_session_back(&s, PROMPT + 30));
  step(&s, &unseen);
  assert_true(train_live_session_catching_up(&s));
  assert_ok(train_live_session_back(&s, PROMPT + 28)); // ahead of where it is now
  step(&s, &unseen);
  assert_int_equal(train_live_session_back(&s, PROMPT + 30), ORR_EINVAL); // that is forgotten
  assert_ok(train_live_session_back(&s, PROMPT + 9));
  catch_up(&s);
  assert_true(orr_hash_equal(s.hash[0], plain[9]));
  assert_int_equal(s.record.frames, 10);
  train_live_session_release(&s);
}

// -- the file is the session --------------------------------------------------------------------

// A copy of the record, by way of its file.
static void copy(const train_record *from, train_record *to) {
  uint8_t *file = NULL;
  size_t size = 0;
  assert_ok(train_record_write(from, &file, &size));
  assert_ok(train_record_read("copy", file, size, to));
  orr_free(file);
}

static void test_a_record_plays_again_to_the_bit_and_goes_on(void **state) {
  fixture *f = *state;
  orr_hash128 plain[FRAMES + 10], again[FRAMES + 10];
  train_live_session s, t;
  train_record r;
  play_alone(&f->world, 6, FRAMES + 10, plain, &s);
  go_back(&s, PROMPT + FRAMES - 1);
  copy(&s.record, &r);
  create(&f->other, 3, &t);
  assert_ok(train_live_session_load(&t, &r, false));
  assert_int_equal(t.goal, PROMPT + FRAMES);
  for (int64_t i = 0; i < FRAMES; i++) step(&t, &again[i]);
  assert_false(train_live_session_catching_up(&t));
  assert_int_equal(t.differs, -1);
  for (int64_t i = FRAMES; i < FRAMES + 10; i++) {
    act(&t, 6, i);
    step(&t, &again[i]);
  }
  assert_same(plain, again, FRAMES + 10);
  train_live_session_release(&t);
  train_live_session_release(&s);
}

static void test_a_record_of_other_frames_is_noticed(void **state) {
  fixture *f = *state;
  orr_hash128 plain[300];
  train_live_session s, t;
  train_record r;
  play_alone(&f->world, 6, 300, plain, &s);
  for (int what = 0; what < 3; what++) {
    copy(&s.record, &r);
    if (what == 0) r.digests[0] ^= 1;
    if (what == 1) r.chain.lo ^= 1;
    if (what == 2) ((train_record_run *)(uintptr_t)train_record_run_at(&r, 0))->v[0] = -1.0f;
    create(&f->world, 3, &t);
    assert_ok(train_live_session_load(&t, &r, false));
    catch_up(&t);
    assert_int_equal(t.differs, PROMPT + (what == 1 ? 300 : 256) - 1);
    train_live_session_release(&t);
  }
  train_live_session_release(&s);
}

static void test_a_session_of_another_model_is_refused_with_both_hashes(void **state) {
  fixture *f = *state;
  orr_hash128 plain[FRAMES], again[FRAMES];
  train_live_world another;
  train_live_session s, t;
  train_record r;
  play_alone(&f->world, 1, FRAMES, plain, &s);
  open_world(f, "another", "1", &another);
  create(&another, 0, &t);
  copy(&s.record, &r);
  assert_int_equal(train_live_session_load(&t, &r, false), ORR_EINVAL);
  assert_message_names(f->world.checkpoint.s, another.checkpoint.s, "--anyway");
  assert_ok(train_live_session_load(&t, &r, true));
  for (int64_t i = 0; i < FRAMES; i++) step(&t, &again[i]);
  assert_int_equal(t.differs, -1); // nothing was promised
  assert_false(train_live_session_catching_up(&t));
  train_live_session_release(&t);
  train_live_session_release(&s);
  train_live_world_close(&another);
}

static void test_records_that_do_not_fit_the_model_are_refused(void **state) {
  fixture *f = *state;
  orr_hash128 plain[4];
  train_live_session s, t;
  train_record r;
  play_alone(&f->world, 1, 4, plain, &s);
  create(&f->world, 2, &t);
  for (int what = 0; what < 5; what++) {
    copy(&s.record, &r);
    if (what == 0) r.tokens[3] = 20;
    if (what == 1) r.tokens[3] = -1;
    if (what == 2) r.branch = 1;
    if (what == 3) r.A = 4;
    if (what == 4) r.settings.steps = 5; // the engine has passes for 4
    assert_true(train_live_session_load(&t, &r, true) != ORR_OK);
    assert_true(orr_status_message()[0] != 0);
    train_record_release(&r);
  }
  train_live_session_release(&t);
  train_live_session_release(&s);
}

// -- what somebody may send ---------------------------------------------------------------------

static void test_actions_beyond_all_measure_end_nothing(void **state) {
  fixture *f = *state;
  const float most[] = {3e38f, -3e38f}, none[] = {0.0f, 0.0f};
  train_live_session s, t, *both[] = {&s, &t};
  orr_hash128 plain[FRAMES];
  train_live_session alone;
  play_alone(&f->world, 1, FRAMES, plain, &alone);
  create(&f->world, 1, &s);
  create(&f->world, 2, &t);
  begin(&s, 0);
  begin(&t, 1);
  for (int64_t i = 0; i < FRAMES; i++) {
    train_live_session_act(&s, i % 2 ? most : none, A_SET);
    act(&t, 1, i);
    assert_ok(train_live_session_step(both, 2));
    assert_true(orr_hash_equal(t.hash[0], plain[i])); // the others do not notice
    assert_ok(train_live_session_settle(both, 2));
  }
  train_live_session_release(&t);
  train_live_session_release(&s);
  train_live_session_release(&alone);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_frames_are_the_same_alone_among_eight_and_with_two_threads),
      cmocka_unit_test(test_a_frame_ahead_is_the_frame_itself_or_is_dropped),
      cmocka_unit_test(test_what_follows_a_way_back_is_as_if_it_had_never_been_taken),
      cmocka_unit_test(test_every_frame_can_be_gone_back_to),
      cmocka_unit_test(test_a_way_back_can_be_changed_on_the_way),
      cmocka_unit_test(test_a_record_plays_again_to_the_bit_and_goes_on),
      cmocka_unit_test(test_a_record_of_other_frames_is_noticed),
      cmocka_unit_test(test_a_session_of_another_model_is_refused_with_both_hashes),
      cmocka_unit_test(test_records_that_do_not_fit_the_model_are_refused),
      cmocka_unit_test(test_actions_beyond_all_measure_end_nothing),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
