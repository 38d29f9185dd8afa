// Multi-step neurons and the binary selection gate, each in one pass over memory, and
// packing of spikes into bits.
//
// The interface is plain C, so that it compiles without PyTorch; the caller,
// mmsnn/ops/native.py, checks shapes and layouts. The equations and the order of
// operations are those of mmsnn/ops/neuron_reference.py; compiled without contraction
// to fused multiply-adds, the spikes are bit-identical.
//
// x, s and h hold T steps of M numbers each, in the same order within each step. The
// states before the first and after the last step, initial and last, hold M numbers, and
// so do their gradients; they may be null: neurons then start from rest.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace {

constexpr int64_t BLOCK = 512;  // potentials of a block stay in the L1 cache
constexpr int64_t GRAIN = 16384;  // minimum numbers per thread

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
// the bits of a BFloat16, since stores of a struct are not vectorised
template <>
inline uint16_t to<uint16_t>(float value) {
    return BFloat16::from(value).bits;
}

// A spike, or NaN if the potential is not finite.
template <typename S>
inline S exact_spike(bool fires, float potential) {
    return to<S>((fires ? 1.0f : 0.0f) + 0.0f * potential);
}
// uint8 cannot represent NaN; forward() reports it in its return value
template <>
inline uint8_t exact_spike<uint8_t>(bool fires, float) {
    return fires ? 1 : 0;
}

// The bits of a spike; 0x3f80 is 1 in bf16.
template <typename S>
inline S plain_spike(bool fires) {
    return fires ? 1 : 0;
}
template <>
inline uint16_t plain_spike<uint16_t>(bool fires) {
    return fires ? 0x3f80 : 0;
}

}  // namespace

extern "C" {

struct Dynamics {
    float v_threshold, v_reset, rest;
    float decay, keep, rest_drive;  // k, 1 - k, k * rest
    float alpha;
    int32_t leak;       // 0 none, 1 potential and input decay, 2 only the potential
    int32_t soft;       // whether a spike subtracts the threshold
    int32_t detached;   // whether the spike in the reset is detached from the gradient
    int32_t surrogate;  // SurrogateKind of mmsnn/ops/dynamics.py
};

struct IntegerDynamics {
    float decay, max_value, scale;  // the output is the integer divided by the scale
    int32_t detached;
};

}  // extern "C"

