// How a dataset of an HDF5 file holds pictures. Private to data/.
#ifndef DATA_IMPORT_PICTURE_FORM_H
#define DATA_IMPORT_PICTURE_FORM_H

#include <stdbool.h>
#include <stdint.h>

#include "data/shard/h5_dataset.h"

typedef enum {
  DATA_FORM_NONE,
  DATA_FORM_BYTES,     // pixels of 0 to 255
  DATA_FORM_NUMBERS,   // pixels of other integers or floats
  DATA_FORM_ROWS,      // JPEG or PNG, padded to rows of bytes
  DATA_FORM_STRINGS,   // JPEG or PNG as text of fixed length or opaque bytes
  DATA_FORM_SEQUENCES, // JPEG or PNG as bytes of variable length
} data_picture_form_kind;

typedef struct {
  data_picture_form_kind kind;
  int64_t height, width; // of plain pixels
  int channels;          // 1 (grey), 3 or 4 (the fourth is dropped)
  bool planes;           // [channels,height,width] instead of [height,width,channels]
  size_t bytes;          // of a packed picture in rows and strings
} data_picture_form;

// Local. The form of pictures, one a row of the dataset.
data_picture_form data_picture_form_of(const data_h5_dataset *d);
// Local. The form of one picture that is a dataset of its own.
data_picture_form data_picture_form_of_one(const data_h5_dataset *d);
// Local. How likely a dataset is a camera's where nobody has said so: 0 (none), 1 (grey pixels,
// which may be depth or masks), 2 (colours as numbers), 3 (colours or packed pictures).
int data_picture_form_rank(const data_picture_form *f);

#endif
