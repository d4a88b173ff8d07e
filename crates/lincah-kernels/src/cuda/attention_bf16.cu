// The same attention on tensor cores, for bfloat16 arrays whose head dimension is a multiple of 16: products of 16×8×16 whose sums are f32.
//
// Where queries are tiles, a warp is 16 queries of one head, and the block's four warps are heads that share their keys. Where keys are
// tiles, scores are split over the warps by queries and sums by channels. Probabilities are rounded to bfloat16 before they weigh rows.

// Two teams of four warps take turns at the queries, so that one computes while the other waits for memory.
#define TEAM 128
#define TEAMS 2

#if __CUDA_ARCH__ >= 800
#define TENSOR_WARPS 4
#define TILE_QUERIES 16
#define TILE_KEYS 32

// Numbers between rows in shared memory: eight more than the channels, so that eight rows lie in different banks.
template <int FULL> struct Tile {
    static const int stride = FULL + 8;
};

__device__ void multiply(float* sums, const u32* a, u32 b0, u32 b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ void load_matrices(u32* to, const u16* from) {
    u32 address = (u32)__cvta_generic_to_shared(from);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address)
                 : "memory");
}

__device__ void load_transposed(u32* to, const u16* from) {
    u32 address = (u32)__cvta_generic_to_shared(from);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address)
                 : "memory");
}

// Where this lane's eight numbers lie: of a 16×16 left factor; of a right factor whose 16 columns are rows in memory; of one whose
// 16 inner rows are rows in memory.
__device__ int left_at(int stride) { return (threadIdx.x & 15) * stride + (threadIdx.x % 32 >> 4) * 8; }
__device__ int columns_at(int stride) {
    int lane = threadIdx.x % 32;
    return ((lane & 7) + (lane >> 4) * 8) * stride + (lane >> 3 & 1) * 8;
}
__device__ int rows_at(int stride) {
    int lane = threadIdx.x % 32;
    return (lane & 15) * stride + (lane >> 4) * 8;
}

// Begins to copy `count` rows of one head, with zeros behind their channels and for rows that are not there, by `threads` threads of
// which this is `thread`. The copies since the last `end_of_copies` are waited for together.
template <int FULL, typename RowOf>
__device__ void copy_rows(u16* to, int rows, int count, RowOf row_of, View from, int heads, int head, int width, int thread, int threads) {
    const int pieces = FULL / 8;
    for (int i = thread; i < rows * pieces; i += threads) {
        int row = i / pieces, channel = i % pieces * 8;
        bool there = row < count && channel < width;
        const u16* source = (const u16*)from.data + (there ? ((u64)row_of(row) * heads + head) * width + channel : 0);
        u32 target = (u32)__cvta_generic_to_shared(to + row * Tile<FULL>::stride + channel);
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(target), "l"(source), "r"(there ? 16 : 0) : "memory");
    }
}

__device__ void end_of_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most `LATER` of the newest groups of copies are under way.
template <int LATER> __device__ void wait_for_copies() { asm volatile("cp.async.wait_group %0;" ::"n"(LATER) : "memory"); }

// 16 rows times 32 rows: `scores[n]` are columns 8 n to 8 n + 7.
template <int FULL> __device__ void score_tile(const u16* left, const u16* right, float (*scores)[4]) {
    const int stride = Tile<FULL>::stride;
    for (int n = 0; n < 4; n++)
        for (int i = 0; i < 4; i++) scores[n][i] = 0.0f;
#pragma unroll
    for (int k = 0; k < FULL; k += 16) {
        u32 a[4], b[4];
        load_matrices(a, left + left_at(stride) + k);
#pragma unroll
        for (int n = 0; n < 4; n += 2) {
            load_matrices(b, right + n * 8 * stride + columns_at(stride) + k);
            multiply(scores[n], a, b[0], b[1]);
            multiply(scores[n + 1], a, b[2], b[3]);
        }
    }
}

