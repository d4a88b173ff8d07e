// Operations that reduce over a row or an array: one block each, sums in one order.

template <typename T> __device__ T warp_sum(T value) {
    for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(0xffffffffu, value, offset);
    return value;
}

__device__ float warp_max(float value) {
    for (int offset = 16; offset > 0; offset /= 2) value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, offset));
    return value;
}

// The block's sum, in every thread. Blocks are multiples of 32 threads.
template <typename T> __device__ T block_sum(T value) {
    __shared__ T parts[32];
    value = warp_sum(value);
    __syncthreads();
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
    __syncthreads();
    T sum = 0;
    for (u32 warp = 0; warp < blockDim.x / 32; warp++) sum += parts[warp];
    return sum;
}

__device__ float block_max(float value) {
    __shared__ float parts[32];
    value = warp_max(value);
    __syncthreads();
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
    __syncthreads();
    float highest = parts[0];
    for (u32 warp = 1; warp < blockDim.x / 32; warp++) highest = fmaxf(highest, parts[warp]);
    return highest;
}

// Element `i` of a row that begins at `row`, eight at a time where the width allows.
#define ROW_WIDE(i, count, width)                                                                                   \
    for (u32 i = threadIdx.x * WIDE, count = 0; i < (width) && (count = min((u32)WIDE, (width) - i)); i += blockDim.x * WIDE)

// Rows whose width is no multiple of 8 are not aligned, and are read one by one.
__device__ void get_row(View view, u64 row, u32 i, int count, u32 width, float* values) {
    if (width % WIDE == 0)
        get_wide(view, row + i, count, values);
    else
        for (int j = 0; j < WIDE; j++) values[j] = j < count ? get(view, row + i + j) : 0.0f;
}

__device__ void put_row(View view, u64 row, u32 i, int count, u32 width, const float* values) {
    if (width % WIDE == 0)
        put_wide(view, row + i, count, values);
    else
        for (int j = 0; j < count; j++) put(view, row + i + j, values[j]);
}

extern "C" __global__ void layer_norm(u32 width, float epsilon, View x, View weight, View bias, View y) {
    u64 row = (u64)blockIdx.x * width;
    float sum = 0.0f;
    ROW_WIDE(i, count, width) {
        float a[WIDE];
        get_row(x, row, i, count, width, a);
        for (int j = 0; j < count; j++) sum += a[j];
    }
    float mean = block_sum(sum) / width, squares = 0.0f;
    ROW_WIDE(i, count, width) {
        float a[WIDE];
        get_row(x, row, i, count, width, a);
        for (int j = 0; j < count; j++) squares += (a[j] - mean) * (a[j] - mean);
    }
    float r = rsqrtf(block_sum(squares) / width + epsilon);
    ROW_WIDE(i, count, width) {
        float a[WIDE], w[WIDE], b[WIDE];
        get_row(x, row, i, count, width, a);
        get_row(weight, 0, i, count, width, w);
        get_row(bias, 0, i, count, width, b);
        WIDE_EACH(j) a[j] = (a[j] - mean) * r * w[j] + b[j];
        put_row(y, row, i, count, width, a);
    }
}

extern "C" __global__ void rms_norm(u32 width, float epsilon, View x, View weight, View y, float* r) {
    u64 row = (u64)blockIdx.x * width;
    float sum = 0.0f;
    ROW_WIDE(i, count, width) {
        float a[WIDE];
        get_row(x, row, i, count, width, a);
        WIDE_EACH(j) sum += a[j] * a[j];
    }
    float factor = 1.0f / sqrtf(block_sum(sum) / width + epsilon);
    ROW_WIDE(i, count, width) {
        float a[WIDE], w[WIDE];
        get_row(x, row, i, count, width, a);
        get_row(weight, 0, i, count, width, w);
        WIDE_EACH(j) a[j] = a[j] * factor * w[j];
        put_row(y, row, i, count, width, a);
    }
    if (threadIdx.x == 0) r[blockIdx.x] = factor;
}

// `sum = x + y`, and its norm. `sum` may be x or y.
extern "C" __global__ void add_rms_norm(u32 width, float epsilon, View x, View y, View sum, View weight, View normed, float* r) {
    u64 row = (u64)blockIdx.x * width;
    float squares = 0.0f;
    ROW_WIDE(i, count, width) {
        float a[WIDE], b[WIDE];
        get_row(x, row, i, count, width, a);
        get_row(y, row, i, count, width, b);
        WIDE_EACH(j) {
            a[j] += b[j];
            squares += a[j] * a[j];
        }
        put_row(sum, row, i, count, width, a);
    }
    float factor = 1.0f / sqrtf(block_sum(squares) / width + epsilon);
    ROW_WIDE(i, count, width) {
        float a[WIDE], w[WIDE];
        get_row(sum, row, i, count, width, a);
        get_row(weight, 0, i, count, width, w);
        WIDE_EACH(j) a[j] = a[j] * factor * w[j];
        put_row(normed, row, i, count, width, a);
    }
    if (threadIdx.x == 0) r[blockIdx.x] = factor;
}

