// The device of each rank.
#ifndef TRAIN_DEVICE_H
#define TRAIN_DEVICE_H

#include "configs/config.h"
#include "dist/world.h"
#include "kernels/kern.h"

// Local. How this rank's device is opened.
kern_setup train_device_setup(const cfg *c, const dist_world *w);
// Collective over w. *out (=) this rank's kern, in planning mode; rank 0 logs what it runs on, and
// why not on a GPU where run.device leaves the choice. An error on all ranks when one of them
// cannot have the device, when some ranks have a GPU and others none, and when two have the same
// one without dist.share_devices.
// run.precision auto becomes what this run is to keep: bf16 where every rank has a GPU or a CPU
// with fast bfloat16 units, else fp32.
orr_code train_device_open(cfg *c, dist_world *w, kern **out);

// Local. Says once, on rank 0 and where there was a choice, who computes attention over frames as
// it has been planned.
void train_device_tell_attention(const dist_world *w, const kern *k);

#endif
