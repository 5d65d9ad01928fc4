// oneDNN matmul primitives, cached by shape in a hash table with open addressing. A product that
// is tall enough first packs b into the layout that the primitive likes: measured on AMX, that
// pays from about two thousand rows on.
#include "kernels/cpu/product.h"

#include <inttypes.h>
#include <omp.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "kernels/cpu/onednn.h"

enum { PACK_MIN_ROWS = 2048, FIRST_SLOTS = 64 };

// Every memory object of a primitive; those it does not need stay NULL.
enum { MEM_A, MEM_B, MEM_BIAS, MEM_ADD, MEM_C, MEM_PACKED, MEM_SCRATCHPAD, MEMS };

struct cpu_product {
  cpu_product_shape shape;
  dnnl_primitive_t matmul;
  dnnl_primitive_t pack; // NULL: b is read where it lies
  dnnl_memory_t mem[MEMS];
  size_t packed_bytes, scratchpad_bytes; // each a multiple of 128
};

struct cpu_products {
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  cpu_product **slot; // `slots` of them, a power of two; NULL = free
  int64_t slots, used;
};

#define ONEDNN_TRY(call, what, shape)                                                              \
  do {                                                                                             \
    dnnl_status_t onednn_status_ = (call);                                                         \
    if (onednn_status_ != dnnl_success) {                                                          \
      rc = onednn_error(onednn_status_, what, shape);                                              \
      goto done;                                                                                   \
    }                                                                                              \
  } while (0)

static orr_code onednn_error(dnnl_status_t status, const char *what, const cpu_product_shape *s) {
  return ORR_FAIL(status == dnnl_out_of_memory ? ORR_ENOMEM : ORR_EUNSUPPORTED,
                  "kernels: oneDNN cannot %s for a product of %" PRId64 " x %" PRId64 " x %" PRId64
                  " (status %d)",
                  what, s->M, s->N, s->K, (int)status);
}

static dnnl_data_type_t onednn_type(kern_dtype t) {
  return t == KERN_BF16 ? dnnl_bf16 : dnnl_f32;
}

// The descriptors of one shape, on the way to its primitive.
typedef struct {
  dnnl_memory_desc_t a, b, bias, add, c, b_any;
  dnnl_post_ops_t post;
  dnnl_primitive_attr_t attr;
  onednn_pd matmul, pack;
} recipe;

static void recipe_release(recipe *r) {
  if (r->pack) dnnl_primitive_desc_destroy(r->pack);
  if (r->matmul) dnnl_primitive_desc_destroy(r->matmul);
  if (r->attr) dnnl_primitive_attr_destroy(r->attr);
  if (r->post) dnnl_post_ops_destroy(r->post);
  onednn_desc_destroy(r->b_any);
  onednn_desc_destroy(r->c);
  onednn_desc_destroy(r->add);
  onednn_desc_destroy(r->bias);
  onednn_desc_destroy(r->b);
  onednn_desc_destroy(r->a);
}

static orr_code recipe_describe(recipe *r, const cpu_product_shape *s) {
  orr_code rc = ORR_OK;
  const dnnl_data_type_t in = onednn_type(s->type), out = onednn_type(s->c_type);
  const char *what = "describe a matrix";
  ONEDNN_TRY(onednn_desc_strided(&r->a, in, s->M, s->K, s->a_transposed ? 1 : s->lda,
                                 s->a_transposed ? s->lda : 1),
             what, s);
  ONEDNN_TRY(onednn_desc_strided(&r->b, in, s->K, s->N, s->b_transposed ? 1 : s->ldb,
                                 s->b_transposed ? s->ldb : 1),
             what, s);
  ONEDNN_TRY(onednn_desc_any(&r->b_any, in, s->K, s->N), what, s);
  ONEDNN_TRY(onednn_desc_strided(&r->c, out, s->M, s->N, s->ldc, 1), what, s);
  if (s->bias) ONEDNN_TRY(onednn_desc_strided(&r->bias, dnnl_f32, 1, s->N, s->N, 1), what, s);
  if (s->add) ONEDNN_TRY(onednn_desc_strided(&r->add, out, s->M, s->N, s->ld_add, 1), what, s);
done:
  return rc;
}

