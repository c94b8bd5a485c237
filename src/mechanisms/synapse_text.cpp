#include "mechanisms/synapse_text.hpp"

// The emitted text keeps the layout it is given here.
// clang-format off
namespace bouton {

std::string_view synapse_preamble_text() {
  return R"cpp(
#define UNROLLED _Pragma("GCC unroll 16")
typedef int unaligned_mask __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef int quad __attribute__((vector_size(16), may_alias));

INLINE mask I(int x) { return mask{} + x; }
INLINE mask larger(mask a, mask b) { return a > b ? a : b; }
INLINE vec real_of(mask a) { return __builtin_convertvector(a, vec); }
INLINE bool any(mask m) {
#if !defined(__clang__) && defined(__AVX512F__)
  return __builtin_ia32_ptestmd512(m, m, (unsigned short)-1) != 0;
#elif VECTOR_BYTES == 32
  return __builtin_ia32_movmskps256((vec)m) != 0;
#else
  int some = 0;
  for (int i = 0; i < WIDTH; ++i) some |= m[i];
  return some != 0;
#endif
}
INLINE bool any_at_least(mask a, mask b) {
#if !defined(__clang__) && defined(__AVX512F__)
  return __builtin_ia32_cmpd512_mask(a, b, 5, (unsigned short)-1) != 0;
#else
  return any(a >= b);
#endif
}
INLINE mask nearest(vec x) {
#if !defined(__clang__) && defined(__AVX512F__)
  return (mask)__builtin_ia32_cvtps2dq512_mask(x, mask{}, (unsigned short)-1, 4);
#elif !defined(__clang__) && VECTOR_BYTES == 32
  return (mask)__builtin_ia32_cvtps2dq256(x);
#else
  mask r;
  for (int i = 0; i < WIDTH; ++i) r[i] = (int)__builtin_rintf(x[i]);
  return r;
#endif
}
// The first `valid` lanes from and to memory, without a loop where the processor has masks.
INLINE vec load_some(const float* p, long valid) {
#if !defined(__clang__) && defined(__AVX512F__)
  return (vec)__builtin_ia32_loadups512_mask(p, vec{}, (unsigned short)((1u << valid) - 1));
#else
  return load_partial(p, valid);
#endif
}
INLINE void store_some(float* p, vec x, long valid) {
#if !defined(__clang__) && defined(__AVX512F__)
  __builtin_ia32_storeups512_mask(p, x, (unsigned short)((1u << valid) - 1));
#else
  store_partial(p, x, valid);
#endif
}
// The 32-bit words base[index].
INLINE mask gather(const void* base, mask index) {
#if !defined(__clang__) && defined(__AVX512F__)
  return (mask)__builtin_ia32_gathersiv16si(mask{}, base, index, (unsigned short)-1, 4);
#elif !defined(__clang__) && VECTOR_BYTES == 32
  return (mask)__builtin_ia32_gathersiv8si(mask{}, (const int*)base, index, I(-1), 4);
#else
  mask r;
  for (int i = 0; i < WIDTH; ++i) r[i] = ((const int*)base)[index[i]];
  return r;
#endif
}

// Words 0..3 of WIDTH rows, transposed: out[k][i] is word k of the row that begins at base[target[i] * words].
INLINE void load_words(const int* base, const unsigned* target, long words, mask* out) {
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define TRANSPOSE 1
#endif
#endif
#if defined(TRANSPOSE)
  // Vector g holds rows g, g + 4, ...: so the interleaving within 128 bits leaves the rows in order.
#define QUAD(i) (*(const quad*)(base + target[i] * words))
#if !defined(__clang__) && defined(__AVX512F__)
#define WHOLE(q) (mask)__builtin_ia32_si512_si(q)
#define INSERT(x, q, place) __builtin_ia32_inserti32x4_mask(x, q, place, x, (unsigned short)-1)
#endif
#define JOIN(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7)
#if VECTOR_BYTES == 64
#if defined(INSERT)
#define FOUR(g) (mask)INSERT(INSERT(INSERT(WHOLE(QUAD(g)), QUAD(g + 4), 1), QUAD(g + 8), 2), QUAD(g + 12), 3)
#else
#define FOUR(g) __builtin_shufflevector(JOIN(QUAD(g), QUAD(g + 4)), JOIN(QUAD(g + 8), QUAD(g + 12)), 0, 1, 2, 3, 4, 5, \
                                        6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#endif
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define HIGH(a, b) __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define LOW_PAIR(a, b) __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define HIGH_PAIR(a, b) __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#elif VECTOR_BYTES == 32
#define FOUR(g) JOIN(QUAD(g), QUAD(g + 4))
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define HIGH(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define LOW_PAIR(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define HIGH_PAIR(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#else
#define FOUR(g) QUAD(g)
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define LOW_PAIR(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define HIGH_PAIR(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
#endif
  const mask r0 = FOUR(0), r1 = FOUR(1), r2 = FOUR(2), r3 = FOUR(3);
  const mask a = LOW(r0, r1), b = HIGH(r0, r1), c = LOW(r2, r3), d = HIGH(r2, r3);
  out[0] = LOW_PAIR(a, c);
  out[1] = HIGH_PAIR(a, c);
  out[2] = LOW_PAIR(b, d);
  out[3] = HIGH_PAIR(b, d);
#else
  for (int k = 0; k < 4; ++k)
    for (int i = 0; i < WIDTH; ++i) out[k][i] = base[target[i] * words + k];
#endif
}

// rand(): uniform in [0, 1), of (seed, id of the synapse, step, draw), by Philox 4x32-10 (Salmon et al. 2011). Lane i has
// the id `first` + i.
struct Draw {
  unsigned long long seed, first;
  mask step;
};
INLINE vec uniform(const Draw& d, int draw) {
  const unsigned long long low = 0xffffffffull;
  word c0, c1, c2, c3;
  for (int i = 0; i < WIDTH; ++i) {
    c0[i] = (d.first + i) & low;
    c1[i] = (d.first + i) >> 32;
    c2[i] = (unsigned)d.step[i];
  }
  c3 = word{} + (unsigned long long)(draw / 4);
  unsigned long long k0 = d.seed & low, k1 = d.seed >> 32;
  for (int round = 0; round < 10; ++round) {
    const word p = c0 * 0xD2511F53ull, q = c2 * 0xCD9E8D57ull;
    c0 = (q >> 32) ^ c1 ^ k0;
    c1 = q & low;
    c2 = (p >> 32) ^ c3 ^ k1;
    c3 = p & low;
    k0 = (k0 + 0x9E3779B9ull) & low;
    k1 = (k1 + 0xBB67AE85ull) & low;
  }
  const word bits = draw % 4 == 0 ? c0 : draw % 4 == 1 ? c1 : draw % 4 == 2 ? c2 : c3;
  return __builtin_convertvector(bits >> 8, vec) * 0x1p-24f;
}

#if PROPAGATORS
// exp(k A) for variables that hang together, from exp(A) for one step: a table of the entries in use, and beyond it the
// power by squaring. The last row and column stand for the constant drive.
#define TABLE 4096
#define LARGEST_GROUP 7
struct Matrix { double at[LARGEST_GROUP][LARGEST_GROUP]; };
__attribute__((cold)) static Matrix product(const Matrix& a, const Matrix& b) {
  Matrix c;
  for (int i = 0; i < LARGEST_GROUP; ++i)
    for (int j = 0; j < LARGEST_GROUP; ++j) {
      double sum = 0;
      for (int k = 0; k < LARGEST_GROUP; ++k) sum += a.at[i][k] * b.at[k][j];
      c.at[i][j] = sum;
    }
  return c;
}
__attribute__((cold)) static Matrix identity() {
  Matrix one = {};
  for (int i = 0; i < LARGEST_GROUP; ++i) one.at[i][i] = 1;
  return one;
}
// Scaling by 2^-20 and Taylor's series, then squaring.
__attribute__((cold)) static Matrix exponential(Matrix a) {
  for (auto& row : a.at) for (double& x : row) x *= 0x1p-20;
  Matrix sum = identity(), term = sum;
  for (int k = 1; k < 10; ++k) {
    term = product(term, a);
    for (int i = 0; i < LARGEST_GROUP; ++i)
      for (int j = 0; j < LARGEST_GROUP; ++j) sum.at[i][j] += (term.at[i][j] /= k);
  }
  for (int k = 0; k < 20; ++k) sum = product(sum, sum);
  return sum;
}
__attribute__((cold)) static Matrix matrix_power(Matrix a, long k) {
  Matrix result = identity();
  for (; k > 0; k >>= 1) {
    if (k & 1) result = product(result, a);
    a = product(a, a);
  }
  return result;
}
#endif
)cpp";
}

std::string_view synapse_segments_text() {
  return R"cpp(
#if PROPAGATORS
__attribute__((cold, noinline)) static double distant_propagator(const Prepared& p, int entry, long k) {
  const int* at = propagator_entries[entry];
  return matrix_power(p.one_step[at[0]], k).at[at[1]][at[2]];
}
INLINE double propagator(const Prepared& p, int entry, long k) {
  return k < TABLE ? p.table[entry][k] : (float)distant_propagator(p, entry, k);
}
__attribute__((cold, noinline)) static vec distant_propagators(const Prepared& p, int entry, mask k) {
  vec r;
  for (int i = 0; i < WIDTH; ++i) r[i] = (float)propagator(p, entry, k[i] > 0 ? k[i] : 0);
  return r;
}
INLINE vec propagator(const Prepared& p, int entry, mask k) {
  return __builtin_expect(any((k < 0) | (k >= TABLE)), 0) ? distant_propagators(p, entry, k)
                                                          : (vec)gather(p.table[entry], k);
}
#endif

enum Job { ARRIVE, UPDATE, EVERY, READ };

// WIDTH synapses, of which the first `count` are there; the rest run along and are not written.
struct Tile {
  const unsigned* target;
  long first;   // index of the first within the slice
  int count;
};

template <bool full> INLINE void load_states(float* const* states, const Tile& t, vec* x) {
  UNROLLED for (int i = 0; i < STATES; ++i)
    x[i] = full ? load(states[i] + t.first) : load_some(states[i] + t.first, t.count);
}
template <bool full> INLINE void store_states(float* const* states, const Tile& t, const vec* x, const bool* moved) {
  UNROLLED for (int i = 0; i < STATES; ++i) {
    if (!moved[i]) continue;
    if (full) store(states[i] + t.first, x[i]);
    else store_some(states[i] + t.first, x[i], t.count);
  }
}

#if EVENTS
// A target's row of the history: the dendrite's variables just after its last event, then its events, the newest first,
// each with its step and what the replay needs. An event that never was has step -1. Steps and reals are words alike.
INLINE long row_words(long capacity) { return (DENDRITE + capacity * ENTRY + 15) / 16 * 16; }
static long history_row_bytes(long capacity) { return 4 * row_words(capacity); }

static void history_start(const bouton_synapse_args* args) {
  const Prepared& p = *(const Prepared*)args->prepared;
  const long words = row_words(args->capacity), events = (words - DENDRITE) / ENTRY;
  for (long j = 0; j < args->targets; ++j) {
    int* row = (int*)args->history + j * words;
    __builtin_memset(row, 0, 4 * words);
    __builtin_memcpy(row, p.initial_dendrite, 4 * DENDRITE);
    for (long r = 0; r < events; ++r) row[DENDRITE + r * ENTRY] = -1;
  }
}

static int post_event(const bouton_synapse_args* args, const unsigned* targets, long count) {
  const Prepared& p = *(const Prepared*)args->prepared;
  const long words = row_words(args->capacity), events = (words - DENDRITE) / ENTRY;
  // One event before `flushed` stays: it tells when a synapse that has seen no later one was brought up to date.
  for (long n = 0; n < count; ++n)
    if (((const int*)args->history)[targets[n] * words + DENDRITE + (events - 2) * ENTRY] >= args->flushed) return 0;
  for (long n = 0; n < count; ++n) {
    int* row = (int*)args->history + targets[n] * words;
    int entry[ENTRY];
    const int newest = row[DENDRITE];
    dendrite_event(p, args->step - (newest < 0 ? 0 : newest), args->post, targets[n], (float*)row, (float*)entry + 1);
    entry[0] = (int)args->step;
    __builtin_memmove(row + DENDRITE + ENTRY, row + DENDRITE, 4 * (events - 1) * ENTRY);
    __builtin_memcpy(row + DENDRITE, entry, sizeof entry);
  }
  return 1;
}

// The rows of a tile's targets, transposed: the first words, which are wanted nearly always, once for all.
#define CACHED 32
struct Rows {
  const int* history;
  const unsigned* target;
  long words;
  int have;   // words that are in `cached`
  mask cached[CACHED];
};
INLINE void have_words(Rows& rows, int count) {
  for (; rows.have < count && rows.have < CACHED; rows.have += 4)
    load_words(rows.history + rows.have, rows.target, rows.words, rows.cached + rows.have);
}
__attribute__((noinline, cold)) static mask distant_word(const Rows& rows, int k) {
  mask r;
  for (int i = 0; i < WIDTH; ++i) r[i] = rows.history[rows.target[i] * rows.words + k];
  return r;
}
INLINE mask row_word(const Rows& rows, int k) {
  return __builtin_expect(k < CACHED, 1) ? rows.cached[k] : distant_word(rows, k);
}
INLINE void prefetch_rows(const bouton_synapse_args& args, long words, const unsigned* target, long count) {
  const int* history = (const int*)args.history;
  if (count >= WIDTH) {
    UNROLLED for (int i = 0; i < WIDTH; ++i) __builtin_prefetch(history + target[i] * words);
  } else {
    for (long i = 0; i < count; ++i) __builtin_prefetch(history + target[i] * words);
  }
}
#endif

// What a segment's synapses have in common.
struct Common {
  vec c[COEFFICIENTS + 1], axon[AXON + 1], values[VALUES + 1], modulator[MODULATORS + 1];
};

template <int job, bool full>
INLINE void work(const bouton_synapse_args& args, const bouton_synapse_segment& s, const Common& common, long words,
                 long at, int count, float* const* out) {
  const Prepared& p = *(const Prepared*)args.prepared;
  unsigned copy[WIDTH];
  if (!full) {
    const mask some = (mask)load_some((const float*)args.target + s.first + at, count);
    *(unaligned_mask*)copy = some;   // lanes that are not there look at target 0
  }
  const Tile tile = {full ? args.target + s.first + at : copy, s.first + at, count};
  vec x[STATES];
  load_states<full>(args.states, tile, x);
  mask last = I((int)s.updated);   // to which each synapse has been brought forward
  Draw draw = {args.seed, s.first_id + at, I((int)args.step)};
  vec dendrite[DENDRITE + 1];
  mask elapsed_dendrite = mask{};
#if EVENTS
  Rows rows;
  rows.history = (const int*)args.history;
  rows.target = tile.target;
  rows.words = words;
  rows.have = 0;
  const mask since = I((int)s.since), previous = I((int)s.previous);
  const int longest = (int)((words - DENDRITE) / ENTRY) - 1;
  int events = 0;   // of the lane with most to replay
  for (; events < longest; ++events) {
    have_words(rows, DENDRITE + events * ENTRY + 1);
    const mask step = row_word(rows, DENDRITE + events * ENTRY);
    if (OWN_DYNAMICS) last = larger(last, step >= since ? I(-1) : step);
    if (!any_at_least(step, since)) break;
  }
  if (ENTRY > 1) have_words(rows, DENDRITE + events * ENTRY);
  for (int r = events - 1; r >= 0; --r) {
    const mask step = row_word(rows, DENDRITE + r * ENTRY);
    const mask live = step >= since;
    vec entry[ENTRY];
    UNROLLED for (int e = 1; e < ENTRY; ++e) entry[e - 1] = (vec)row_word(rows, DENDRITE + r * ENTRY + e);
    vec next[STATES];
    draw.step = step;
    on_post(p, common.c, common.axon, larger(step - previous, mask{}), step - last, entry, draw, x, next);
    UNROLLED for (int i = 0; i < STATES; ++i) if (moved_on_post[i]) x[i] = select(live, next[i], x[i]);
    if (OWN_DYNAMICS) last = live ? step : last;
  }
  if constexpr (job == ARRIVE || job == EVERY) {
    UNROLLED for (int i = 0; i < DENDRITE; ++i) dendrite[i] = (vec)row_word(rows, i);
    elapsed_dendrite = (int)args.step - larger(row_word(rows, DENDRITE), mask{});
  }
#endif
  if constexpr (job == UPDATE) {
    store_states<full>(args.states, tile, x, moved_on_post);
    return;
  }
  vec post[POST + 1], next[STATES];
  if constexpr (job == ARRIVE || job == EVERY) {
    UNROLLED for (int i = 0; i < POST; ++i) post[i] = (vec)gather(args.post[i], *(const unaligned_mask*)tile.target);
  }
  draw.step = I((int)args.step);
  const mask elapsed = draw.step - last;
  if constexpr (job == ARRIVE) {
    vec delivered;
    on_pre(p, common.c, common.values, elapsed, dendrite, elapsed_dendrite, post, draw, x, next, delivered);
    store_states<full>(args.states, tile, next, moved_on_arrival);
    int amount[WIDTH];
    *(unaligned_mask*)amount = nearest(delivered * B(args.quanta));
    if (full) {
      UNROLLED for (int i = 0; i < WIDTH; ++i) args.accumulator[tile.target[i]] += amount[i];
    } else {
      for (int i = 0; i < count; ++i) args.accumulator[tile.target[i]] += amount[i];
    }
  } else if constexpr (job == EVERY) {
    every_block(p, common.c, common.axon, I((int)(args.step > s.previous ? args.step - s.previous : 0)), elapsed, dendrite,
                elapsed_dendrite, post, common.modulator, draw, x, next);
    store_states<full>(args.states, tile, next, moved_by_every);
  } else {
    bring_forward(p, common.c, elapsed, x, next);
    store_states<full>(out, tile, next, every_state);
  }
}

template <int job>
__attribute__((noinline)) static void work_partly(const bouton_synapse_args& args, const bouton_synapse_segment& s,
                                                  const Common& common, long words, long at, int count,
                                                  float* const* out) {
  work<job, false>(args, s, common, words, at, count, out);
}

#define AHEAD (4 * WIDTH)
INLINE void prefetch_columns(const bouton_synapse_args& args, long first) {
  __builtin_prefetch(args.target + first);
  UNROLLED for (int i = 0; i < STATES; ++i) __builtin_prefetch(args.states[i] + first);
}

template <int job>
static void run(const bouton_synapse_args& args, const bouton_synapse_segment* segments, long count, float* const* out) {
  const Prepared& p = *(const Prepared*)args.prepared;
  Common common;
  UNROLLED for (int i = 0; i < COEFFICIENTS; ++i) common.c[i] = B(p.c[i]);
  UNROLLED for (int i = 0; i < MODULATORS; ++i) common.modulator[i] = B(job == EVERY ? args.modulators[i] : 0.0f);
  long words = 0;
#if EVENTS
  words = row_words(args.capacity);
  if (count > 0) prefetch_rows(args, words, args.target + segments[0].first, segments[0].count);
#endif
  for (long n = 0; n < count; ++n) {
    const bouton_synapse_segment& s = segments[n];
    if (n + 2 < count)   // rows lie anywhere: nothing else fetches their beginnings
      for (long at = 0; at < AHEAD && at < segments[n + 2].count; at += WIDTH)
        prefetch_columns(args, segments[n + 2].first + at);
    UNROLLED for (int i = 0; i < AXON; ++i) common.axon[i] = B(s.axon_before[i]);
    UNROLLED for (int i = 0; i < VALUES; ++i) common.values[i] = B(job == ARRIVE ? s.axon_values[i] : 0.0f);
    for (long at = 0; at < s.count; at += WIDTH) {
      const long left = s.count - at;
      if (left > AHEAD) prefetch_columns(args, s.first + at + AHEAD);
#if EVENTS
      if (left > WIDTH) prefetch_rows(args, words, args.target + s.first + at + WIDTH, left - WIDTH);
      else if (n + 1 < count) prefetch_rows(args, words, args.target + segments[n + 1].first, segments[n + 1].count);
#endif
      if (left >= WIDTH) work<job, true>(args, s, common, words, at, WIDTH, out);
      else work_partly<job>(args, s, common, words, at, (int)left, out);
    }
  }
}

static void arrive(const bouton_synapse_args* args, const bouton_synapse_segment* segments, long count) {
  run<ARRIVE>(*args, segments, count, 0);
}
#if EVENTS
static void update(const bouton_synapse_args* args, const bouton_synapse_segment* segments, long count) {
  run<UPDATE>(*args, segments, count, 0);
}
#endif
#if HAS_EVERY
static void every(const bouton_synapse_args* args, const bouton_synapse_segment* segments, long count) {
  run<EVERY>(*args, segments, count, 0);
}
#endif
static void read(const bouton_synapse_args* args, const bouton_synapse_segment* segments, long count,
                 float* const* values) {
  run<READ>(*args, segments, count, values);
}
)cpp";
}

std::string_view synapse_rows_text() {
  return R"cpp(
// The targets of [begin, end) for which the condition holds, in vectors of targets.
#if SCANS
static long post_scan(const bouton_synapse_args* args, long begin, long end, unsigned* events) {
  const Prepared& p = *(const Prepared*)args->prepared;
  vec c[COEFFICIENTS + 1];
  UNROLLED for (int i = 0; i < COEFFICIENTS; ++i) c[i] = B(p.c[i]);
  long found = 0;
  for (long j = begin; j < end; j += WIDTH) {
    const long left = end - j;
    vec post[POST + 1];
    UNROLLED for (int i = 0; i < POST; ++i)
      post[i] = left >= WIDTH ? load(args->post[i] + j) : load_some(args->post[i] + j, left);
    const mask holds = post_condition(p, c, post);
    if (!any(holds)) continue;
    for (int i = 0; i < WIDTH; ++i)
      if (holds[i] && i < left) events[found++] = (unsigned)(j + i);
  }
  return found;
}
#endif

#if ROWS
// Synapses [k, k + count) of one target.
struct RowTile {
  long first;
  int count;
  vec x[STATES], pre[PRE + 1];
};
INLINE RowTile row_tile(const bouton_synapse_args& args, const bouton_synapse_rows& rows, long k, long end) {
  RowTile t;
  t.first = k;
  t.count = end - k < WIDTH ? (int)(end - k) : WIDTH;
  mask source;
  if (t.count == WIDTH) source = *(const unaligned_mask*)(rows.source + k);
  else for (int i = 0; i < WIDTH; ++i) source[i] = (int)rows.source[k + (i < t.count ? i : 0)];
  UNROLLED for (int i = 0; i < PRE; ++i) t.pre[i] = (vec)gather(args.pre[i], source);
  UNROLLED for (int i = 0; i < STATES; ++i)
    t.x[i] = t.count == WIDTH ? load(args.states[i] + k) : load_some(args.states[i] + k, t.count);
  return t;
}
INLINE void post_values(const bouton_synapse_args& args, long target, vec* post) {
  UNROLLED for (int i = 0; i < POST; ++i) post[i] = B(args.post[i][target]);
}

static void current(const bouton_synapse_args* args, const bouton_synapse_rows* rows, float* out) {
  const Prepared& p = *(const Prepared*)args->prepared;
  vec c[COEFFICIENTS + 1], post[POST + 1];
  UNROLLED for (int i = 0; i < COEFFICIENTS; ++i) c[i] = B(p.c[i]);
  mask lane;
  for (int i = 0; i < WIDTH; ++i) lane[i] = i;
  for (long j = rows->first_target; j < rows->end_target; ++j) {
    post_values(*args, j, post);
    vec sum = {};
    for (long k = rows->row[j]; k < rows->row[j + 1]; k += WIDTH) {
      const RowTile t = row_tile(*args, *rows, k, rows->row[j + 1]);
      sum += select(lane < t.count, synapse_current(p, c, t.x, t.pre, post), vec{});
    }
    float total = 0;
    for (int i = 0; i < WIDTH; ++i) total += sum[i];
    out[j] += total;
  }
}

#if HAS_EVERY
static void every_row(const bouton_synapse_args* args, const bouton_synapse_rows* rows) {
  const Prepared& p = *(const Prepared*)args->prepared;
  vec c[COEFFICIENTS + 1], post[POST + 1], modulator[MODULATORS + 1], next[STATES];
  UNROLLED for (int i = 0; i < COEFFICIENTS; ++i) c[i] = B(p.c[i]);
  UNROLLED for (int i = 0; i < MODULATORS; ++i) modulator[i] = B(args->modulators[i]);
  const long begin = rows->row[rows->first_target];
  for (long j = rows->first_target; j < rows->end_target; ++j) {
    post_values(*args, j, post);
    for (long k = rows->row[j]; k < rows->row[j + 1]; k += WIDTH) {
      const RowTile t = row_tile(*args, *rows, k, rows->row[j + 1]);
      const Draw draw = {args->seed, rows->first_id + (k - begin), I((int)args->step)};
      every_block(p, c, t.pre, post, modulator, draw, t.x, next);
      UNROLLED for (int i = 0; i < STATES; ++i) {
        if (!moved_by_every[i]) continue;
        if (t.count == WIDTH) store(args->states[i] + k, next[i]);
        else store_some(args->states[i] + k, next[i], t.count);
      }
    }
  }
}
#endif
#endif
)cpp";
}

}  // namespace bouton
