// labels: quick; wrap: orr_malloc orr_realloc
// What a session remembers, and its file: written and read again, damaged, and made up so that it
// claims more than it holds.
#include "tests/base/assert.h"

#include <math.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "train/live/record_file.h"

enum { A = 2, S = 6, PROMPT = 3, FRONT = 20, TAIL = 16 };

static orr_hash_hex hash_of(const char *text) {
  return orr_hash_to_hex(orr_hash_bytes(text, strlen(text)));
}

static void begin(train_record *r, size_t most_bytes) {
  int32_t tokens[PROMPT * S];
  const float actions[(PROMPT - 1) * A] = {0.5f, -1.0f, 0.0f, 2.0f};
  for (int i = 0; i < PROMPT * S; i++) tokens[i] = i;
  *r = (train_record){.checkpoint = hash_of("model"),
                      .tokenizer = hash_of("tokenizer"),
                      .ema = true,
                      .A = A,
                      .S = S,
                      .prompt = PROMPT,
                      .window = 3,
                      .branch = 1,
                      .fps = 12.5,
                      .settings = {.steps = 2,
                                   .temperature = 0.25,
                                   .choice_temperature = 1.5,
                                   .seed = 18446744073709551615u,
                                   .sample = 7},
                      .mapping = json_pack("{s:[]}", "keys"),
                      .start = json_pack("{s:s}", "set", "test")};
  assert_ok(train_record_begin(r, tokens, actions, most_bytes));
}

static orr_hash128 frame_hash(int64_t i) {
  return orr_hash_bytes(&i, sizeof i);
}

// Keys as a person holds them: a change every 6 frames on average, one of 5 actions.
static void hold(int64_t i, float action[A]) {
  static const float all[5][A] = {{0, 0}, {1, 0}, {-1, 0}, {0, 1}, {0, -1}};
  int64_t at = i;
  while (at > 0 && orr_rng_below(3, ORR_STREAM_TEST, 1, (uint64_t)at, 6) != 0) at--;
  memcpy(action, all[orr_rng_below(3, ORR_STREAM_TEST, 2, (uint64_t)at, 5)], A * sizeof *action);
}

static void play(train_record *r, int64_t frames) {
  float action[A];
  for (int64_t i = 0; i < frames; i++) {
    hold(i, action);
    assert_ok(train_record_add(r, action, frame_hash(i)));
  }
}

static void test_a_file_holds_all_that_the_record_has(void **state) {
  train_record r, q;
  uint8_t *file = NULL;
  size_t size = 0;
  begin(&r, 4096);
  play(&r, 1000);
  assert_ok(train_record_write(&r, &file, &size));
  assert_ok(train_record_read("a.orrery", file, size, &q));
  assert_string_equal(q.checkpoint.s, r.checkpoint.s);
  assert_string_equal(q.tokenizer.s, r.tokenizer.s);
  assert_true(q.ema && q.A == A && q.S == S && q.prompt == PROMPT && q.window == 3);
  assert_true(q.branch == 1 && q.fps == 12.5 && q.frames == 1000);
  assert_true(q.settings.steps == 2 && q.settings.temperature == 0.25);
  assert_true(q.settings.choice_temperature == 1.5 && q.settings.sample == 7);
  assert_true(q.settings.seed == r.settings.seed);
  assert_true(json_equal(q.mapping, r.mapping) && json_equal(q.start, r.start));
  assert_memory_equal(q.tokens, r.tokens, PROMPT * S * sizeof *q.tokens);
  assert_memory_equal(q.prompt_actions, r.prompt_actions, (PROMPT - 1) * A * sizeof(float));
  for (int64_t i = 0; i < 1000; i++)
    assert_memory_equal(train_record_action(&q, i), train_record_action(&r, i), A * sizeof(float));
  assert_memory_equal(q.digests, r.digests, 3 * sizeof *q.digests);
  assert_true(q.chain.lo == r.chain.lo);
  orr_free(file);
  train_record_release(&q);
  train_record_release(&r);
}

static void test_an_hour_of_held_keys_takes_less_than_100_kb(void **state) {
  train_record r;
  uint8_t *file = NULL;
  size_t size = 0;
  begin(&r, TRAIN_RECORD_MOST_BYTES);
  float action[A];
  for (int64_t i = 0; i < 24 * 3600; i++) { // 24 frames a second, a change 4 times a second
    hold(i, action);
    assert_ok(train_record_add(&r, action, frame_hash(i)));
  }
  assert_ok(train_record_write(&r, &file, &size));
  print_message("%d changes in an hour: %zu bytes\n", (int)r.run_count, size);
  assert_true(r.run_count > 3600);
  assert_true(size <= 100000);
  orr_free(file);
  train_record_release(&r);
}

