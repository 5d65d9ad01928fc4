#include "data/pictures/pixels.h"

#include "base/mem.h"

orr_code data_pixels_reserve(data_pixels *p, const char *what, size_t bytes) {
  if (bytes <= p->room) return ORR_OK;
  uint8_t *v = orr_realloc(p->v, bytes);
  ORR_CHECK(v, ORR_ENOMEM, "%s: out of memory for the %zu bytes of its picture", what, bytes);
  *p = (data_pixels){v, bytes};
  return ORR_OK;
}

void data_pixels_release(data_pixels *p) {
  orr_free(p->v);
  *p = (data_pixels){0};
}
