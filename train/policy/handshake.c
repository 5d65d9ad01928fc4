// SHA-1 (FIPS 180-4) as the handshake wants it: a check that the server understood, no secret.
#include "train/policy/handshake.h"

#include <stdint.h>
#include <string.h>

enum { KEY_CHARS = 24, GUID_CHARS = 36, DIGEST = 20 };

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static uint32_t rotated(uint32_t x, int by) {
  return x << by | x >> (32 - by);
}

static void digest_block(const uint8_t *block, uint32_t h[5]) {
  uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
           (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
  for (int i = 16; i < 80; i++) w[i] = rotated(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  for (int i = 0; i < 80; i++) {
    const uint32_t f = i < 20   ? (b & c) | (~b & d)
                       : i < 40 ? b ^ c ^ d
                       : i < 60 ? (b & c) | (b & d) | (c & d)
                                : b ^ c ^ d;
    static const uint32_t k[4] = {0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6};
    const uint32_t t = rotated(a, 5) + f + e + k[i / 20] + w[i];
    e = d, d = c, c = rotated(b, 30), b = a, a = t;
  }
  h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

// Of a text of less than 120 bytes.
static void digest(const uint8_t *text, size_t size, uint8_t out[DIGEST]) {
  uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  uint8_t padded[128] = {0};
  const size_t blocks = size + 9 > 64 ? 2 : 1;
  memcpy(padded, text, size);
  padded[size] = 0x80;
  padded[64 * blocks - 2] = (uint8_t)(size * 8 >> 8);
  padded[64 * blocks - 1] = (uint8_t)(size * 8);
  for (size_t i = 0; i < blocks; i++) digest_block(padded + 64 * i, h);
  for (int i = 0; i < DIGEST; i++) out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

orr_code train_handshake_accept(const char *key, char accept[29]) {
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  ORR_CHECK(strlen(key) == KEY_CHARS && strspn(key, base64) == KEY_CHARS - 2 &&
                strcmp(key + KEY_CHARS - 2, "==") == 0,
            ORR_EFORMAT, "Sec-WebSocket-Key: wanted 16 bytes in base64");
  uint8_t text[KEY_CHARS + GUID_CHARS], sum[DIGEST + 1] = {0};
  memcpy(text, key, KEY_CHARS);
  memcpy(text + KEY_CHARS, guid, GUID_CHARS);
  digest(text, sizeof text, sum);
  for (int i = 0; i < 7; i++) {
    const uint32_t v = (uint32_t)sum[3 * i] << 16 | (uint32_t)sum[3 * i + 1] << 8 | sum[3 * i + 2];
    for (int j = 0; j < 4; j++) accept[4 * i + j] = base64[v >> (18 - 6 * j) & 63];
  }
  accept[27] = '=';
  accept[28] = '\0';
  return ORR_OK;
}