namespace {

enum Surrogate { GIVEN, ATAN, SIGMOID, RECTANGULAR };

// Call a generic function with a run-time value as a compile-time constant.
template <typename F>
auto with_flag(bool flag, F function) {
    return flag ? function(std::true_type{}) : function(std::false_type{});
}

template <typename F>
auto with_number(int number, F function) {
    if (number == 0) return function(std::integral_constant<int, 0>{});
    if (number == 1) return function(std::integral_constant<int, 1>{});
    return function(std::integral_constant<int, 2>{});
}

// Run a block of neurons; return whether all potentials were finite. If not EXACT, spikes
// of other potentials are not NaN. A potential that is not finite leaves a state that is
// not finite either: a hard reset adds 0 * infinity, which is NaN. If STATE, the state
// after the last step is written, and that before the first is read unless it is null.
template <typename X, typename S, int LEAK, bool SOFT, bool KEEP, bool STATE, bool EXACT>
bool forward_block(const X* x, int64_t x_step, const float* initial, S* s, float* h,
                   float* last, int64_t steps, int64_t size, int64_t n,
                   const Dynamics d) {
    float v[BLOCK];
    if (STATE && initial) std::memcpy(v, initial, n * sizeof(float));
    for (int64_t t = 0; t < steps; ++t) {
        const X* xs = x + t * x_step;
        S* ss = s + t * size;
        float* hs = KEEP ? h + t * size : nullptr;
        const bool rests = t == 0 && !(STATE && initial);
#pragma omp simd
        for (int64_t i = 0; i < n; ++i) {
            const float in = xs[i];
            float pot;
            if (rests) {
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
            ss[i] = EXACT ? exact_spike<S>(fires, pot) : plain_spike<S>(fires);
            const float reset = SOFT    ? pot - d.v_threshold
                                : EXACT ? d.v_reset
                                        : 0.0f * pot + d.v_reset;
            v[i] = fires ? reset : pot;
        }
    }
    if (STATE) std::memcpy(last, v, n * sizeof(float));
    int others = 0;
    for (int64_t i = 0; i < n; ++i) others |= 0.0f * v[i] != 0.0f;
    return !others;
}

// Returns whether any potential was not finite, for uint8 spikes only.
template <typename X, typename S, int LEAK, bool SOFT, bool KEEP, bool STATE>
int forward(const X* x, int64_t x_step, const float* initial, S* s, float* h,
            float* last, int64_t steps, int64_t size, const Dynamics& dynamics,
            int threads) {
    int spoiled = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(| : spoiled) \
    if (threads > 1)
    for (int64_t start = 0; start < size; start += BLOCK) {
        const int64_t n = size - start < BLOCK ? size - start : BLOCK;
        float* hs = KEEP ? h + start : nullptr;
        const float* from = STATE && initial ? initial + start : nullptr;
        float* end = STATE ? last + start : nullptr;
        // where memory limits the speed, as for fp32, exact spikes cost nothing
        if (sizeof(S) < 4 && !KEEP) {
            if (forward_block<X, S, LEAK, SOFT, KEEP, STATE, false>(
                    x + start, x_step, from, s + start, hs, end, steps, size, n,
                    dynamics))
                continue;
            spoiled |= sizeof(S) == 1;
        }
        forward_block<X, S, LEAK, SOFT, KEEP, STATE, true>(
            x + start, x_step, from, s + start, hs, end, steps, size, n, dynamics);
    }
    return spoiled;
}

inline float slope(float x, const Dynamics& d) {
    if (d.surrogate == SIGMOID) {
        const float s = 1.0f / (1.0f + std::exp(-d.alpha * x));
        return d.alpha * s * (1.0f - s);
    }
    return std::fabs(x) < 0.5f / d.alpha ? d.alpha : 0.0f;
}

// KIND is GIVEN, ATAN, or 2 for any other surrogate
template <typename X, typename Y, int LEAK, bool SOFT, bool DETACHED, int KIND,
          bool STATE>
double backward(const X* grad_s, int64_t grad_step, const float* grad_last,
                const float* h, const float* initial, const float* given, Y* grad_x,
                float* grad_initial, int64_t steps, int64_t size, const Dynamics d,
                int learns, int threads) {
    double grad_decay = 0.0;
    const float a = d.alpha * 0.5f, inverse = 1.0f / a, square = 9.869604401089358f * a;
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1) \
    reduction(+ : grad_decay)
    for (int64_t start = 0; start < size; start += BLOCK) {
        const int64_t n = size - start < BLOCK ? size - start : BLOCK;
        float gv[BLOCK];
        for (int64_t i = 0; i < n; ++i) gv[i] = STATE ? grad_last[start + i] : 0.0f;
        const float* from = STATE && initial ? initial + start : nullptr;
        for (int64_t t = steps - 1; t >= 0; --t) {
            const X* gs = grad_s + t * grad_step + start;
            const float* hs = h + t * size + start;
            const float* before = t > 0 ? hs - size : nullptr;
            const float* slopes = KIND == GIVEN ? given + t * size + start : nullptr;
            Y* gx = grad_x + t * size + start;
            float decayed = 0.0f;
#pragma omp simd reduction(+ : decayed)
            for (int64_t i = 0; i < n; ++i) {
                const float x = hs[i] - d.v_threshold;
                float g = gs[i];
                if (!DETACHED) g -= gv[i] * (SOFT ? d.v_threshold : hs[i] - d.v_reset);
                float gh;
                if (KIND == GIVEN) {
                    gh = g * slopes[i];
                } else if (KIND == ATAN) {
                    gh = g / (inverse + square * x * x);
                } else {
                    gh = g * slope(x, d);
                }
                gh += SOFT || x < 0.0f ? gv[i] : 0.0f;
                if (LEAK != 0 && learns) {
                    float v = d.rest;
                    if (t > 0) {
                        v = before[i];
                        if (v >= d.v_threshold) v = SOFT ? v - d.v_threshold : d.v_reset;
                    } else if (STATE && from) {
                        v = from[i];
                    }
                    decayed += gh * (LEAK == 1 ? hs[i] - v : d.rest - v);
                }
                gx[i] = to<Y>(LEAK == 1 ? gh * d.decay : gh);
                gv[i] = LEAK == 0 ? gh : gh * d.keep;
            }
            grad_decay += decayed;
        }
        if (STATE) std::memcpy(grad_initial + start, gv, n * sizeof(float));
    }
    return LEAK == 1 ? grad_decay / d.decay : grad_decay;
}

inline float integer_of(float pot, float max_value) {
    return std::rint(pot < 0.0f ? 0.0f : (pot > max_value ? max_value : pot));
}

template <typename X, typename Y, bool KEEP, bool STATE>
void integer_forward(const X* x, int64_t x_step, const float* initial, Y* y, float* h,
                     float* last, int64_t steps, int64_t size, const IntegerDynamics d,
                     int threads) {
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t start = 0; start < size; start += BLOCK) {
        const int64_t n = size - start < BLOCK ? size - start : BLOCK;
        float v[BLOCK];
        if (STATE && initial) std::memcpy(v, initial + start, n * sizeof(float));
        for (int64_t t = 0; t < steps; ++t) {
            const bool rests = t == 0 && !(STATE && initial);
            const X* xs = x + t * x_step + start;
            Y* ys = y + t * size + start;
            float* hs = KEEP ? h + t * size + start : nullptr;
#pragma omp simd
            for (int64_t i = 0; i < n; ++i) {
                const float in = xs[i];
                const float pot = rests ? in : v[i] * d.decay + in;
                const float value = integer_of(pot, d.max_value);
                if (KEEP) hs[i] = pot;
                ys[i] = to<Y>(value / d.scale + 0.0f * pot);
                v[i] = pot - value;
            }
        }
        if (STATE) std::memcpy(last + start, v, n * sizeof(float));
    }
}

