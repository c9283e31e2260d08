#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi2,f16c"))), apply_to = function)
#define DT_ISA "avx2"
#define DT_TABLE dt_kernels_avx2
#define VECTOR_WIDTH 8
#include "vector_kernels.inc"
#pragma clang attribute pop
#endif
