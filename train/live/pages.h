// The page and what it loads, as they lie in train/live/page/, inside the program.
#ifndef TRAIN_LIVE_PAGES_H
#define TRAIN_LIVE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  const char *path, *type; // of the address; the media type
  const unsigned char *bytes;
  size_t size;
} train_live_page;

// Local. The page at the path of an address; false where there is none.
bool train_live_page_find(const char *path, train_live_page *out);

#endif