template <typename X, typename Y, bool STATE>
void integer_backward(const X* grad_y, int64_t grad_step, const float* grad_last,
                      const float* h, Y* grad_x, float* grad_initial, int64_t steps,
                      int64_t size, const IntegerDynamics d, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t start = 0; start < size; start += BLOCK) {
        const int64_t n = size - start < BLOCK ? size - start : BLOCK;
        float gv[BLOCK];
        for (int64_t i = 0; i < n; ++i) gv[i] = STATE ? grad_last[start + i] : 0.0f;
        for (int64_t t = steps - 1; t >= 0; --t) {
            const X* gy = grad_y + t * grad_step + start;
            const float* hs = h + t * size + start;
            Y* gx = grad_x + t * size + start;
#pragma omp simd
            for (int64_t i = 0; i < n; ++i) {
                const float grad = gy[i];
                const bool inside = hs[i] >= 0.0f && hs[i] <= d.max_value;
                const float through = inside ? grad / d.scale : 0.0f;
                const float gh = through + (inside && !d.detached ? 0.0f : gv[i]);
                gx[i] = to<Y>(gh);
                gv[i] = gh * d.decay;
            }
        }
        if (STATE) std::memcpy(grad_initial + start, gv, n * sizeof(float));
    }
}

int threads_for(int64_t numbers, int threads) {
    const int64_t useful = numbers / GRAIN;
    return useful < 1 ? 1 : (useful < threads ? static_cast<int>(useful) : threads);
}

template <typename X, typename S>
int forward_any(const X* x, int64_t x_step, const float* initial, S* s, float* h,
                float* last, int64_t steps, int64_t size, const Dynamics& d,
                int threads) {
    threads = threads_for(steps * size, threads);
    return with_number(d.leak, [&](auto leak) {
        return with_flag(d.soft, [&](auto soft) {
            return with_flag(h != nullptr, [&](auto kept) {
                return with_flag(last != nullptr, [&](auto state) {
                    return forward<X, S, decltype(leak)::value, decltype(soft)::value,
                                   decltype(kept)::value, decltype(state)::value>(
                        x, x_step, initial, s, h, last, steps, size, d, threads);
                });
            });
        });
    });
}

template <typename X, typename Y>
double backward_any(const X* grad_s, int64_t grad_step, const float* grad_last,
                    const float* h, const float* initial, const float* given, Y* grad_x,
                    float* grad_initial, int64_t steps, int64_t size, const Dynamics& d,
                    int learns, int threads) {
    threads = threads_for(steps * size, threads);
    return with_number(d.leak, [&](auto leak) {
        return with_flag(d.soft, [&](auto soft) {
            return with_flag(d.detached, [&](auto detached) {
                return with_number(d.surrogate, [&](auto kind) {
                    return with_flag(grad_initial != nullptr, [&](auto state) {
                        return backward<X, Y, decltype(leak)::value,
                                        decltype(soft)::value, decltype(detached)::value,
                                        decltype(kind)::value, decltype(state)::value>(
                            grad_s, grad_step, grad_last, h, initial, given, grad_x,
                            grad_initial, steps, size, d, learns, threads);
                    });
                });
            });
        });
    });
}

// In blocks, since compilers do not vectorise a loop that OpenMP splits as a whole.
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

constexpr int64_t PACKED = 512;  // packed bytes per block

