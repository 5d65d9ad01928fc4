// What a backend gives to kernels/kern.c, and nobody else sees.
#ifndef KERNELS_BACKEND_H
#define KERNELS_BACKEND_H

#include "base/version.h"
#include "kernels/kern.h"

// The first member of every backend's kern->impl.
typedef struct {
  char bf16_reason[256];
  char attention[2][2][256]; // kern_attention_by: [causal][backward]
} kern_backend;

// Local. A kern in planning mode, which the caller ends with kern_destroy; setup->threads is at
// least 1. ORR_ENOMEM; ORR_EUNSUPPORTED: this machine, or this build, has no such device.
orr_code kern_cpu_create(const kern_setup *setup, kern **out);
orr_code kern_cuda_create(const kern_setup *setup, kern **out);

// Local. kern_versions' part of a build with the CUDA Toolkit.
void kern_cuda_versions(orr_version_told *told, void *to);

// Local. ORR_EUNSUPPORTED names the backend and the op whose slot is empty.
orr_code kern_table_check(const kern_table *table);

#endif
