// Ragged attention, forward and backward, in tiles after Dao et al. 2022 (FlashAttention).
//
// A block is four warps. Where scores are computed, a lane is one row of a tile in shared memory (a key, or in `attention_d_key_value`
// a query), and where rows are summed, a lane is one channel of every 32. Every score is one chain of multiply-adds over the channels,
// the same in all kernels. Sums run over keys, or queries, in the order of their positions, so nothing depends on timing.

// Query rows that attend among themselves, after `prefix` keys: `common` from key row 0, and then those of their group's prefix from key
// row `group`. Their own keys begin at key row `keys`. `Segment` in layout.rs.
struct Segment {
    int prefix, begin, end, keys, common, group;
};

// Query rows of one segment.
struct QueryTile {
    int segment, begin, count;
};

// Key rows, the position of the first, the segments whose queries see them, and the slot of the partial sums, or -1 for none.
struct KeyTile {
    int begin, count, position, first_segment, last_segment, slot;
};

struct AttentionShape {
    int heads, key_value_heads, width, window, causal;  // window 0: none
    float scale, soft_cap;                      // soft_cap 0: none
};

#define WARPS 4
#define QUERIES 4    // of a warp in a query tile
#define KEYS 4       // of a warp in a key tile
#define LANES 32

__device__ int padded(int width) { return (width + 3) / 4 * 4; }
__device__ int stride(int width) { return padded(width) + 4; }

// Copies `count` rows of one head into shared memory, with zeros behind their channels and for rows that are not there.
template <typename RowOf>
__device__ void load(float* to, int stride, int rows, int count, RowOf row_of, View from, int heads, int head, int width) {
    for (int row = threadIdx.x / LANES; row < rows; row += WARPS) {
        u64 source = ((u64)row_of(row) * heads + head) * width;
        for (int channel = threadIdx.x % LANES; channel < padded(width); channel += LANES)
            to[row * stride + channel] = row < count && channel < width ? get(from, source + channel) : 0.0f;
    }
}

// Dot products of this lane's row with R rows that all lanes share.
template <int R> __device__ void dots(const float* own, const float* shared, int shared_stride, int full, float* result) {
    for (int r = 0; r < R; r++) result[r] = 0.0f;
    for (int c = 0; c < full; c += 4) {
        float4 a = *(const float4*)(own + c);
#pragma unroll
        for (int r = 0; r < R; r++) {
            float4 b = *(const float4*)(shared + r * shared_stride + c);
            result[r] = fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, result[r]))));
        }
    }
}

__device__ float capped(AttentionShape shape, float dot) {
    float score = dot * shape.scale;
    return shape.soft_cap > 0.0f ? shape.soft_cap * tanhf(score / shape.soft_cap) : score;
}

__device__ float slope(AttentionShape shape, float capped) {
    float ratio = capped / shape.soft_cap;
    return shape.soft_cap > 0.0f ? (1.0f - ratio * ratio) * shape.scale : shape.scale;
}

__device__ bool visible(AttentionShape shape, int query, int key) {
    return !shape.causal || (key <= query && (shape.window == 0 || key + shape.window > query));
}

// The last position that any of the queries of a segment up to position `last` sees.
__device__ int last_visible(AttentionShape shape, Segment segment, int last) {
    return shape.causal ? last : segment.prefix + segment.end - segment.begin - 1;
}

// The first position of a segment's queries that see any key from position `key` on.
__device__ int first_reader(AttentionShape shape, Segment segment, int key) {
    return shape.causal ? max(segment.prefix, key) : segment.prefix;
}

__device__ int key_row_of(Segment segment, int position) {
    if (position >= segment.prefix) return segment.keys + position - segment.prefix;
    return position < segment.common ? position : segment.group + position - segment.common;
}

