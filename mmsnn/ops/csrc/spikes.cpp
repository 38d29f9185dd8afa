// Multi-step neurons and the binary selection gate, each in one pass over memory, and
// spikes packed into bits.
//
// A plain C interface, so that nothing of PyTorch is needed to compile it; what calls it,
// mmsnn/kernels, checks shapes and layouts. The equations are those of
// mmsnn/models/neurons/functional.py, in the same order of operations: compiled without
// contraction to fused multiply-adds, the spikes are the same to the bit.
//
// x, s and h are T steps of M numbers each; within a step, all lie in the same order.

#include <cmath>
#include <cstdint>
#include <cstring>

namespace {

constexpr int64_t BLOCK = 512;  // potentials of a block stay in the first-level cache
constexpr int64_t GRAIN = 16384;  // numbers that are worth a thread

struct BFloat16 {
    uint16_t bits;
    operator float() const {
        uint32_t wide = static_cast<uint32_t>(bits) << 16;
        float value;
        std::memcpy(&value, &wide, sizeof(value));
        return value;
    }
    static BFloat16 from(float value) {
        uint32_t wide;
        std::memcpy(&wide, &value, sizeof(wide));
        if ((wide & 0x7fffffffu) > 0x7f800000u) return {0x7fc0};
        wide += 0x7fffu + ((wide >> 16) & 1u);  // round to nearest even
        return {static_cast<uint16_t>(wide >> 16)};
    }
};

template <typename X>
inline X to(float value) {
    return static_cast<X>(value);
}
template <>
inline BFloat16 to<BFloat16>(float value) {
    return BFloat16::from(value);
}
// the bits of a BFloat16: stores of a struct are not vectorised
template <>
inline uint16_t to<uint16_t>(float value) {
    return BFloat16::from(value).bits;
}

}  // namespace

extern "C" {

struct Dynamics {
    float v_threshold, v_reset, rest;
    float decay, keep, rest_drive;  // k, 1 - k, k * rest
    float alpha;
    int32_t leak;       // 0 none, 1 weakens the input too, 2 the potential alone
    int32_t soft;       // whether a spike subtracts the threshold
    int32_t detached;   // whether the gradient ignores the spike inside the reset
    int32_t surrogate;  // 0 ATan, 1 Sigmoid, 2 Rectangular
};

}  // extern "C"

namespace {

template <typename X, typename S, int LEAK, bool SOFT, bool KEEP>
void forward(const X* x, int64_t x_step, S* s, float* h, int64_t steps, int64_t size,
             const Dynamics d, int threads) {
    const S one = to<S>(1.0f), zero = to<S>(0.0f);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t start = 0; start < size; start += BLOCK) {
        const int64_t n = size - start < BLOCK ? size - start : BLOCK;
        float v[BLOCK];
        for (int64_t t = 0; t < steps; ++t) {
            const X* xs = x + t * x_step + start;
            S* ss = s + t * size + start;
            float* hs = KEEP ? h + t * size + start : nullptr;
#pragma omp simd
            for (int64_t i = 0; i < n; ++i) {
                const float in = xs[i];
                float pot;
                if (t == 0) {
                    pot = (LEAK == 1 ? in * d.decay : in) + d.rest;
                } else if (LEAK == 0) {
                    pot = v[i] + in;
                } else if (LEAK == 1) {
                    pot = (in - v[i] + d.rest) * d.decay + v[i];
                } else {
                    pot = v[i] * d.keep + d.rest_drive + in;
                }
                const bool fires = pot >= d.v_threshold;
                if (KEEP) hs[i] = pot;
                ss[i] = fires ? one : zero;
                v[i] = fires ? (SOFT ? pot - d.v_threshold : d.v_reset) : pot;
            }
        }
    }
}

inline float slope(float x, const Dynamics& d) {
    if (d.surrogate == 0) {
        const float a = d.alpha * 0.5f;
        return 1.0f / (1.0f / a + 9.869604401089358f * a * x * x);
    }
    if (d.surrogate == 1) {
        const float s = 1.0f / (1.0f + std::exp(-d.alpha * x));
        return d.alpha * s * (1.0f - s);
    }
    return std::fabs(x) < 0.5f / d.alpha ? d.alpha : 0.0f;
}

