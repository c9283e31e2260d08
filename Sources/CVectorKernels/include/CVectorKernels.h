// The vector kernels of the trainer. They keep no state, allocate no memory and do no I/O. Only profile.c, which
// records the time of each kernel, keeps state.
//
// vector_kernels.inc is compiled once per instruction set. dt_kernels_get() returns the table for this processor. The
// environment variable DDP_TRAIN_ISA (avx512, avx2, neon or plain) selects another table, so that a test can force one.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "NormalNumbers.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Dropout with counter-based random numbers. Element e of row r of sequence s is kept if a 16-bit half of a word of
/// Philox(key; site, step, s, r, e) is at least `threshold`. The backward pass computes the mask again, so masks are
/// never stored.
typedef struct {
    uint32_t key0, key1;  ///< the seed
    uint32_t item;        ///< index of the first sequence within the step
    uint32_t step;
    uint32_t site;        ///< site << 8 | stream, as in CounterRandom
    uint32_t threshold;   ///< drop probability times 65536
    float scale;          ///< 65536 / (65536 - threshold)
} dt_dropout;

/// One table of kernels. Arrays are row-major.
/// - Shapes: an array has `rows` contiguous rows of `n` floats, unless the kernel takes a leading dimension.
/// - `first`, `last`: the kernel handles columns first ..< last only, so that several workers can share a sum over rows
///   without writing the same output.
/// - A NULL bias, residual or dropout means none.
typedef struct {
    const char *isa;

    // LayerNorm: y = (x - mean) * rstd * weight + bias, rstd = 1 / sqrt(variance + epsilon).
    void (*layer_norm_forward)(float *y, float *mean, float *rstd, const float *x, const float *weight, const float *bias,
                               size_t rows, size_t n, float epsilon);
    /// dx = residual + (gradient through the normalization of x)
    void (*layer_norm_backward)(float *dx, const float *residual, const float *dy, const float *x, const float *weight,
                                const float *mean, const float *rstd, size_t rows, size_t n);
    /// dweight += sum over rows of dy * (x - mean) * rstd; dbias += sum over rows of dy
    void (*layer_norm_parameters)(float *dweight, float *dbias, const float *dy, const float *x, const float *mean,
                                  const float *rstd, size_t rows, size_t n, size_t first, size_t last);
    /// RMSNorm: the same as LayerNorm without subtracting the mean; 0 is written as the mean. layer_norm_parameters
    /// computes its parameter gradients too.
    void (*rms_norm_forward)(float *y, float *mean, float *rstd, const float *x, const float *weight, const float *bias,
                             size_t rows, size_t n, float epsilon);
    void (*rms_norm_backward)(float *dx, const float *residual, const float *dy, const float *x, const float *weight,
                              const float *mean, const float *rstd, size_t rows, size_t n);

    // Activations. Forward: y = f(x). Backward: dx holds dy on entry and dy * f'(x) on return; y = f(x) is computed
    // again.
    // Maximum errors over all finite floats, measured on every 17th float (KernelAccuracyTests asserts slightly larger
    // limits):
    //                          f / max(1, |x|)   f relative               f'
    //   gelu                   1.03e-7           7.6e-7 for x > -5.5      2.0e-7
    //   gelu_tanh              1.5e-7            1.2e-5 for x > -9        2.0e-7, |x| < 1.8e19
    // Below these x only the absolute error is small: gelu's is 1.2e-9, where f is below 1.1e-7. gelu_tanh's relative
    // error comes from rounding the argument of exp, which reaches 87. NaN stays NaN and f(inf) = inf. As in PyTorch,
    // f(-inf) is NaN for gelu and gelu_tanh, and gelu_tanh's f' is NaN beyond 1.8e19.
    void (*gelu_forward)(float *y, const float *x, size_t count);
    void (*gelu_backward)(float *dx, float *y, const float *x, size_t count);
    void (*gelu_tanh_forward)(float *y, const float *x, size_t count);
    void (*gelu_tanh_backward)(float *dx, float *y, const float *x, size_t count);
    void (*relu_forward)(float *y, const float *x, size_t count);
    void (*relu_backward)(float *dx, float *y, const float *x, size_t count);
    void (*relu_squared_forward)(float *y, const float *x, size_t count);
    void (*relu_squared_backward)(float *dx, float *y, const float *x, size_t count);
    void (*silu_forward)(float *y, const float *x, size_t count);
    void (*silu_backward)(float *dx, float *y, const float *x, size_t count);

    // Row operations. Row r is token (row + r) % tokens of sequence item + (row + r) / tokens.
    void (*add_bias)(float *y, const float *bias, size_t rows, size_t n);
    void (*column_sums)(float *sums, const float *x, size_t rows, size_t n, size_t first, size_t last);
    /// y = residual + dropout(x + bias)
    void (*residual_forward)(float *y, const float *residual, const float *x, const float *bias, size_t rows, size_t n,
                             const dt_dropout *dropout, size_t row, size_t tokens);
    /// y = dropout(x); y and x may be the same array
    void (*dropout_rows)(float *y, const float *x, size_t rows, size_t n, const dt_dropout *dropout, size_t row,
                         size_t tokens);

    // Attention for a block of query rows of one head. Row r attends to the first `visible + r` of the n key columns.
    /// Turns scores (rows, n) into probabilities. Columns that a row does not attend to become 0. lse[r] = log of the
    /// sum of the exponentials of row r. The dropout mask of row r is that of row `row + r` of sequence item, whose
    /// rows have `tokens` elements.
    void (*causal_softmax)(float *scores, float *lse, size_t rows, size_t visible, size_t n, size_t leading,
                           const dt_dropout *dropout, size_t row, size_t tokens);
    /// Computes the same probabilities again, from scores and lse, without dropout.
    void (*causal_probabilities)(float *scores, const float *lse, size_t rows, size_t visible, size_t n, size_t leading);
    /// On entry dp is the gradient of the probabilities after dropout. On return dp is the gradient of the unscaled
    /// scores and p holds the probabilities after dropout. delta[r] = sum over the head's columns of output times the
    /// output's gradient.
    void (*causal_softmax_backward)(float *dp, float *p, const float *delta, float scale, size_t rows, size_t visible,
                                    size_t n, size_t leading, const dt_dropout *dropout, size_t row, size_t tokens);
    /// out[r] = dot product of row r of a and row r of b
    void (*dot_rows)(float *out, const float *a, size_t lead_a, const float *b, size_t lead_b, size_t rows, size_t n);

    // Cross-entropy over a tile of vocabulary columns.
    /// maximum[r] = maximum of the logits x in the tile's columns; sum[r] = sum of exp(x - maximum[r]) over these
    /// columns
    void (*softmax_statistics)(float *maximum, float *sum, const float *logits, size_t rows, size_t n, size_t leading);
    /// gradient = (softmax - one_hot(target)) * scale, for columns first_column ..< first_column + n
    void (*cross_entropy_backward)(float *gradient, size_t lead, const float *logits, const float *lse, const int32_t *targets,
                                   float scale, size_t rows, size_t n, size_t leading, size_t first_column);
    /// Cross-entropy of whole rows: loss[r] = lse - logits[target]. The logits become their gradient unless scale is 0.
    void (*cross_entropy)(float *loss, float *logits, const int32_t *targets, float scale, size_t rows, size_t n);

    /// y[i] = exp(x[i]). The relative error is at most 9.1e-8 for -87.33 <= x <= 88.37. The result is 0 below this
    /// range and exp(88.37) = 2.4e38 above it. NaN stays NaN.
    void (*exponential)(float *y, const float *x, size_t count);

    // Operations whose results replicas must agree on. Every instruction set gives the same bits: no contraction to
    // fused multiply-add, always 16 lanes.
    /// AdamW (Loshchilov and Hutter, 2019) in PyTorch's order: p *= 1 - lr * decay, then the bias-corrected Adam step.
    /// gradient_scale multiplies each gradient first (gradient clipping). bias1 is 1 - beta1^step and bias2 is 1 -
    /// beta2^step.
    void (*adamw)(float *p, const float *g, float *m, float *v, size_t count, float lr, float beta1, float beta2, float eps,
                  float decay, float bias1, float bias2, float gradient_scale);
    /// y[i] += x[i]
    void (*add)(float *y, const float *x, size_t count);
    /// Sum of squares in double precision.
    double (*sum_squares)(const float *x, size_t count);

    // Matrix products. Each element of c is one sum over the depth, in order. Its bits depend only on its row of a, its
    // column of b and the (packed) depth, not on what else the same call computes.
    /// c (m, n) = scale * op(a) op(b) + keep * c. `lead` is the distance between rows in floats. `scratch` holds
    /// product_scratch floats, 64-byte aligned, that no other thread uses during the call.
    void (*matrix_product)(const float *a, size_t lead_a, bool transposed_a, const float *b, size_t lead_b, bool transposed_b,
                           float *c, size_t lead_c, size_t m, size_t n, size_t depth, float scale, float keep, float *scratch);
    size_t product_scratch;
    /// Columns of b per panel. A packed b (depth, columns) takes depth * (columns rounded up to whole panels) floats.
    size_t panel_columns;
    /// Packs panels first ..< last of op(b), (depth, columns). Any number of products can then use the result. `packed`
    /// points to the memory for all panels.
    void (*pack_panels)(float *packed, const float *b, size_t lead, bool transposed, size_t depth, size_t columns,
                        size_t first, size_t last);
    /// The same product with a packed b. It uses the first `depth` rows and the first n columns of b.
    void (*packed_product)(const float *a, size_t lead_a, const float *packed, size_t packed_depth, size_t packed_columns,
                           float *c, size_t lead_c, size_t m, size_t n, size_t depth, float scale, float keep);

    // Generation: products of a few rows x (rows, k), whose cost is reading the weights. The bits of a row do not
    // depend on the number of rows, nor on how workers share the columns.
    /// y (rows, n) = x w + bias; w (k, n)
    void (*few_rows_product)(float *y, size_t lead_y, const float *x, size_t lead_x, const float *w, size_t lead_w,
                             const float *bias, size_t rows, size_t k, size_t n);
    /// y (rows, n) = scale * x wᵀ; w (n, k)
    void (*few_rows_dots)(float *y, size_t lead_y, const float *x, size_t lead_x, const float *w, size_t lead_w, float scale,
                          size_t rows, size_t k, size_t n);
} dt_kernels;

/// Returns the table for this processor, or the one that DDP_TRAIN_ISA names. Returns NULL if that name is unknown or
/// this processor does not support it.
const dt_kernels *dt_kernels_get(void);

/// Returns the table of the named instruction set, or NULL if this build or processor does not have it.
const dt_kernels *dt_kernels_named(const char *isa);

/// Makes this thread treat denormal numbers as zero, because an operation on them takes a hundred times as long.
/// Returns the old mode.
uint64_t dt_flush_denormals(void);
void dt_restore_denormals(uint64_t mode);

/// Continues a CRC32C (RFC 3720): returns the checksum of the bytes that `crc` covers followed by these `count` bytes.
/// Start with crc = 0.
uint32_t dt_crc32c(uint32_t crc, const void *data, size_t count);

/// dt_crc32c without the processor's CRC instruction, for tests.
uint32_t dt_crc32c_by_tables(uint32_t crc, const void *data, size_t count);

/// Pauses briefly inside a spin loop.
void dt_pause(void);

#ifdef __cplusplus
}
#endif

#include "dt_profile.h"
