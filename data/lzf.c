#include "data/lzf.h"

#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

#include "data/h5.h"

#define LZF_FILTER 32000

// A stream of runs. A first byte below 32 announces that many literal bytes plus one. Else its
// upper 3 bits + 2 (7 means: one more byte adds to it) are the length of a copy and its lower 5
// bits with the next byte are the distance behind the write position, less one. Copies may overlap
// themselves.
size_t data_lzf_unpack(const unsigned char *in, size_t bytes, unsigned char *out, size_t room) {
  size_t i = 0, o = 0;
  while (i < bytes) {
    size_t control = in[i++];
    if (control < 32) {
      size_t n = control + 1;
      if (n > bytes - i || n > room - o) return 0;
      memcpy(out + o, in + i, n);
      i += n;
      o += n;
      continue;
    }
    size_t n = control >> 5;
    if (n == 7) {
      if (i == bytes) return 0;
      n += in[i++];
    }
    n += 2;
    if (i == bytes) return 0;
    size_t distance = ((control & 31) << 8) + in[i++] + 1;
    if (distance > o || n > room - o) return 0;
    for (; n > 0; n--, o++) out[o] = out[o - distance];
  }
  return o;
}

// values[2] is the size of an unpacked chunk; h5py always stores it. HDF5 owns *buffer and frees
// it with its own allocator, which is malloc's.
static size_t filter(unsigned flags, size_t count, const unsigned values[], size_t bytes,
                     size_t *buffer_bytes, void **buffer) {
  if (!(flags & H5Z_FLAG_REVERSE) || count < 3 || values[2] == 0) return 0;
  size_t room = values[2];
  unsigned char *out = H5allocate_memory(room, false);
  size_t n = out ? data_lzf_unpack(*buffer, bytes, out, room) : 0;
  if (n == 0) {
    H5free_memory(out);
    return 0;
  }
  H5free_memory(*buffer);
  *buffer = out;
  *buffer_bytes = room;
  return n;
}

orr_code data_lzf_register(void) {
  static const H5Z_class2_t class = {
      .version = H5Z_CLASS_T_VERS,
      .id = LZF_FILTER,
      .encoder_present = 0,
      .decoder_present = 1,
      .name = "lzf",
      .filter = filter,
  };
  orr_code rc = ORR_OK;
  if (H5Zfilter_avail(LZF_FILTER) > 0) return ORR_OK;
  H5_CHECK_GOTO(H5Zregister(&class) >= 0, done, ORR_EFORMAT,
                "HDF5 %u.%u refuses the lzf filter; wanted 1.10 or newer", H5_VERS_MAJOR,
                H5_VERS_MINOR);
done:
  return rc;
}
