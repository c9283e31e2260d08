// Normal numbers by the Box-Muller transform from Philox4x32-10, eight pairs at a time: 10 ns per pair with AVX-512.
// The scalar form, with the C library's logarithm, sine and cosine, takes 55 ns and gives the same bits (see
// NormalNumbers.h).
#include "NormalNumbers.h"
#include <math.h>
#include <string.h>

// Every function with vector parameters is inlined, so their calling convention does not matter.
#pragma clang diagnostic ignored "-Wpsabi"

#define LANES 8
typedef double vd __attribute__((vector_size(LANES * 8)));
typedef int64_t vl __attribute__((vector_size(LANES * 8)));
typedef uint64_t vu __attribute__((vector_size(LANES * 8)));
typedef float vf8 __attribute__((vector_size(LANES * 4)));
#define INLINE static inline __attribute__((always_inline, unused))

INLINE vd choose_if(vl mask, vd yes, vd no) { return (vd)(((vl)yes & mask) | ((vl)no & ~mask)); }

// Converts integers below 2^53 to double: two 32-bit halves, each placed in the mantissa of a power of two.
INLINE vd integer_to_double(vu x) {
    vd low = (vd)((x & 0xFFFFFFFFu) | 0x4330000000000000u) - 0x1p52;
    vd high = (vd)((x >> 32) | 0x4530000000000000u) - 0x1p84;
    return high + low;
}

// The logarithm of x in (0, 1], following fdlibm's e_log.c: x = 2^k (1 + f); log(1 + f) is computed from s = f / (2 +
// f).
INLINE vd logarithm(vd x) {
    vl bits = (vl)x;
    // This offset makes 1 + f lie in [sqrt(1/2), sqrt(2)).
    vl shifted = bits - 0x3FE6A09E667F3BCDll;
    vl exponent = shifted >> 52;
    vd f = (vd)(bits - (exponent << 52)) - 1.0;
    // Adding 1.5 * 2^52 puts a small integer into the low bits of the mantissa.
    vd k = (vd)(exponent + 0x4338000000000000ll) - 0x1.8p52;
    vd s = f / (2.0 + f);
    vd z = s * s, w = z * z;
    vd even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
    vd odd = z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01 +
                  w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
    vd half = 0.5 * f * f;
    return k * 6.93147180369123816490e-01 -
           ((half - (s * (half + even + odd) + k * 1.90821492927058770002e-10)) - f);
}

// Sine and cosine of an angle in [0, 2π], following fdlibm's k_sin.c and k_cos.c, with π/2 split into three parts.
INLINE void sine_cosine(vd angle, vd *sine, vd *cosine) {
    vd shifted = angle * 6.36619772367581382433e-01 + 0x1.8p52;
    vl quadrant = (vl)shifted;
    vd n = shifted - 0x1.8p52;
    // The first two parts have 33 bits, so their products with n are exact.
    vd r = ((angle - n * 1.57079632673412561417e+00) - n * 6.07710050630396597660e-11) - n * 2.02226624879595063154e-21;
    vd z = r * r;
    vd s = r + z * r * (-1.66666666666666324348e-01 + z * (8.33333333332248946124e-03 +
               z * (-1.98412698298579493134e-04 + z * (2.75573137070700676789e-06 +
               z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)))));
    vd polynomial = z * z * (4.16666666666666019037e-02 + z * (-1.38888888888741095749e-03 +
                        z * (2.48015872894767294178e-05 + z * (-2.75573143513906633035e-07 +
                        z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)))));
    vd half = 0.5 * z, rest = 1.0 - half;
    vd c = rest + (((1.0 - rest) - half) + polynomial);
    vl swap = -(quadrant & 1);
    vl sine_sign = (quadrant & 2) << 62;
    vl cosine_sign = ((quadrant + 1) & 2) << 62;
    *sine = (vd)((vl)choose_if(swap, c, s) ^ sine_sign);
    *cosine = (vd)((vl)choose_if(swap, s, c) ^ cosine_sign);
}

/// Whether a double lies within 256 units in its last place of the midpoint between two floats.
INLINE vl is_near_tie(vd x) {
    // Rounding to float drops 29 bits; at the midpoint only the highest of them is set.
    vl dropped = (vl)x & 0x1FFFFFFF;
    vl distance = dropped - 0x10000000;
    return (distance < 256) & (distance > -256);
}

