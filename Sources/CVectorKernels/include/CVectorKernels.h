// The vector loops of the trainer: no state, no allocation, no input or output (profile.c, which records them, apart).
//
// One source (vector_kernels.inc) is compiled for each instruction set; dt_kernels_get() returns the table for this processor,
// or for the one named by the environment variable DDP_TRAIN_ISA (avx512, avx2, neon, plain) so that a test can force it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "NormalNumbers.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Dropout by counter. Element e of row r of sequence s is kept when 16 bits of Philox(key; site, step, s, r, e) reach the
/// threshold, so masks are made anew in the backward pass and never stored.
typedef struct {
    uint32_t key0, key1;  ///< the seed
    uint32_t item;        ///< number of the first sequence within the step
    uint32_t step;
    uint32_t site;        ///< site << 8 | stream, as in CounterRandom
    uint32_t threshold;   ///< drop probability times 65536
    float scale;          ///< 65536 / (65536 - threshold)
} dt_dropout;

/// Shapes: `rows` contiguous rows of `n` floats unless a leading dimension is given. `first`, `last`: a slice of columns,
/// so that workers can share a sum over rows without sharing an output. A NULL bias, residual or dropout is absent.
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
    /// RMSNorm: the same two without the mean, for which 0 is written. layer_norm_parameters then serves for it too.
    void (*rms_norm_forward)(float *y, float *mean, float *rstd, const float *x, const float *weight, const float *bias,
                             size_t rows, size_t n, float epsilon);
    void (*rms_norm_backward)(float *dx, const float *residual, const float *dy, const float *x, const float *weight,
                              const float *mean, const float *rstd, size_t rows, size_t n);

    // Activations. Forward: y = f(x). Backward: dx holds dy on entry and dy * f'(x) on return; y = f(x) is made again.
    // Largest errors over all finite floats, measured on every 17th (KernelAccuracyTests asserts a little more):
    //                          f / max(1, |x|)   f relative               f'
    //   gelu                   1.03e-7           7.6e-7 for x > -5.5      2.0e-7
    //   gelu_tanh              1.5e-7            1.2e-5 for x > -9        2.0e-7, |x| < 1.8e19
    // Below those x only the absolute error is small: gelu's is 1.2e-9, where f itself is below 1.1e-7; gelu_tanh rounds the argument
    // of exp, up to 87. NaN stays NaN, f(inf) = inf; as in PyTorch, f(-inf) of gelu and gelu_tanh's f' beyond 1.8e19 are NaN.
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

    // Rows. Row r here is token (row + r) % tokens of sequence item + (row + r) / tokens.
    void (*add_bias)(float *y, const float *bias, size_t rows, size_t n);
    void (*column_sums)(float *sums, const float *x, size_t rows, size_t n, size_t first, size_t last);
    /// y = residual + dropout(x + bias)
    void (*residual_forward)(float *y, const float *residual, const float *x, const float *bias, size_t rows, size_t n,
                             const dt_dropout *dropout, size_t row, size_t tokens);
    /// y = dropout(x); y may be x
    void (*dropout_rows)(float *y, const float *x, size_t rows, size_t n, const dt_dropout *dropout, size_t row,
                         size_t tokens);

    // Attention, for a block of query rows of one head; row r sees the first `visible + r` of n key columns.
    /// scores (rows, n) to probabilities; lse[r] = log of the sum of exponentials. Columns not seen become 0.
    /// Dropout is row `row + r` of sequence item, in rows of `tokens` elements.
    void (*causal_softmax)(float *scores, float *lse, size_t rows, size_t visible, size_t n, size_t leading,
                           const dt_dropout *dropout, size_t row, size_t tokens);
    /// The same probabilities again, from scores and lse, without dropout.
    void (*causal_probabilities)(float *scores, const float *lse, size_t rows, size_t visible, size_t n, size_t leading);
    /// dp (gradient of the dropped probabilities) becomes the gradient of the unscaled scores, p becomes the dropped
    /// probabilities. delta[r] = sum over the head of output times its gradient.
    void (*causal_softmax_backward)(float *dp, float *p, const float *delta, float scale, size_t rows, size_t visible,
                                    size_t n, size_t leading, const dt_dropout *dropout, size_t row, size_t tokens);
    /// out[r] = dot product of rows of a and b
    void (*dot_rows)(float *out, const float *a, size_t lead_a, const float *b, size_t lead_b, size_t rows, size_t n);

    // Cross-entropy over a tile of vocabulary columns.
    /// maximum[r] and sum[r] = sum of exp(x - maximum) over the tile's columns
    void (*softmax_statistics)(float *maximum, float *sum, const float *logits, size_t rows, size_t n, size_t leading);
    /// gradient = (softmax - one_hot(target)) * scale, for columns first_column ..< first_column + n
    void (*cross_entropy_backward)(float *gradient, size_t lead, const float *logits, const float *lse, const int32_t *targets,
                                   float scale, size_t rows, size_t n, size_t leading, size_t first_column);
    /// All of it for whole rows: loss[r] = lse - logits[target]; logits become their gradient unless scale is 0.
    void (*cross_entropy)(float *loss, float *logits, const int32_t *targets, float scale, size_t rows, size_t n);

    /// y[i] = exp(x[i]); relative error at most 9.1e-8 for -87.33 <= x <= 88.37; 0 below, exp(88.37) = 2.4e38 above; NaN stays NaN.
    void (*exponential)(float *y, const float *x, size_t count);

    // Where replicas must agree: the same bits from every instruction set (no contraction, 16 fixed lanes).
    /// AdamW (Loshchilov and Hutter, 2019) in PyTorch's order: p *= 1 - lr * decay; then the bias-corrected Adam step.
    /// The gradient is multiplied by gradient_scale (clipping) on the way in. bias1, bias2: 1 - beta^step.
    void (*adamw)(float *p, const float *g, float *m, float *v, size_t count, float lr, float beta1, float beta2, float eps,
                  float decay, float bias1, float bias2, float gradient_scale);
    /// y[i] += x[i]
    void (*add)(float *y, const float *x, size_t count);
    /// Sum of squares in double precision.
    double (*sum_squares)(const float *x, size_t count);

    // Matrix products. An element is one sum over the depth in order: its bits depend on its row of a, its column of b and
    // the (packed) depth alone, not on what else is computed in the same call.
    /// c (m, n) = scale * op(a) op(b) + keep * c; `lead`: the distance between rows. `scratch`: product_scratch floats, 64-byte
    /// aligned, that nobody else uses during the call.
    void (*matrix_product)(const float *a, size_t lead_a, bool transposed_a, const float *b, size_t lead_b, bool transposed_b,
                           float *c, size_t lead_c, size_t m, size_t n, size_t depth, float scale, float keep, float *scratch);
    size_t product_scratch;
    /// Columns of b a panel; a packed b (depth, columns) takes depth * (columns rounded up to whole panels) floats.
    size_t panel_columns;
    /// Packs panels first ..< last of op(b), (depth, columns), for any number of products; `packed` is the whole's memory.
    void (*pack_panels)(float *packed, const float *b, size_t lead, bool transposed, size_t depth, size_t columns,
                        size_t first, size_t last);
    /// The same product with a packed b, of which the first `depth` rows and n columns are used.
    void (*packed_product)(const float *a, size_t lead_a, const float *packed, size_t packed_depth, size_t packed_columns,
                           float *c, size_t lead_c, size_t m, size_t n, size_t depth, float scale, float keep);

    // Generation: a few rows x (rows, k), where reading the weights is the cost. Bits depend neither on the number of rows nor on
    // how columns are shared among workers.
    /// y (rows, n) = x w + bias; w (k, n)
    void (*few_rows_product)(float *y, size_t lead_y, const float *x, size_t lead_x, const float *w, size_t lead_w,
                             const float *bias, size_t rows, size_t k, size_t n);
    /// y (rows, n) = scale * x wᵀ; w (n, k)
    void (*few_rows_dots)(float *y, size_t lead_y, const float *x, size_t lead_x, const float *w, size_t lead_w, float scale,
                          size_t rows, size_t k, size_t n);
} dt_kernels;

/// The table for this processor, or the one that DDP_TRAIN_ISA names; NULL when that name is unknown or not supported here.
const dt_kernels *dt_kernels_get(void);

/// The table of a given instruction set, or NULL when this build or processor lacks it.
const dt_kernels *dt_kernels_named(const char *isa);

/// Makes this thread treat denormal numbers as zero (they cost a hundred times a normal one) and returns the old mode.
uint64_t dt_flush_denormals(void);
void dt_restore_denormals(uint64_t mode);

/// CRC32C (RFC 3720) of the bytes that `crc` stands for, 0 for none, followed by these.
uint32_t dt_crc32c(uint32_t crc, const void *data, size_t count);

/// The same without the processor's instruction, for tests.
uint32_t dt_crc32c_by_tables(uint32_t crc, const void *data, size_t count);

/// A short wait inside a spinning loop.
void dt_pause(void);

#ifdef __cplusplus
}
#endif

#include "dt_profile.h"
