// labels: quick; needs: hdf5
// Index and verification: totals, extra members, damage of every kind, bad shards.
#define _GNU_SOURCE // memmem
#include "tests/data/h5_leaks.h"

#include "data/shard/lzf.h"
#include "data/set/verify.h"

#define EPISODES 4

static void set_at(const char *dir) {
  data_shard_format f = shards_format(8, 8, 5);
  shards_data_set(dir, &f, 3, EPISODES, 9);
}

static void shard_path(char *out, const char *dir, int64_t number) {
  assert_int_equal(data_shard_name_in(dir, number, out, 1024), ORR_OK);
}

// The first fault that verify finds in the folder.
static orr_code verify(const char *dir) {
  data_index *x = NULL;
  orr_code rc = data_index_open(dir, &x);
  for (int64_t i = 0; rc == ORR_OK && i < x->count; i++) rc = data_verify_shard(x, i);
  data_index_close(x);
  return rc;
}

static void test_index_lists_what_is_there(void **state) {
  const char *dir = shards_folder("index");
  set_at(dir);
  data_index *x = NULL;
  json_t *extra = json_pack("{s:{s:i}, s:s}", "forks", "prompt", 4, "branch", "not taken");
  assert_int_equal(data_index_build(dir, extra), ORR_OK);
  json_decref(extra);
  assert_int_equal(data_index_open(dir, &x), ORR_OK);
  assert_true(x->count == 3 && x->episodes == 12 && x->frames == 12 * 10);
  assert_string_equal(x->shards[2].file, "shard-00002.h5");
  assert_true(x->format.height == 8 && x->format.S == 5 && x->format.codes == CODES &&
              x->format.A == 2);
  assert_string_equal(x->format.branch, "worlds");
  assert_int_equal(json_integer_value(json_object_get(json_object_get(x->json, "forks"), "prompt")),
                   4);
  uint64_t bytes = 0;
  for (int64_t i = 0; i < 3; i++) {
    char path[1024];
    uint64_t size = 0;
    orr_hash128 hash;
    shard_path(path, dir, i);
    assert_int_equal(orr_hash_file(path, &hash, &size), ORR_OK);
    assert_true(size == x->shards[i].bytes && orr_hash_equal(hash, x->shards[i].hash));
    bytes += size;
  }
  assert_true(bytes == x->bytes);
  // episodes of shard 1 have 10, 11, 9, 10 frames
  assert_true(x->shards[1].length_count == 3 && x->shards[1].lengths[1][0] == 10 &&
              x->shards[1].lengths[1][1] == 2);
  assert_true(data_index_clips(x, 1, 10, 1) == 1 + 1 + 2 &&
              data_index_clips(x, 1, 4, 3) == 1 + 1 + 2);
  assert_true(data_index_clips(x, 1, 12, 1) == 0);
  data_index_close(x);
  assert_int_equal(verify(dir), ORR_OK);
  orr_fs_remove_tree(dir);
}

static void test_index_ignores_what_is_no_shard(void **state) {
  const char *dir = shards_folder("index-others");
  static const char *const others[] = {"shard-0001.h5", "shard-00007.h5.tmp", "shard-x.h5",
                                       "notes.txt"};
  set_at(dir);
  for (int i = 0; i < 4; i++) {
    char path[1024];
    assert_int_equal(orr_fs_join(path, sizeof path, dir, others[i]), ORR_OK);
    assert_int_equal(orr_fs_write_atomic(path, "x", 1), ORR_OK);
  }
  assert_int_equal(data_index_build(dir, NULL), ORR_OK);
  assert_int_equal(verify(dir), ORR_OK);
  orr_fs_remove_tree(dir);
}

