// The looks lie in files of their own, train/report/page/. The assembler takes them in (.incbin);
// train/train.cmake says that this file depends on them. Colours are named by role and exist twice,
// for light and for dark. The series colours stay apart for colour-blind readers.
#include "train/report/style.h"

#define EMBED(name, file)                                                                          \
  __asm__(".section .rodata\n.global train_report_" #name "\ntrain_report_" #name ":\n.incbin "    \
          "\"train/report/page/" file "\"\n.byte 0\n.previous\n")

EMBED(css, "report.css");
EMBED(js, "report.js");
EMBED(mark, "mark.svg");
