#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2,f16c"))), apply_to = function)
#define DT_ISA "avx512"
#define DT_TABLE dt_kernels_avx512
#define VECTOR_WIDTH 16
#include "vector_kernels.inc"
#pragma clang attribute pop
#endif
