// LoRA's thin products, whose one side is the rank. Its arrays are f32; what they meet may be bfloat16. Sums have one order.

#define LORA_THREADS 256
#define RANKS 4  // summed at once

// A factor of which element (rank r, position i) lies at `r rank_stride + i position_stride`.
struct Factor {
    const float* values;
    u64 rank_stride, position_stride;
};

__device__ float factor_at(Factor factor, u64 rank, u64 position) {
    return factor.values[rank * factor.rank_stride + position * factor.position_stride];
}

// Ranks `rank` to `rank + 3` of eight positions from `position` on, of which `there` are there; vectors of four where they lie so.
__device__ void factors_at(Factor factor, u32 ranks, u32 rank, u32 position, int there, float (*values)[WIDE]) {
    if (factor.position_stride == 1 && factor.rank_stride % 4 == 0 && there == WIDE && rank + RANKS <= ranks) {
#pragma unroll
        for (int r = 0; r < RANKS; r++) {
            const float4* source = (const float4*)(factor.values + (rank + r) * factor.rank_stride + position);
            float4 a = source[0], b = source[1];
            values[r][0] = a.x, values[r][1] = a.y, values[r][2] = a.z, values[r][3] = a.w;
            values[r][4] = b.x, values[r][5] = b.y, values[r][6] = b.z, values[r][7] = b.w;
        }
    } else if (factor.rank_stride == 1 && factor.position_stride % 4 == 0 && there == WIDE) {
        WIDE_EACH(j) {
            float4 a = *(const float4*)(factor.values + (position + j) * factor.position_stride + rank);
            values[0][j] = a.x, values[1][j] = a.y, values[2][j] = a.z, values[3][j] = a.w;
        }
    } else {
#pragma unroll
        for (int r = 0; r < RANKS; r++)
            WIDE_EACH(j) values[r][j] = rank + r < ranks && j < there ? factor_at(factor, rank + r, position + j) : 0.0f;
    }
}

struct LoraRows {
    u32 rows, inputs, outputs, rank;
    float hidden_scale, scale;  // hidden = hidden_scale x downᵀ; y = scale hidden upᵀ, or += where `adds`
    u64 adds;
};

// A block is ROWS rows: their hidden numbers first, then their outputs. A thread takes eight neighbours at a time.
template <int ROWS> __device__ void lora_rows(LoraRows shape, View x, Factor down, float* hidden, Factor up, View y) {
    extern __shared__ float tile[];  // [ROWS, rank]
    __shared__ float parts[LORA_THREADS / 32][ROWS * RANKS];
    u32 first = blockIdx.x * ROWS, count = min((u32)ROWS, shape.rows - first);
    for (u32 rank = 0; rank < shape.rank; rank += RANKS) {
        float sums[ROWS][RANKS] = {};
        for (u32 i = threadIdx.x * WIDE; i < shape.inputs; i += LORA_THREADS * WIDE) {
            int there = min((u32)WIDE, shape.inputs - i);
            float factors[RANKS][WIDE];
            factors_at(down, shape.rank, rank, i, there, factors);
#pragma unroll
            for (int row = 0; row < ROWS; row++) {
                float values[WIDE] = {};
                if (row < count) get_row(x, (u64)(first + row) * shape.inputs, i, there, shape.inputs, values);
#pragma unroll
                for (int r = 0; r < RANKS; r++)
                    WIDE_EACH(j) sums[row][r] = fmaf(values[j], factors[r][j], sums[row][r]);
            }
        }
#pragma unroll
        for (int row = 0; row < ROWS; row++)
#pragma unroll
            for (int r = 0; r < RANKS; r++) {
                float sum = warp_sum(sums[row][r]);
                if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32][row * RANKS + r] = sum;
            }
        __syncthreads();
        u32 row = threadIdx.x / RANKS, r = rank + threadIdx.x % RANKS;
        if (row < count && r < shape.rank) {
            float sum = 0.0f;
            for (int warp = 0; warp < LORA_THREADS / 32; warp++) sum += parts[warp][threadIdx.x];
            sum *= shape.hidden_scale;
            tile[row * shape.rank + r] = sum;
            hidden[(u64)(first + row) * shape.rank + r] = sum;
        }
        __syncthreads();
    }
    for (u32 o = threadIdx.x * WIDE; o < shape.outputs; o += LORA_THREADS * WIDE) {
        int there = min((u32)WIDE, shape.outputs - o);
        float sums[ROWS][WIDE] = {};
        for (u32 rank = 0; rank < shape.rank; rank += RANKS) {
            float factors[RANKS][WIDE];
            factors_at(up, shape.rank, rank, o, there, factors);
#pragma unroll
            for (int row = 0; row < ROWS; row++)
#pragma unroll
                for (int r = 0; r < RANKS; r++) {
                    float weight = row < count && rank + r < shape.rank ? tile[row * shape.rank + rank + r] : 0.0f;
                    WIDE_EACH(j) sums[row][j] = fmaf(weight, factors[r][j], sums[row][j]);
                }
        }
#pragma unroll
        for (int row = 0; row < ROWS; row++) {
            if (row >= count) continue;
            u64 at = (u64)(first + row) * shape.outputs;
            float values[WIDE] = {};
            if (shape.adds) get_row(y, at, o, there, shape.outputs, values);
            WIDE_EACH(j) values[j] += shape.scale * sums[row][j];
            put_row(y, at, o, there, shape.outputs, values);
        }
    }
}