// CHANNELS is the head dimension over 32, rounded up.
template <int CHANNELS>
__device__ void forward(AttentionShape shape, const Segment* segments, const QueryTile* tiles, View query,
                        View key, View value, View output, float* log_sum) {
    extern __shared__ float4 memory[];
    int width = shape.width, full = padded(width), wide = stride(width), lane = threadIdx.x % LANES, warp = threadIdx.x / LANES;
    float* queries = (float*)memory;
    float* tile_rows = queries + WARPS * QUERIES * full;
    QueryTile tile = tiles[blockIdx.x];
    if (tile.count == 0) return;
    Segment segment = segments[tile.segment];
    int head = blockIdx.y, key_head = head / (shape.heads / shape.key_value_heads);
    int first = segment.prefix + tile.begin - segment.begin, last = last_visible(shape, segment, first + tile.count - 1);
    load(queries, full, WARPS * QUERIES, tile.count, [&](int i) { return tile.begin + i; }, query, shape.heads, head, width);

    float sums[QUERIES], highest[QUERIES], rows[QUERIES][CHANNELS], scores[QUERIES];
    for (int q = 0; q < QUERIES; q++) {
        sums[q] = 0.0f, highest[q] = -INFINITY;
        for (int c = 0; c < CHANNELS; c++) rows[q][c] = 0.0f;
    }
    int begin = shape.window ? max(0, first + 1 - shape.window) : 0;
    for (int from = begin; from <= last; from += LANES) {
        int count = min(LANES, last + 1 - from);
        auto key_row = [&](int i) { return key_row_of(segment, from + i); };
        __syncthreads();
        load(tile_rows, wide, LANES, count, key_row, key, shape.key_value_heads, key_head, width);
        __syncthreads();
        dots<QUERIES>(tile_rows + lane * wide, queries + warp * QUERIES * full, full, full, scores);
        __syncthreads();
        load(tile_rows, wide, LANES, count, key_row, value, shape.key_value_heads, key_head, width);
        __syncthreads();
#pragma unroll
        for (int q = 0; q < QUERIES; q++) {
            bool seen = visible(shape, first + warp * QUERIES + q, from + lane) && lane < count;
            float score = seen ? capped(shape, scores[q]) : -INFINITY;
            float higher = fmaxf(highest[q], warp_max(score));
            if (higher == -INFINITY) {
                scores[q] = 0.0f;
                continue;
            }
            float shrink = expf(highest[q] - higher);
            scores[q] = seen ? expf(score - higher) : 0.0f;
            sums[q] = sums[q] * shrink + warp_sum(scores[q]);
            highest[q] = higher;
#pragma unroll
            for (int c = 0; c < CHANNELS; c++) rows[q][c] *= shrink;
        }
        for (int k = 0; k < count; k++) {
            float values[CHANNELS];
#pragma unroll
            for (int c = 0; c < CHANNELS; c++) values[c] = lane + c * LANES < full ? tile_rows[k * wide + lane + c * LANES] : 0.0f;
#pragma unroll
            for (int q = 0; q < QUERIES; q++) {
                float probability = __shfl_sync(0xffffffffu, scores[q], k);
#pragma unroll
                for (int c = 0; c < CHANNELS; c++) rows[q][c] = fmaf(probability, values[c], rows[q][c]);
            }
        }
    }
#pragma unroll
    for (int q = 0; q < QUERIES; q++) {
        if (warp * QUERIES + q >= tile.count) continue;
        u64 at = (u64)(tile.begin + warp * QUERIES + q) * shape.heads + head;
#pragma unroll
        for (int c = 0; c < CHANNELS; c++)
            if (lane + c * LANES < width) put(output, at * width + lane + c * LANES, rows[q][c] / sums[q]);
        if (lane == 0) log_sum[at] = highest[q] + logf(sums[q]);
    }
}

// `delta = d_output · output` of each row and head, in the order of `dots`.
extern "C" __global__ void attention_delta(u64 n, int width, View d_output, View output, float* delta) {
    EACH(i, n) {
        float sum = 0.0f;
        for (int c = 0; c < width; c++) sum = fmaf(get(output, i * width + c), get(d_output, i * width + c), sum);
        delta[i] = sum;
    }
}

