// labels: quick
// Plans: bytes are those of the dry run, times are those of the machine file, call by call;
// failures.
#include "tests/train/layouts.h"

#include "base/fs.h"
#include "train/plan/failures.h"
#include "train/plan/layouts.h"
#include "train/run/accounting.h"

static const layout shapes[] = {
    {.tp = 1, .cp = 1, .dp = 4, .batch = 8},
    {.tp = 2, .cp = 1, .dp = 2, .zero = 2, .batch = 8, .micro = 2},
    {.tp = 1, .cp = 2, .dp = 2, .zero = 3, .shard = 2, .batch = 8, .bf16 = true},
    {.tp = 1, .cp = 1, .dp = 4, .zero = 1, .batch = 8, .muon = true, .recompute = true},
    {.tp = 2, .cp = 2, .dp = 1, .batch = 8, .tokenizer = true}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static train_layout layout_of(const layout *l) {
  return (train_layout){.tp = l->tp,
                        .cp = l->cp,
                        .dp = l->dp,
                        .zero = l->zero,
                        .shard = l->shard,
                        .recompute = l->recompute ? CFG_RECOMPUTE_ALL : CFG_RECOMPUTE_NONE,
                        .micro = l->micro ? l->micro : l->batch / l->dp};
}

static train_plan_row plan_of(const layout *l, const train_machine *m) {
  cfg *c = tiny_cfg(l);
  train_plan_row row;
  train_plan sizes = {0};
  const train_plan_request q = {.c = c, .m = m, .ranks = 4, .memory = 1e12, .zero = -1};
  const train_layout wanted = layout_of(l);
  assert_ok(train_plan_one(&q, &wanted, &row, &sizes));
  assert_true(sizes.tokens > 0.0 && sizes.flops > 0.0);
  cfg_destroy(c);
  return row;
}

static void test_bytes_are_those_of_the_dry_run(void **state) {
  const train_machine m = {.threads = 1, .matmul = {1e9, 1e9}};
  for (int i = 0; i < SHAPES; i++) {
    trainee t;
    dist_grid g;
    train_accounting a;
    train_account all[TRAIN_ACCOUNTS];
    uint64_t bytes = 0;
    assert_ok(dist_grid_init(shapes[i].tp, shapes[i].cp, shapes[i].dp, 0, 4, &g));
    assert_ok(dist_grid_cut(&g, shapes[i].shard));
    trainee_start(&t, &shapes[i], &g, NULL);
    assert_ok(train_accounting_plan(&a, &t.work));
    train_accounting_memory(&a, all);
    for (int j = 0; j < TRAIN_ACCOUNTS; j++) bytes += all[j].bytes;
    trainee_close(&t);
    assert_int_equal(plan_of(&shapes[i], &m).bytes, bytes);
  }
}

// Told while planning, and told of the step itself: the same ops in the same order.
typedef struct {
  int n;
  kern_work list[20000];
} told;

static bool same_work(const kern_work *a, const kern_work *b) {
  return a->op == b->op && a->type == b->type && a->causal == b->causal && a->flops == b->flops &&
         a->bytes == b->bytes && memcmp(a->dim, b->dim, sizeof a->dim) == 0;
}

static orr_code note(void *ctx, kern *k, const kern_work *work) {
  told *t = ctx;
  if (work->flops > 0.0 || work->bytes > 0.0) t->list[t->n++] = *work;
  return ORR_OK;
}

static void test_the_ops_that_are_planned_are_those_that_run(void **state) {
  const layout one[] = {{.tp = 1, .cp = 1, .dp = 1, .batch = 4, .micro = 2},
                        {.tp = 1, .cp = 1, .dp = 1, .batch = 4, .muon = true, .recompute = true},
                        {.tp = 1, .cp = 1, .dp = 1, .batch = 4, .bf16 = true, .own = true}};
  told *planned = calloc(1, sizeof *planned), *run = calloc(1, sizeof *run);
  for (int i = 0; i < 3; i++) {
    trainee t;
    dist_grid g;
    kern_watch w = {.after = note, .ctx = planned};
    planned->n = run->n = 0;
    assert_ok(dist_grid_init(1, 1, 1, 0, 1, &g));
    trainee_start(&t, &one[i], &g, NULL);
    kern_watch_begin(t.k, &w);
    assert_ok(train_step_rehearse(&t.work));
    kern_watch_end(t.k);
    trainee_commit(&t);
    w.ctx = run;
    kern_watch_begin(t.k, &w);
    trainee_gradients(&t, 0);
    trainee_update(&t, 0);
    kern_watch_end(t.k);
    assert_true(planned->n > 100);
    for (int j = 0, k = 0; j < planned->n; j++, k++) { // the step's copies in and out run alone
      while (run->list[k].op == KERN_OP_copy && planned->list[j].op != KERN_OP_copy) k++;
      assert_true(k < run->n);
      if (!same_work(&planned->list[j], &run->list[k]))
        fail_msg("layout %d, op %d: planned %s, run %s", i, j, kern_op_name(planned->list[j].op),
                 kern_op_name(run->list[k].op));
    }
    trainee_close(&t);
  }
  free(planned);
  free(run);
}

static double exposed(const train_estimate *t) {
  double s = 0.0;
  for (int a = 0; a < DIST_AXES; a++) s += t->exposed_s[a];
  return s;
}

// A machine on which every op takes a millisecond, and a collective one for each doubling of ranks.
static void test_a_step_takes_what_its_calls_take(void **state) {
  const train_machine ops = {.threads = 1, .matmul = {0}, .launch_s = 1e-3};
  train_machine both = ops;
  both.inside.latency_s = 1e-3;
  for (int i = 0; i < SHAPES; i++) {
    const train_estimate a = plan_of(&shapes[i], &ops).time, b = plan_of(&shapes[i], &both).time;
    double phases = 0.0;
    assert_true(a.ops > 100 && exposed(&a) == 0.0);
    assert_true(fabs(a.step_s - 1e-3 * (double)a.ops) < 1e-9 * (double)a.ops);
    for (int p = 0; p < TRAIN_TIMED; p++) phases += a.phase_s[p];
    assert_true(fabs(phases - a.step_s) < 1e-9); // no moment is in none or in two
    assert_true(exposed(&b) > 0.0 && fabs(b.step_s - a.step_s - exposed(&b)) < 1e-9);
    assert_true(b.ops == a.ops);
  }
}

static void test_what_moves_beside_ops_is_hidden_as_far_as_they_last(void **state) {
  train_machine m = {.threads = 1, .launch_s = 1e-3, .inside = {1e-4, 0.0}};
  for (int i = 0; i < SHAPES; i++) {
    m.overlap = false;
    const train_estimate alone = plan_of(&shapes[i], &m).time;
    m.overlap = true;
    const train_estimate beside = plan_of(&shapes[i], &m).time;
    assert_true(exposed(&beside) < exposed(&alone));
    for (int a = 0; a < DIST_AXES; a++) {
      assert_true(beside.moving_s[a] == alone.moving_s[a]);
      assert_true(beside.exposed_s[a] <= alone.exposed_s[a] + 1e-12);
    }
  }
}

static kern_work product(double M, double N, double K) {
  return (kern_work){
      .op = KERN_OP_matmul_fwd, .flops = 2 * M * N * K, .bytes = 4 * M * N, .dim = {M, N, K}};
}

static void test_ops_take_the_rate_of_their_nearest(void **state) {
  train_machine m = {0};
  const kern_work small = product(64, 64, 64), large = product(1024, 1024, 1024),
                  between = product(1024, 1024, 512);
  assert_ok(train_machine_add_op(&m, &small, small.flops / 1e9));
  assert_ok(train_machine_add_op(&m, &large, large.flops / 4e9));
  assert_true(train_machine_op_s(&m, &large) == large.flops / 4e9);
  const double rate = between.flops / train_machine_op_s(&m, &between);
  assert_true(rate > 3.9e9 && rate < 4e9);
  kern_work other = large;
  other.op = KERN_OP_matmul_bwd_x; // never timed: from rates
  m.matmul[KERN_F32] = 2e9;
  assert_true(train_machine_op_s(&m, &other) == other.flops / 2e9);
  m.attention[0] = 0.8, m.attention[1] = 0.5;
  other.op = KERN_OP_attention_fwd;
  assert_true(fabs(train_machine_op_s(&m, &other) * 1.6e9 / other.flops - 1.0) < 1e-12);
  other.op = KERN_OP_attention_bwd;
  assert_true(fabs(train_machine_op_s(&m, &other) * 1e9 / other.flops - 1.0) < 1e-12);
  train_machine_release(&m);
}

static void
test_collectives_lie_between_their_sizes_and_beyond_a_domain_take_the_other_link(void **state) {
  train_machine m = {.domain = 8, .inside = {1e-6, 100e9}, .beyond = {1e-5, 10e9}};
  assert_ok(train_machine_add_move(&m, TRAIN_ALL_REDUCE, 4, 1e3, 1e-5));
  assert_ok(train_machine_add_move(&m, TRAIN_ALL_REDUCE, 4, 1e5, 1e-3));
  assert_true(fabs(train_machine_move_s(&m, TRAIN_ALL_REDUCE, 4, 4, 1e4) - 1e-4) < 1e-12);
  assert_true(fabs(train_machine_move_s(&m, TRAIN_ALL_REDUCE, 4, 4, 1e7) - 1e-1) < 1e-9);
  assert_true(train_machine_move_s(&m, TRAIN_ALL_REDUCE, 4, 4, 10) == 1e-5);
  const double near = train_machine_move_s(&m, TRAIN_ALL_GATHER, 2, 2, 1e9),
               far = train_machine_move_s(&m, TRAIN_ALL_GATHER, 2, 9, 1e9);
  assert_true(fabs(near - (1e-6 + 0.5e9 / 100e9)) < 1e-12);
  assert_true(fabs(far - (1e-5 + 0.5e9 / 10e9)) < 1e-12);
  train_machine_release(&m);
}

static void test_a_machine_file_says_again_what_was_written(void **state) {
  char path[] = "/tmp/orrery-machine-XXXXXX";
  train_machine m = {.measured = true,
                     .threads = 3,
                     .memory = 4e9,
                     .bandwidth = 5e9,
                     .attention = {0.75, 0.5}},
                again;
  const kern_work w = product(3, 5, 7);
  snprintf(m.name, sizeof m.name, "a \"machine\"");
  close(mkstemp(path));
  assert_ok(train_machine_add_op(&m, &w, 2.5e-6));
  assert_ok(train_machine_add_move(&m, TRAIN_BROADCAST, 4, 1024, 3e-6));
  assert_ok(train_machine_write(&m, path));
  assert_ok(train_machine_read(path, &again));
  assert_string_equal(again.name, m.name);
  assert_true(again.measured && again.threads == 3 && again.memory == 4e9 && !again.overlap);
  assert_true(fabs(again.ops[0].s / 2.5e-6 - 1) < 1e-5 && again.ops[0].work.dim[2] == 7);
  assert_true(again.moves[0].move == TRAIN_BROADCAST && again.moves[0].ranks == 4);
  assert_true(again.attention[0] == 0.75 && again.attention[1] == 0.5);
  train_machine_release(&again);
  const char *one = "{\"orrery_machine\": 1, \"name\": \"x\", \"source\": \"published\", "
                    "\"attention_share\": 0.25}";
  assert_ok(orr_fs_write_atomic(path, one, strlen(one)));
  assert_ok(train_machine_read(path, &again));
  assert_true(again.attention[0] == 0.25 && again.attention[1] == 0.25);
  train_machine_release(&again);
  static const struct {
    const char *text, *words;
  } wrong[] = {{"{", "wanted a machine file"},
               {"{\"orrery_machine\": 2}", "reads version 1"},
               {"{\"orrery_machine\": 1}", "'name' and 'source' are missing"},
               {"{\"orrery_machine\": 1, \"name\": \"x\", \"source\": \"measured\", "
                "\"memory_gb\": \"much\"}",
                "'memory_gb' is something else"},
               {"{\"orrery_machine\": 1, \"name\": \"x\", \"source\": \"measured\", \"ops\": "
                "[{\"op\": \"sing\", \"bytes\": 1}]}",
                "an op is 'sing'"}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_ok(orr_fs_write_atomic(path, wrong[i].text, strlen(wrong[i].text)));
    assert_int_not_equal(train_machine_read(path, &again), ORR_OK);
    assert_non_null(strstr(orr_status_message(), wrong[i].words));
    train_machine_release(&again);
  }
  unlink(path);
  train_machine_release(&m);
}

// Half of what the largest layout takes: some fit, the fastest first, and none beyond.
static void test_the_files_that_are_shipped_can_be_read(void **state) {
  static const char *const files[] = {"h100", "h200", "b200", "gb200-nvl72", "gb300-nvl72"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char path[512];
    train_machine m;
    snprintf(path, sizeof path, ORR_SOURCE_DIR "/configs/machines/%s.json", files[i]);
    assert_ok(train_machine_read(path, &m));
    assert_true(!m.measured && m.on_device && m.peak[KERN_BF16] > m.matmul[KERN_BF16]);
    assert_true(m.domain >= 8 && m.memory > 79e9 && m.inside.bus > m.beyond.bus && m.watts > 1e3);
    train_machine_release(&m);
  }
}

static void test_layouts_that_fit_come_fastest_first(void **state) {
  const train_machine m = {.threads = 1, .matmul = {1e9, 1e9}, .launch_s = 1e-5};
  const layout l = {.tp = 1, .cp = 1, .dp = 4, .batch = 8};
  cfg *c = tiny_cfg(&l);
  train_plan p;
  train_plan_request q = {.c = c, .m = &m, .ranks = 4, .memory = 1e12, .zero = -1};
  assert_ok(train_plan_make(&q, &p));
  assert_true(p.count > 2 && p.least.bytes == 0);
  q.memory = (double)p.rows[0].bytes;
  train_plan_release(&p);
  assert_ok(train_plan_make(&q, &p));
  for (int i = 0; i < p.count; i++) {
    assert_true((double)p.rows[i].bytes <= q.memory && p.rows[i].mfu > 0.0);
    if (i > 0) assert_true(p.rows[i].time.step_s >= p.rows[i - 1].time.step_s);
  }
  train_plan_release(&p);
  q.memory = 100e3;
  assert_ok(train_plan_make(&q, &p));
  assert_int_equal(p.count, 0);
  train_plan_release(&p);
  q.memory = 1e12;
  c->train.batch = 7; // of no dp
  q.tp = q.cp = 1;
  assert_int_equal(train_plan_make(&q, &p), ORR_ECONFIG);
  train_plan_release(&p);
  cfg_destroy(c);
}

static void test_a_tokenizer_has_layouts_of_every_axis(void **state) {
  const train_machine m = {.threads = 1, .matmul = {1e9, 1e9}, .launch_s = 1e-5};
  const layout l = {.tp = 1, .cp = 1, .dp = 4, .batch = 8, .tokenizer = true};
  cfg *c = tiny_cfg(&l);
  train_plan p;
  const train_plan_request q = {.c = c, .m = &m, .ranks = 4, .memory = 1e12, .zero = -1};
  int seen[5][5] = {{0}}; // by tp and cp
  assert_ok(train_plan_make(&q, &p));
  for (int i = 0; i < p.count; i++) seen[p.rows[i].layout.tp][p.rows[i].layout.cp] = 1;
  assert_true(seen[1][1] && seen[2][1] && seen[1][2] && seen[2][2] && seen[4][1] && seen[1][4]);
  train_plan_release(&p);
  cfg_destroy(c);
}

static void test_simulated_failures_cost_what_they_must(void **state) {
  const train_failures_request calm = {.step_s = 1.0,
                                       .days = 1.0,
                                       .mtbf_s = 1e15,
                                       .restart_s = 10.0,
                                       .save_s = 2.0,
                                       .interval = 98,
                                       .nodes = 4};
  const train_failures none = train_failures_simulate(&calm);
  assert_true(fabs(none.goodput - 0.98) < 1e-3 && none.failures == 0);
  train_failures_request q = calm;
  q.mtbf_s = 3600.0;
  q.spares = 1000; // never short of nodes
  q.repair_s = 1.0;
  const train_failures f = train_failures_simulate(&q), again = train_failures_simulate(&q);
  assert_true(f.goodput == again.goodput); // seeded
  // half an interval lost, and a restart, at each of 24.6 failures
  const double want = 86400.0 / (86400.0 / 0.98 * (1.0 + (50.0 + 10.0) / 3600.0));
  assert_true(fabs(f.goodput - want) < 0.005);
  assert_true(fabs(f.goodput + f.lost + f.restarts + f.saves - 1.0) < 0.005);
  q.copies = 5;
  const double copied = train_failures_simulate(&q).goodput;
  assert_true(train_failures_simulate(&q).lost < 0.2 * f.lost);
  q.copy_s = 0.5; // a tenth of a step each: that much more beside steps and saves of 1.02
  assert_true(fabs(train_failures_simulate(&q).goodput / copied - 1.02 / 1.12) < 0.005);
  q.spares = 0;
  q.repair_s = 7200.0;
  assert_true(train_failures_simulate(&q).smaller > 0.01);
  assert_true(train_failures_best_interval_s(2.0, 3600.0) == 120.0);
}

// Nodes fail while the job starts, too: of starts of R seconds and failures every M on average,
// exp(-R / M) is left; and one that returns is used from the next start on.
static void test_failures_strike_starts_and_nodes_return_at_starts(void **state) {
  train_failures_request q = {.step_s = 0.001,
                              .days = 1.0,
                              .mtbf_s = 60.0,
                              .restart_s = 12.0,
                              .interval = 1,
                              .nodes = 4,
                              .spares = 4000};
  /* 16 runs of about 1,700 failures: a share of time of 0.82 is known to 0.002 */
  assert_true(fabs(train_failures_simulate(&q).goodput - exp(-0.2)) < 0.006);
  q.mtbf_s = 3600.0;
  q.spares = 0;
  q.repair_s = 1.0; // long back, and missed until the next failure: a quarter of the run
  assert_true(fabs(train_failures_simulate(&q).smaller) < 1e-9);
  q.repair_s = 20.0; // longer than a start
  const train_failures f = train_failures_simulate(&q);
  assert_true(f.smaller > 0.15 && f.goodput < 0.85);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bytes_are_those_of_the_dry_run),
      cmocka_unit_test(test_the_ops_that_are_planned_are_those_that_run),
      cmocka_unit_test(test_a_step_takes_what_its_calls_take),
      cmocka_unit_test(test_what_moves_beside_ops_is_hidden_as_far_as_they_last),
      cmocka_unit_test(test_ops_take_the_rate_of_their_nearest),
      cmocka_unit_test(
          test_collectives_lie_between_their_sizes_and_beyond_a_domain_take_the_other_link),
      cmocka_unit_test(test_a_machine_file_says_again_what_was_written),
      cmocka_unit_test(test_the_files_that_are_shipped_can_be_read),
      cmocka_unit_test(test_layouts_that_fit_come_fastest_first),
      cmocka_unit_test(test_a_tokenizer_has_layouts_of_every_axis),
      cmocka_unit_test(test_simulated_failures_cost_what_they_must),
      cmocka_unit_test(test_failures_strike_starts_and_nodes_return_at_starts),
  };
  return cmocka_run_group_tests_name("train/plan", tests, NULL, NULL);
}
