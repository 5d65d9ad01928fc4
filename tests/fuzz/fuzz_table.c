// Tables: what is accepted has its size and names. The input is read as CSV, as JSON lines and as
// VPT's, each with the usual columns and with named ones.
#include "base/mem.h"
#include "data/import/vpt.h"
#include "data/import/table/table.h"
#include "tests/fuzz/fuzz.h"

static void check(orr_code rc, data_table *t) {
  if (rc != ORR_OK) {
    fuzz_check_refusal(rc);
    return;
  }
  double sum = 0;
  FUZZ_PROMISE(t->rows >= 1 && t->columns >= 1);
  for (int64_t i = 0; i < t->columns; i++) FUZZ_PROMISE(t->names[i] != NULL);
  for (int64_t i = 0; i < t->rows * t->columns; i++) sum += t->v[i];
  FUZZ_PROMISE(!t->times == !t->time_name);
  for (int64_t i = 0; t->times && i < t->rows; i++) sum += t->times[i];
  FUZZ_PROMISE(sum == sum || sum != sum);
  data_table_release(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"dx", "pose.x", "action"};
  static const char *const words[] = {"left", "right"};
  static const data_one_hot one_hot[] = {{"action", 2, words}};
  const data_table_wish wanted[] = {{{NULL, 0}, NULL, one_hot, 1, 0, 0},
                                    {{names, 1}, "t", NULL, 0, 0, 0},
                                    {{names, 3}, NULL, NULL, 0, 0, 0}};
  char *text = orr_malloc(size + 1);
  FUZZ_PROMISE(text != NULL);
  for (size_t i = 0; i < size; i++) text[i] = (char)data[i];
  text[size] = 0;
  for (int i = 0; i < 3; i++) {
    data_table t = {0};
    check(data_table_read_csv("fuzz", text, size, &wanted[i], &t), &t);
    t = (data_table){0};
    check(data_table_read_jsonl("fuzz", text, size, &wanted[i], &t), &t);
  }
  data_table t = {0};
  (void)data_vpt_is(text, size);
  check(data_vpt_read("fuzz", text, size, &t), &t);
  orr_free(text);
  return 0;
}
