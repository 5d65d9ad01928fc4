// NVTX version 3 is a header alone. Its first call looks for a tool (the variables NVTX_INJECTION*
// that a tool sets name its library); without one no domain is made, and nothing is called again.
#include "kernels/range.h"

#include <nvtx3/nvToolsExt.h>

// A kern_ranges is the domain of our ranges under another name.
static nvtxDomainHandle_t domain_of(kern_ranges *r) {
  return (nvtxDomainHandle_t)r;
}

kern_ranges *kern_ranges_open(void) {
  return (kern_ranges *)nvtxDomainCreateA("orrery");
}

void kern_ranges_close(kern_ranges *r) {
  if (r) nvtxDomainDestroy(domain_of(r));
}

void kern_range_push(kern_ranges *r, const char *name, int64_t number) {
  const nvtxEventAttributes_t range = {.version = NVTX_VERSION,
                                       .size = NVTX_EVENT_ATTRIB_STRUCT_SIZE,
                                       .messageType = NVTX_MESSAGE_TYPE_ASCII,
                                       .message.ascii = name,
                                       .payloadType = number >= 0 ? NVTX_PAYLOAD_TYPE_INT64
                                                                  : NVTX_PAYLOAD_UNKNOWN,
                                       .payload.llValue = number >= 0 ? number : 0};
  nvtxDomainRangePushEx(domain_of(r), &range);
}

void kern_range_pop(kern_ranges *r) {
  nvtxDomainRangePop(domain_of(r));
}