extern "C" __global__ void __launch_bounds__(LORA_THREADS) lora_rows_2(LoraRows shape, View x, Factor down, float* hidden,
                                                                        Factor up, View y) {
    lora_rows<2>(shape, x, down, hidden, up, y);
}

extern "C" __global__ void __launch_bounds__(LORA_THREADS) lora_rows_8(LoraRows shape, View x, Factor down, float* hidden,
                                                                        Factor up, View y) {
    lora_rows<8>(shape, x, down, hidden, up, y);
}

// `gradient[r, c] += scale Σ_n left[n, r] x[n, c]`, where element (r, c) lies at `r rank_stride + c column_stride`.
struct LoraGradient {
    View x;
    const float* left;
    float* gradient;
    float* parts;  // [chunks, rank, columns]
    u64 rank_stride, column_stride;
    u32 columns, blocks;
    float scale;
    u32 padding;
};

#define COLUMN_THREADS 128
#define COLUMNS 2  // of a thread
#define GRADIENT_RANKS 8
#define TILE_ROWS 32

// A block sums `chunk` rows for some columns and eight ranks of one of the two gradients.
extern "C" __global__ void __launch_bounds__(COLUMN_THREADS) lora_columns(u32 rows, u32 rank, u32 chunk, LoraGradient a, LoraGradient b) {
    __shared__ float left[TILE_ROWS][GRADIENT_RANKS];
    bool second = blockIdx.x >= a.blocks;
    LoraGradient part = second ? b : a;
    u32 column = (blockIdx.x - (second ? a.blocks : 0)) * COLUMN_THREADS * COLUMNS + threadIdx.x;
    u32 first = blockIdx.y * chunk, last = min(rows, first + chunk), low = blockIdx.z * GRADIENT_RANKS;
    float sums[COLUMNS][GRADIENT_RANKS] = {};
    for (u32 from = first; from < last; from += TILE_ROWS) {
        u32 count = min((u32)TILE_ROWS, last - from);
        __syncthreads();
        for (u32 i = threadIdx.x; i < TILE_ROWS * GRADIENT_RANKS; i += COLUMN_THREADS) {
            u32 n = i / GRADIENT_RANKS, r = low + i % GRADIENT_RANKS;
            left[n][i % GRADIENT_RANKS] = n < count && r < rank ? part.left[(u64)(from + n) * rank + r] : 0.0f;
        }
        __syncthreads();
#pragma unroll 8
        for (u32 n = 0; n < count; n++) {
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) {
                u32 at = column + c * COLUMN_THREADS;
                float value = at < part.columns ? get(part.x, (u64)(from + n) * part.columns + at) : 0.0f;
#pragma unroll
                for (int r = 0; r < GRADIENT_RANKS; r++) sums[c][r] = fmaf(left[n][r], value, sums[c][r]);
            }
        }
    }
#pragma unroll
    for (int c = 0; c < COLUMNS; c++)
#pragma unroll
        for (int r = 0; r < GRADIENT_RANKS; r++) {
            u32 at = column + c * COLUMN_THREADS;
            if (at < part.columns && low + r < rank)
                part.parts[((u64)blockIdx.y * rank + low + r) * part.columns + at] = sums[c][r];
        }
}

// Adds the chunks' sums, in their order, to both gradients.
extern "C" __global__ void lora_add_columns(u32 rank, u32 chunks, LoraGradient a, LoraGradient b) {
    u64 of_a = (u64)rank * a.columns, all = of_a + (u64)rank * b.columns;
    EACH(i, all) {
        LoraGradient part = i < of_a ? a : b;
        u64 at = i < of_a ? i : i - of_a, size = (u64)rank * part.columns;
        float* place = part.gradient + at / part.columns * part.rank_stride + at % part.columns * part.column_stride;
        float before = *place, sum = 0.0f;
#pragma unroll 8
        for (u32 chunk = 0; chunk < chunks; chunk++) sum += part.parts[chunk * size + at];
        *place = before + part.scale * sum;
    }
}
