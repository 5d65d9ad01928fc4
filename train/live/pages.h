// The page and what it loads, as they lie in train/live/page/, inside the program.
#ifndef TRAIN_LIVE_PAGES_H
#define TRAIN_LIVE_PAGES_H

#include <stddef.h>

typedef struct {
  const char *path, *type; // of the address; the media type
  const unsigned char *bytes;
  size_t size;
} train_live_page;

// Local. The page at the path of an address, or NULL.
const train_live_page *train_live_page_find(const char *path);

#endif