static void test_shards_that_disagree_are_named(void **state) {
  const char *dir = shards_folder("index-disagree");
  data_shard_format f = shards_format(8, 16, 5);
  char path[1024];
  set_at(dir);
  shard_path(path, dir, 1);
  assert_int_equal(shards_write(path, &f, DATA_FILTER_NONE, 4, (int64_t[]){9}, 1, 0), ORR_OK);
  assert_int_equal(data_index_build(dir, NULL), ORR_EINVAL);
  assert_message_names(path, "width is 16", "8 in shard-00000.h5");
  orr_fs_remove_tree(dir);
  assert_int_equal(orr_fs_mkdirs(dir), ORR_OK);
  assert_int_equal(data_index_build(dir, NULL), ORR_ENOTFOUND);
  assert_message_names(dir, "shard");
  orr_fs_remove_tree(dir);
}

static void test_every_flipped_byte_is_found(void **state) {
  const char *dir = shards_folder("verify-flip");
  char path[1024], *text = NULL;
  size_t bytes = 0;
  set_at(dir);
  shard_path(path, dir, 1);
  assert_int_equal(orr_fs_read_all(path, &text, &bytes), ORR_OK);
  for (size_t at = 0; at < bytes; at += 1 + bytes / 150) {
    text[at] ^= 0x10;
    assert_int_equal(orr_fs_write_atomic(path, text, bytes), ORR_OK);
    h5_mark mark = h5_mark_make();
    orr_code rc = verify(dir);
    assert_h5_holds_nothing_since(mark);
    assert_true(rc == ORR_ECORRUPT || rc == ORR_EFORMAT || rc == ORR_EINVAL ||
                rc == ORR_EUNSUPPORTED);
    assert_message_names(path);
    text[at] ^= 0x10;
  }
  assert_int_equal(orr_fs_write_atomic(path, text, bytes), ORR_OK);
  assert_int_equal(verify(dir), ORR_OK);
  assert_int_equal(orr_fs_write_atomic(path, text, bytes - 1), ORR_OK);
  assert_int_equal(verify(dir), ORR_ECORRUPT);
  assert_message_names(path, "bytes", "index.json");
  unlink(path);
  assert_int_equal(verify(dir), ORR_ENOTFOUND);
  assert_message_names(path);
  free(text);
  orr_fs_remove_tree(dir);
}

// Replaces one value of a dataset [rows, width] without Orrery's knowledge and builds the index
// again.
static void poke(const char *path, const char *name, hsize_t row, hsize_t column, hid_t type,
                 const void *value) {
  hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), set = H5Dopen2(file, name, H5P_DEFAULT);
  hid_t space = H5Dget_space(set), one = H5Screate(H5S_SCALAR);
  int rank = H5Sget_simple_extent_ndims(space);
  assert_true(H5Sselect_elements(space, H5S_SELECT_SET, 1, (hsize_t[]){row, column}) >= 0 &&
              rank <= 2);
  assert_true(H5Dwrite(set, type, one, space, H5P_DEFAULT, value) >= 0);
  H5Sclose(one);
  H5Sclose(space);
  H5Dclose(set);
  H5Fclose(file);
}

static void test_bad_values_are_named_with_their_place(void **state) {
  const char *dir = shards_folder("verify-values");
  char path[1024];
  const float nan_ = __builtin_nanf("");
  const uint16_t code = CODES + 7;
  shard_path(path, dir, 1);
  set_at(dir);
  poke(path, "actions", 13, 1, H5T_NATIVE_FLOAT, &nan_);
  assert_int_equal(verify(dir), ORR_EFORMAT);
  assert_message_names(path, "/actions[13,1]", "nan", "; ");
  set_at(dir);
  poke(path, "state", 39, 2, H5T_NATIVE_FLOAT, &nan_);
  assert_int_equal(verify(dir), ORR_EFORMAT);
  assert_message_names(path, "/state[39,2]", "nan", "; ");
  set_at(dir);
  poke(path, "tokens", 20, 4, H5T_NATIVE_UINT16, &code);
  assert_int_equal(verify(dir), ORR_EFORMAT);
  assert_message_names(path, "/tokens[20,4]", "907", "899", "; ");
  set_at(dir);
  poke(path, "episode_offsets", 1, 0, H5T_NATIVE_INT64, &(int64_t){0});
  assert_int_equal(verify(dir), ORR_EFORMAT);
  assert_message_names(path, "/episode_offsets[0]", "rising");
  set_at(dir);
  poke(path, "episode_offsets", EPISODES, 0, H5T_NATIVE_INT64, &(int64_t){1000});
  assert_int_equal(verify(dir), ORR_EFORMAT);
  assert_message_names(path, "/episode_offsets", "1000", "number of frames");
  orr_fs_remove_tree(dir);
}

