// labels: quick
// What is saved is what is read, whoever wrote and whoever reads.
#include "tests/checkpoints/fixture.h"

#include <inttypes.h>

#include "checkpoints/layout.h"

static void test_saved_values_are_read_back(void **state) {
  json_t *meta = json_pack("{s:i, s:s}", "samples", 77, "config_hash", "abc");
  ckpt_reader *r;
  bool equal;
  assert_ok(fixture_save(*state, 1, true, 100, meta));
  assert_ok(ckpt_open(*state, &r));
  assert_int_equal(ckpt_reader_step(r), 100);
  assert_true(json_equal(ckpt_reader_meta(r), meta));
  assert_ok(fixture_check(r, &equal));
  assert_true(equal);
  assert_ok(ckpt_verify(r));
  ckpt_close(r);
  json_decref(meta);
}

// Hash of all files of a checkpoint, in the order of their names.
static orr_hash128 folder_hash(const char *root, int64_t step) {
  char dir[512], path[1024];
  struct dirent **names;
  orr_hash_stream *h = orr_hash_stream_create();
  snprintf(dir, sizeof(dir), "%s/step-%08" PRId64, root, step);
  int n = scandir(dir, &names, NULL, alphasort);
  for (int i = 0; i < n; i++) {
    orr_hash128 sum;
    snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
    if (names[i]->d_name[0] != '.') {
      assert_ok(orr_hash_file(path, &sum, NULL));
      orr_hash_stream_update(h, names[i]->d_name, strlen(names[i]->d_name));
      orr_hash_stream_update(h, &sum, sizeof(sum));
    }
    free(names[i]);
  }
  free(names);
  assert_true(n > 4);
  orr_hash128 all = orr_hash_stream_digest(h);
  orr_hash_stream_destroy(h);
  return all;
}

static void test_any_number_of_writers_makes_identical_files(void **state) {
  static const int writers[] = {1, 2, 3, 8, 50};
  orr_hash128 first = {0};
  for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++) {
    assert_ok(fixture_save(*state, writers[i], false, 7, NULL));
    orr_hash128 h = folder_hash(*state, 7);
    if (i == 0) first = h;
    assert_true(orr_hash_equal(h, first));
  }
  fixture_assert_holds(*state, 7);
}

static void test_async_and_sync_saves_are_identical(void **state) {
  assert_ok(fixture_save(*state, 2, false, 9, NULL));
  orr_hash128 sync = folder_hash(*state, 9);
  assert_ok(fixture_save(*state, 2, true, 9, NULL));
  assert_true(orr_hash_equal(sync, folder_hash(*state, 9)));
}

static void test_any_range_of_a_tensor_is_read(void **state) {
  assert_ok(fixture_save(*state, 3, true, 5, NULL));
  const int t = 4; // the largest tensor, over several extents
  int64_t step = 5;
  size_t bytes = fixture_count(&fixture_tensors[t]) * 4;
  char *got = malloc(bytes), *wanted = malloc(bytes);
  fixture_get(&step, 0, t, 0, bytes, wanted);
  uint64_t seed = 1;
  for (int i = 0; i < 200; i++) {
    ckpt_reader *r;
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    size_t first = (seed >> 33) % bytes, n = (seed >> 20) % (bytes - first + 1);
    if (i % 20 == 0) { // a fresh reader now and then: the first touch of an extent goes another way
      if (i) ckpt_close(r);
      assert_ok(ckpt_open(*state, &r));
    }
    assert_ok(ckpt_read(r, "model", fixture_tensors[t].name, first, n, got));
    assert_memory_equal(got, wanted + first, n);
    if (i == 199) ckpt_close(r);
  }
  free(got);
  free(wanted);
}

static void test_extents_cover_every_byte_once_on_page_boundaries(void **state) {
  ckpt_layout l;
  assert_ok(ckpt_layout_build(&fixture_plan, &l));
  assert_true(l.file_count >= 5);
  uint64_t at = 0;
  for (int e = 0, f = 0; e < l.extent_count; e++) {
    const ckpt_extent *x = &l.extents[e];
    if (x->file != f) {
      assert_int_equal(at, l.files[f++].bytes);
      at = 0;
    }
    assert_int_equal(x->file, f);
    assert_int_equal(x->offset, at);
    assert_int_equal(x->offset % CKPT_PAGE, 0);
    assert_true(x->bytes >= CKPT_EXTENT_MIN || x->bytes == l.files[f].bytes);
    assert_true(x->bytes < CKPT_EXTENT_MAX + CKPT_EXTENT_MIN);
    at += x->bytes;
  }
  assert_int_equal(at, l.files[l.file_count - 1].bytes);
  for (int ranks = 1; ranks < 40; ranks++) {
    int next = 0, first, end;
    for (int r = 0; r < ranks; r++, next = end) {
      ckpt_layout_share(&l, r, ranks, &first, &end);
      assert_int_equal(first, next);
      assert_true(end >= first);
    }
    assert_int_equal(next, l.extent_count);
  }
  ckpt_layout_release(&l);
}