static orr_code recipe_choose(recipe *r, const cpu_product_shape *s, dnnl_engine_t engine) {
  orr_code rc = ORR_OK;
  ONEDNN_TRY(dnnl_primitive_attr_create(&r->attr), "make attributes", s);
  ONEDNN_TRY(dnnl_primitive_attr_set_scratchpad_mode(r->attr, dnnl_scratchpad_mode_user),
             "take scratch memory", s);
  ONEDNN_TRY(dnnl_post_ops_create(&r->post), "make attributes", s);
  if (s->accumulate) ONEDNN_TRY(onednn_append_sum(r->post), "accumulate", s);
  if (s->add)
    ONEDNN_TRY(dnnl_post_ops_append_binary(r->post, dnnl_binary_add, ONEDNN_REF(r->add)), "add", s);
  ONEDNN_TRY(dnnl_primitive_attr_set_post_ops(r->attr, r->post), "set post-ops", s);
  const bool pack = s->M >= PACK_MIN_ROWS;
  ONEDNN_TRY(onednn_matmul_pd(&r->matmul, engine, ONEDNN_REF(r->a),
                              pack ? ONEDNN_REF(r->b_any) : ONEDNN_REF(r->b),
                              s->bias ? ONEDNN_REF(r->bias) : NULL, ONEDNN_REF(r->c), r->attr),
             "find a primitive", s);
  onednn_desc_ref wanted = dnnl_primitive_desc_query_md(r->matmul, dnnl_query_weights_md, 0);
  if (!dnnl_memory_desc_equal(wanted, ONEDNN_REF(r->b)))
    ONEDNN_TRY(dnnl_reorder_primitive_desc_create(&r->pack, ONEDNN_REF(r->b), engine, wanted,
                                                  engine, NULL),
               "pack a matrix", s);
done:
  return rc;
}

static orr_code product_build(cpu_product *p, const recipe *r, dnnl_engine_t engine) {
  orr_code rc = ORR_OK;
  const cpu_product_shape *s = &p->shape;
  onednn_desc_ref pad = dnnl_primitive_desc_query_md(r->matmul, dnnl_query_scratchpad_md, 0);
  onednn_desc_ref wanted = dnnl_primitive_desc_query_md(r->matmul, dnnl_query_weights_md, 0);
  const onednn_desc_ref desc[MEMS] = {
      [MEM_A] = ONEDNN_REF(r->a),
      [MEM_B] = ONEDNN_REF(r->b),
      [MEM_BIAS] = s->bias ? ONEDNN_REF(r->bias) : NULL,
      [MEM_ADD] = s->add ? ONEDNN_REF(r->add) : NULL,
      [MEM_C] = ONEDNN_REF(r->c),
      [MEM_PACKED] = r->pack ? wanted : NULL,
      [MEM_SCRATCHPAD] = pad,
  };
  for (int i = 0; i < MEMS; i++)
    if (desc[i])
      ONEDNN_TRY(dnnl_memory_create(&p->mem[i], desc[i], engine, DNNL_MEMORY_NONE),
                 "make a memory object", s);
  if (r->pack) {
    p->packed_bytes = cpu_round_up(dnnl_memory_desc_get_size(wanted));
    ONEDNN_TRY(dnnl_primitive_create(&p->pack, r->pack), "create the packing", s);
  }
  p->scratchpad_bytes = cpu_round_up(dnnl_memory_desc_get_size(pad));
  ONEDNN_TRY(dnnl_primitive_create(&p->matmul, r->matmul), "create the primitive", s);
done:
  return rc;
}

