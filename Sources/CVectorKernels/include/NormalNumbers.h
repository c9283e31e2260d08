// Normally distributed random numbers for parameter initialization, computed eight pairs at a time.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Writes pair `first + i` of CounterRandom.normalPair, times `deviation` and rounded to float, to elements 2 i and 2 i
/// + 1 of `values`, for i in 0 ..< pairs. The bits equal those of the scalar form with the C library on every
/// instruction set.
///
/// The vector functions are accurate to a few units in the last place of double precision. Where a number lies so close
/// to the midpoint of two floats that this error could change the rounding, the C library computes it again (about once
/// in a million numbers).
///
/// isa: avx512 or avx2, which the processor must support; any other name selects the plain form. key: the seed. high:
/// the upper counter words of the generator.
void dt_normal_pairs(const char *isa, float *values, size_t pairs, uint32_t first, const uint32_t key[2],
                     const uint32_t high[3], double deviation);

#ifdef __cplusplus
}
#endif
