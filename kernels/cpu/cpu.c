// The CPU backend: picks the table for the machine it runs on, so that one binary serves any
// x86-64 (and, with the plain build alone, other machines).
#include "kernels/cpu/cpu.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

extern const kern_table cpu_table_v2, cpu_table_v3, cpu_table_v4;

// Linux gives the AMX tile registers (XSAVE component 18) only to processes that ask.
static bool amx_permitted(void) {
  enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
  return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

static bool amx_present(void) {
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return false;
  enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24 };
  return (edx & AMX_BF16) && (edx & AMX_TILE);
}

static bool avx512_bf16_present(void) {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax & (1 << 5));
}

// __builtin_cpu_supports also asks whether the operating system saves the registers.
cpu_level cpu_level_detect(void) {
  __builtin_cpu_init();
  if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2")))
    return CPU_LEVEL_V2;
  if (!(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")))
    return CPU_LEVEL_V3;
  if (!avx512_bf16_present()) return CPU_LEVEL_V4;
  return amx_present() && amx_permitted() ? CPU_LEVEL_AMX : CPU_LEVEL_BF16;
}

static const kern_table *table_of(cpu_level level) {
  if (level == CPU_LEVEL_V2) return &cpu_table_v2;
  return level == CPU_LEVEL_V3 ? &cpu_table_v3 : &cpu_table_v4;
}

static const char *level_name(cpu_level level) {
  static const char *const names[] = {[CPU_LEVEL_V2] = "x86-64-v2",
                                      [CPU_LEVEL_V3] = "x86-64-v3 (AVX2)",
                                      [CPU_LEVEL_V4] = "x86-64-v4 (AVX-512)",
                                      [CPU_LEVEL_BF16] = "x86-64-v4 + avx512_bf16",
                                      [CPU_LEVEL_AMX] = "x86-64-v4 + AMX"};
  return names[level];
}

static const char *bf16_reason(cpu_level level) {
  if (level == CPU_LEVEL_AMX) return "bf16: AMX";
  if (level == CPU_LEVEL_BF16)
    return "bf16: avx512_bf16 (this CPU, or its operating system, offers no AMX)";
  return "bf16: products run in float32 on converted operands (this CPU has neither AMX nor "
         "avx512_bf16)";
}

static bool is_intel(void) {
  __builtin_cpu_init();
  return __builtin_cpu_is("intel");
}

#else

extern const kern_table cpu_table_plain;
cpu_level cpu_level_detect(void) {
  return CPU_LEVEL_V2;
}
static const kern_table *table_of(cpu_level level) {
  return &cpu_table_plain;
}
static const char *level_name(cpu_level level) {
  return "plain";
}
static const char *bf16_reason(cpu_level level) {
  return "bf16: products run in float32 on converted operands (not an x86-64 CPU)";
}
static bool is_intel(void) {
  return false;
}

#endif

// Intel's cores begin one VDPBF16PS a cycle where they begin two float32 FMAs, which do as much,
// and operands have to be converted besides: measured 0.54 of the float32 rate. AMD's begin one of
// either.
bool cpu_bf16_pays(cpu_level level, bool intel) {
  return level == CPU_LEVEL_AMX || (level == CPU_LEVEL_BF16 && !intel);
}

static orr_code choose_level(kern_isa isa, cpu_level *out) {
  static const cpu_level levels[] = {[KERN_ISA_AVX2] = CPU_LEVEL_V3,
                                     [KERN_ISA_AVX512] = CPU_LEVEL_V4,
                                     [KERN_ISA_AVX512_BF16] = CPU_LEVEL_BF16,
                                     [KERN_ISA_AMX] = CPU_LEVEL_AMX};
#define ISA_NAME(NAME, word) [KERN_ISA_##NAME] = #word,
  static const char *const names[] = {KERN_ISAS(ISA_NAME)};
#undef ISA_NAME
  const cpu_level best = *out = cpu_level_detect();
  if (isa == KERN_ISA_AUTO) return ORR_OK;
  *out = levels[isa];
  ORR_CHECK(*out <= best, ORR_EUNSUPPORTED,
            "run.isa %s: this CPU, as its operating system offers it, has %s: choose auto or a "
            "lower instruction set",
            names[isa], level_name(best));
  return ORR_OK;
}

orr_code kern_cpu_create(const kern_setup *setup, kern **out) {
  cpu_level level;
  *out = NULL;
  ORR_TRY(choose_level(setup->isa, &level));
  return cpu_create(setup->threads, level, out);
}

orr_code cpu_create(int threads, cpu_level level, kern **out) {
  *out = NULL;
  orr_code rc;
  kern *k = orr_calloc(1, sizeof *k);
  ORR_CHECK(k != NULL, ORR_ENOMEM, "kernels: out of memory for the CPU backend");
  cpu_impl *impl = orr_calloc(1, sizeof *impl);
  ORR_CHECK_GOTO(impl != NULL, free_kern, ORR_ENOMEM, "kernels: out of memory for the CPU backend");
  ORR_TRY_GOTO(cpu_team_create(threads, &impl->team), free_impl);
  impl->level = level;
  snprintf(impl->backend.bf16_reason, sizeof impl->backend.bf16_reason, "%s", bf16_reason(level));
  snprintf(k->isa, sizeof k->isa, "%s", level_name(level));
  k->table = table_of(level);
  k->threads = threads;
  k->planning = true;
  k->rows_apart = true;
  k->bf16_native = level >= CPU_LEVEL_BF16;
  k->bf16_pays = cpu_bf16_pays(level, is_intel());
  k->impl = impl;
  *out = k;
  return ORR_OK;

free_impl:
  orr_free(impl);
free_kern:
  orr_free(k);
  return rc;
}

void cpu_destroy(kern *k) {
  cpu_team_destroy(cpu_impl_of(k)->team);
  orr_free(k->impl);
  orr_free(k);
}

orr_code cpu_workspace(kern *k, size_t bytes, void **out) {
  *out = k->workspace;
  if (bytes <= k->workspace_bytes) return ORR_OK;
  if (k->planning) {
    k->workspace_bytes = bytes;
    return ORR_OK;
  }
  void *grown;
  ORR_TRY(kern_alloc(k, KERN_DEVICE, bytes, "workspace of the kernels", &grown));
  kern_free(k, KERN_DEVICE, k->workspace);
  *out = k->workspace = grown;
  k->workspace_bytes = bytes;
  k->late_plans++;
  return ORR_OK;
}
