// labels: quick
// The arithmetic of layouts: which part of everything is a rank's, and what is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "train/model/exchange.h"
#include "train/model/linear.h"
#include "train/model/params.h"
#include "train/step/partition.h"

static void test_parts_cover_everything_once_and_differ_by_one_at_most(void **state) {
  for (int64_t n = 0; n < 40; n++)
    for (int parts = 1; parts < 9; parts++) {
      int64_t next = 0;
      for (int i = 0; i < parts; i++) {
        const train_part p = train_part_of(n, parts, i);
        assert_int_equal(p.first, next);
        assert_true(p.count == n / parts || p.count == n / parts + 1);
        assert_true(p.capacity >= p.count && p.capacity == (n + parts - 1) / parts);
        next += p.count;
      }
      assert_int_equal(next, n);
    }
}

static void test_a_rank_has_the_key_head_that_its_query_heads_read(void **state) {
  static const int64_t H = 24;
  for (int64_t G = 1; G <= H; G++)
    for (int tp = 1; tp <= H; tp++) {
      if (H % G || H % tp || (G % tp && tp % G)) continue;
      for (int i = 0; i < tp; i++) {
        const train_part q = train_part_of(H, tp, i), kv = train_part_heads(G, tp, i);
        // inside a rank, head h reads key head h / (q.count / kv.count)
        for (int64_t h = 0; h < q.count; h++)
          assert_int_equal(kv.first + h / (q.count / kv.count), (q.first + h) / (H / G));
      }
    }
}

static void
test_rows_of_a_rank_cover_all_rows_with_less_than_one_row_a_rank_too_many(void **state) {
  for (int tp = 1; tp < 9; tp++)
    for (int64_t M = 1; M < 50; M++) {
      train_axes ax = {.grid = {.tp = tp, .cp = 1, .dp = 1, .ranks = tp}};
      const int64_t rows = train_rows_part(&ax, M);
      assert_true(rows * tp >= M && rows * tp < M + tp);
    }
}

// Every element of a matrix split by rows or columns is found on one rank, and back.
static void test_slices_of_a_parameter_cover_it_once(void **state) {
  enum { ROWS = 7, COLUMNS = 5, TP = 3 };
  for (int dim = 0; dim < 2; dim++) {
    int found[ROWS * COLUMNS] = {0};
    for (int i = 0; i < TP; i++) {
      train_params p;
      const train_part part = train_part_of(dim ? COLUMNS : ROWS, TP, i);
      const train_param_spec s = {.ndim = 2, .shape = {ROWS, COLUMNS}, .dim = dim, .part = &part};
      train_params_init(&p);
      assert_int_equal(train_params_add(&p, &s, NULL, "w"), ORR_OK);
      for (int64_t at = 0, run, global; at < p.list[0].count; at += run) {
        run = train_param_here(&p.list[0], at, &global);
        for (int64_t e = 0; global >= 0 && e < run; e++) {
          int64_t back;
          found[global + e]++;
          assert_true(train_param_there(&p.list[0], global + e, &back) >= 1);
          assert_int_equal(back, at + e);
        }
      }
      train_params_release(&p);
    }
    for (int e = 0; e < ROWS * COLUMNS; e++) assert_int_equal(found[e], 1);
  }
}

static void test_pieces_of_all_replicas_cover_the_flat_layout_once(void **state) {
  for (int ranks = 1; ranks < 6; ranks++) {
    const int64_t total = (int64_t)ranks * TRAIN_PARAM_ALIGN * 7;
    int found[6 * TRAIN_PARAM_ALIGN * 7] = {0};
    for (int i = 0; i < ranks; i++) {
      const train_partition s =
          train_partition_make(ranks, i, total, 3 * ranks * TRAIN_PARAM_ALIGN * 4);
      int64_t place = 0;
      for (int64_t b = 0; b < train_partition_buckets(&s); b++) {
        const train_partition_piece x = train_partition_piece_of(&s, b);
        assert_int_equal(x.place, place);
        place += x.count;
        for (int64_t e = 0; e < x.count; e++) found[x.at + e]++;
      }
      assert_int_equal(place, train_partition_elements(&s));
    }
    for (int64_t e = 0; e < total; e++) assert_int_equal(found[e], 1);
  }
}

// Norms, matrices that adjoin where nothing is aligned, and ones far larger than a bucket.
static void list_matrices(train_params *list) {
  for (int i = 0; i < 12; i++) {
    const int64_t rows = i % 4 == 3 ? 90 : 3 + i;
    assert_int_equal(train_params_add(list, &(train_param_spec){.ndim = 1, .shape = {40 + i}}, NULL,
                                      "norm.%d", i),
                     ORR_OK);
    for (int j = 0; j < 3; j++)
      assert_int_equal(train_params_add(list,
                                        &(train_param_spec){.ndim = 2,
                                                            .shape = {rows, 7},
                                                            .of_block = true,
                                                            .adjoins_previous = j > 0},
                                        NULL, "matrix.%d.%d", i, j),
                       ORR_OK);
  }
}