// `sums[t] += weights rows`: 16×32 weights by 32 rows in memory, of which channels 8 t to 8 t + 7.
template <int FULL> __device__ void add_weighted(const u32 (*weights)[4], const u16* rows, float (*sums)[4]) {
    const int stride = Tile<FULL>::stride;
#pragma unroll
    for (int k = 0; k < 2; k++)
#pragma unroll
        for (int t = 0; t < FULL / 8; t += 2) {
            u32 b[4];
            load_transposed(b, rows + k * 16 * stride + rows_at(stride) + t * 8);
            multiply(sums[t], weights[k], b[0], b[1]);
            multiply(sums[t + 1], weights[k], b[2], b[3]);
        }
}

// Sums of 16×32, rounded, as two left factors of 16×16.
__device__ void as_factors(const float (*values)[4], u32 (*factors)[4]) {
#pragma unroll
    for (int k = 0; k < 2; k++) {
        factors[k][0] = pack_bf16(values[2 * k][0], values[2 * k][1]);
        factors[k][1] = pack_bf16(values[2 * k][2], values[2 * k][3]);
        factors[k][2] = pack_bf16(values[2 * k + 1][0], values[2 * k + 1][1]);
        factors[k][3] = pack_bf16(values[2 * k + 1][2], values[2 * k + 1][3]);
    }
}

__device__ float quad_sum(float value) {
    value += __shfl_xor_sync(0xffffffffu, value, 1);
    return value + __shfl_xor_sync(0xffffffffu, value, 2);
}

__device__ float quad_max(float value) {
    value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, 1));
    return fmaxf(value, __shfl_xor_sync(0xffffffffu, value, 2));
}

// A warp's query head; `there` is false where the group of heads has no such head.
struct HeadOfWarp {
    int head, key_head;
    bool there;
};

__device__ HeadOfWarp head_of_warp(AttentionShape shape, int warp) {
    int group = shape.heads / shape.key_value_heads, blocks = (group + TENSOR_WARPS - 1) / TENSOR_WARPS;
    int key_head = blockIdx.y / blocks, in_group = blockIdx.y % blocks * TENSOR_WARPS + warp;
    return {key_head * group + min(in_group, group - 1), key_head, in_group < group};
}

template <int FULL>
__device__ void tensor_forward(AttentionShape shape, const Segment* segments, const QueryTile* tiles, View query, View key,
                               View value, View output, float* log_sum) {
    extern __shared__ uint4 tensor_memory[];
    const int stride = Tile<FULL>::stride;
    QueryTile tile = tiles[blockIdx.x];
    if (tile.count == 0) return;
    int width = shape.width, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    u16* queries = (u16*)tensor_memory + warp * TILE_QUERIES * stride;
    u16* keys = (u16*)tensor_memory + TENSOR_WARPS * TILE_QUERIES * stride;
    u16* values = keys + TILE_KEYS * stride;
    Segment segment = segments[tile.segment];
    HeadOfWarp own = head_of_warp(shape, warp);
    int first = segment.prefix + tile.begin - segment.begin, last = last_visible(shape, segment, first + tile.count - 1);
    copy_rows<FULL>(queries, TILE_QUERIES, own.there ? tile.count : 0, [&](int i) { return tile.begin + i; }, query, shape.heads,
                    own.head, width, lane, 32);
    float sums[2] = {0.0f, 0.0f}, highest[2] = {-INFINITY, -INFINITY}, rows[FULL / 8][4];
#pragma unroll
    for (int t = 0; t < FULL / 8; t++)
        for (int i = 0; i < 4; i++) rows[t][i] = 0.0f;
    int begin = shape.window ? max(0, first + 1 - shape.window) : 0;
    auto copy = [&](u16* to, View source, int from) {
        auto key_row = [&](int i) { return key_row_of(segment, from + i); };
        copy_rows<FULL>(to, TILE_KEYS, last + 1 - from, key_row, source, shape.key_value_heads, own.key_head, width, threadIdx.x, 128);
        end_of_copies();
    };
    copy(keys, key, begin);
    for (int from = begin; from <= last; from += TILE_KEYS) {
        int count = min(TILE_KEYS, last + 1 - from);
        copy(values, value, from);
        wait_for_copies<1>();
        __syncthreads();
        float scores[4][4];
        score_tile<FULL>(queries, keys, scores);
        __syncthreads();
        // The next keys come while the values are used; behind the last there are none to copy.
        copy(keys, key, from + TILE_KEYS);
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int position = first + lane / 4 + half * 8;
            float higher = highest[half];
#pragma unroll
            for (int n = 0; n < 4; n++)
#pragma unroll
                for (int i = 0; i < 2; i++) {
                    int at = n * 8 + lane % 4 * 2 + i;
                    bool seen = at < count && visible(shape, position, from + at);
                    float score = seen ? capped(shape, scores[n][half * 2 + i]) : -INFINITY;
                    scores[n][half * 2 + i] = score;
                    higher = fmaxf(higher, score);
                }
            higher = quad_max(higher);
            float base = higher == -INFINITY ? 0.0f : higher, shrink = expf(highest[half] - base), sum = 0.0f;
#pragma unroll
            for (int n = 0; n < 4; n++)
#pragma unroll
                for (int i = 0; i < 2; i++) {
                    float probability = expf(scores[n][half * 2 + i] - base);
                    scores[n][half * 2 + i] = probability;
                    sum += probability;
                }
            sums[half] = sums[half] * shrink + quad_sum(sum);
            highest[half] = higher;
#pragma unroll
            for (int t = 0; t < FULL / 8; t++) rows[t][half * 2] *= shrink, rows[t][half * 2 + 1] *= shrink;
        }
        u32 weights[2][4];
        as_factors(scores, weights);
        wait_for_copies<1>();
        __syncthreads();
        add_weighted<FULL>(weights, values, rows);
        __syncthreads();
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = lane / 4 + half * 8;
        if (row >= tile.count || !own.there) continue;
        u64 at = (u64)(tile.begin + row) * shape.heads + own.head;
        float scale = 1.0f / sums[half];
#pragma unroll
        for (int t = 0; t < FULL / 8; t++) {
            int channel = t * 8 + lane % 4 * 2;
            if (channel < width)
                *(u32*)((u16*)output.data + at * width + channel) = pack_bf16(rows[t][half * 2] * scale, rows[t][half * 2 + 1] * scale);
        }
        if (lane % 4 == 0) log_sum[at] = highest[half] + logf(sums[half]);
    }
}

