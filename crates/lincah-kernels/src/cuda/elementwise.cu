// Operations on single elements, and on rows that are moved. One thread an element, striding where there are more.

typedef unsigned long long u64;
typedef unsigned int u32;

#define INFINITY __int_as_float(0x7f800000)

#define EACH(i, n) for (u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x; i < (n); i += gridDim.x * (u64)blockDim.x)

extern "C" __global__ void add(u64 n, const float* x, float* y) {
    EACH(i, n) y[i] += x[i];
}

extern "C" __global__ void scale(u64 n, float factor, float* y) {
    EACH(i, n) y[i] *= factor;
}

extern "C" __global__ void add_bias(u64 n, u32 width, const float* bias, float* y) {
    EACH(i, n) y[i] += bias[i % width];
}

// The mix of `dropout_keeps` in reference.rs.
__device__ bool dropout_keeps(u64 key, u64 index, float probability) {
    u64 z = key + index * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    z ^= z >> 31;
    return (float)(z >> 40) * (1.0f / 16777216.0f) >= probability;
}

extern "C" __global__ void dropout(u64 n, const float* x, float probability, float keep, u64 key, float* y) {
    EACH(i, n) y[i] = dropout_keeps(key, i, probability) ? x[i] * keep : 0.0f;
}

extern "C" __global__ void dropout_backward(u64 n, const float* dy, float probability, float keep, u64 key, float* dx) {
    EACH(i, n) if (dropout_keeps(key, i, probability)) dx[i] += dy[i] * keep;
}

// activation(x) and its derivative. GELU's `0.5 (1 + tanh(u))` is `sigmoid(2u)`.
__device__ float2 activate(bool gelu, float x) {
    const float c = 0.7978846f, k = 0.044715f;
    float s = 1.0f / (1.0f + expf(gelu ? -2.0f * c * (x + k * x * x * x) : -x));
    float slope = gelu ? s + x * s * (1.0f - s) * 2.0f * c * (1.0f + 3.0f * k * x * x) : s * (1.0f + x * (1.0f - s));
    return make_float2(x * s, slope);
}

extern "C" __global__ void gated_activation(u64 n, int gelu, const float* gate, const float* up, float* y) {
    EACH(i, n) y[i] = activate(gelu, gate[i]).x * up[i];
}

extern "C" __global__ void gated_activation_backward(u64 n, int gelu, const float* gate, const float* up, const float* dy,
                                                     float* d_gate, float* d_up) {
    EACH(i, n) {
        float2 a = activate(gelu, gate[i]);
        d_gate[i] = dy[i] * up[i] * a.y;
        d_up[i] = dy[i] * a.x;
    }
}

extern "C" __global__ void soft_cap(u64 n, float cap, float* x) {
    EACH(i, n) x[i] = cap * tanhf(x[i] / cap);
}

extern "C" __global__ void soft_cap_backward(u64 n, float cap, const float* y, float* dx) {
    EACH(i, n) dx[i] *= 1.0f - (y[i] / cap) * (y[i] / cap);
}

// Gradient of blocks on the diagonal that are one array: the thread of a place in the first block sums it over the blocks and writes it
// to each, the others clear what lies off the diagonal. n is count rows width.
extern "C" __global__ void tie_diagonal_blocks(u64 n, u32 count, u32 rows, u32 columns, u32 width, float* dx) {
    EACH(i, n) {
        u32 column = i % width;
        u64 line = i / width;
        u32 block = line / rows;
        if (column / columns != block) {
            dx[i] = 0.0f;
        } else if (block == 0) {
            u64 apart = (u64)rows * width + columns;
            float sum = 0.0f;
            for (u32 other = 0; other < count; other++) sum += dx[i + other * apart];
            for (u32 other = 0; other < count; other++) dx[i + other * apart] = sum;
        }
    }
}

// `sign` is -1 for the way back. n is N heads C/2.
extern "C" __global__ void rope(u64 n, u32 heads, u32 half, float sign, const float* cosines, const float* sines,
                                const int* positions, float* x) {
    EACH(i, n) {
        u64 head = i / half;
        u32 pair = i % half;
        u64 angle = (u64)positions[head / heads] * half + pair;
        float cosine = cosines[angle], sine = sign * sines[angle];
        float* first = x + head * 2 * half + pair;
        float a = first[0], b = first[half];
        first[0] = a * cosine - b * sine;
        first[half] = b * cosine + a * sine;
    }
}

extern "C" __global__ void gather_rows(u64 n, u32 width, const int* rows, const float* x, float* y) {
    EACH(i, n) y[i] = x[(u64)rows[i / width] * width + i % width];
}

extern "C" __global__ void scatter_add_rows(u64 n, u32 width, const int* rows, const float* dy, float* dx) {
    EACH(i, n) dx[(u64)rows[i / width] * width + i % width] += dy[i];
}

// For rows that repeat: one thread a column, rows in order.
extern "C" __global__ void scatter_add_repeated_rows(u32 count, u32 width, const int* rows, const float* dy, float* dx) {
    EACH(column, width) for (u32 s = 0; s < count; s++) dx[(u64)rows[s] * width + column] += dy[(u64)s * width + column];
}
