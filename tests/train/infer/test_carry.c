// labels: quick; needs: orrery
// What a tokenizer misses of a real frame is shown where codes stay, and forgotten where they
// change.
#include <sys/stat.h>

#include "base/rng.h"
#include "kernels/kern.h"
#include "tests/data/shards.h"
#include "tests/train/program.h"
#include "train/infer/carry.h"

enum { HEIGHT = 16, WIDTH = 24, PATCH = 8, COLS = 3, S = 6, BYTES = HEIGHT * WIDTH * 3 };

typedef struct {
  kern *k;
  train_loaded_model *tokenizer;
  train_codec *codec;
  uint8_t real[BYTES];
} fixture;

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  char root[512], clips[600], path[600], yaml[2048], model[600], err[600];
  *state = f;
  snprintf(root, sizeof root, "%s", shards_folder("carry"));
  snprintf(clips, sizeof clips, "%s/clips", root);
  snprintf(path, sizeof path, "%s/tokenizer.yaml", root);
  snprintf(model, sizeof model, "%s/tokenizer", root);
  snprintf(err, sizeof err, "%s/err", root);
  const data_shard_format format = shards_format(HEIGHT, WIDTH, 0);
  const int64_t lengths[] = {8, 8};
  assert_int_equal(orr_fs_mkdirs(clips), ORR_OK);
  char shard[1024];
  assert_int_equal(data_shard_name_in(clips, 0, shard, sizeof shard), ORR_OK);
  assert_int_equal(shards_write(shard, &format, DATA_FILTER_NONE, 0, lengths, 2, 0), ORR_OK);
  assert_int_equal(data_index_build(clips, NULL), ORR_OK);
  snprintf(yaml, sizeof yaml,
           "run: {dir: %s, threads: 1, precision: fp32}\n"
           "train: {stage: tokenizer, steps: 2, batch: 2}\noptim: {warmup_steps: 1, decay_steps: "
           "1}\ndata: {train: [%s], frames: 2}\n"
           "tokenizer: {patch: 8, rows: 2, cols: 3, levels: [5, 4], width: 32, heads: 4, "
           "kv_heads: 4, hidden: 40, layers: 1}\nmodel: {actions: 3, branches: [worlds]}\n",
           model, clips);
  assert_int_equal(orr_fs_write_atomic(path, yaml, strlen(yaml)), ORR_OK);
  program_wait_ok(
      program_start((const char *const[]){program_path, "train", path, NULL}, err, true), err);
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
  free(f);
  return 0;
}

static int patch_of(int byte) {
  const int y = byte / (WIDTH * 3), x = byte / 3 % WIDTH;
  return y / PATCH * COLS + x / PATCH;
}

// Three frames after the real one: as it is, another code at patch 4, and the first code there
// again.
static void test_a_rest_stays_with_its_code(void **state) {
  fixture *f = *state;
  train_carry carry;
  int32_t index[3][S];
  uint8_t plain[3][BYTES], shown[3][BYTES];
  assert_int_equal(train_codec_encode(f->codec, f->real, 1, index[0]), ORR_OK);
  memcpy(index[1], index[0], sizeof index[0]);
  memcpy(index[2], index[0], sizeof index[0]);
  index[1][4] = (index[0][4] + 7) % 20;
  assert_int_equal(train_codec_decode(f->codec, index[0], 3, plain[0]), ORR_OK);
  memcpy(shown, plain, sizeof plain);
  assert_int_equal(train_carry_create(f->tokenizer, f->codec, &carry), ORR_OK);
  assert_int_equal(train_carry_begin(&carry, f->real, index[0]), ORR_OK);
  train_carry_on(&carry, index[0], 1, shown[0]);
  train_carry_on(&carry, index[1], 2, shown[1]);
  assert_memory_equal(shown[0], f->real, BYTES);
  assert_memory_not_equal(plain[0], f->real, BYTES);
  for (int i = 0; i < BYTES; i++) {
    const int rest = f->real[i] - plain[0][i], wanted = plain[1][i] + rest;
    const int clamped = wanted < 0 ? 0 : wanted > 255 ? 255 : wanted;
    assert_int_equal(shown[1][i], patch_of(i) == 4 ? plain[1][i] : clamped);
    assert_int_equal(shown[2][i], patch_of(i) == 4 ? plain[2][i] : f->real[i]);
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
