// Bandwidths as nccl-tests defines them. A size counts what the operation is about: the vector of a
// reduction, and what all ranks together bring to a gather, a scatter or an exchange of one rank.
// The algorithm's bandwidth is size over time; that of the bus multiplies by what every rank must
// at least send for one byte of it, so that it does not depend on the number of ranks:
//   all-reduce 2(n-1)/n, the others (n-1)/n.
#include "train/bench/comm.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sort.h"
#include "configs/config.h"
#include "dist/comm.h"
#include "dist/world.h"
#include "base/args.h"
#include "train/model/axes.h"
#include "train/bench/bench.h"
#include "train/setup/device.h"

static const orr_option options[] = {
    {"device", "auto|cpu|cuda", "where tensors lie (default auto)", 0},
    {"type", "f32|bf16", "of the numbers (default f32)", 0},
    {"from", "BYTES", "smallest size (default 1024)", 0},
    {"to", "BYTES", "largest size, each four times the one before (default 16777216)", 0},
    {"steps", "N", "timed calls in a row (default 20)", 0},
    {"rounds", "N", "such rows; the median counts (default 5)", 0},
    {"share-devices", NULL, "let several ranks take one GPU", 0},
    {0}};
static const orr_command command = {"bench comm", "", 0, 0, "Times collectives by size.", options};

typedef struct {
  cfg *c;
  dist_world *world;
  train_axes axes;
  kern *k;
  dist_dtype type;
  int64_t from, to, steps, rounds;
  void *send, *recv;    // [to] bytes each, where the device wants them
  int64_t *counts, *at; // [ranks] of an exchange
  double *us;           // [rounds]
  json_t *results;      // rank 0's
} bench;

typedef struct {
  const char *name;
  bool twice; // 2(n-1)/n
  orr_code (*call)(bench *b, int64_t share);
} collective;

static dist_comm *all_of(const bench *b) {
  return b->axes.comm[DIST_AXIS_WORLD];
}

// -- the calls, on `share` numbers a rank ---------------------------------------------------

static orr_code call_all_reduce(bench *b, int64_t share) {
  return dist_all_reduce(all_of(b), b->recv, share * b->world->grid.ranks, b->type, DIST_SUM);
}

static orr_code call_all_gather(bench *b, int64_t share) {
  return dist_all_gather(all_of(b), b->send, b->recv, share, b->type);
}

static orr_code call_reduce_scatter(bench *b, int64_t share) {
  return dist_reduce_scatter(all_of(b), b->send, b->recv, share, b->type, DIST_SUM);
}

static orr_code call_all_to_all(bench *b, int64_t share) {
  for (int i = 0; i < b->world->grid.ranks; i++) {
    b->counts[i] = share;
    b->at[i] = i * share;
  }
  return dist_all_to_all(all_of(b), b->send, b->counts, b->at, b->recv, b->counts, b->at, b->type);
}

static const collective collectives[] = {{"all_reduce", true, call_all_reduce},
                                         {"all_gather", false, call_all_gather},
                                         {"reduce_scatter", false, call_reduce_scatter},
                                         {"all_to_all", false, call_all_to_all}};

// -- timing ---------------------------------------------------------------------------------

// A row of calls: microseconds a call, of the slowest rank. The ranks begin together.
static orr_code time_row(bench *b, const collective *c, int64_t share, double *us) {
  ORR_TRY(dist_barrier(b->axes.host[DIST_AXIS_WORLD]));
  const double begin = orr_clock_ms();
  for (int64_t i = 0; i < b->steps; i++) ORR_TRY(c->call(b, share));
  ORR_TRY(kern_sync(b->k));
  *us = 1e3 * (orr_clock_ms() - begin) / (double)b->steps;
  return dist_all_reduce(b->axes.host[DIST_AXIS_WORLD], us, 1, DIST_F64, DIST_MAX);
}

static orr_code keep(bench *b, const collective *c, int64_t bytes, double us) {
  const double n = b->world->grid.ranks, gb_s = us > 0.0 ? (double)bytes / us * 1e-3 : 0.0;
  const double bus = gb_s * (c->twice ? 2.0 : 1.0) * (n - 1.0) / n;
  if (b->world->grid.rank != 0) return ORR_OK;
  ORR_INFO("%-14s %10" PRId64 " B %10.1f us  algorithm %8.3f GB/s  bus %8.3f GB/s", c->name, bytes,
           us, gb_s, bus);
  json_t *j = json_pack("{s:s, s:I, s:f, s:f, s:f}", "collective", c->name, "bytes",
                        (json_int_t)bytes, "us", us, "algorithm_gb_s", gb_s, "bus_gb_s", bus);
  ORR_CHECK(json_array_append_new(b->results, j) == 0, ORR_ENOMEM, "bench: out of memory");
  return ORR_OK;
}

static orr_code time_one(bench *b, const collective *c, int64_t bytes) {
  const int64_t size = b->type == DIST_BF16 ? 2 : 4, share = bytes / size / b->world->grid.ranks;
  double us;
  if (share == 0) return ORR_OK;       // nothing for every rank
  ORR_TRY(time_row(b, c, share, &us)); // warm
  for (int64_t i = 0; i < b->rounds; i++) ORR_TRY(time_row(b, c, share, &b->us[i]));
  return keep(b, c, share * size * b->world->grid.ranks, orr_median_f64(b->us, b->rounds));
}

