#include "data/shard/lzf.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "data/shard/h5.h"

#define COPY_MIN     3
#define COPY_MAX     264
#define DISTANCE_MAX 8192
#define LITERALS_MAX 32
#define HASH_BITS    13

// A stream of runs. A first byte below 32 announces that many literal bytes plus one. Else its
// upper 3 bits + 2 (7 means: one more byte adds to it) are the length of a copy and its lower 5
// bits with the next byte are the distance back from the write position, less one. Copies may
// overlap themselves.
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
    const unsigned char *from = out + o - distance;
    if (distance >= n) {
      memcpy(out + o, from, n);
    } else {
      for (size_t k = 0; k < n; k++) out[o + k] = from[k];
    }
    o += n;
  }
  return o;
}

// Where three equal bytes may have been seen last: the table is a guess that the caller checks.
static uint32_t slot_of(const unsigned char *p) {
  uint32_t three = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
  return three * UINT32_C(2654435761) >> (32 - HASH_BITS);
}

// Writes literals in[from,to) after out[o]; 0 when they do not fit.
static size_t put_literals(const unsigned char *in, size_t from, size_t to, unsigned char *out,
                           size_t o, size_t room) {
  while (from < to) {
    size_t n = to - from < LITERALS_MAX ? to - from : LITERALS_MAX;
    if (n + 1 > room - o) return 0;
    out[o++] = (unsigned char)(n - 1);
    memcpy(out + o, in + from, n);
    o += n;
    from += n;
  }
  return o;
}

static size_t put_copy(size_t n, size_t distance, unsigned char *out, size_t o, size_t room) {
  if (room - o < 3) return 0;
  size_t length = n - 2, high = (distance - 1) >> 8;
  out[o++] = (unsigned char)((length < 7 ? length : 7) << 5 | high);
  if (length >= 7) out[o++] = (unsigned char)(length - 7);
  out[o++] = (unsigned char)(distance - 1);
  return o;
}

size_t data_lzf_pack(const unsigned char *in, size_t bytes, unsigned char *out, size_t room) {
  uint32_t last[1 << HASH_BITS] = {0}; // position + 1
  size_t i = 0, o = 0, literal = 0;    // in[literal,i) are not written yet
  if (bytes > UINT32_MAX - 1) return 0;
  while (i + COPY_MIN <= bytes) {
    uint32_t slot = slot_of(in + i);
    size_t from = last[slot], n = 0, most = bytes - i < COPY_MAX ? bytes - i : COPY_MAX;
    last[slot] = (uint32_t)i + 1;
    if (from-- > 0 && i - from <= DISTANCE_MAX) {
      while (n < most && in[from + n] == in[i + n]) n++;
    }
    if (n < COPY_MIN) {
      i++;
      continue;
    }
    if (i > literal && (o = put_literals(in, literal, i, out, o, room)) == 0) return 0;
    if ((o = put_copy(n, i - from, out, o, room)) == 0) return 0;
    i += n;
    literal = i;
  }
  return literal < bytes ? put_literals(in, literal, bytes, out, o, room) : o;
}

// values[2] is the size of an unpacked chunk; h5py always stores it. HDF5 owns *buffer and frees
// it with its own allocator, which is malloc's. 0: a chunk that packing does not shorten is stored
// as it is, and one that cannot be unpacked is an error.
static size_t filter(unsigned flags, size_t count, const unsigned values[], size_t bytes,
                     size_t *buffer_bytes, void **buffer) {
  bool reverse = (flags & H5Z_FLAG_REVERSE) != 0;
  if (bytes == 0 || (reverse && (count < 3 || values[2] == 0))) return 0;
  size_t room = reverse ? values[2] : bytes - 1, n = 0;
  unsigned char *out = H5allocate_memory(room, false);
  if (out) {
    n = reverse ? data_lzf_unpack(*buffer, bytes, out, room)
                : data_lzf_pack(*buffer, bytes, out, room);
  }
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
      .id = DATA_LZF_FILTER,
      .encoder_present = 1,
      .decoder_present = 1,
      .name = "lzf",
      .filter = filter,
  };
  orr_code rc = ORR_OK;
  if (H5Zfilter_avail(DATA_LZF_FILTER) > 0) return ORR_OK;
  H5_CHECK_GOTO(H5Zregister(&class) >= 0, done, ORR_EFORMAT,
                "HDF5 %u.%u refuses the lzf filter; wanted 1.10 or newer", H5_VERS_MAJOR,
                H5_VERS_MINOR);
done:
  return rc;
}