static void product_destroy(cpu_product *p) {
  if (!p) return;
  for (int i = 0; i < MEMS; i++)
    if (p->mem[i]) dnnl_memory_destroy(p->mem[i]);
  if (p->pack) dnnl_primitive_destroy(p->pack);
  if (p->matmul) dnnl_primitive_destroy(p->matmul);
  orr_free(p);
}

static orr_code product_create(const cpu_product_shape *s, dnnl_engine_t engine,
                               cpu_product **out) {
  orr_code rc;
  recipe r = {0};
  cpu_product *p = orr_calloc(1, sizeof *p);
  ORR_CHECK(p != NULL, ORR_ENOMEM, "kernels: out of memory for a matrix product's plan");
  p->shape = *s;
  ORR_TRY_GOTO(recipe_describe(&r, s), release);
  ORR_TRY_GOTO(recipe_choose(&r, s, engine), release);
  ORR_TRY_GOTO(product_build(p, &r, engine), release);
  *out = p;
  p = NULL;
release:
  recipe_release(&r);
  product_destroy(p);
  return rc;
}

// No environment variable does: it must not change a result.
void cpu_products_limit(cpu_level level) {
  static const dnnl_cpu_isa_t isa[] = {[CPU_LEVEL_V2] = dnnl_cpu_isa_sse41,
                                       [CPU_LEVEL_V3] = dnnl_cpu_isa_avx2,
                                       [CPU_LEVEL_V4] = dnnl_cpu_isa_avx512_core,
                                       [CPU_LEVEL_BF16] = dnnl_cpu_isa_avx512_core_bf16,
                                       [CPU_LEVEL_AMX] = ONEDNN_EVERY_ISA};
  (void)dnnl_set_max_cpu_isa(isa[level]);
}

// The slot that holds the shape, or the free one where it belongs.
static cpu_product **slot_of(cpu_product **slot, int64_t slots, const cpu_product_shape *s) {
  uint64_t i = orr_hash64(s, sizeof *s, 0) & (uint64_t)(slots - 1);
  while (slot[i] && memcmp(&slot[i]->shape, s, sizeof *s) != 0) i = (i + 1) & (uint64_t)(slots - 1);
  return &slot[i];
}

static orr_code products_grow(cpu_products *ps) {
  const int64_t slots = ps->slots ? 2 * ps->slots : FIRST_SLOTS;
  cpu_product **slot = orr_calloc((size_t)slots, sizeof(cpu_product *));
  ORR_CHECK(slot != NULL, ORR_ENOMEM, "kernels: out of memory for the table of matrix products");
  for (int64_t i = 0; i < ps->slots; i++)
    if (ps->slot[i]) *slot_of(slot, slots, &ps->slot[i]->shape) = ps->slot[i];
  orr_free(ps->slot);
  ps->slot = slot;
  ps->slots = slots;
  return ORR_OK;
}

orr_code cpu_product_find(kern *k, const cpu_product_shape *shape, const cpu_product **out) {
  cpu_products *ps = cpu_impl_of(k)->products;
  // The key field by field: padding bytes of the caller's struct are not defined.
  cpu_product_shape s;
  memset(&s, 0, sizeof s);
  s.type = shape->type, s.c_type = shape->c_type;
  s.M = shape->M, s.N = shape->N, s.K = shape->K;
  s.lda = shape->lda, s.ldb = shape->ldb, s.ldc = shape->ldc, s.ld_add = shape->ld_add;
  s.a_transposed = shape->a_transposed, s.b_transposed = shape->b_transposed;
  s.bias = shape->bias, s.add = shape->add, s.accumulate = shape->accumulate;

  *out = *slot_of(ps->slot, ps->slots, &s);
  if (*out) return ORR_OK;
  if (2 * (ps->used + 1) > ps->slots) ORR_TRY(products_grow(ps));
  cpu_product *made = NULL;
  omp_set_num_threads(k->threads); // oneDNN plans for the threads that OpenMP would use now
  ORR_TRY(product_create(&s, ps->engine, &made));
  *out = *slot_of(ps->slot, ps->slots, &s) = made;
  ps->used++;
  if (!k->planning) k->late_plans++;
  return ORR_OK;
}

