// The assembler takes the files in (.incbin); train/train.cmake says that this one depends on them.
#include "train/live/pages.h"

#include <string.h>

#define EMBED(name, file)                                                                          \
  __asm__(".section .rodata\n.global page_" #name "\npage_" #name ":\n.incbin \"" file             \
          "\"\n.global page_" #name "_end\npage_" #name "_end:\n.byte 0\n.previous\n");            \
  extern const unsigned char page_##name[], page_##name##_end[]

EMBED(index, "train/live/page/index.html");
EMBED(style, "train/live/page/style.css");
EMBED(script, "train/live/page/play.js");
EMBED(input, "train/live/page/input.js");
EMBED(sound, "train/live/page/sound.js");
EMBED(ear, "train/live/page/ear.js");
EMBED(icon, "train/live/page/icon.svg");

bool train_live_page_find(const char *path, train_live_page *out) {
#define PAGE(path, type, name)                                                                     \
  { path, type, page_##name, (size_t)(page_##name##_end - page_##name) }
  const train_live_page pages[] = {PAGE("/", "text/html; charset=utf-8", index),
                                   PAGE("/style.css", "text/css; charset=utf-8", style),
                                   PAGE("/play.js", "text/javascript; charset=utf-8", script),
                                   PAGE("/input.js", "text/javascript; charset=utf-8", input),
                                   PAGE("/sound.js", "text/javascript; charset=utf-8", sound),
                                   PAGE("/ear.js", "text/javascript; charset=utf-8", ear),
                                   PAGE("/icon.svg", "image/svg+xml", icon)};
#undef PAGE
  for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
    if (strcmp(pages[i].path, path) != 0) continue;
    *out = pages[i];
    return true;
  }
  return false;
}