// Writes a file with the one root attribute orrery_shard of this value; none for 0.
static void foreign(const char *path, int64_t version) {
  hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT),
        space = H5Screate(H5S_SCALAR);
  if (version) {
    hid_t a = H5Acreate2(file, "orrery_shard", H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(a, H5T_NATIVE_INT64, &version) >= 0);
    H5Aclose(a);
  }
  H5Sclose(space);
  H5Fclose(file);
}

static void test_foreign_and_future_files_are_named(void **state) {
  const char *dir = shards_folder("verify-foreign");
  char path[1024];
  data_shard *s = NULL;
  shard_path(path, dir, 0);
  foreign(path, 0);
  assert_int_equal(data_shard_open(path, &s), ORR_EFORMAT);
  assert_message_names(path, "no Orrery shard", "orrery_shard");
  foreign(path, 2);
  assert_int_equal(data_shard_open(path, &s), ORR_EFORMAT);
  assert_message_names(path, "version 2", "wanted version 1", "; ");
  foreign(path, 1);
  assert_int_equal(data_shard_open(path, &s), ORR_EFORMAT);
  assert_message_names(path, "/actions", "missing");
  orr_fs_remove_tree(dir);
}

static void test_bad_index_is_named(void **state) {
  const char *dir = shards_folder("index-bad");
  static const struct {
    const char *from, *to, *named;
  } edits[] = {
      {"\"orrery_index\": 1", "\"orrery_index\": 9", "version 9"},
      {"\"frames\": 120", "\"frames\": 121", "add up to 120"},
      {"\"episodes\": 4", "\"episodes\": 5", "shards[0]"},
      {"\"xxh3_128\": \"", "\"xxh3_128\": \"zz", "hex"},
      {"\"file\": \"shard-00000.h5\"", "\"file\": \"../shard-00000.h5\"", "../shard-00000.h5"},
      {"\"fps\": 10.0", "\"fps\": -1.0", "fps"},
      {"\"shards\": [", "\"others\": [", "shards"},
      {"\"left\"", "3", "action_names"},
      {"{", "[", "index.json"},
  };
  char path[1024], *text = NULL;
  size_t bytes = 0;
  set_at(dir);
  assert_int_equal(orr_fs_join(path, sizeof path, dir, "index.json"), ORR_OK);
  assert_int_equal(orr_fs_read_all(path, &text, &bytes), ORR_OK);
  for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
    const char *at = strstr(text, edits[i].from);
    assert_non_null(at);
    FILE *f = fopen(path, "wb");
    fprintf(f, "%.*s%s%s", (int)(at - text), text, edits[i].to, at + strlen(edits[i].from));
    fclose(f);
    data_index *x = NULL;
    assert_int_equal(data_index_open(dir, &x), ORR_EFORMAT);
    assert_message_names(path, edits[i].named);
  }
  free(text);
  orr_fs_remove_tree(dir);
}

static orr_code verify_folder(const char *dir) {
  data_index *x = NULL;
  orr_code rc = data_index_open(dir, &x);
  if (rc == ORR_OK) rc = data_verify(x, &(data_verify_options){.processes = 2});
  data_index_close(x);
  return rc;
}

