#include "data/import/formats.h"

#include <stdio.h>

const data_import_format *data_import_format_at(int i) {
  static const data_import_format *const formats[] = {
#define FORMAT_ADDRESS(name, words) &data_import_##name,
      DATA_IMPORT_FORMATS(FORMAT_ADDRESS)
#undef FORMAT_ADDRESS
  };
  const int n = sizeof formats / sizeof *formats;
  return i >= 0 && i < n ? formats[i] : NULL;
}

const char *data_import_format_name(int i) {
  const data_import_format *f = data_import_format_at(i);
  return f ? f->name : NULL;
}
