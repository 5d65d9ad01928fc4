#include "train/bench/machine.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/args.h"
#include "base/clock.h"
#include "base/cores.h"
#include "base/log.h"
#include "train/bench/bench.h"
#include "train/bench/machine_moves.h"
#include "train/bench/machine_ops.h"
#include "train/step/peak.h"

static const orr_option options[] = {
    {"seconds", "S", "for which products are repeated; the best counts (default 2)", 0},
    {"device", "auto|cpu|cuda", "where tensors live", 0},
    {"threads", "N", "CPU threads; 0 = all cores", 0},
    {"isa", "NAME", "avx2, avx512, ...: take the paths of a CPU that has no more", 0},
    {"out", "FILE", "time ops and collectives, too, and write the machine file there", 0},
    {"steps", "N", "with --out: of each small model (default 5)", 0},
    {"largest", "BYTES", "with --out: of a collective (default 16777216)", 0},
    {"name", "TEXT", "with --out: what the machine is called (default: its host and device)", 0},
    {0}};
static const orr_command command = {
    "bench machine", "", 0, 0, "Measures the rate of matrix products on this machine.", options};

typedef struct {
  kern_setup setup;
  double seconds;
  double best[2]; // FLOP/s in bf16, fp32
} machine;

// Both types in turn, so that a busy moment hits them alike; each once at least.
static orr_code measure(machine *m) {
  const double begin = orr_clock_ms();
  do {
    for (int i = 0; i < 2; i++) {
      double rate = 0.0;
      ORR_TRY(train_peak_try(&m->setup, i ? KERN_F32 : KERN_BF16, &rate));
      if (rate > m->best[i]) m->best[i] = rate;
    }
  } while (orr_clock_ms() - begin < 1e3 * m->seconds);
  return ORR_OK;
}

static orr_code print(const machine *m) {
  kern *k = NULL;
  ORR_TRY(kern_open(&m->setup, &k)); // for what it is called
  json_t *j = json_pack("{s:s, s:s, s:s, s:i, s:s, s:{s:f, s:f}}", "bench", "machine", "device",
                        k->table->name, "isa", k->isa, "threads", k->threads, "precision",
                        k->bf16_pays ? "bf16" : "fp32", "matmul_tflops", "bf16", m->best[0] / 1e12,
                        "fp32", m->best[1] / 1e12);
  kern_destroy(k);
  return train_bench_print(j);
}

// -- the machine file -----------------------------------------------------------------------

static double host_memory(void) {
  return (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
}

// What every file says: of a copy's bandwidth, and of the products measured above.
static orr_code describe(const machine *m, const orr_args *a, const dist_world *w,
                         train_machine *out) {
  char host[64] = "";
  kern *k = NULL;
  ORR_TRY(kern_open(&m->setup, &k));
  gethostname(host, sizeof host - 1);
  *out = (train_machine){.measured = true,
                         .on_device = k->device_memory,
                         .overlap = k->device_memory, // MPI moves what it is called for
                         .threads = k->threads,
                         .memory = host_memory() / w->node_ranks,
                         .attention = {0.5, 0.5},
                         .matmul = {[KERN_F32] = m->best[1], [KERN_BF16] = m->best[0]}};
  const char *name = orr_args_text(a, "name", NULL);
  if (name)
    snprintf(out->name, sizeof out->name, "%s", name);
  else
    snprintf(out->name, sizeof out->name, "%.40s, %.60s", host, k->isa);
  kern_destroy(k);
  return ORR_OK;
}

// A large copy's bytes a second, for ops that were not timed.
static void note_bandwidth(train_machine *m) {
  for (int i = 0; i < m->op_count; i++) {
    const train_machine_op *x = &m->ops[i];
    const double rate = x->work.bytes / x->s;
    if (x->work.op == KERN_OP_adamw && rate > m->bandwidth) m->bandwidth = rate;
  }
}

static orr_code fill_file(machine *m, const orr_args *a, dist_world *w, train_machine *out) {
  int64_t steps = 5, largest = 16777216;
  ORR_TRY(orr_args_i64(a, "steps", 1, 100000, &steps));
  ORR_TRY(orr_args_i64(a, "largest", 64, INT64_C(1) << 32, &largest));
  ORR_TRY(describe(m, a, w, out));
  ORR_TRY(train_bench_machine_ops(w, &m->setup, steps, out));
  note_bandwidth(out);
  return train_bench_machine_moves(w, largest, 20, out);
}

static orr_code write_file(machine *m, const orr_args *a) {
  dist_world *w = NULL;
  train_machine out = {0};
  ORR_TRY(dist_world_open(&w));
  orr_log_setup(ORR_LOG_INFO, w->grid.rank, w->grid.ranks);
  m->setup.node_rank = w->node_rank;
  m->setup.node_ranks = w->node_ranks;
  if (m->setup.threads == 0) m->setup.threads = orr_cores_threads(w->cores);
  orr_code rc = measure(m);
  if (rc == ORR_OK) rc = fill_file(m, a, w, &out);
  rc = train_bench_end_all(w, rc);
  if (rc == ORR_OK && w->grid.rank == 0)
    rc = train_machine_write(&out, orr_args_text(a, "out", NULL));
  if (rc == ORR_OK && w->grid.rank == 0) rc = print(m);
  train_machine_release(&out);
  dist_world_close(w);
  return rc;
}

orr_code train_cmd_bench_machine(int argc, char **argv) {
  orr_args args;
  machine m = {.seconds = 2.0};
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  ORR_TRY(train_bench_setup(&args, &m.setup));
  ORR_TRY(orr_args_f64(&args, "seconds", 0.0, 3600.0, &m.seconds));
  if (orr_args_text(&args, "out", NULL)) return write_file(&m, &args);
  ORR_TRY(measure(&m));
  return print(&m);
}
