// labels: quick; needs: orrery
// What a tokenizer misses of a real frame is shown where codes stay, and forgotten where they
// change.
#include "base/rng.h"
#include "kernels/kern.h"
#include "tests/train/tiny_world.h"
#include "train/infer/carry.h"

enum { PATCH = 8, COLS = 3, S = 6, BYTES = TINY_HEIGHT * TINY_WIDTH * 3 };

typedef struct {
  char root[FOLDER_PATH];
  kern *k;
  train_loaded_model *tokenizer;
  train_codec *codec;
  uint8_t real[BYTES];
} fixture;

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  char model[600];
  *state = f;
  folder_make(f->root);
  snprintf(model, sizeof model, "%s/tokenizer", f->root);
  tiny_world_set(f->root, "clips", (const char *const[]){"left", "right"});
  tiny_world_train(f->root, "tokenizer", "tokenizer", "clips", 22);
  assert_int_equal(kern_create(KERN_DEVICE_CPU, 1, &f->k), ORR_OK);
  assert_int_equal(kern_commit(f->k), ORR_OK);
  assert_int_equal(train_loaded_model_open(model, CFG_STAGE_TOKENIZER, true, f->k, &f->tokenizer),
                   ORR_OK);
  assert_int_equal(train_codec_create(f->tokenizer, 1, &f->codec), ORR_OK);
  for (int i = 0; i < BYTES; i++)
    f->real[i] = (uint8_t)orr_rng_below(3, ORR_STREAM_EVAL, 0, (uint64_t)i, 256);
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  train_codec_destroy(f->codec);
  train_loaded_model_close(f->tokenizer);
  kern_destroy(f->k);
  folder_remove(f->root);
  free(f);
  return 0;
}

static int patch_of(int byte) {
  const int y = byte / (TINY_WIDTH * 3), x = byte / 3 % TINY_WIDTH;
  return y / PATCH * COLS + x / PATCH;
}

// Four frames after the real one: as it is, another code at patch 4, and twice the first code there
// again.
static void test_a_rest_stays_with_its_code(void **state) {
  fixture *f = *state;
  train_carry carry;
  int32_t index[4][S];
  uint8_t plain[4][BYTES], shown[4][BYTES];
  assert_int_equal(train_codec_encode(f->codec, f->real, 1, index[0]), ORR_OK);
  memcpy(index[1], index[0], sizeof index[0]);
  memcpy(index[2], index[0], sizeof index[0]);
  memcpy(index[3], index[0], sizeof index[0]);
  index[1][4] = (index[0][4] + 7) % 20;
  assert_int_equal(train_codec_decode(f->codec, index[0], 4, plain[0]), ORR_OK);
  memcpy(shown, plain, sizeof plain);
  assert_int_equal(train_carry_create(f->tokenizer, f->codec, &carry), ORR_OK);
  assert_int_equal(train_carry_begin(&carry, f->real, index[0]), ORR_OK);
  train_carry_on(&carry, index[0], 1, shown[0]);
  train_carry_on(&carry, index[1], 3, shown[1]);
  assert_memory_equal(shown[0], f->real, BYTES);
  assert_memory_not_equal(plain[0], f->real, BYTES);
  for (int i = 0; i < BYTES; i++) {
    const int rest = f->real[i] - plain[0][i], wanted = plain[1][i] + rest;
    const int clamped = wanted < 0 ? 0 : wanted > 255 ? 255 : wanted;
    assert_int_equal(shown[1][i], patch_of(i) == 4 ? plain[1][i] : clamped);
    for (int t = 2; t < 4; t++)
      assert_int_equal(shown[t][i], patch_of(i) == 4 ? plain[t][i] : f->real[i]);
  }
  train_carry_release(&carry);
}

// A film that begins anew carries nothing of the one before.
static void test_a_film_begins_anew(void **state) {
  fixture *f = *state;
  train_carry carry;
  int32_t index[S];
  uint8_t shown[BYTES], other[BYTES];
  for (int i = 0; i < BYTES; i++) other[i] = (uint8_t)(255 - f->real[i]);
  assert_int_equal(train_carry_create(f->tokenizer, f->codec, &carry), ORR_OK);
  const uint8_t *const films[] = {f->real, other};
  for (int i = 0; i < 2; i++) {
    assert_int_equal(train_codec_encode(f->codec, films[i], 1, index), ORR_OK);
    assert_int_equal(train_carry_begin(&carry, films[i], index), ORR_OK);
    assert_int_equal(train_codec_decode(f->codec, index, 1, shown), ORR_OK);
    train_carry_on(&carry, index, 1, shown);
    assert_memory_equal(shown, films[i], BYTES);
  }
  train_carry_release(&carry);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_rest_stays_with_its_code),
      cmocka_unit_test(test_a_film_begins_anew),
  };
  return cmocka_run_group_tests_name("train: carry", tests, setup, teardown);
}