// `adds` 0: dx is written, not added to. `rounded`, where there is one, gets the result too.
extern "C" __global__ void rms_norm_backward(u32 width, View x, View weight, const float* r, View dy, View dx, int adds,
                                             View rounded) {
    u64 row = (u64)blockIdx.x * width;
    float sum = 0.0f, factor = r[blockIdx.x];
    ROW_WIDE(i, count, width) {
        float a[WIDE], g[WIDE], w[WIDE];
        get_row(x, row, i, count, width, a);
        get_row(dy, row, i, count, width, g);
        get_row(weight, 0, i, count, width, w);
        WIDE_EACH(j) sum += g[j] * w[j] * a[j];
    }
    float mean = block_sum(sum) / width, shrink = factor * factor * factor * mean;
    ROW_WIDE(i, count, width) {
        float a[WIDE], g[WIDE], w[WIDE], d[WIDE] = {};
        get_row(x, row, i, count, width, a);
        get_row(dy, row, i, count, width, g);
        get_row(weight, 0, i, count, width, w);
        if (adds) get_row(dx, row, i, count, width, d);
        WIDE_EACH(j) d[j] += factor * g[j] * w[j] - a[j] * shrink;
        put_row(dx, row, i, count, width, d);
        if (rounded.data) put_row(rounded, row, i, count, width, d);
    }
}

extern "C" __global__ void cross_entropy(u32 width, const int* targets, const float* weights, float* logits, float* losses) {
    float* row = logits + (u64)blockIdx.x * width;
    u32 target = targets[blockIdx.x];
    float weight = weights[blockIdx.x], at_target = row[target], highest = -INFINITY, sum = 0.0f;
    for (u32 i = threadIdx.x; i < width; i += blockDim.x) highest = fmaxf(highest, row[i]);
    highest = block_max(highest);
    for (u32 i = threadIdx.x; i < width; i += blockDim.x) sum += expf(row[i] - highest);
    sum = block_sum(sum);
    float factor = weight / sum;
    for (u32 i = threadIdx.x; i < width; i += blockDim.x)
        row[i] = factor * expf(row[i] - highest) - (i == target ? weight : 0.0f);
    if (threadIdx.x == 0) losses[blockIdx.x] = highest + logf(sum) - at_target;
}

// Addresses and length of one trained array. Read by the optimizer's kernels; `Array` in optimizer.rs.
struct Array {
    float* gradient;
    float* first;
    float* second;
    float* parameter;
    u64 length;
};

// One block an array; sums of squares in f64.
extern "C" __global__ void squared_norms(const Array* arrays, double* norms) {
    Array array = arrays[blockIdx.x];
    double sum = 0.0;
    for (u64 i = threadIdx.x; i < array.length; i += blockDim.x) sum += (double)array.gradient[i] * array.gradient[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) norms[blockIdx.x] = sum;
}

// `AdamFactors` in kernels.rs.
struct AdamFactors {
    float gradient, beta1, rest1, beta2, rest2, rate, root, epsilon, keep;
};

// Factor of gradient clipping: `min(1, clip / (norm + 1e-6))`, or 1 where `clip` is 0. One warp; the sum has one order.
extern "C" __global__ void gradient_factor(int arrays, double clip, const double* norms, double* total, float* factor) {
    double sum = 0.0;
    for (int i = threadIdx.x; i < arrays; i += 32) sum += norms[i];
    sum = warp_sum(sum);
    if (threadIdx.x > 0) return;
    *total = sum;
    *factor = clip > 0.0 ? (float)fmin(1.0, clip / (sqrt(sum) + 1e-6)) : 1.0f;
}

// A column of blocks an array. `clears` says whether the gradients are set to 0; `factor`, where it is, scales them too.
extern "C" __global__ void adam_steps(const Array* arrays, AdamFactors f, const float* factor, int clears) {
    Array array = arrays[blockIdx.y];
    if (factor) f.gradient *= *factor;
    EACH(i, array.length) {
        float g = array.gradient[i] * f.gradient;
        float m = f.beta1 * array.first[i] + f.rest1 * g;
        float v = f.beta2 * array.second[i] + f.rest2 * g * g;
        array.first[i] = m;
        array.second[i] = v;
        if (clears) array.gradient[i] = 0.0f;
        array.parameter[i] = array.parameter[i] * f.keep - f.rate * m / (sqrtf(v) * f.root + f.epsilon);
    }
}
