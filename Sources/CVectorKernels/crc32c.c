// CRC32C (Castagnoli; RFC 3720). Uses the processor's CRC instruction on three streams at once, or lookup tables
// without it.
#include "CVectorKernels.h"
#include <pthread.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

#define POLYNOMIAL 0x82F63B78u  // bit-reversed

// The instruction has a latency of three cycles and a throughput of one per cycle, so three streams of this many bytes
// run in parallel.
#define STREAM 4096

// bytes[k][b]: the CRC of byte b followed by k zero bytes. shift[k][b]: the CRC whose byte k is b and whose other bytes
// are 0, after STREAM more zero bytes.
static uint32_t bytes[8][256], shift[4][256];

static uint32_t append_zero(uint32_t crc) { return bytes[0][crc & 255] ^ crc >> 8; }

static void fill_tables(void) {
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        bytes[0][b] = crc;
    }
    for (uint32_t b = 0; b < 256; b++) {
        for (int k = 1; k < 8; k++) bytes[k][b] = append_zero(bytes[k - 1][b]);
    }
    for (int k = 0; k < 4; k++) {
        // The CRC is linear over XOR: compute the entries with one bit set, and combine the others from them.
        for (uint32_t b = 1; b < 256; b++) {
            uint32_t without_lowest = b & (b - 1), crc = (b ^ without_lowest) << 8 * k;
            if (without_lowest == 0) {
                for (int i = 0; i < STREAM; i++) crc = append_zero(crc);
                shift[k][b] = crc;
            } else {
                shift[k][b] = shift[k][without_lowest] ^ shift[k][b ^ without_lowest];
            }
        }
    }
}

static uint32_t by_tables(uint32_t crc, const uint8_t *data, size_t count) {
    for (; count >= 8; count -= 8, data += 8) {
        uint32_t low, high;
        memcpy(&low, data, 4);
        memcpy(&high, data + 4, 4);
        low ^= crc;
        crc = bytes[7][low & 255] ^ bytes[6][low >> 8 & 255] ^ bytes[5][low >> 16 & 255] ^ bytes[4][low >> 24] ^
              bytes[3][high & 255] ^ bytes[2][high >> 8 & 255] ^ bytes[1][high >> 16 & 255] ^ bytes[0][high >> 24];
    }
    for (; count > 0; count--) crc = bytes[0][(crc ^ *data++) & 255] ^ crc >> 8;
    return crc;
}

#if defined(__x86_64__) || (defined(__aarch64__) && defined(__ARM_FEATURE_CRC32))
#define HAS_INSTRUCTION 1
#if defined(__x86_64__)
#define WITH_INSTRUCTION __attribute__((target("sse4.2")))
#define STEP(crc, word) _mm_crc32_u64(crc, word)
#else
#define WITH_INSTRUCTION
#define STEP(crc, word) __crc32cd((uint32_t)(crc), word)
#endif

static uint64_t word_at(const uint8_t *data) {
    uint64_t word;
    memcpy(&word, data, 8);
    return word;
}

static uint32_t after_stream(uint32_t crc) {
    return shift[0][crc & 255] ^ shift[1][crc >> 8 & 255] ^ shift[2][crc >> 16 & 255] ^ shift[3][crc >> 24];
}

WITH_INSTRUCTION static uint32_t by_instruction(uint32_t crc, const uint8_t *data, size_t count) {
    for (; count >= 3 * STREAM; count -= 3 * STREAM, data += 3 * STREAM) {
        uint64_t a = crc, b = 0, c = 0;
        for (size_t i = 0; i < STREAM; i += 8) {
            a = STEP(a, word_at(data + i));
            b = STEP(b, word_at(data + STREAM + i));
            c = STEP(c, word_at(data + 2 * STREAM + i));
        }
        crc = after_stream(after_stream((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
    }
    uint64_t rest = crc;
    for (; count >= 8; count -= 8, data += 8) rest = STEP(rest, word_at(data));
    return by_tables((uint32_t)rest, data, count);
}
#endif

uint32_t dt_crc32c(uint32_t crc, const void *data, size_t count) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_tables);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~by_instruction(~crc, data, count);
#elif defined(HAS_INSTRUCTION)
    return ~by_instruction(~crc, data, count);
#endif
    return ~by_tables(~crc, data, count);
}

uint32_t dt_crc32c_by_tables(uint32_t crc, const void *data, size_t count) {
    dt_crc32c(0, "", 0);  // fills the tables
    return ~by_tables(~crc, data, count);
}
