// A tool for NVTX, as Nsight Systems is one, that a program loads by NVTX_INJECTION64_PATH: it
// writes the ranges of the domain "orrery" to RANGES_OUT/RANK, a line each time one begins (+,
// name, number or -) and ends (-).
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nvtx3/nvToolsExt.h>

extern int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_table);

static FILE *out;
static int domain; // its address is the handle of the domain

static nvtxDomainHandle_t create_domain(const char *name) {
  return strcmp(name, "orrery") == 0 ? (nvtxDomainHandle_t)&domain : NULL;
}

static int push(nvtxDomainHandle_t of, const nvtxEventAttributes_t *range) {
  char number[32] = "-";
  if (range->payloadType == NVTX_PAYLOAD_TYPE_INT64)
    snprintf(number, sizeof number, "%" PRId64, range->payload.llValue);
  if (of == (nvtxDomainHandle_t)&domain) fprintf(out, "+\t%s\t%s\n", range->message.ascii, number);
  return 0;
}

static int pop(nvtxDomainHandle_t of) {
  if (of == (nvtxDomainHandle_t)&domain) fputs("-\n", out);
  return 0;
}

int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_table) {
  const char *dir = getenv("RANGES_OUT"), *rank = getenv("OMPI_COMM_WORLD_RANK");
  const NvtxExportTableCallbacks *all = get_table(NVTX_ETID_CALLBACKS);
  char path[4096];
  NvtxFunctionTable core;
  unsigned n = 0;
  snprintf(path, sizeof path, "%s/%s", dir ? dir : ".", rank ? rank : "0");
  out = fopen(path, "w");
  if (!out || !all || !all->GetModuleFunctionTable(NVTX_CB_MODULE_CORE2, &core, &n)) return 0;
  *core[NVTX_CBID_CORE2_DomainCreateA] = (NvtxFunctionPointer)create_domain;
  *core[NVTX_CBID_CORE2_DomainRangePushEx] = (NvtxFunctionPointer)push;
  *core[NVTX_CBID_CORE2_DomainRangePop] = (NvtxFunctionPointer)pop;
  return 1;
}
