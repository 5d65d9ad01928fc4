#include "train/setup/device.h"

#include <inttypes.h>
#include <string.h>

#include "base/cores.h"
#include "base/log.h"
#include "base/mem.h"

_Static_assert((int)CFG_ISA_AUTO == (int)KERN_ISA_AUTO && (int)CFG_ISA_AMX == (int)KERN_ISA_AMX,
               "run.isa has the choices of kern_isa");

enum { ID_BYTES = sizeof((kern *)0)->device_id };

// ids: ID_BYTES of every rank.
static orr_code compare(const char *ids, int ranks, bool share) {
  for (int r = 1; r < ranks; r++) {
    const char *id = ids + (size_t)r * ID_BYTES;
    ORR_CHECK(
        (*id == '\0') == (*ids == '\0'), ORR_EUNSUPPORTED,
        "rank 0 runs on a %s, rank %d on a %s; give every machine of the job a GPU that works, "
        "or choose run.device cpu",
        *ids ? "GPU" : "CPU", r, *id ? "GPU" : "CPU");
    if (*id == '\0' || share) continue;
    for (int before = 0; before < r; before++)
      ORR_CHECK(strcmp(id, ids + (size_t)before * ID_BYTES) != 0, ORR_EINVAL,
                "ranks %d and %d have the same GPU: more ranks than GPUs on a machine; start one "
                "rank a GPU, choose run.device cpu, or set dist.share_devices to try things out",
                before, r);
  }
  return ORR_OK;
}

static orr_code compare_all(dist_comm *all, const kern *k, bool share) {
  const int ranks = dist_comm_size(all);
  char *ids = orr_calloc((size_t)ranks, ID_BYTES);
  orr_code rc = ids ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "out of memory for the names of all devices");
  rc = dist_agree(all, rc, "compare devices");
  if (rc == ORR_OK) rc = dist_all_gather(all, k->device_id, ids, ID_BYTES, DIST_U8);
  if (rc == ORR_OK) rc = compare(ids, ranks, share);
  orr_free(ids);
  return rc;
}

static orr_code resolve_precision(cfg *c, dist_comm *all, const kern *k) {
  int64_t pays = k->bf16_pays;
  if (c->run.precision != CFG_PRECISION_AUTO) return ORR_OK;
  ORR_TRY(dist_all_reduce(all, &pays, 1, DIST_I64, DIST_MIN));
  c->run.precision = pays ? CFG_PRECISION_BF16 : CFG_PRECISION_FP32;
  if (dist_comm_rank(all) == 0)
    ORR_INFO("run.precision auto: %s, as %s", pays ? "bf16" : "fp32",
             pays             ? "every device here has fast bfloat16 units"
             : k->bf16_pays   ? "a rank's CPU has no bfloat16 units, or slow ones"
             : k->bf16_native ? "this CPU's bfloat16 units are slower than its float32 ones"
                              : "this CPU has no bfloat16 units");
  return ORR_OK;
}

kern_setup train_device_setup(const cfg *c, const dist_world *w) {
  return (kern_setup){.device = (kern_device)c->run.device,
                      .isa = (kern_isa)c->run.isa,
                      .threads = c->run.threads ? (int)c->run.threads : orr_cores_threads(w->cores),
                      .node_rank = w->node_rank,
                      .node_ranks = w->node_ranks,
                      .share_devices = c->dist.share_devices,
                      .tune = c->run.tune,
                      .attention = (kern_attention)c->run.attention};
}

orr_code train_device_open(cfg *c, dist_world *w, kern **out) {
  dist_comm *all = w->axis[DIST_AXIS_WORLD];
  const kern_setup setup = train_device_setup(c, w);
  *out = NULL;
  orr_code rc = kern_open(&setup, out);
  ORR_TRY(dist_agree(all, rc, "open the device"));
  ORR_TRY(compare_all(all, *out, c->dist.share_devices));
  ORR_TRY(resolve_precision(c, all, *out));
  const kern *k = *out;
  const bool bf16 = c->run.precision == CFG_PRECISION_BF16;
  if (w->grid.rank != 0) return ORR_OK;
  if (*k->why_cpu) ORR_INFO("no GPU is used: %s", k->why_cpu);
  if (c->run.threads > orr_cores_threads(w->cores))
    ORR_WARN("run.threads is %" PRId64
             ", but a rank's share of cores and CPU quota here is %.3g: threads "
             "will wait for each other; 0 takes as many as fit",
             c->run.threads, w->cores);
  ORR_INFO("device %s (%s), %d threads a rank%s%s", k->table->name, k->isa, k->threads,
           bf16 ? "; " : "", bf16 ? kern_bf16_reason(k) : "");
  return ORR_OK;
}

static void tell(const kern *k, bool causal, const char *over) {
  const char *forward = kern_attention_by(k, causal, false),
             *backward = kern_attention_by(k, causal, true);
  if (!*forward) return;
  if (!*backward || strcmp(forward, backward) == 0)
    ORR_INFO("attention over %s: %s", over, forward);
  else
    ORR_INFO("attention over %s: forward %s; backward %s", over, forward, backward);
}

void train_device_tell_attention(const dist_world *w, const kern *k) {
  if (w->grid.rank != 0) return;
  tell(k, false, "frames");
  tell(k, true, "time");
}
