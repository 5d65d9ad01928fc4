// labels: quick
// XXH3-128 against digits made with xxhsum -H2; streams and files equal the hash of the whole.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/sha256.h"

static void test_hex_is_the_canonical_form_of_known_texts(void **state) {
  assert_string_equal(orr_hash_to_hex(orr_hash_bytes("", 0)).s, "99aa06d3014798d86001c324468d497f");
  assert_string_equal(orr_hash_to_hex(orr_hash_bytes("abc", 3)).s,
                      "06b05ab6733a618578af5f94892f3950");
}

static void test_hex_reads_back_and_anything_else_is_refused(void **state) {
  static const char *const bad[] = {
      "", "06b05ab6733a618578af5f94892f395", "06b05ab6733a618578af5f94892f39500",
      "06B05AB6733A618578AF5F94892F3950", "06b05ab6733a618578af5f94892f395g"};
  orr_hash128 h = orr_hash_bytes("abc", 3), back;
  assert_int_equal(orr_hash_from_hex(orr_hash_to_hex(h).s, &back), ORR_OK);
  assert_true(orr_hash_equal(h, back));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(orr_hash_from_hex(bad[i], &back), ORR_EFORMAT);
  }
}

static void test_streams_and_files_equal_the_hash_of_the_whole(void **state) {
  enum { BYTES = (2 << 20) + 77 }; // more than two of the file reader's pieces
  unsigned char *p = orr_malloc(BYTES);
  for (size_t i = 0; i < BYTES; i++) p[i] = (unsigned char)(i * 31 + (i >> 8));
  orr_hash128 whole = orr_hash_bytes(p, BYTES), got;
  orr_hash_stream *s = orr_hash_stream_create();
  for (size_t at = 0, n = 1; at < BYTES; at += n, n = n * 3 + 1) {
    if (n > BYTES - at) n = BYTES - at;
    orr_hash_stream_update(s, p + at, n);
  }
  assert_true(orr_hash_equal(orr_hash_stream_digest(s), whole));
  orr_hash_stream_destroy(s);

  char path[64];
  uint64_t bytes = 0;
  snprintf(path, sizeof path, "/tmp/orrery-hash-%ld", (long)getpid());
  assert_int_equal(orr_fs_write_atomic(path, p, BYTES), ORR_OK);
  assert_int_equal(orr_hash_file(path, &got, &bytes), ORR_OK);
  assert_int_equal(orr_fs_remove_tree(path), ORR_OK);
  assert_int_equal(bytes, BYTES);
  assert_true(orr_hash_equal(got, whole));
  p[BYTES / 2] ^= 1;
  assert_false(orr_hash_equal(orr_hash_bytes(p, BYTES), whole));
  orr_free(p);
}

static void test_seeds_of_the_short_hash_differ(void **state) {
  assert_true(orr_hash64("abc", 3, 0) == orr_hash64("abc", 3, 0));
  assert_true(orr_hash64("abc", 3, 0) != orr_hash64("abc", 3, 1));
}

// FIPS 180-4's examples, and lengths about a block's end against one another.
static void test_sha256_has_the_published_values(void **state) {
  char *million = malloc(1000000);
  assert_non_null(million);
  memset(million, 'a', 1000000);
  assert_string_equal(orr_sha256_bytes("", 0).s,
                      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  assert_string_equal(orr_sha256_bytes("abc", 3).s,
                      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert_string_equal(
      orr_sha256_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56).s,
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  assert_string_equal(orr_sha256_bytes(million, 1000000).s,
                      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  free(million);
}

static void test_sha256_of_a_file_is_that_of_its_bytes(void **state) {
  char *text = NULL;
  size_t bytes = 0;
  orr_sha256_hex hash;
  const char *path = ORR_SOURCE_DIR "/LICENSE";
  assert_int_equal(orr_fs_read_all(path, &text, &bytes), ORR_OK);
  assert_int_equal(orr_sha256_file(path, &hash), ORR_OK);
  assert_string_equal(hash.s, orr_sha256_bytes(text, bytes).s);
  free(text);
  assert_int_not_equal(orr_sha256_file("/no/such/file", &hash), ORR_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sha256_has_the_published_values),
      cmocka_unit_test(test_sha256_of_a_file_is_that_of_its_bytes),
      cmocka_unit_test(test_hex_is_the_canonical_form_of_known_texts),
      cmocka_unit_test(test_hex_reads_back_and_anything_else_is_refused),
      cmocka_unit_test(test_streams_and_files_equal_the_hash_of_the_whole),
      cmocka_unit_test(test_seeds_of_the_short_hash_differ),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