template <typename X, int LEAK, bool SOFT, bool DETACHED, bool ATAN>
double backward(const X* grad_s, int64_t grad_step, const float* h, X* grad_x,
                int64_t steps, int64_t size, const Dynamics d, int learns, int threads) {
    double grad_decay = 0.0;
    const float a = d.alpha * 0.5f, inverse = 1.0f / a, square = 9.869604401089358f * a;
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1) \
    reduction(+ : grad_decay)
    for (int64_t start = 0; start < size; start += BLOCK) {
        const int64_t n = size - start < BLOCK ? size - start : BLOCK;
        float gv[BLOCK];
        for (int64_t i = 0; i < n; ++i) gv[i] = 0.0f;
        for (int64_t t = steps - 1; t >= 0; --t) {
            const X* gs = grad_s + t * grad_step + start;
            const float* hs = h + t * size + start;
            const float* before = t > 0 ? hs - size : nullptr;
            X* gx = grad_x + t * size + start;
            float decayed = 0.0f;
#pragma omp simd reduction(+ : decayed)
            for (int64_t i = 0; i < n; ++i) {
                const float x = hs[i] - d.v_threshold;
                float g = gs[i];
                if (!DETACHED) g -= gv[i] * (SOFT ? d.v_threshold : hs[i] - d.v_reset);
                float gh = ATAN ? g / (inverse + square * x * x) : g * slope(x, d);
                gh += SOFT || x < 0.0f ? gv[i] : 0.0f;
                if (LEAK != 0 && learns) {
                    float v = d.rest;
                    if (t > 0) {
                        v = before[i];
                        if (v >= d.v_threshold) v = SOFT ? v - d.v_threshold : d.v_reset;
                    }
                    decayed += gh * (LEAK == 1 ? hs[i] - v : d.rest - v);
                }
                gx[i] = to<X>(LEAK == 1 ? gh * d.decay : gh);
                gv[i] = LEAK == 0 ? gh : gh * d.keep;
            }
            grad_decay += decayed;
        }
    }
    return LEAK == 1 ? grad_decay / d.decay : grad_decay;
}

template <typename X, typename S, int LEAK, bool SOFT>
void forward_kept(const X* x, int64_t x_step, S* s, float* h, int64_t steps,
                  int64_t size, const Dynamics& d, int threads) {
    auto run = h ? forward<X, S, LEAK, SOFT, true> : forward<X, S, LEAK, SOFT, false>;
    run(x, x_step, s, h, steps, size, d, threads);
}

template <typename X, typename S>
void forward_any(const X* x, int64_t x_step, S* s, float* h, int64_t steps, int64_t size,
                 const Dynamics& d, int threads) {
    auto run = d.soft ? forward_kept<X, S, 0, true> : forward_kept<X, S, 0, false>;
    if (d.leak == 1) run = d.soft ? forward_kept<X, S, 1, true> : forward_kept<X, S, 1, false>;
    if (d.leak == 2) run = d.soft ? forward_kept<X, S, 2, true> : forward_kept<X, S, 2, false>;
    run(x, x_step, s, h, steps, size, d, threads);
}

template <typename X, int LEAK, bool SOFT>
double backward_detached(const X* grad_s, int64_t grad_step, const float* h, X* grad_x,
                         int64_t steps, int64_t size, const Dynamics& d, int learns,
                         int threads) {
    auto run = backward<X, LEAK, SOFT, false, false>;
    if (d.surrogate == 0) {
        run = d.detached ? backward<X, LEAK, SOFT, true, true>
                         : backward<X, LEAK, SOFT, false, true>;
    } else if (d.detached) {
        run = backward<X, LEAK, SOFT, true, false>;
    }
    return run(grad_s, grad_step, h, grad_x, steps, size, d, learns, threads);
}

template <typename X>
double backward_any(const X* grad_s, int64_t grad_step, const float* h, X* grad_x,
                    int64_t steps, int64_t size, const Dynamics& d, int learns,
                    int threads) {
    auto run = backward_detached<X, 0, false>;
    if (d.leak == 0 && d.soft) run = backward_detached<X, 0, true>;
    if (d.leak == 1) run = d.soft ? backward_detached<X, 1, true> : backward_detached<X, 1, false>;
    if (d.leak == 2) run = d.soft ? backward_detached<X, 2, true> : backward_detached<X, 2, false>;
    return run(grad_s, grad_step, h, grad_x, steps, size, d, learns, threads);
}

