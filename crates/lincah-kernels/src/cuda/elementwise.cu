// Operations on single elements, and on rows that are moved. A thread takes eight neighbours, striding where there are more.

typedef unsigned long long u64;
typedef unsigned int u32;
typedef unsigned short u16;

#define INFINITY __int_as_float(0x7f800000)

#define EACH(i, n) for (u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x; i < (n); i += gridDim.x * (u64)blockDim.x)

// An array of f32 or of bfloat16. `View` of memory.rs.
struct View {
    void* data;
    u64 bf16;
};

__device__ float from_bf16(u16 bits) { return __uint_as_float((u32)bits << 16); }

// To the nearest, ties to even. NaN stays NaN.
__device__ u16 to_bf16(float value) {
    u32 bits = __float_as_uint(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fc0;
    return (u16)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

__device__ u32 pack_bf16(float low, float high) { return (u32)to_bf16(low) | (u32)to_bf16(high) << 16; }

__device__ float get(View view, u64 i) {
    return view.bf16 ? from_bf16(((const u16*)view.data)[i]) : ((const float*)view.data)[i];
}

__device__ void put(View view, u64 i, float value) {
    if (view.bf16)
        ((u16*)view.data)[i] = to_bf16(value);
    else
        ((float*)view.data)[i] = value;
}

#define WIDE 8

// Elements `i ..` of a view, i a multiple of 8: `count` of them, 8 but at the end.
__device__ void get_wide(View view, u64 i, int count, float* values) {
    if (count < WIDE) {
        for (int j = 0; j < WIDE; j++) values[j] = j < count ? get(view, i + j) : 0.0f;
    } else if (view.bf16) {
        uint4 packed = *(const uint4*)((const u16*)view.data + i);
        u32 words[4] = {packed.x, packed.y, packed.z, packed.w};
#pragma unroll
        for (int j = 0; j < 4; j++) {
            values[2 * j] = __uint_as_float(words[j] << 16);
            values[2 * j + 1] = __uint_as_float(words[j] & 0xffff0000u);
        }
    } else {
        const float4* source = (const float4*)((const float*)view.data + i);
        float4 a = source[0], b = source[1];
        values[0] = a.x, values[1] = a.y, values[2] = a.z, values[3] = a.w;
        values[4] = b.x, values[5] = b.y, values[6] = b.z, values[7] = b.w;
    }
}

__device__ void put_wide(View view, u64 i, int count, const float* values) {
    if (count < WIDE) {
        for (int j = 0; j < count; j++) put(view, i + j, values[j]);
    } else if (view.bf16) {
        uint4 packed = make_uint4(pack_bf16(values[0], values[1]), pack_bf16(values[2], values[3]),
                                  pack_bf16(values[4], values[5]), pack_bf16(values[6], values[7]));
        *(uint4*)((u16*)view.data + i) = packed;
    } else {
        float4* target = (float4*)((float*)view.data + i);
        target[0] = make_float4(values[0], values[1], values[2], values[3]);
        target[1] = make_float4(values[4], values[5], values[6], values[7]);
    }
}

// Eight elements from `i` at a time, `count` of them there.
#define EACH_WIDE(i, count, n)                                                                                     \
    for (u64 i = (blockIdx.x * (u64)blockDim.x + threadIdx.x) * WIDE, count = 0;                                       \
         i < (n) && (count = (n) - i < WIDE ? (n) - i : WIDE); i += gridDim.x * (u64)blockDim.x * WIDE)

#define WIDE_EACH(j) _Pragma("unroll") for (int j = 0; j < WIDE; j++)

// The sum may be kept elsewhere than where y is.
extern "C" __global__ void add(u64 n, View x, View y, View sum) {
    EACH_WIDE(i, count, n) {
        float a[WIDE], b[WIDE];
        get_wide(x, i, count, a);
        get_wide(y, i, count, b);
        WIDE_EACH(j) b[j] += a[j];
        put_wide(sum, i, count, b);
    }
}

extern "C" __global__ void convert(u64 n, View x, View y) {
    EACH_WIDE(i, count, n) {
        float a[WIDE];
        get_wide(x, i, count, a);
        put_wide(y, i, count, a);
    }
}

extern "C" __global__ void scale(u64 n, float factor, View y) {
    EACH_WIDE(i, count, n) {
        float a[WIDE];
        get_wide(y, i, count, a);
        WIDE_EACH(j) a[j] *= factor;
        put_wide(y, i, count, a);
    }
}

extern "C" __global__ void add_bias(u64 n, u32 width, const float* bias, View y) {
    EACH(i, n) put(y, i, get(y, i) + bias[i % width]);
}

extern "C" __global__ void gelu(u64 n, View y) {
    EACH_WIDE(i, count, n) {
        float a[WIDE];
        get_wide(y, i, count, a);
        WIDE_EACH(j) a[j] *= normcdff(a[j]);
        put_wide(y, i, count, a);
    }
}

// The mix of `dropout_keeps` in reference.rs.
__device__ bool dropout_keeps(u64 key, u64 index, float probability) {
    u64 z = key + index * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    z ^= z >> 31;
    return (float)(z >> 40) * (1.0f / 16777216.0f) >= probability;
}

extern "C" __global__ void dropout(u64 n, View x, float probability, float keep, u64 key, View y) {
    EACH_WIDE(i, count, n) {
        float a[WIDE];
        get_wide(x, i, count, a);
        WIDE_EACH(j) a[j] = dropout_keeps(key, i + j, probability) ? a[j] * keep : 0.0f;
        put_wide(y, i, count, a);
    }
}

// `adds` 0: dx is written, not added to.
extern "C" __global__ void dropout_backward(u64 n, View dy, float probability, float keep, u64 key, View dx, int adds) {
    EACH_WIDE(i, count, n) {
        float a[WIDE], b[WIDE] = {};
        get_wide(dy, i, count, a);
        if (adds) get_wide(dx, i, count, b);
        WIDE_EACH(j) if (dropout_keeps(key, i + j, probability)) b[j] += a[j] * keep;
        put_wide(dx, i, count, b);
    }
}

// activation(x) and its derivative. GELU's `0.5 (1 + tanh(u))` is `sigmoid(2u)`.
__device__ float2 activate(bool gelu, float x) {
    const float c = 0.7978846f, k = 0.044715f;
    float s = 1.0f / (1.0f + expf(gelu ? -2.0f * c * (x + k * x * x * x) : -x));
    float slope = gelu ? s + x * s * (1.0f - s) * 2.0f * c * (1.0f + 3.0f * k * x * x) : s * (1.0f + x * (1.0f - s));
    return make_float2(x * s, slope);
}

// Place of element i of rows of `width` numbers that are halves of rows twice as long; a single row has `width` n.
__device__ u64 in_halves(u64 i, u64 width) { return i < width ? i : i + i / width * width; }

extern "C" __global__ void gated_activation(u64 n, u64 width, int gelu, View gate, View up, View y) {
    EACH_WIDE(i, count, n) {
        float a[WIDE], b[WIDE];
        u64 place = in_halves(i, width);
        get_wide(gate, place, count, a);
        get_wide(up, place, count, b);
        WIDE_EACH(j) a[j] = activate(gelu, a[j]).x * b[j];
        put_wide(y, i, count, a);
    }
}

extern "C" __global__ void gated_activation_backward(u64 n, u64 width, int gelu, View gate, View up, View dy, View d_gate,
                                                     View d_up) {
    EACH_WIDE(i, count, n) {
        float a[WIDE], b[WIDE], c[WIDE];
        u64 place = in_halves(i, width);
        get_wide(gate, place, count, a);
        get_wide(up, place, count, b);
        get_wide(dy, i, count, c);
        WIDE_EACH(j) {
            float2 activated = activate(gelu, a[j]);
            a[j] = c[j] * b[j] * activated.y;
            b[j] = c[j] * activated.x;
        }
        put_wide(d_gate, place, count, a);
        put_wide(d_up, place, count, b);
    }
}

extern "C" __global__ void soft_cap(u64 n, float cap, View x) {
    EACH(i, n) put(x, i, cap * tanhf(get(x, i) / cap));
}

extern "C" __global__ void soft_cap_backward(u64 n, float cap, View y, View dx) {
    EACH(i, n) {
        float ratio = get(y, i) / cap;
        put(dx, i, get(dx, i) * (1.0f - ratio * ratio));
    }
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

// Pairs of one array: `heads` a row. A second array of the same rows may have other heads, or none.
__device__ void rotate(View x, u64 i, u32 heads, u32 half, float sign, const float* cosines, const float* sines, const int* positions) {
    u64 head = i / half;
    u32 pair = i % half;
    u64 angle = (u64)positions[head / heads] * half + pair;
    float cosine = cosines[angle], sine = sign * sines[angle];
    u64 first = head * 2 * half + pair;
    float a = get(x, first), b = get(x, first + half);
    put(x, first, a * cosine - b * sine);
    put(x, first + half, b * cosine + a * sine);
}

// `sign` is -1 for the way back. n is N C/2.
extern "C" __global__ void rope(u64 n, u32 half, float sign, const float* cosines, const float* sines, const int* positions, View x,
                                u32 heads, View second, u32 second_heads) {
    EACH(i, n * (heads + second_heads)) {
        if (i < n * heads)
            rotate(x, i, heads, half, sign, cosines, sines, positions);
        else
            rotate(second, i - n * heads, second_heads, half, sign, cosines, sines, positions);
    }
}

extern "C" __global__ void gather_rows(u64 n, u32 width, const int* rows, float factor, View x, View y) {
    EACH(i, n) put(y, i, factor * get(x, (u64)rows[i / width] * width + i % width));
}

extern "C" __global__ void scatter_add_rows(u64 n, u32 width, const int* rows, View dy, View dx) {
    EACH(i, n) {
        u64 at = (u64)rows[i / width] * width + i % width;
        put(dx, at, get(dx, at) + get(dy, i));
    }
}

// For rows that repeat: one thread a column, rows in order.
extern "C" __global__ void scatter_add_repeated_rows(u32 count, u32 width, const int* rows, View dy, View dx) {
    EACH(column, width) for (u32 s = 0; s < count; s++) {
        u64 at = (u64)rows[s] * width + column;
        put(dx, at, get(dx, at) + get(dy, (u64)s * width + column));
    }
}