static void test_whole_buckets_cover_the_layout_once_and_cut_no_matrix(void **state) {
  for (int ranks = 2; ranks < 6; ranks++) {
    train_params list;
    train_params_init(&list);
    list_matrices(&list);
    train_params_pad(&list, (int64_t)ranks * TRAIN_PARAM_ALIGN);
    int64_t kept = 0, most = 0;
    for (int r = 0; r < ranks; r++) {
      train_partition s;
      int64_t next = 0, place = 0;
      assert_int_equal(train_partition_make_whole(ranks, r, &list, 600 * 4, &s), ORR_OK);
      for (int64_t b = 0; b < train_partition_buckets(&s); b++) {
        const train_partition_piece x = train_partition_piece_of(&s, b);
        int64_t at, count;
        train_partition_bucket(&s, b, &at, &count);
        assert_true(at == next && at % TRAIN_PARAM_ALIGN == 0 && count > 0);
        assert_int_equal(train_partition_find(&s, at), b);
        assert_int_equal(train_partition_find(&s, at + count - 1), b);
        assert_int_equal(x.count, train_partition_owner(&s, b) == r ? count : 0);
        if (x.count) assert_int_equal(x.place, place);
        next = at + count;
        place += x.count;
        for (int i = 0; i < list.count; i++)
          if (list.list[i].of_block)
            assert_false(list.list[i].at < next && next < list.list[i].at + list.list[i].count);
      }
      assert_int_equal(next, list.total);
      assert_int_equal(place, train_partition_elements(&s));
      kept += place;
      if (place > most) most = place;
      train_partition_release(&s);
    }
    assert_int_equal(kept, list.total);
    assert_true(most * ranks < 2 * list.total);
    train_params_release(&list);
  }
}

static void test_the_order_of_an_exchange_is_a_permutation_by_receiver(void **state) {
  for (int cp = 1; cp < 5; cp++)
    for (int i = 0; i < cp; i++) {
      train_axes ax = {.grid = {.tp = 1, .cp = cp, .dp = 1, .cp_i = i, .ranks = cp}};
      train_exchange e;
      int64_t before = -1;
      assert_int_equal(train_exchange_init(&e, &ax, 2, 5, 7), ORR_OK);
      for (int64_t m = 0; m < e.M; m++) {
        const int32_t *order = e.host, *place = e.host + e.M;
        assert_int_equal(place[order[m]], m);
        int64_t to = 0;
        while (order[m] % 7 >=
               train_part_of(7, cp, (int)to).first + train_part_of(7, cp, (int)to).count)
          to++;
        assert_true(to >= before);
        before = to;
      }
      train_exchange_release(&e);
    }
}

static void refused(const char *setting, const char *more, int tp, int cp, const char *words) {
  dist_grid g;
  cfg *c;
  assert_int_equal(dist_grid_init(tp, cp, 1, 0, tp * cp, &g), ORR_OK);
  assert_int_equal(cfg_create(&c), ORR_OK);
  assert_int_equal(cfg_set(c, setting), ORR_OK);
  if (more) assert_int_equal(cfg_set(c, more), ORR_OK);
  assert_int_equal(train_axes_check(c, &g), ORR_ECONFIG);
  if (!strstr(orr_status_message(), words)) fail_msg("%s", orr_status_message());
  cfg_destroy(c);
}

static void test_splits_that_leave_a_rank_without_work_are_refused_by_name(void **state) {
  refused("model.kv_heads=3", NULL, 2, 1, "model.kv_heads 3");
  refused("model.codes=2", NULL, 4, 1, "model.codes 2");
  refused("data.frames=2", NULL, 1, 3, "data.frames 2");
  refused("train.stage=tokenizer", "tokenizer.kv_heads=3", 2, 1, "tokenizer.kv_heads 3");
  refused("train.stage=tokenizer", "data.frames=2", 1, 3, "data.frames 2");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parts_cover_everything_once_and_differ_by_one_at_most),
      cmocka_unit_test(test_a_rank_has_the_key_head_that_its_query_heads_read),
      cmocka_unit_test(test_rows_of_a_rank_cover_all_rows_with_less_than_one_row_a_rank_too_many),
      cmocka_unit_test(test_slices_of_a_parameter_cover_it_once),
      cmocka_unit_test(test_pieces_of_all_replicas_cover_the_flat_layout_once),
      cmocka_unit_test(test_whole_buckets_cover_the_layout_once_and_cut_no_matrix),
      cmocka_unit_test(test_the_order_of_an_exchange_is_a_permutation_by_receiver),
      cmocka_unit_test(test_splits_that_leave_a_rank_without_work_are_refused_by_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
