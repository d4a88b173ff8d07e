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

extern "C" __global__ void rms_norm(u32 width, float epsilon, const float* x, const float* weight, float* y, float* r) {
    x += (u64)blockIdx.x * width, y += (u64)blockIdx.x * width;
    float sum = 0.0f;
    for (u32 i = threadIdx.x; i < width; i += blockDim.x) sum += x[i] * x[i];
    float factor = 1.0f / sqrtf(block_sum(sum) / width + epsilon);
    for (u32 i = threadIdx.x; i < width; i += blockDim.x) y[i] = x[i] * factor * weight[i];
    if (threadIdx.x == 0) r[blockIdx.x] = factor;
}

extern "C" __global__ void rms_norm_backward(u32 width, const float* x, const float* weight, const float* r, const float* dy,
                                             float* dx) {
    x += (u64)blockIdx.x * width, dy += (u64)blockIdx.x * width, dx += (u64)blockIdx.x * width;
    float sum = 0.0f, factor = r[blockIdx.x];
    for (u32 i = threadIdx.x; i < width; i += blockDim.x) sum += dy[i] * weight[i] * x[i];
    float mean = block_sum(sum) / width, shrink = factor * factor * factor * mean;
    for (u32 i = threadIdx.x; i < width; i += blockDim.x) dx[i] += factor * dy[i] * weight[i] - x[i] * shrink;
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

// A column of blocks an array. `clears` says whether the gradients are set to 0.
extern "C" __global__ void adam_steps(const Array* arrays, AdamFactors f, int clears) {
    Array array = arrays[blockIdx.y];
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
