// Ops that are not written yet. Delete the line of an op when its file defines it.
#include "kernels/cpu/cpu.h"

#define PENDING(op)                                                                                \
  orr_code CPU_FN(op)(kern * k, const kern_##op##_args *a) {                                       \
    return ORR_FAIL(ORR_EUNSUPPORTED, "kernels: %s is not written yet", #op);                      \
  }

PENDING(attention_fwd)
PENDING(attention_bwd)
PENDING(attention_decode)