// Packs one bit per number, lowest bit first, and returns whether all numbers are
// exactly 0 or 1. W is an integer type of a number's size, one has the bits of 1.
template <typename W>
int pack_bits(const W* x, W one, uint8_t* bits, int64_t size, int threads) {
    threads = threads_for(size, threads);
    int other = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(| : other) \
    if (threads > 1)
    for (int64_t start = 0; start < size; start += 8 * PACKED) {
        if (other) continue;  // the result is not used
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

// Packs one byte per number and returns whether all are exactly integers in 0 to 255.
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
    for (int64_t i = 0; i < size; ++i) x[i] = to<X>(static_cast<float>(bytes[i]));
}

}  // namespace

// All functions for one dtype: X is the type read, Y the type written, W its bits.
#define EXPORT(SUFFIX, X, Y, W, ONE)                                                     \
    int multi_step_##SUFFIX(const X* x, int64_t x_step, const float* initial, Y* s,      \
                            float* h, float* last, int64_t steps, int64_t size,          \
                            const Dynamics* d, int threads) {                            \
        return forward_any(x, x_step, initial, s, h, last, steps, size, *d, threads);    \
    }                                                                                    \
    int multi_step_bytes_##SUFFIX(const X* x, int64_t x_step, const float* initial,      \
                                  uint8_t* s, float* h, float* last, int64_t steps,      \
                                  int64_t size, const Dynamics* d, int threads) {        \
        return forward_any(x, x_step, initial, s, h, last, steps, size, *d, threads);    \
    }                                                                                    \
    double multi_step_back_##SUFFIX(                                                     \
        const X* grad_s, int64_t grad_step, const float* grad_last, const float* h,      \
        const float* initial, const float* given, Y* grad_x, float* grad_initial,        \
        int64_t steps, int64_t size, const Dynamics* d, int learns, int threads) {       \
        return backward_any(grad_s, grad_step, grad_last, h, initial, given, grad_x,     \
                            grad_initial, steps, size, *d, learns, threads);             \
    }                                                                                    \
    void integer_multi_step_##SUFFIX(const X* x, int64_t x_step, const float* initial,   \
                                     Y* y, float* h, float* last, int64_t steps,         \
                                     int64_t size, const IntegerDynamics* d,             \
                                     int threads) {                                      \
        with_flag(h != nullptr, [&](auto kept) {                                         \
            with_flag(last != nullptr, [&](auto state) {                                 \
                integer_forward<X, Y, decltype(kept)::value, decltype(state)::value>(    \
                    x, x_step, initial, y, h, last, steps, size, *d,                     \
                    threads_for(steps * size, threads));                                 \
            });                                                                          \
        });                                                                              \
    }                                                                                    \
    void integer_multi_step_back_##SUFFIX(                                               \
        const X* grad_y, int64_t grad_step, const float* grad_last, const float* h,      \
        Y* grad_x, float* grad_initial, int64_t steps, int64_t size,                     \
        const IntegerDynamics* d, int threads) {                                         \
        with_flag(grad_initial != nullptr, [&](auto state) {                             \
            integer_backward<X, Y, decltype(state)::value>(                              \
                grad_y, grad_step, grad_last, h, grad_x, grad_initial, steps, size, *d,  \
                threads_for(steps * size, threads));                                     \
        });                                                                              \
    }                                                                                    \
    void gate_##SUFFIX(const X* h, const X* x, Y* y, int64_t size, int threads) {        \
        gate(h, x, y, size, threads);                                                    \
    }                                                                                    \
    void gate_back_##SUFFIX(const X* grad, const X* h, const X* x, Y* grad_h, Y* grad_x, \
                            int64_t size, int threads) {                                 \
        gate_back(grad, h, x, grad_h, grad_x, size, threads);                            \
    }                                                                                    \
    int pack_bits_##SUFFIX(const W* x, uint8_t* bits, int64_t size, int threads) {       \
        return pack_bits(x, W{ONE}, bits, size, threads);                                \
    }                                                                                    \
    void unpack_bits_##SUFFIX(const uint8_t* bits, W* x, int64_t size, int threads) {    \
        unpack_bits(bits, x, W{ONE}, size, threads);                                     \
    }                                                                                    \
    int pack_bytes_##SUFFIX(const X* x, uint8_t* bytes, int64_t size, int threads) {     \
        return pack_bytes(x, bytes, size, threads);                                      \
    }                                                                                    \
    void unpack_bytes_##SUFFIX(const uint8_t* bytes, Y* x, int64_t size, int threads) {  \
        unpack_bytes(bytes, x, size, threads);                                           \
    }

extern "C" {

EXPORT(f32, float, float, uint32_t, 0x3f800000u)
EXPORT(bf16, BFloat16, uint16_t, uint16_t, 0x3f80)

}  // extern "C"