static void test_shards_beside_the_index_are_named(void **state) {
  const char *dir = shards_folder("verify-beside");
  char path[1024], index[1024], *text = NULL;
  size_t bytes = 0;
  set_at(dir);
  assert_int_equal(verify_folder(dir), ORR_OK);
  shard_path(path, dir, 3);
  assert_int_equal(orr_fs_write_atomic(path, "x", 1), ORR_OK);
  assert_int_equal(verify_folder(dir), ORR_EFORMAT);
  assert_message_names(path, "not in index.json");
  unlink(path);
  // the second shard's name for the first as well
  assert_int_equal(orr_fs_join(index, sizeof index, dir, "index.json"), ORR_OK);
  assert_int_equal(orr_fs_read_all(index, &text, &bytes), ORR_OK);
  strstr(text, "shard-00000.h5")[10] = '1';
  assert_int_equal(orr_fs_write_atomic(index, text, bytes), ORR_OK);
  assert_int_equal(verify_folder(dir), ORR_EFORMAT);
  assert_message_names(dir, "shard-00001.h5 twice");
  strstr(text, "shard-00001.h5")[9] = '7';
  assert_int_equal(orr_fs_write_atomic(index, text, bytes), ORR_OK);
  shard_path(path, dir, 0);
  unlink(path);
  assert_int_equal(verify_folder(dir), ORR_ENOTFOUND);
  assert_message_names("shard-00071.h5");
  free(text);
  orr_fs_remove_tree(dir);
}

// A checksum of damaged bytes is right: packed frames that do not unpack are found all the same.
static void test_frames_are_unpacked(void **state) {
  const char *dir = shards_folder("verify-frames");
  data_shard_format f = shards_format(64, 64, 0);
  const int64_t lengths[] = {40};
  char path[1024], *text = NULL;
  size_t bytes = 0;
  shard_path(path, dir, 0);
  assert_int_equal(shards_write(path, &f, DATA_FILTER_GZIP, 0, lengths, 1, 0), ORR_OK);
  assert_int_equal(orr_fs_read_all(path, &text, &bytes), ORR_OK);
  char *packed = memmem(text, bytes, "\x78\x5e", 2); // how zlib's streams of level 4 begin
  assert_non_null(packed);
  for (size_t i = 0; i < 16; i++) packed[100 + i] ^= 0x55;
  assert_int_equal(orr_fs_write_atomic(path, text, bytes), ORR_OK);
  assert_int_equal(data_index_build(dir, NULL), ORR_OK);
  assert_int_equal(verify_folder(dir), ORR_EFORMAT);
  assert_message_names(path, "cannot read /frames");
  free(text);
  orr_fs_remove_tree(dir);
}

static void test_damaged_lzf_never_runs_over(void **state) {
  unsigned char in[64], out[96];
  unsigned long long r = 88172645463325252ull;
  for (int k = 0; k < 200000; k++) {
    size_t n = 1 + (size_t)(r % sizeof in), room = 1 + (size_t)(r / 64 % sizeof out);
    for (size_t i = 0; i < n; i++) {
      r ^= r << 13, r ^= r >> 7, r ^= r << 17;
      in[i] = (unsigned char)(r % 3 ? r % 40 : r);
    }
    memset(out, 0xAB, sizeof out);
    assert_true(data_lzf_unpack(in, n, out, room) <= room);
    for (size_t i = room; i < sizeof out; i++) assert_int_equal(out[i], 0xAB);
  }
  // "abcabcabc": three letters, then six more from three back
  assert_int_equal(data_lzf_unpack((const unsigned char *)"\2abc\200\2", 6, out, sizeof out), 9);
  assert_memory_equal(out, "abcabcabc", 9);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_index_lists_what_is_there),
      cmocka_unit_test(test_index_ignores_what_is_no_shard),
      cmocka_unit_test(test_shards_that_disagree_are_named),
      cmocka_unit_test(test_every_flipped_byte_is_found),
      cmocka_unit_test(test_bad_values_are_named_with_their_place),
      cmocka_unit_test(test_foreign_and_future_files_are_named),
      cmocka_unit_test(test_bad_index_is_named),
      cmocka_unit_test(test_shards_beside_the_index_are_named),
      cmocka_unit_test(test_frames_are_unpacked),
      cmocka_unit_test(test_damaged_lzf_never_runs_over),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
