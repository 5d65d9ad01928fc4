// Ops that are not written yet. Delete the line of an op when its file defines it.
#include "kernels/cpu/cpu.h"

#define PENDING(op)                                                                                \
  orr_code CPU_FN(op)(kern * k, const kern_##op##_args *a) {                                       \
    return ORR_FAIL(ORR_EUNSUPPORTED, "kernels: %s is not written yet", #op);                      \
  }

PENDING(matmul_fwd)
PENDING(matmul_bwd_x)
PENDING(matmul_bwd_w)
PENDING(attention_fwd)
PENDING(attention_bwd)
PENDING(attention_decode)
PENDING(rmsnorm_fwd)
PENDING(rmsnorm_bwd)
PENDING(qknorm_rope_fwd)
PENDING(qknorm_rope_bwd)
PENDING(swiglu_fwd)
PENDING(swiglu_bwd)
PENDING(embed_fwd)
PENDING(embed_bwd)
PENDING(gather_rows)
PENDING(scatter_rows)
PENDING(xent_stats)
PENDING(xent_grad)
PENDING(fsq_fwd)
PENDING(fsq_bwd)
PENDING(fsq_lookup)
PENDING(patchify)
PENDING(unpatchify)
PENDING(pixel_loss)
PENDING(adamw)
PENDING(sumsq)
PENDING(cast)
PENDING(axpby)
PENDING(sample)