template <int FULL>
__device__ void tensor_d_query(AttentionShape shape, const Segment* segments, const QueryTile* tiles, View query, View key, View value,
                               const float* log_sum, const float* delta, View d_output, View gradient) {
    extern __shared__ uint4 tensor_memory[];
    const int stride = Tile<FULL>::stride;
    QueryTile tile = tiles[blockIdx.x];
    if (tile.count == 0) return;
    int width = shape.width, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    u16* queries = (u16*)tensor_memory + warp * TILE_QUERIES * stride;
    u16* d_outputs = queries + TENSOR_WARPS * TILE_QUERIES * stride;
    u16* keys = (u16*)tensor_memory + 2 * TENSOR_WARPS * TILE_QUERIES * stride;
    u16* values = keys + TILE_KEYS * stride;
    Segment segment = segments[tile.segment];
    HeadOfWarp own = head_of_warp(shape, warp);
    int first = segment.prefix + tile.begin - segment.begin, last = last_visible(shape, segment, first + tile.count - 1), there = own.there ? tile.count : 0;
    auto query_row = [&](int i) { return tile.begin + i; };
    copy_rows<FULL>(queries, TILE_QUERIES, there, query_row, query, shape.heads, own.head, width, lane, 32);
    copy_rows<FULL>(d_outputs, TILE_QUERIES, there, query_row, d_output, shape.heads, own.head, width, lane, 32);
    float log_sums[2], deltas[2], rows[FULL / 8][4];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = lane / 4 + half * 8;
        u64 at = (u64)(tile.begin + row) * shape.heads + own.head;
        log_sums[half] = row < there ? log_sum[at] : 0.0f;
        deltas[half] = row < there ? delta[at] : 0.0f;
    }