template <int CHANNELS>
__device__ void d_query(AttentionShape shape, const Segment* segments, const QueryTile* tiles, View query,
                        View key, View value, const float* log_sum, const float* delta, View d_output,
                        View gradient) {
    extern __shared__ float4 memory[];
    int width = shape.width, full = padded(width), wide = stride(width), lane = threadIdx.x % LANES, warp = threadIdx.x / LANES;
    float* queries = (float*)memory;
    float* d_outputs = queries + WARPS * QUERIES * full;
    float* tile_rows = d_outputs + WARPS * QUERIES * full;
    QueryTile tile = tiles[blockIdx.x];
    if (tile.count == 0) return;
    Segment segment = segments[tile.segment];
    int head = blockIdx.y, key_head = head / (shape.heads / shape.key_value_heads);
    int first = segment.prefix + tile.begin - segment.begin, last = last_visible(shape, segment, first + tile.count - 1);
    auto query_row = [&](int i) { return tile.begin + i; };
    load(queries, full, WARPS * QUERIES, tile.count, query_row, query, shape.heads, head, width);
    load(d_outputs, full, WARPS * QUERIES, tile.count, query_row, d_output, shape.heads, head, width);

    float rows[QUERIES][CHANNELS], d_scores[QUERIES], scores[QUERIES], log_sums[QUERIES], deltas[QUERIES];
    for (int q = 0; q < QUERIES; q++) {
        bool there = warp * QUERIES + q < tile.count;
        u64 at = (u64)(tile.begin + warp * QUERIES + q) * shape.heads + head;
        log_sums[q] = there ? log_sum[at] : 0.0f, deltas[q] = there ? delta[at] : 0.0f;
        for (int c = 0; c < CHANNELS; c++) rows[q][c] = 0.0f;
    }
    int begin = shape.window ? max(0, first + 1 - shape.window) : 0;
    for (int from = begin; from <= last; from += LANES) {
        int count = min(LANES, last + 1 - from);
        auto key_row = [&](int i) { return key_row_of(segment, from + i); };
        __syncthreads();
        load(tile_rows, wide, LANES, count, key_row, value, shape.key_value_heads, key_head, width);
        __syncthreads();
        dots<QUERIES>(tile_rows + lane * wide, d_outputs + warp * QUERIES * full, full, full, d_scores);
        __syncthreads();
        load(tile_rows, wide, LANES, count, key_row, key, shape.key_value_heads, key_head, width);
        __syncthreads();
        dots<QUERIES>(tile_rows + lane * wide, queries + warp * QUERIES * full, full, full, scores);
#pragma unroll
        for (int q = 0; q < QUERIES; q++) {
            bool seen = visible(shape, first + warp * QUERIES + q, from + lane) && lane < count;
            float score = capped(shape, scores[q]);
            float probability = expf(score - log_sums[q]);
            d_scores[q] = seen ? probability * (d_scores[q] - deltas[q]) * slope(shape, score) : 0.0f;
        }
        for (int k = 0; k < count; k++) {
            float keys[CHANNELS];
#pragma unroll
            for (int c = 0; c < CHANNELS; c++) keys[c] = lane + c * LANES < full ? tile_rows[k * wide + lane + c * LANES] : 0.0f;
#pragma unroll
            for (int q = 0; q < QUERIES; q++) {
                float d_score = __shfl_sync(0xffffffffu, d_scores[q], k);
#pragma unroll
                for (int c = 0; c < CHANNELS; c++) rows[q][c] = fmaf(d_score, keys[c], rows[q][c]);
            }
        }
    }
#pragma unroll
    for (int q = 0; q < QUERIES; q++) {
        if (warp * QUERIES + q >= tile.count) continue;
        u64 at = (u64)(tile.begin + warp * QUERIES + q) * shape.heads + head;
#pragma unroll
        for (int c = 0; c < CHANNELS; c++)
            if (lane + c * LANES < width) put(gradient, at * width + lane + c * LANES, rows[q][c]);
    }
}

