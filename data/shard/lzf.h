// The LZF filter that h5py ships. The format: M. Lehmann's LibLZF. Private to data/.
#ifndef DATA_LZF_H
#define DATA_LZF_H

#include <stddef.h>

#include "base/status.h"

#define DATA_LZF_FILTER 32000 // its number in HDF5's registry

// Makes the filter known to HDF5 unless it is. ORR_EFORMAT when HDF5 refuses. HDF5's lock held.
orr_code data_lzf_register(void);

// Packs `bytes` of `in` into at most `room` bytes of `out`. Returns the bytes used, 0 when they do
// not fit: then they are better kept as they are.
size_t data_lzf_pack(const unsigned char *in, size_t bytes, unsigned char *out, size_t room);
// Unpacks `bytes` of `in` into at most `room` bytes of `out`. Returns the bytes unpacked, 0 when
// the input is damaged or does not fit.
size_t data_lzf_unpack(const unsigned char *in, size_t bytes, unsigned char *out, size_t room);

#endif
