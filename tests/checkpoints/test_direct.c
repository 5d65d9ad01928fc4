// labels: quick faults
// Bytes written past the page cache are the bytes that were meant, whatever the file system allows.
#define _GNU_SOURCE // O_DIRECT
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/fs.h"
#include "base/mem.h"
#include "checkpoints/direct.h"
#include "checkpoints/layout.h"

enum { MOST = 3 * 4096 + 5 };

static const size_t sizes[] = {1, 4095, 4096, 4097, 8192, MOST};
#define SIZES ((int)(sizeof sizes / sizeof *sizes))

// One piece after the other in a file in `folder`, each from the next page on; then read and
// compared.
static void write_and_compare(const char *folder) {
  char path[64];
  snprintf(path, sizeof path, "%s/orrery-direct-XXXXXX", folder);
  const int fd = mkstemp(path);
  assert_true(fd >= 0);
  unsigned char *page = orr_malloc_aligned(MOST, CKPT_PAGE), back[MOST];
  for (int i = 0; i < MOST; i++) page[i] = (unsigned char)(i * 131 >> 3);
  uint64_t offset = 0;
  for (int i = 0; i < SIZES; i++, offset += 4 * CKPT_PAGE)
    assert_int_equal(ckpt_direct_write(fd, path, page, sizes[i], offset), ORR_OK);
  assert_int_equal(fcntl(fd, F_GETFL) & O_DIRECT, 0); // off again
  offset = 0;
  for (int i = 0; i < SIZES; i++, offset += 4 * CKPT_PAGE) {
    assert_int_equal(orr_fs_pread_all(fd, path, back, sizes[i], offset), ORR_OK);
    assert_memory_equal(back, page, sizes[i]);
  }
  close(fd);
  unlink(path);
  orr_free(page);
}

static void test_pieces_of_any_size_arrive_on_a_disk_and_in_memory(void **state) {
  (void)state;
  write_and_compare("/tmp");
  if (orr_fs_is_dir("/dev/shm")) write_and_compare("/dev/shm");
}

// An alignment that the file system does not take: the bytes go through the cache.
static void test_bytes_that_lie_badly_in_memory_arrive_all_the_same(void **state) {
  (void)state;
  char path[] = "/tmp/orrery-direct-XXXXXX";
  const int fd = mkstemp(path);
  unsigned char *page = orr_malloc_aligned(3 * 4096, CKPT_PAGE), back[4096];
  memset(page, 7, 3 * 4096);
  assert_int_equal(ckpt_direct_write(fd, path, page + 1, 4096, 0), ORR_OK);
  assert_int_equal(orr_fs_pread_all(fd, path, back, 4096, 0), ORR_OK);
  assert_memory_equal(back, page, 4096);
  close(fd);
  unlink(path);
  orr_free(page);
}

static void test_a_full_disk_is_an_error_in_either_way(void **state) {
  (void)state;
  char path[] = "/tmp/orrery-direct-XXXXXX";
  const int fd = mkstemp(path);
  unsigned char *page = orr_malloc_aligned(8192, CKPT_PAGE);
  memset(page, 0, 8192);
  for (int n = 1; n <= 2; n++) { // the pages, then the rest
    orr_fault_arm(ORR_FAULT_WRITE, n);
    assert_int_equal(ckpt_direct_write(fd, path, page, 4100, 0), ORR_EFULL);
    assert_true(orr_fault_fired(ORR_FAULT_WRITE));
    assert_non_null(strstr(orr_status_message(), path));
  }
  orr_fault_arm(ORR_FAULT_WRITE, 0);
  close(fd);
  unlink(path);
  orr_free(page);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pieces_of_any_size_arrive_on_a_disk_and_in_memory),
      cmocka_unit_test(test_bytes_that_lie_badly_in_memory_arrive_all_the_same),
      cmocka_unit_test(test_a_full_disk_is_an_error_in_either_way),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