// Gradients of a few keys and values from the queries of some segments: into the gradients themselves, or into slot
// `[slot, P, K, C]` of the partial sums, which `attention_add_partial_sums` adds up.
template <int CHANNELS>
__device__ void d_key_value(AttentionShape shape, const Segment* segments, const KeyTile* tiles, int prefix, View query,
                            View key, View value, const float* log_sum, const float* delta,
                            View d_output, View key_gradient, View value_gradient, float* key_parts,
                            float* value_parts) {
    extern __shared__ float4 memory[];
    int width = shape.width, full = padded(width), wide = stride(width), lane = threadIdx.x % LANES, warp = threadIdx.x / LANES;
    float* keys = (float*)memory;
    float* values = keys + WARPS * KEYS * full;
    float* queries = values + WARPS * KEYS * full;
    float* d_outputs = queries + LANES * wide;
    KeyTile tile = tiles[blockIdx.x];
    if (tile.count == 0) return;
    int key_head = blockIdx.y, group = shape.heads / shape.key_value_heads;
    auto key_row = [&](int i) { return tile.begin + i; };
    load(keys, full, WARPS * KEYS, tile.count, key_row, key, shape.key_value_heads, key_head, width);
    load(values, full, WARPS * KEYS, tile.count, key_row, value, shape.key_value_heads, key_head, width);

    float key_rows[KEYS][CHANNELS], value_rows[KEYS][CHANNELS], probabilities[KEYS], d_scores[KEYS];
    for (int k = 0; k < KEYS; k++)
        for (int c = 0; c < CHANNELS; c++) key_rows[k][c] = 0.0f, value_rows[k][c] = 0.0f;
    for (int s = tile.first_segment; s < tile.last_segment; s++) {
        Segment segment = segments[s];
        int begin = first_reader(shape, segment, tile.position), end = segment.prefix + segment.end - segment.begin;
        if (shape.window) end = min(end, tile.position + tile.count - 1 + shape.window);
        for (int from = begin; from < end; from += LANES) {
            int count = min(LANES, end - from), row = segment.begin + from - segment.prefix;
            auto query_row = [&](int i) { return row + i; };
            for (int head = key_head * group; head < (key_head + 1) * group; head++) {
                __syncthreads();
                load(queries, wide, LANES, count, query_row, query, shape.heads, head, width);
                load(d_outputs, wide, LANES, count, query_row, d_output, shape.heads, head, width);
                u64 at = (u64)(row + lane) * shape.heads + head;
                float own_log_sum = lane < count ? log_sum[at] : 0.0f, own_delta = lane < count ? delta[at] : 0.0f;
                __syncthreads();
                dots<KEYS>(queries + lane * wide, keys + warp * KEYS * full, full, full, probabilities);
                dots<KEYS>(d_outputs + lane * wide, values + warp * KEYS * full, full, full, d_scores);
#pragma unroll
                for (int k = 0; k < KEYS; k++) {
                    bool seen = visible(shape, from + lane, tile.position + warp * KEYS + k) && lane < count;
                    float score = capped(shape, probabilities[k]);
                    probabilities[k] = seen ? expf(score - own_log_sum) : 0.0f;
                    d_scores[k] = seen ? probabilities[k] * (d_scores[k] - own_delta) * slope(shape, score) : 0.0f;
                }
                for (int q = 0; q < count; q++) {
                    float query_channels[CHANNELS], d_output_channels[CHANNELS];
#pragma unroll
                    for (int c = 0; c < CHANNELS; c++) {
                        bool there = lane + c * LANES < full;
                        query_channels[c] = there ? queries[q * wide + lane + c * LANES] : 0.0f;
                        d_output_channels[c] = there ? d_outputs[q * wide + lane + c * LANES] : 0.0f;
                    }
#pragma unroll
                    for (int k = 0; k < KEYS; k++) {
                        float probability = __shfl_sync(0xffffffffu, probabilities[k], q);
                        float d_score = __shfl_sync(0xffffffffu, d_scores[k], q);
#pragma unroll
                        for (int c = 0; c < CHANNELS; c++) {
                            key_rows[k][c] = fmaf(d_score, query_channels[c], key_rows[k][c]);
                            value_rows[k][c] = fmaf(probability, d_output_channels[c], value_rows[k][c]);
                        }
                    }
                }
            }
        }
    }
    bool partial = tile.slot >= 0;
    View to_key = partial ? View{key_parts, 0} : key_gradient;
    View to_value = partial ? View{value_parts, 0} : value_gradient;
    int base = partial ? tile.slot * prefix : 0;
#pragma unroll
    for (int k = 0; k < KEYS; k++) {
        if (warp * KEYS + k >= tile.count) continue;
        u64 at = ((u64)(base + tile.begin + warp * KEYS + k) * shape.key_value_heads + key_head) * width;
#pragma unroll
        for (int c = 0; c < CHANNELS; c++) {
            if (lane + c * LANES >= width) continue;
            put(to_key, at + lane + c * LANES, key_rows[k][c]);
            put(to_value, at + lane + c * LANES, value_rows[k][c]);
        }
    }
}

// Slots are added in order, a thread for each number of the keys' and the values'. n is P K C.
extern "C" __global__ void attention_add_partial_sums(u64 n, int slots, const float* key_parts, const float* value_parts,
                                                      View key_gradient, View value_gradient) {
    EACH(i, 2 * n) {
        const float* parts = (i < n ? key_parts : value_parts) + i % n;
        float sum = 0.0f;
#pragma unroll 8
        for (int slot = 0; slot < slots; slot++) sum += parts[slot * n];
        put(i < n ? key_gradient : value_gradient, i % n, sum);
    }
}

#define FOR_CHANNELS(CHANNELS)                                                                                                 \
    extern "C" __global__ void __launch_bounds__(WARPS* LANES) attention_##CHANNELS(                                           \
        AttentionShape shape, const Segment* segments, const QueryTile* tiles, View query, View key,           \
        View value, View output, float* log_sum) {                                                                   \
        forward<CHANNELS>(shape, segments, tiles, query, key, value, output, log_sum);                                         \
    }                                                                                                                          \
    extern "C" __global__ void __launch_bounds__(WARPS* LANES) attention_d_query_##CHANNELS(                                   \
        AttentionShape shape, const Segment* segments, const QueryTile* tiles, View query, View key,           \
        View value, const float* log_sum, const float* delta, View d_output, View gradient) {                \
        d_query<CHANNELS>(shape, segments, tiles, query, key, value, log_sum, delta, d_output, gradient);                      \
    }                                                                                                                          \
    extern "C" __global__ void __launch_bounds__(WARPS* LANES) attention_d_key_value_##CHANNELS(                               \
        AttentionShape shape, const Segment* segments, const KeyTile* tiles, int prefix, View query, View key, \
        View value, const float* log_sum, const float* delta, View d_output, View key_gradient,              \
        View value_gradient, float* key_parts, float* value_parts) {                                                         \
        d_key_value<CHANNELS>(shape, segments, tiles, prefix, query, key, value, log_sum, delta, d_output, key_gradient,       \
                              value_gradient, key_parts, value_parts);                                                         \
    }

FOR_CHANNELS(1)
FOR_CHANNELS(2)
FOR_CHANNELS(4)
FOR_CHANNELS(8)