size_t cpu_product_scratch(const cpu_product *p) {
  return p->packed_bytes + p->scratchpad_bytes;
}

orr_code cpu_product_run(kern *k, const cpu_product *p, const cpu_product_operands *o,
                         void *scratch) {
  orr_code rc = ORR_OK;
  dnnl_stream_t stream = cpu_impl_of(k)->products->stream;
  void *packed = scratch, *pad = (char *)scratch + p->packed_bytes;
  void *const handle[MEMS] = {
      [MEM_A] = (void *)o->a,     [MEM_B] = (void *)o->b, [MEM_BIAS] = (void *)o->bias,
      [MEM_ADD] = (void *)o->add, [MEM_C] = o->c,         [MEM_PACKED] = packed,
      [MEM_SCRATCHPAD] = pad,
  };
  for (int i = 0; i < MEMS; i++)
    if (p->mem[i])
      ONEDNN_TRY(dnnl_memory_set_data_handle(p->mem[i], handle[i]), "take an address", &p->shape);
  omp_set_num_threads(k->threads);
  if (p->pack) {
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, p->mem[MEM_B]},
                                    {DNNL_ARG_TO, p->mem[MEM_PACKED]}};
    ONEDNN_TRY(dnnl_primitive_execute(p->pack, stream, 2, args), "pack", &p->shape);
  }
  dnnl_exec_arg_t args[6] = {
      {DNNL_ARG_SRC, p->mem[MEM_A]},
      {DNNL_ARG_WEIGHTS, p->mem[p->pack ? MEM_PACKED : MEM_B]},
      {DNNL_ARG_DST, p->mem[MEM_C]},
      {DNNL_ARG_SCRATCHPAD, p->mem[MEM_SCRATCHPAD]},
  };
  int n = 4;
  if (p->mem[MEM_BIAS]) args[n++] = (dnnl_exec_arg_t){DNNL_ARG_BIAS, p->mem[MEM_BIAS]};
  if (p->mem[MEM_ADD])
    args[n++] =
        (dnnl_exec_arg_t){DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, p->mem[MEM_ADD]};
  ONEDNN_TRY(dnnl_primitive_execute(p->matmul, stream, n, args), "run", &p->shape);
  ONEDNN_TRY(dnnl_stream_wait(stream), "finish", &p->shape);
done:
  return rc;
}

orr_code cpu_products_create(cpu_products **out) {
  orr_code rc;
  *out = NULL;
  cpu_products *ps = orr_calloc(1, sizeof *ps);
  ORR_CHECK(ps != NULL, ORR_ENOMEM, "kernels: out of memory for the table of matrix products");
  ORR_TRY_GOTO(products_grow(ps), destroy);
  cpu_products_limit(CPU_LEVEL_AMX);
  ORR_CHECK_GOTO(dnnl_engine_create(&ps->engine, dnnl_cpu, 0) == dnnl_success, destroy, ORR_ENOMEM,
                 "kernels: oneDNN has no CPU engine");
  ORR_CHECK_GOTO(dnnl_stream_create(&ps->stream, ps->engine, dnnl_stream_default_flags) ==
                     dnnl_success,
                 destroy, ORR_ENOMEM, "kernels: oneDNN made no stream");
  *out = ps;
  return ORR_OK;
destroy:
  cpu_products_destroy(ps);
  return rc;
}

void cpu_products_destroy(cpu_products *ps) {
  if (!ps) return;
  for (int64_t i = 0; i < ps->slots; i++) product_destroy(ps->slot[i]);
  if (ps->stream) dnnl_stream_destroy(ps->stream);
  if (ps->engine) dnnl_engine_destroy(ps->engine);
  orr_free(ps->slot);
  orr_free(ps);
}
