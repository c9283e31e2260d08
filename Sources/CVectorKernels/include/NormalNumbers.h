// Normally distributed numbers for the initial parameters, many at a time.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// values[2 i] and values[2 i + 1] become the pair `first + i` of CounterRandom.normalPair times `deviation`, rounded to
/// single precision: the same bits as its scalar form by the C library, on every instruction set.
///
/// The vector functions are within a few units in the last place of double precision; where a number lies so close to the
/// middle of two floats that this could decide, it is computed again by the C library (about once in a million numbers).
///
/// isa: avx512, avx2 (which the processor must have), else the plain form. key, high: the seed and the upper counter words of the generator.
void dt_normal_pairs(const char *isa, float *values, size_t pairs, uint32_t first, const uint32_t key[2],
                     const uint32_t high[3], double deviation);

#ifdef __cplusplus
}
#endif
