#include "kernels/cuda/device.h"

#include <stdio.h>
#include <string.h>

enum { LEAST_SM = 80 }; // bfloat16 in the matrix units, and the oldest code in this build

static orr_code driver_check(int *driver) {
  int runtime = 0;
  *driver = 0;
  ORR_TRY(cuda_check(cudaDriverGetVersion(driver), "ask for the driver's version"));
  ORR_TRY(cuda_check(cudaRuntimeGetVersion(&runtime), "ask for the runtime's version"));
  ORR_CHECK(*driver != 0, ORR_EUNSUPPORTED,
            "no NVIDIA driver is loaded; install one, or choose run.device cpu");
  ORR_CHECK(*driver >= runtime / 1000 * 1000, ORR_EUNSUPPORTED,
            "the NVIDIA driver supports CUDA %d.%d, this build wants %d.0 or newer; update the "
            "driver, or choose run.device cpu",
            *driver / 1000, *driver % 1000 / 10, runtime / 1000);
  return ORR_OK;
}

static orr_code devices_check(int *devices) {
  *devices = 0;
  cudaError_t rc = cudaGetDeviceCount(devices);
  if (rc == cudaErrorNoDevice) {
    *devices = 0;
    (void)cudaGetLastError();
  } else {
    ORR_TRY(cuda_check(rc, "count the devices"));
  }
  ORR_CHECK(*devices > 0, ORR_EUNSUPPORTED,
            "the NVIDIA driver shows no GPU to this process; see nvidia-smi and "
            "CUDA_VISIBLE_DEVICES, or choose run.device cpu");
  return ORR_OK;
}

// A single device is either one for each rank (a launcher that binds its processes shows each its
// own) or one for all: only their identities tell, which the ranks compare (kern.device_id).
static orr_code pick(const kern_setup *s, int devices, int *number) {
  const int ranks = s->node_ranks > 0 ? s->node_ranks : 1;
  ORR_CHECK(devices == 1 || devices >= ranks || s->share_devices, ORR_EINVAL,
            "%d ranks run on this machine, which shows %d GPUs; start one rank a GPU, choose "
            "run.device cpu, or set dist.share_devices to try things out",
            ranks, devices);
  *number = s->node_rank % devices;
  return ORR_OK;
}

static orr_code attribute(int *value, enum cudaDeviceAttr name, int device) {
  return cuda_check(cudaDeviceGetAttribute(value, name, device), "ask for a device's attribute");
}

orr_code cuda_device_choose(const kern_setup *s, cuda_device *out) {
  struct cudaDeviceProp prop;
  int major = 0, minor = 0;
  memset(out, 0, sizeof *out);
  ORR_TRY(driver_check(&out->driver));
  ORR_TRY(devices_check(&out->devices));
  ORR_TRY(pick(s, out->devices, &out->number));
  ORR_TRY(attribute(&major, cudaDevAttrComputeCapabilityMajor, out->number));
  ORR_TRY(attribute(&minor, cudaDevAttrComputeCapabilityMinor, out->number));
  ORR_TRY(attribute(&out->sms, cudaDevAttrMultiProcessorCount, out->number));
  ORR_TRY(attribute(&out->shared_max, cudaDevAttrMaxSharedMemoryPerBlockOptin, out->number));
  ORR_TRY(cuda_check(cudaGetDeviceProperties(&prop, out->number), "ask for a device's name"));
  out->sm = 10 * major + minor;
  snprintf(out->name, sizeof out->name, "%s", prop.name);
  for (int i = 0; i < 16; i++)
    snprintf(out->id + 2 * i, 3, "%02x", (unsigned)(unsigned char)prop.uuid.bytes[i]);
  ORR_CHECK(out->sm >= LEAST_SM, ORR_EUNSUPPORTED,
            "GPU %d (%s) has compute capability %d.%d and no bfloat16 matrix units, which begin "
            "with 8.0; choose another GPU by CUDA_VISIBLE_DEVICES, or run.device cpu",
            out->number, out->name, major, minor);
  return ORR_OK;
}