static void test_bad_plans_are_refused_with_the_tensor_named(void **state) {
  static const struct {
    ckpt_tensor tensors[2];
    int count;
    const char *says;
  } bad[] = {{{{"a", 1, {0}}}, 1, "tensor a: dimension 0 is 0"},
             {{{"a", 1, {3}}, {"a", 1, {3}}}, 2, "tensor p.a occurs twice"},
             {{{"a", 2, {INT64_MAX, 8}}}, 1, "overflows"},
             {{{"", 1, {3}}}, 1, "without a name"},
             {{{"\xff\xfe", 1, {3}}}, 1, "UTF-8"},
             {{{"a", 1, {3}}}, 0, "without tensors"}};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    ckpt_set set = {"model", "p.", bad[i].tensors, bad[i].count};
    ckpt_plan plan = {&set, 1, 1000};
    ckpt_layout l;
    assert_int_equal(ckpt_layout_build(&plan, &l), ORR_EINVAL);
    assert_non_null(strstr(orr_status_message(), bad[i].says));
  }
}

static void test_a_checkpoint_of_another_model_is_named(void **state) {
  ckpt_reader *r;
  assert_ok(fixture_save(*state, 1, false, 1, NULL));
  assert_ok(ckpt_open(*state, &r));
  ckpt_tensor other[FIXTURE_TENSORS + 1];
  memcpy(other, fixture_tensors, sizeof(fixture_tensors));
  ckpt_set set = {"model", "", other, FIXTURE_TENSORS};
  other[3].shape[1] = 48;
  assert_int_equal(ckpt_reader_match(r, &set), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(),
                         "blocks.0.attn.q.weight has shape [96, 96], this model wants [96, 48]"));
  other[3].shape[1] = 96;
  other[FIXTURE_TENSORS] = (ckpt_tensor){"extra", 1, {4}};
  set.count++;
  assert_int_equal(ckpt_reader_match(r, &set), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), "no tensor extra in the model files"));
  set.count = FIXTURE_TENSORS - 1;
  assert_int_equal(ckpt_reader_match(r, &set), ORR_EINVAL);
  assert_non_null(strstr(orr_status_message(), "tensor head.weight of the model files is unknown"));
  ckpt_close(r);
}

static void test_a_root_without_checkpoints_is_not_found(void **state) {
  ckpt_reader *r;
  char path[512];
  assert_int_equal(ckpt_open(*state, &r), ORR_ENOTFOUND);
  snprintf(path, sizeof(path), "%s/none", (char *)*state);
  assert_int_equal(ckpt_open(path, &r), ORR_ENOTFOUND);
}

static void test_a_second_save_waits_for_the_first(void **state) {
  ckpt_writer_options o = fixture_options(*state, 0, 1, false);
  ckpt_writer *w;
  const char *text;
  int64_t step = 1;
  assert_ok(ckpt_writer_create(&fixture_plan, &o, &w));
  assert_int_equal(ckpt_save_begin(w, 1, fixture_get, &step), ORR_EINVAL); // not prepared
  assert_ok(ckpt_save_prepare(w, 1));
  assert_int_equal(ckpt_save_sums(w, &text), ORR_EINVAL); // nothing written
  assert_ok(ckpt_save_begin(w, 1, fixture_get, &step));
  assert_int_equal(ckpt_save_begin(w, 2, fixture_get, &step), ORR_EINVAL); // not committed
  assert_int_equal(ckpt_save_prepare(w, 2), ORR_EINVAL);
  ckpt_save_abandon(w);
  assert_int_equal(fixture_names(*state, ".tmp"), 0);
  assert_ok(fixture_save_with(&w, 1, 2, NULL));
  ckpt_writer_destroy(w);
  fixture_assert_holds(*state, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_saved_values_are_read_back, fixture_setup,
                                      folder_teardown),
      cmocka_unit_test_setup_teardown(test_any_number_of_writers_makes_identical_files,
                                      fixture_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(test_async_and_sync_saves_are_identical, fixture_setup,
                                      folder_teardown),
      cmocka_unit_test_setup_teardown(test_any_range_of_a_tensor_is_read, fixture_setup,
                                      folder_teardown),
      cmocka_unit_test(test_extents_cover_every_byte_once_on_page_boundaries),
      cmocka_unit_test(test_bad_plans_are_refused_with_the_tensor_named),
      cmocka_unit_test_setup_teardown(test_a_checkpoint_of_another_model_is_named, fixture_setup,
                                      folder_teardown),
      cmocka_unit_test_setup_teardown(test_a_root_without_checkpoints_is_not_found, fixture_setup,
                                      folder_teardown),
      cmocka_unit_test_setup_teardown(test_a_second_save_waits_for_the_first, fixture_setup,
                                      folder_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