int threads_for(int64_t numbers, int threads) {
    const int64_t useful = numbers / GRAIN;
    return useful < 1 ? 1 : (useful < threads ? static_cast<int>(useful) : threads);
}

// In blocks: compilers vectorise these, and not a loop that is shared out as a whole.
template <typename X, typename Y>
void gate(const X* h, const X* x, Y* y, int64_t size, int threads) {
    threads = threads_for(size, threads);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t start = 0; start < size; start += BLOCK) {
        const int64_t end = size - start < BLOCK ? size : start + BLOCK;
#pragma omp simd
        for (int64_t i = start; i < end; ++i) {
            const float a = h[i], b = x[i];
            y[i] = to<Y>(b + a * (a - b));
        }
    }
}

template <typename X, typename Y>
void gate_back(const X* grad, const X* h, const X* x, Y* grad_h, Y* grad_x, int64_t size,
               int threads) {
    threads = threads_for(size, threads);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t start = 0; start < size; start += BLOCK) {
        const int64_t end = size - start < BLOCK ? size : start + BLOCK;
#pragma omp simd
        for (int64_t i = start; i < end; ++i) {
            const float g = grad[i], a = h[i], b = x[i];
            grad_h[i] = to<Y>(g * (2.0f * a - b));
            grad_x[i] = to<Y>(g - g * a);
        }
    }
}

constexpr int64_t PACKED = 512;  // bytes of a block that is packed at once

// One bit a number, the first in the lowest; whether all were 0 or 1, to the bit. W is
// an integer of a number's size, and one the number 1 as such.
template <typename W>
int pack_bits(const W* x, W one, uint8_t* bits, int64_t size, int threads) {
    threads = threads_for(size, threads);
    int other = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(| : other) \
    if (threads > 1)
    for (int64_t start = 0; start < size; start += 8 * PACKED) {
        if (other) continue;  // nobody wants the rest
        const int64_t n = size - start < 8 * PACKED ? size - start : 8 * PACKED;
        uint8_t fired[8 * PACKED];
        std::memset(fired + n, 0, 8 * PACKED - n);
        W wrong = 0;
        for (int64_t i = 0; i < n; ++i) {
            const W value = x[start + i];
            fired[i] = value == one;
            wrong |= value == one ? W(0) : value;
        }
        for (int64_t i = 0; i < n; i += 8) {
            uint64_t eight;
            std::memcpy(&eight, fired + i, sizeof(eight));
            bits[(start + i) / 8] = eight * 0x0102040810204080u >> 56;
        }
        other |= wrong != 0;
    }
    return !other;
}

template <typename W>
void unpack_bits(const uint8_t* bits, W* x, W one, int64_t size, int threads) {
    threads = threads_for(size, threads);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t start = 0; start < size; start += 8 * PACKED) {
        const int64_t n = size - start < 8 * PACKED ? size - start : 8 * PACKED;
        uint8_t fired[8 * PACKED];
        for (int64_t i = 0; i < n; i += 8) {
            uint64_t eight = bits[(start + i) / 8] * 0x0101010101010101u;
            eight = ((eight & 0x8040201008040201u) + 0x7f7f7f7f7f7f7f7fu) >> 7;
            eight &= 0x0101010101010101u;
            std::memcpy(fired + i, &eight, sizeof(eight));
        }
        for (int64_t i = 0; i < n; ++i) x[start + i] = fired[i] ? one : W(0);
    }
}

inline bool has_sign(float value) {
    uint32_t wide;
    std::memcpy(&wide, &value, sizeof(wide));
    return wide >> 31;
}

// A byte a number; whether all were integers from 0 to 255, to the bit.
template <typename X>
int pack_bytes(const X* x, uint8_t* bytes, int64_t size, int threads) {
    threads = threads_for(size, threads);
    int other = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(| : other) \
    if (threads > 1)
    for (int64_t start = 0; start < size; start += PACKED) {
        if (other) continue;
        const int64_t n = size - start < PACKED ? size - start : PACKED;
        int wrong = 0;
        for (int64_t i = start; i < start + n; ++i) {
            const float value = x[i];
            const bool known = value >= 0.0f && value <= 255.0f;
            const int32_t number = static_cast<int32_t>(known ? value : 0.0f);
            wrong |= static_cast<float>(number) != value || has_sign(value);
            bytes[i] = static_cast<uint8_t>(number);
        }
        other |= wrong;
    }
    return !other;
}

