#include "train/bench/machine.h"

#include "base/args.h"
#include "base/clock.h"
#include "train/bench/bench.h"
#include "train/step/peak.h"

static const orr_option options[] = {
    {"seconds", "S", "for which products are repeated; the best counts (default 2)", 0},
    {"device", "auto|cpu|cuda", "where tensors live", 0},
    {"threads", "N", "CPU threads; 0 = all cores", 0},
    {"isa", "NAME", "avx2, avx512, ...: take the paths of a CPU that has no more", 0},
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
                        k->bf16_native ? "bf16" : "fp32", "matmul_tflops", "bf16",
                        m->best[0] / 1e12, "fp32", m->best[1] / 1e12);
  kern_destroy(k);
  return train_bench_print(j);
}

orr_code train_cmd_bench_machine(int argc, char **argv) {
  orr_args args;
  machine m = {.seconds = 2.0};
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  ORR_TRY(train_bench_setup(&args, &m.setup));
  ORR_TRY(orr_args_f64(&args, "seconds", 0.0, 3600.0, &m.seconds));
  ORR_TRY(measure(&m));
  return print(&m);
}