INLINE void philox(vu words[4], vu counter, const uint32_t key[2], const uint32_t high[3]) {
    vu c0 = counter, c1 = high[0] - (vu){0}, c2 = high[1] - (vu){0}, c3 = high[2] - (vu){0};
    uint32_t key0 = key[0], key1 = key[1];
    for (int round = 0; round < 10; round++) {
        vu first = c0 * 0xD2511F53u, second = c2 * 0xCD9E8D57u;
        c0 = (second >> 32) ^ c1 ^ key0;
        c1 = second & 0xFFFFFFFFu;
        c2 = (first >> 32) ^ c3 ^ key1;
        c3 = first & 0xFFFFFFFFu;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    words[0] = c0, words[1] = c1, words[2] = c2, words[3] = c3;
}

/// CounterRandom.normalPair times `deviation`, computed with the C library.
static void scalar_pair(float *pair, const vu words[4], int lane, double deviation) {
    double first = ((double)((words[0][lane] << 32 | words[1][lane]) >> 11) + 1) * 0x1p-53;
    double second = (double)((words[2][lane] << 32 | words[3][lane]) >> 11) * 0x1p-53;
    double radius = sqrt(-2 * log(first));
    double angle = 2 * M_PI * second;
    pair[0] = (float)(radius * cos(angle) * deviation);
    pair[1] = (float)(radius * sin(angle) * deviation);
}

INLINE vd square_root(vd x) {
    vd root;
    for (int lane = 0; lane < LANES; lane++) root[lane] = __builtin_sqrt(x[lane]);
    return root;
}

INLINE void normal_pairs(float *values, size_t pairs, uint32_t first_pair, const uint32_t key[2],
                         const uint32_t high[3], double deviation) {
    static const vu lanes = {0, 1, 2, 3, 4, 5, 6, 7};
    for (size_t done = 0; done < pairs; done += LANES) {
        vu words[4];
        philox(words, (lanes + first_pair + done) & 0xFFFFFFFFu, key, high);
        vd first = (integer_to_double((words[0] << 32 | words[1]) >> 11) + 1.0) * 0x1p-53;
        vd second = integer_to_double((words[2] << 32 | words[3]) >> 11) * 0x1p-53;
        vd radius = square_root(-2.0 * logarithm(first));
        vd sine, cosine;
        sine_cosine(2 * M_PI * second, &sine, &cosine);
        vd x = radius * cosine * deviation, y = radius * sine * deviation;
        float pair[2 * LANES];
        vf8 x_float = __builtin_convertvector(x, vf8), y_float = __builtin_convertvector(y, vf8);
        for (int lane = 0; lane < LANES; lane++) pair[2 * lane] = x_float[lane], pair[2 * lane + 1] = y_float[lane];
        vl near_tie = is_near_tie(x) | is_near_tie(y);
        int64_t any = 0;
        for (int lane = 0; lane < LANES; lane++) any |= near_tie[lane];
        if (any) {
            for (int lane = 0; lane < LANES; lane++) {
                if (near_tie[lane]) scalar_pair(pair + 2 * lane, words, lane, deviation);
            }
        }
        size_t count = pairs - done < LANES ? pairs - done : LANES;
        memcpy(values + 2 * done, pair, count * 2 * sizeof(float));
    }
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")))
static void normal_pairs_avx512(float *values, size_t pairs, uint32_t first, const uint32_t key[2],
                                const uint32_t high[3], double deviation) {
    normal_pairs(values, pairs, first, key, high, deviation);
}
__attribute__((target("avx2,fma")))
static void normal_pairs_avx2(float *values, size_t pairs, uint32_t first, const uint32_t key[2],
                              const uint32_t high[3], double deviation) {
    normal_pairs(values, pairs, first, key, high, deviation);
}
#endif

void dt_normal_pairs(const char *isa, float *values, size_t pairs, uint32_t first, const uint32_t key[2],
                     const uint32_t high[3], double deviation) {
#if defined(__x86_64__)
    if (strcmp(isa, "avx512") == 0) {
        normal_pairs_avx512(values, pairs, first, key, high, deviation);
        return;
    }
    if (strcmp(isa, "avx2") == 0) {
        normal_pairs_avx2(values, pairs, first, key, high, deviation);
        return;
    }
#else
    (void)isa;
#endif
    normal_pairs(values, pairs, first, key, high, deviation);
}