#pragma unroll
    for (int t = 0; t < FULL / 8; t++)
        for (int i = 0; i < 4; i++) rows[t][i] = 0.0f;
    int begin = shape.window ? max(0, first + 1 - shape.window) : 0;
    auto copy = [&](u16* to, View source, int from) {
        auto key_row = [&](int i) { return key_row_of(segment, from + i); };
        copy_rows<FULL>(to, TILE_KEYS, last + 1 - from, key_row, source, shape.key_value_heads, own.key_head, width, threadIdx.x, 128);
        end_of_copies();
    };
    copy(keys, key, begin);
    copy(values, value, begin);
    for (int from = begin; from <= last; from += TILE_KEYS) {
        int count = min(TILE_KEYS, last + 1 - from);
        wait_for_copies<0>();
        __syncthreads();
        float scores[4][4], d_scores[4][4];
        score_tile<FULL>(queries, keys, scores);
        score_tile<FULL>(d_outputs, values, d_scores);
#pragma unroll
        for (int n = 0; n < 4; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int half = i / 2, at = n * 8 + lane % 4 * 2 + i % 2, row = lane / 4 + half * 8;
                bool seen = at < count && row < there && visible(shape, first + row, from + at);
                float score = capped(shape, scores[n][i]);
                float probability = expf(score - log_sums[half]);
                d_scores[n][i] = seen ? probability * (d_scores[n][i] - deltas[half]) * slope(shape, score) : 0.0f;
            }
        u32 weights[2][4];
        as_factors(d_scores, weights);
        __syncthreads();
        // The next values come while the keys are used; behind the last there are none to copy.
        copy(values, value, from + TILE_KEYS);
        add_weighted<FULL>(weights, keys, rows);
        __syncthreads();
        copy(keys, key, from + TILE_KEYS);
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = lane / 4 + half * 8;
        if (row >= there) continue;
        u64 at = ((u64)(tile.begin + row) * shape.heads + own.head) * width;
#pragma unroll
        for (int t = 0; t < FULL / 8; t++) {
            int channel = t * 8 + lane % 4 * 2;
            if (channel < width)
                *(u32*)((u16*)gradient.data + at + channel) = pack_bf16(rows[t][half * 2], rows[t][half * 2 + 1]);
        }
    }
}

#define WEIGHT_STRIDE (TILE_KEYS + 8)

__device__ void team_barrier(int team) { asm volatile("bar.sync %0, 128;" ::"r"(team + 1) : "memory"); }

// 16 keys by 8 queries of this warp: `scores` and `d_scores`.
template <int FULL> __device__ void score_column(const u16* left, const u16* right, float* scores) {
    const int stride = Tile<FULL>::stride;
    int lane = threadIdx.x % 32;
    for (int i = 0; i < 4; i++) scores[i] = 0.0f;
#pragma unroll
    for (int k = 0; k < FULL; k += 16) {
        u32 a[4];
        load_matrices(a, left + left_at(stride) + k);
        const u16* row = right + lane / 4 * stride + k + lane % 4 * 2;
        multiply(scores, a, *(const u32*)row, *(const u32*)(row + 8));
    }
}