static void test_what_is_cut_and_played_again_is_as_if_it_had_never_been(void **state) {
  train_record r, q;
  float other[A] = {9, 9}, action[A];
  orr_hash128 chain = {0};
  begin(&r, 4096);
  begin(&q, 4096);
  play(&q, 600);
  play(&r, 300);
  for (int64_t i = 0; i < 300; i++) chain = train_record_link(chain, frame_hash(i));
  assert_true(orr_hash_equal(chain, r.chain));
  for (int64_t i = 0; i < 300; i++) assert_ok(train_record_add(&r, other, frame_hash(-i)));
  train_record_cut(&r, 300, chain);
  for (int64_t i = 300; i < 600; i++) {
    hold(i, action);
    assert_ok(train_record_add(&r, action, frame_hash(i)));
  }
  assert_true(orr_hash_equal(r.chain, q.chain));
  assert_int_equal(r.frames, q.frames);
  assert_int_equal(r.run_count, q.run_count);
  assert_memory_equal(r.digests, q.digests, 2 * sizeof *q.digests);
  for (int64_t i = 0; i < 600; i++)
    assert_memory_equal(train_record_action(&q, i), train_record_action(&r, i), A * sizeof(float));
  train_record_cut(&r, 0, (orr_hash128){0});
  assert_int_equal(r.frames, 0);
  assert_ok(train_record_add(&r, other, frame_hash(0)));
  train_record_release(&q);
  train_record_release(&r);
}

static void test_a_full_record_says_so_and_keeps_what_it_has(void **state) {
  train_record r;
  begin(&r, 10 * 16); // a run takes 16 bytes
  float action[A] = {0};
  for (int i = 0; !train_record_is_full(&r); i++) {
    action[0] = (float)i;
    assert_ok(train_record_add(&r, action, frame_hash(i)));
  }
  assert_int_equal(r.run_count, 10);
  assert_ok(train_record_add(&r, action, frame_hash(10))); // held: no new run
  action[0] = -1.0f;
  assert_int_equal(train_record_add(&r, action, frame_hash(11)), ORR_ENOMEM);
  assert_message_names("10 changes");
  assert_int_equal(r.frames, 11);
  train_record_release(&r);
}

// -- files that lie -----------------------------------------------------------------------------

static void put_u32(uint8_t *p, uint32_t v) {
  for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (8 * i));
}

// A file with this head and body whose checksum is right.
static uint8_t *make_up(const char *head, const uint8_t *body, size_t body_bytes, uint32_t plain,
                        size_t *size) {
  const size_t head_bytes = strlen(head);
  uLongf packed = compressBound((uLong)body_bytes);
  uint8_t *p = calloc(1, FRONT + head_bytes + packed + TAIL);
  memcpy(p, "orrsess1", 8);
  memcpy(p + FRONT, head, head_bytes);
  assert_int_equal(compress2(p + FRONT + head_bytes, &packed, body, (uLong)body_bytes, 9), Z_OK);
  put_u32(p + 8, (uint32_t)head_bytes);
  put_u32(p + 12, (uint32_t)packed);
  put_u32(p + 16, plain);
  const size_t before = FRONT + head_bytes + packed;
  const orr_hash128 h = orr_hash_bytes(p, before);
  for (int i = 0; i < 8; i++) {
    p[before + (size_t)i] = (uint8_t)(h.hi >> (56 - 8 * i));
    p[before + 8 + (size_t)i] = (uint8_t)(h.lo >> (56 - 8 * i));
  }
  *size = before + TAIL;
  return p;
}

static const char head_format[] =
    "{\"checkpoint\":\"00000000000000000000000000000000\",\"tokenizer\":"
    "\"00000000000000000000000000000000\",\"ema\":true,\"branch\":0,\"fps\":10.0,\"components\":%d,"
    "\"positions\":%d,\"prompt\":%d,\"frames\":%d,\"window\":3,\"seed\":0,\"sample\":0,\"steps\":1,"
    "\"temperature\":0.0,\"choice_temperature\":0.0}";

static size_t asked; // bytes, in all

void *__real_orr_malloc(size_t bytes);
void *__real_orr_realloc(void *p, size_t bytes);
void *__wrap_orr_malloc(size_t bytes);
void *__wrap_orr_realloc(void *p, size_t bytes);

