// The LZF filter (number 32000) that h5py ships, for reading. The format: M. Lehmann's LibLZF.
// Private to data/; HDF5's lock held.
#ifndef DATA_LZF_H
#define DATA_LZF_H

#include <stddef.h>

#include "base/status.h"

// Makes the filter known to HDF5 unless it is. ORR_EFORMAT when HDF5 refuses.
orr_code data_lzf_register(void);

// Unpacks `bytes` of `in` into at most `room` bytes of `out`. Returns the bytes unpacked, 0 when
// the input is damaged or does not fit.
size_t data_lzf_unpack(const unsigned char *in, size_t bytes, unsigned char *out, size_t room);

#endif