template <int FULL>
__device__ void tensor_d_key_value(AttentionShape shape, const Segment* segments, const KeyTile* tiles, int prefix, View query, View key,
                                   View value, const float* log_sum, const float* delta, View d_output, View key_gradient,
                                   View value_gradient, float* key_parts, float* value_parts) {
    extern __shared__ uint4 tensor_memory[];
    const int stride = Tile<FULL>::stride, channels = FULL / TENSOR_WARPS < 16 ? 16 : FULL / TENSOR_WARPS;
    KeyTile tile = tiles[blockIdx.x];
    if (tile.count == 0) return;
    int width = shape.width, lane = threadIdx.x % 32, warp = threadIdx.x / 32 % TENSOR_WARPS;
    int team = threadIdx.x / TEAM, thread = threadIdx.x % TEAM;
    u16* keys = (u16*)tensor_memory;
    u16* values = keys + 16 * stride;
    u16* teams = values + 16 * stride;
    u16* queries = teams + team * (2 * TILE_KEYS * stride + 2 * 16 * WEIGHT_STRIDE);
    u16* d_outputs = queries + TILE_KEYS * stride;
    u16* probabilities = d_outputs + TILE_KEYS * stride;
    u16* d_scores = probabilities + 16 * WEIGHT_STRIDE;
    int key_head = blockIdx.y, group = shape.heads / shape.key_value_heads;
    auto key_row = [&](int i) { return tile.begin + i; };
    copy_rows<FULL>(keys, 16, tile.count, key_row, key, shape.key_value_heads, key_head, width, threadIdx.x, TEAMS * TEAM);
    copy_rows<FULL>(values, 16, tile.count, key_row, value, shape.key_value_heads, key_head, width, threadIdx.x, TEAMS * TEAM);
    end_of_copies();
    wait_for_copies<0>();
    __syncthreads();
    int turn = 0;
    float key_rows[channels / 8][4], value_rows[channels / 8][4];
#pragma unroll
    for (int t = 0; t < channels / 8; t++)
        for (int i = 0; i < 4; i++) key_rows[t][i] = 0.0f, value_rows[t][i] = 0.0f;
    for (int s = tile.first_segment; s < tile.last_segment; s++) {
        Segment segment = segments[s];
        int begin = first_reader(shape, segment, tile.position), end = segment.prefix + segment.end - segment.begin;
        if (shape.window) end = min(end, tile.position + tile.count - 1 + shape.window);
        for (int from = begin; from < end; from += TILE_KEYS) {
            int count = min(TILE_KEYS, end - from), row = segment.begin + from - segment.prefix;
            auto query_row = [&](int i) { return row + i; };
            for (int head = key_head * group; head < (key_head + 1) * group; head++) {
                if (turn++ % TEAMS != team) continue;
                team_barrier(team);
                copy_rows<FULL>(queries, TILE_KEYS, count, query_row, query, shape.heads, head, width, thread, TEAM);
                copy_rows<FULL>(d_outputs, TILE_KEYS, count, query_row, d_output, shape.heads, head, width, thread, TEAM);
                end_of_copies();
                float log_sums[2], deltas[2];
#pragma unroll
                for (int i = 0; i < 2; i++) {
                    int q = warp * 8 + lane % 4 * 2 + i;
                    u64 at = (u64)(row + q) * shape.heads + head;
                    log_sums[i] = q < count ? log_sum[at] : 0.0f;
                    deltas[i] = q < count ? delta[at] : 0.0f;
                }
                wait_for_copies<0>();
                team_barrier(team);
                float scores[4], products[4];
                score_column<FULL>(keys, queries + warp * 8 * stride, scores);
                score_column<FULL>(values, d_outputs + warp * 8 * stride, products);
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    int q = warp * 8 + lane % 4 * 2 + i % 2, k = lane / 4 + i / 2 * 8;
                    bool seen = q < count && visible(shape, from + q, tile.position + k);
                    float score = capped(shape, scores[i]);
                    scores[i] = seen ? expf(score - log_sums[i % 2]) : 0.0f;
                    products[i] = seen ? scores[i] * (products[i] - deltas[i % 2]) * slope(shape, score) : 0.0f;
                }
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    int at = (lane / 4 + half * 8) * WEIGHT_STRIDE + warp * 8 + lane % 4 * 2;
                    *(u32*)(probabilities + at) = pack_bf16(scores[half * 2], scores[half * 2 + 1]);
                    *(u32*)(d_scores + at) = pack_bf16(products[half * 2], products[half * 2 + 1]);
                }
                team_barrier(team);
                if (warp * channels >= FULL) continue;
#pragma unroll
                for (int k = 0; k < TILE_KEYS; k += 16) {
                    u32 by_probability[4], by_d_score[4];
                    load_matrices(by_probability, probabilities + left_at(WEIGHT_STRIDE) + k);
                    load_matrices(by_d_score, d_scores + left_at(WEIGHT_STRIDE) + k);
#pragma unroll
                    for (int t = 0; t < channels / 8; t += 2) {
                        u32 b[4];
                        int at = k * stride + rows_at(stride) + warp * channels + t * 8;
                        load_transposed(b, d_outputs + at);
                        multiply(value_rows[t], by_probability, b[0], b[1]);
                        multiply(value_rows[t + 1], by_probability, b[2], b[3]);
                        load_transposed(b, queries + at);
                        multiply(key_rows[t], by_d_score, b[0], b[1]);
                        multiply(key_rows[t + 1], by_d_score, b[2], b[3]);
                    }
                }
            }
        }
    }
    // The other team's sums are added to the first's, through its shared memory: as much as its rows took.
    float* others = (float*)(teams + 2 * TILE_KEYS * stride + 2 * 16 * WEIGHT_STRIDE);
    bool has_channels = warp * channels < FULL;
    __syncthreads();
