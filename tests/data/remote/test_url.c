// labels: quick
// Addresses of data sets: what they become in a request, and what is refused.
#include "tests/data/shards.h"

#include "data/remote/url.h"
#include "base/fs.h"

static void test_addresses_become_requests(void **state) {
  static const struct {
    const char *where, *endpoint, *request;
  } cases[] = {
      {"http://h:8080/sets/a/", "", "http://h:8080/sets/a/f.h5"},
      {"https://h", "", "https://h/f.h5"},
      {"https://h/a%20b/c+d", "", "https://h/a%20b/c+d/f.h5"},
      {"s3://clips/sets/a", "", "https://clips.s3.eu-test-1.amazonaws.com/sets/a/f.h5"},
      {"s3://my.clips/a", "", "https://s3.eu-test-1.amazonaws.com/my.clips/a/f.h5"},
      {"s3://clips", "http://store:9000", "http://store:9000/clips/f.h5"},
      {"s3://clips/a+b=c%20d", "https://store", "https://store/clips/a%2Bb%3Dc%2520d/f.h5"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    data_url u;
    orr_path request;
    assert_true(data_url_is(cases[i].where));
    if (data_url_parse(cases[i].where, &u) != ORR_OK) fail_msg("%s", orr_status_message());
    assert_int_equal(
        data_url_request(&u, "f.h5", cases[i].endpoint, "eu-test-1", request, sizeof request),
        ORR_OK);
    assert_string_equal(request, cases[i].request);
  }
  assert_false(data_url_is("/data/tabletop"));
  assert_false(data_url_is("runs/x:y"));
}

static void test_addresses_that_climb_or_carry_more_than_a_place_are_refused(void **state) {
  static const char *const cases[][2] = {
      {"http://h/a/../b", "'..'"},
      {"http://h/a/%2e%2e/b", "escape"},
      {"http://h/a%2fb", "escape"},
      {"http://h/a%", "escape"},
      {"http://h//a", "empty part"},
      {"http:///a", "host"},
      {"http://h/a?token=hidden", "'?'"},
      {"http://h/a#b", "'#'"},
      {"http://h/a b", "blank"},
      {"http://h/a\\b", "backslash"},
      {"ftp://h/a", "http://"},
      {"file:///etc", "http://"},
      {"s3://B/a", "bucket"},
      {"s3://ab", "bucket"},
      {"http://u:hidden@h/a", "password"},
      {"https://hidden@h/a", "password"},
      {"s3://hidden:x@clips/a", "password"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    data_url u;
    if (data_url_parse(cases[i][0], &u) != ORR_EINVAL) fail_msg("%s is accepted", cases[i][0]);
    assert_message_names(cases[i][1]);
    assert_null(strstr(orr_status_message(), "hidden"));
  }
}

static void test_index_names_only_files_of_its_own_folder(void **state) {
  static const char *const names[] = {"../shard-00000.h5",
                                      "..",
                                      ".",
                                      ".hidden",
                                      "/etc/passwd",
                                      "a/b.h5",
                                      "a\\b",
                                      "a%2fb",
                                      "%2e%2e",
                                      "a?x",
                                      "a#x",
                                      "http://h/a",
                                      "a b",
                                      "a\nb",
                                      "ü.h5",
                                      ""};
  const char *dir = shards_folder("url-names");
  data_shard_format f = shards_format(0, 0, 5);
  char path[1024];
  json_t *top = NULL;
  shards_data_set(dir, &f, 1, 2, 9);
  assert_int_equal(orr_fs_join(path, sizeof path, dir, "index.json"), ORR_OK);
  assert_int_equal(orr_json_load(path, &top), ORR_OK);
  json_t *shard = json_array_get(json_object_get(top, "shards"), 0);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    data_index *x = NULL;
    json_object_set_new(shard, "file", json_string(names[i]));
    assert_int_equal(orr_json_store(path, top), ORR_OK);
    if (data_index_open(dir, &x) != ORR_EFORMAT) fail_msg("'%s' is accepted", names[i]);
    assert_message_names("index.json", "shards[0]", "file is", "wanted a name inside the folder");
  }
  json_decref(top);
  orr_fs_remove_tree(dir);
}

static void test_origins_compare_scheme_host_and_port(void **state) {
  assert_true(data_url_same_origin("http://H:80/a", "http://h/b"));
  assert_true(data_url_same_origin("https://h/a?x=@", "https://h:443"));
  assert_false(data_url_same_origin("http://h/a", "https://h/a"));
  assert_false(data_url_same_origin("http://h/a", "http://h:8080/a"));
  assert_false(data_url_same_origin("http://h/a", "http://h.evil.test/a"));
  assert_false(data_url_same_origin("http://h/a", "http://h@evil.test/a"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_addresses_become_requests),
      cmocka_unit_test(test_addresses_that_climb_or_carry_more_than_a_place_are_refused),
      cmocka_unit_test(test_index_names_only_files_of_its_own_folder),
      cmocka_unit_test(test_origins_compare_scheme_host_and_port),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