template <typename X>
void unpack_bytes(const uint8_t* bytes, X* x, int64_t size, int threads) {
    threads = threads_for(size, threads);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t i = 0; i < size; ++i) x[i] = to<X>(bytes[i]);
}

}  // namespace

extern "C" {

void multi_step_f32(const float* x, int64_t x_step, float* s, float* h, int64_t steps,
                    int64_t size, const Dynamics* d, int threads) {
    forward_any(x, x_step, s, h, steps, size, *d, threads_for(steps * size, threads));
}

void multi_step_bf16(const BFloat16* x, int64_t x_step, BFloat16* s, float* h,
                     int64_t steps, int64_t size, const Dynamics* d, int threads) {
    forward_any(x, x_step, reinterpret_cast<uint16_t*>(s), h, steps, size, *d,
                threads_for(steps * size, threads));
}

void multi_step_bytes_f32(const float* x, int64_t x_step, uint8_t* s, float* h,
                          int64_t steps, int64_t size, const Dynamics* d, int threads) {
    forward_any(x, x_step, s, h, steps, size, *d, threads_for(steps * size, threads));
}

void multi_step_bytes_bf16(const BFloat16* x, int64_t x_step, uint8_t* s, float* h,
                           int64_t steps, int64_t size, const Dynamics* d, int threads) {
    forward_any(x, x_step, s, h, steps, size, *d, threads_for(steps * size, threads));
}

double multi_step_back_f32(const float* grad_s, int64_t grad_step, const float* h,
                           float* grad_x, int64_t steps, int64_t size, const Dynamics* d,
                           int learns, int threads) {
    return backward_any(grad_s, grad_step, h, grad_x, steps, size, *d, learns,
                        threads_for(steps * size, threads));
}

double multi_step_back_bf16(const BFloat16* grad_s, int64_t grad_step, const float* h,
                            BFloat16* grad_x, int64_t steps, int64_t size,
                            const Dynamics* d, int learns, int threads) {
    return backward_any(grad_s, grad_step, h, grad_x, steps, size, *d, learns,
                        threads_for(steps * size, threads));
}

void gate_f32(const float* h, const float* x, float* y, int64_t size, int threads) {
    gate(h, x, y, size, threads);
}

void gate_bf16(const BFloat16* h, const BFloat16* x, uint16_t* y, int64_t size,
               int threads) {
    gate(h, x, y, size, threads);
}

void gate_back_f32(const float* grad, const float* h, const float* x, float* grad_h,
                   float* grad_x, int64_t size, int threads) {
    gate_back(grad, h, x, grad_h, grad_x, size, threads);
}

void gate_back_bf16(const BFloat16* grad, const BFloat16* h, const BFloat16* x,
                    uint16_t* grad_h, uint16_t* grad_x, int64_t size, int threads) {
    gate_back(grad, h, x, grad_h, grad_x, size, threads);
}

int pack_bits_f32(const uint32_t* x, uint8_t* bits, int64_t size, int threads) {
    return pack_bits(x, 0x3f800000u, bits, size, threads);
}

void unpack_bits_f32(const uint8_t* bits, uint32_t* x, int64_t size, int threads) {
    unpack_bits(bits, x, 0x3f800000u, size, threads);
}

int pack_bits_bf16(const uint16_t* x, uint8_t* bits, int64_t size, int threads) {
    return pack_bits(x, uint16_t{0x3f80}, bits, size, threads);
}

void unpack_bits_bf16(const uint8_t* bits, uint16_t* x, int64_t size, int threads) {
    unpack_bits(bits, x, uint16_t{0x3f80}, size, threads);
}

int pack_bytes_f32(const float* x, uint8_t* packed, int64_t size, int threads) {
    return pack_bytes(x, packed, size, threads);
}

void unpack_bytes_f32(const uint8_t* packed, float* x, int64_t size, int threads) {
    unpack_bytes(packed, x, size, threads);
}

int pack_bytes_bf16(const BFloat16* x, uint8_t* packed, int64_t size, int threads) {
    return pack_bytes(x, packed, size, threads);
}

void unpack_bytes_bf16(const uint8_t* packed, BFloat16* x, int64_t size, int threads) {
    unpack_bytes(packed, x, size, threads);
}

}  // extern "C"