#pragma unroll
    for (int t = 0; t < channels / 8; t++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int at = (((warp * (channels / 8) + t) * 4 + i) * 2) * 32 + lane;
            if (team == 1 && has_channels) others[at] = key_rows[t][i], others[at + 32] = value_rows[t][i];
        }
    __syncthreads();
    if (team == 1 || !has_channels) return;
#pragma unroll
    for (int t = 0; t < channels / 8; t++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int at = (((warp * (channels / 8) + t) * 4 + i) * 2) * 32 + lane;
            key_rows[t][i] += others[at], value_rows[t][i] += others[at + 32];
        }
    bool partial = tile.slot >= 0;
    View to_key = partial ? View{key_parts, 0} : key_gradient;
    View to_value = partial ? View{value_parts, 0} : value_gradient;
    int base = partial ? tile.slot * prefix : 0;
#pragma unroll
    for (int t = 0; t < channels / 8; t++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int row = lane / 4 + i / 2 * 8, channel = warp * channels + t * 8 + lane % 4 * 2 + i % 2;
            if (row >= tile.count || channel >= width) continue;
            u64 at = ((u64)(base + tile.begin + row) * shape.key_value_heads + key_head) * width + channel;
            put(to_key, at, key_rows[t][i]);
            put(to_value, at, value_rows[t][i]);
        }
}
#define TENSOR_BODY(call) call
#else
#define TENSOR_BODY(call)
#endif

// `delta = d_output · output` of each row and head, a warp for each, eight channels a lane.
extern "C" __global__ void tensor_attention_delta(u64 n, int width, View d_output, View output, float* delta) {
    u64 i = (blockIdx.x * (u64)blockDim.x + threadIdx.x) / LANES;
    if (i >= n) return;
    float sum = 0.0f;
    for (int channel = threadIdx.x % LANES * WIDE; channel < width; channel += LANES * WIDE) {
        float a[WIDE], b[WIDE];
        get_wide(output, i * width + channel, WIDE, a);
        get_wide(d_output, i * width + channel, WIDE, b);
        WIDE_EACH(j) sum = fmaf(a[j], b[j], sum);
    }
    sum = warp_sum(sum);
    if (threadIdx.x % LANES == 0) delta[i] = sum;
}

#define FOR_WIDTH(FULL)                                                                                                        \
    extern "C" __global__ void __launch_bounds__(128) tensor_attention_##FULL(                                                 \
        AttentionShape shape, const Segment* segments, const QueryTile* tiles, View query, View key, View value, View output,  \
        float* log_sum) {                                                                                                      \
        TENSOR_BODY((tensor_forward<FULL>(shape, segments, tiles, query, key, value, output, log_sum)));                       \
    }                                                                                                                          \
    extern "C" __global__ void __launch_bounds__(128) tensor_attention_d_query_##FULL(                                         \
        AttentionShape shape, const Segment* segments, const QueryTile* tiles, View query, View key, View value,               \
        const float* log_sum, const float* delta, View d_output, View gradient) {                                              \
        TENSOR_BODY((tensor_d_query<FULL>(shape, segments, tiles, query, key, value, log_sum, delta, d_output, gradient)));    \
    }                                                                                                                          \
    extern "C" __global__ void __launch_bounds__(TEAMS* TEAM) tensor_attention_d_key_value_##FULL(                             \
        AttentionShape shape, const Segment* segments, const KeyTile* tiles, int prefix, View query, View key, View value,     \
        const float* log_sum, const float* delta, View d_output, View key_gradient, View value_gradient, float* key_parts,     \
        float* value_parts) {                                                                                                  \
        TENSOR_BODY((tensor_d_key_value<FULL>(shape, segments, tiles, prefix, query, key, value, log_sum, delta, d_output,     \
                                              key_gradient, value_gradient, key_parts, value_parts)));                         \
    }

FOR_WIDTH(16)
FOR_WIDTH(32)
FOR_WIDTH(64)
FOR_WIDTH(128)
FOR_WIDTH(256)
