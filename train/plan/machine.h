// What a machine can do, as `orrery plan` has to know it: how long ops take by their sizes, how
// long collectives take by ranks and bytes. A file of JSON, version TRAIN_MACHINE_VERSION
// (docs/plan.md): measured on the machine by `orrery bench machine --out FILE`, or made of
// published figures (configs/machines/), which it then says.
#ifndef TRAIN_MACHINE_H
#define TRAIN_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "kernels/watch.h"
#include "train/model/axes.h"

enum { TRAIN_MACHINE_VERSION = 1 };

// An op of those sizes, as it was timed.
typedef struct {
  kern_work work;
  double s;
} train_machine_op;

// A collective of so many payload bytes (dist/comm.h) over so many ranks.
typedef struct {
  train_move move;
  int ranks;
  double bytes, s;
} train_machine_move;

// Where nothing was timed: seconds until the first byte, and the bandwidth of the bus
// (train/bench/comm.c), in bytes/s.
typedef struct {
  double latency_s, bus;
} train_machine_link;

typedef struct {
  char name[128];
  bool measured;           // else published
  bool on_device;          // tensors lie on a GPU: what is staged on the host does not count there
  bool overlap;            // collectives that are started move while ops run
  int threads;             // of a rank on the CPU
  int domain;              // ranks that share the fast link; 0 = all
  double memory, reserved; // bytes of a rank's device, and what is not ours of them
  double watts;            // of a rank, with its share of the node
  double peak[2], matmul[2];         // FLOP/s by kern_dtype: of the data sheet, of a large product
  double attention[2];               // of an attention forward, backward, as a share of `matmul`
  double bandwidth, launch_s;        // bytes/s of ops that only move; what any op takes at least
  train_machine_link inside, beyond; // the domain
  double host_step_s, host_token_s;  // of a step, beside its ops
  train_machine_op *ops;
  train_machine_move *moves;
  int op_count, move_count, op_room, move_room;
} train_machine;

// Local. ORR_EIO, ORR_ECORRUPT names the file and the key that is missing or wrong. Release also
// after a failure.
orr_code train_machine_read(const char *path, train_machine *out);
orr_code train_machine_write(const train_machine *m, const char *path);
void train_machine_release(train_machine *m);
// Local. ORR_ENOMEM.
orr_code train_machine_add_op(train_machine *m, const kern_work *work, double s);
orr_code train_machine_add_move(train_machine *m, train_move move, int ranks, double bytes,
                                double s);

// Local. Seconds of an op: from those timed that are nearest in size, else from rates.
double train_machine_op_s(const train_machine *m, const kern_work *work);
// Local. Seconds of a collective over `ranks` ranks that are spread over `span` neighbours.
double train_machine_move_s(const train_machine *m, train_move move, int ranks, int span,
                            double bytes);

#endif