void *__wrap_orr_malloc(size_t bytes) {
  asked += bytes;
  return __real_orr_malloc(bytes);
}

void *__wrap_orr_realloc(void *p, size_t bytes) {
  asked += bytes;
  return __real_orr_realloc(p, bytes);
}

// Refused as ORR_EFORMAT, and without having asked for more than `most` bytes of memory.
static void refuse_claim(int components, int positions, int prompt, int frames, size_t body_bytes,
                         uint32_t plain, size_t most) {
  char head[1024];
  size_t size = 0;
  train_record r;
  uint8_t *body = calloc(1, body_bytes + 1);
  snprintf(head, sizeof head, head_format, components, positions, prompt, frames);
  uint8_t *file = make_up(head, body, body_bytes, plain, &size);
  asked = 0;
  assert_int_equal(train_record_read("lie", file, size, &r), ORR_EFORMAT);
  assert_message_names("lie");
  orr_status_clear();
  assert_true(asked <= most);
  free(file);
  free(body);
}

static void test_a_small_file_that_claims_much_costs_little(void **state) {
  refuse_claim(2, 6, 1, 1 << 30, 24, 1 << 28, 4096);      // frames that are not there
  refuse_claim(4096, 1048576, 65536, 5, 24, 1 << 28, 0);  // a prompt that is not there
  refuse_claim(2, 6, 1, 100, 24, 24, 4096);               // no action
  refuse_claim(2, 6, 1, 0, 24 + 8 + 5, 24 + 8 + 5, 4096); // bytes too many
  refuse_claim(2, 6, 1, 0, 24 + 8 + 5, 24 + 8, 4096);     // that the front does not own up to
  refuse_claim(2, 6, 1, 0, 24, 24 + 8, 4096);             // and too few
}

// A billion frames under one action are one run, and their digests have to be there.
static void test_a_long_hold_is_one_step(void **state) {
  uint8_t body[24 + 5 + 8] = {0}; // tokens, a count of 2^30, an action
  const uint8_t count[] = {0x80, 0x80, 0x80, 0x80, 0x04};
  char head[1024];
  size_t size = 0;
  train_record r;
  memcpy(body + 24, count, sizeof count);
  snprintf(head, sizeof head, head_format, 2, 6, 1, 1 << 30);
  uint8_t *file = make_up(head, body, sizeof body, sizeof body, &size);
  assert_int_equal(train_record_read("lie", file, size, &r), ORR_EFORMAT);
  assert_message_names("ends too early");
  free(file);
}

static void test_counts_that_do_not_fit_are_refused(void **state) {
  const uint8_t counts[][6] = {{0}, {5}, {0x80, 0x80, 0x80, 0x80, 0x80, 1}};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    uint8_t body[24 + 6 + 8 + 8] = {0};
    char head[1024];
    size_t size = 0;
    train_record r;
    memcpy(body + 24, counts[i], sizeof counts[i]);
    snprintf(head, sizeof head, head_format, 2, 6, 1, 4);
    uint8_t *file = make_up(head, body, sizeof body, sizeof body, &size);
    assert_int_equal(train_record_read("lie", file, size, &r), ORR_EFORMAT);
    assert_message_names("held for");
    free(file);
  }
}

static void test_every_byte_counts(void **state) {
  train_record r, q;
  uint8_t *file = NULL;
  size_t size = 0;
  begin(&r, 4096);
  play(&r, 20);
  assert_ok(train_record_write(&r, &file, &size));
  for (size_t i = 0; i < size; i++) {
    file[i] ^= 0x20;
    const orr_code rc = train_record_read("damaged", file, size, &q);
    assert_true(rc == ORR_EFORMAT || rc == ORR_ECORRUPT);
    file[i] ^= 0x20;
    assert_int_equal(train_record_read("cut", file, i, &q), ORR_EFORMAT);
  }
  assert_ok(train_record_read("whole", file, size, &q));
  train_record_release(&q);
  orr_free(file);
  train_record_release(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_file_holds_all_that_the_record_has),
      cmocka_unit_test(test_an_hour_of_held_keys_takes_less_than_100_kb),
      cmocka_unit_test(test_what_is_cut_and_played_again_is_as_if_it_had_never_been),
      cmocka_unit_test(test_a_full_record_says_so_and_keeps_what_it_has),
      cmocka_unit_test(test_a_small_file_that_claims_much_costs_little),
      cmocka_unit_test(test_a_long_hold_is_one_step),
      cmocka_unit_test(test_counts_that_do_not_fit_are_refused),
      cmocka_unit_test(test_every_byte_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