static orr_code time_all(bench *b) {
  if (b->world->grid.ranks == 1) {
    ORR_WARN("bench comm: one rank has nobody to talk to; start more, e.g. `mpirun -n 2`");
    return ORR_OK;
  }
  for (size_t i = 0; i < sizeof collectives / sizeof *collectives; i++)
    for (int64_t bytes = b->from; bytes <= b->to; bytes *= 4)
      ORR_TRY(time_one(b, &collectives[i], bytes));
  return ORR_OK;
}

// -- life -----------------------------------------------------------------------------------

static orr_code read_settings(const orr_args *a, bench *b) {
  char text[128];
  const char *type = orr_args_text(a, "type", "f32");
  ORR_TRY(cfg_create(&b->c));
  snprintf(text, sizeof text, "run.device=%s", orr_args_text(a, "device", "auto"));
  ORR_TRY(cfg_set(b->c, text));
  b->c->dist.share_devices = orr_args_flag(a, "share-devices");
  ORR_CHECK(strcmp(type, "f32") == 0 || strcmp(type, "bf16") == 0, ORR_ECONFIG,
            "--type is '%s': wanted f32 or bf16", type);
  b->type = strcmp(type, "f32") == 0 ? DIST_F32 : DIST_BF16;
  b->from = 1024;
  b->to = 16777216;
  b->steps = 20;
  b->rounds = 5;
  ORR_TRY(orr_args_i64(a, "from", 4, INT64_C(1) << 40, &b->from));
  ORR_TRY(orr_args_i64(a, "to", 4, INT64_C(1) << 40, &b->to));
  ORR_TRY(orr_args_i64(a, "steps", 1, 1000000, &b->steps));
  ORR_TRY(orr_args_i64(a, "rounds", 1, 100000, &b->rounds));
  ORR_CHECK(b->from <= b->to, ORR_ECONFIG, "--from %" PRId64 " is above --to %" PRId64, b->from,
            b->to);
  return ORR_OK;
}

static orr_code take_memory(bench *b) {
  const size_t ranks = (size_t)b->world->grid.ranks;
  ORR_TRY(kern_alloc(b->k, KERN_DEVICE, (size_t)b->to, "numbers to send", &b->send));
  ORR_TRY(kern_alloc(b->k, KERN_DEVICE, (size_t)b->to, "numbers to receive", &b->recv));
  b->counts = orr_calloc(2 * ranks, sizeof *b->counts);
  b->us = orr_calloc((size_t)b->rounds, sizeof *b->us);
  b->results = json_array();
  ORR_CHECK(b->counts && b->us && b->results, ORR_ENOMEM, "bench: out of memory");
  b->at = b->counts + ranks;
  ORR_TRY(dist_comm_register(all_of(b), b->send, (size_t)b->to));
  return dist_comm_register(all_of(b), b->recv, (size_t)b->to);
}

static orr_code prepare(bench *b) {
  dist_comm *host = b->world->axis[DIST_AXIS_WORLD];
  ORR_TRY(train_device_open(b->c, b->world, &b->k));
  train_axes_init(&b->axes, &b->world->grid, b->world);
  ORR_TRY(train_axes_use_device(&b->axes, b->k, b->world, b->c));
  return dist_agree(host, take_memory(b), "take the bench's memory");
}

static orr_code print_result(bench *b) {
  json_t *j = json_pack("{s:s, s:s, s:s, s:i, s:s, s:O}", "bench", "comm", "device",
                        b->k->table->name, "over",
                        b->world->grid.ranks == 1 ? "nothing"
                        : b->axes.on_device       ? "nccl"
                                                  : "mpi",
                        "ranks", b->world->grid.ranks, "type", b->type == DIST_F32 ? "f32" : "bf16",
                        "results", b->results);
  return train_bench_print(j);
}

static orr_code run(bench *b) {
  ORR_TRY(prepare(b));
  ORR_TRY(train_bench_end_all(b->world, time_all(b)));
  return b->world->grid.rank == 0 ? print_result(b) : ORR_OK;
}

static void release(bench *b) {
  dist_world_leave_device(b->world);
  if (b->k) {
    kern_free(b->k, KERN_DEVICE, b->recv);
    kern_free(b->k, KERN_DEVICE, b->send);
  }
  kern_destroy(b->k);
  json_decref(b->results);
  orr_free(b->us);
  orr_free(b->counts);
  cfg_destroy(b->c);
  dist_world_close(b->world);
}

orr_code train_cmd_bench_comm(int argc, char **argv) {
  orr_args args;
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return ORR_OK;
  bench b = {0};
  ORR_TRY(dist_world_open(&b.world));
  orr_log_setup(ORR_LOG_INFO, b.world->grid.rank, b.world->grid.ranks);
  orr_code rc =
      dist_agree(b.world->axis[DIST_AXIS_WORLD], read_settings(&args, &b), "read settings");
  if (rc == ORR_OK) rc = run(&b);
  if (b.world->grid.rank != 0)
    orr_status_clear(); // all ranks have the same words: rank 0 says them
  release(&b);
  return rc;
}
