/* FFTW 3; the inverse is not divided by the number of points.

   It plans by trying what is fastest, which overwrites what it is given, and may be planned by one thread at a time: the
   lock of plans sees to that. What was found is kept in a file, as another plan rounds differently, and a run that goes
   on is to go on bit for bit. One wave is planned, and all are transformed one after the other. */

#include <stdio.h>
#include <unistd.h>

enum { FFTW_MEASURE = 0, FFTW_UNALIGNED = 2, FFTW_FORWARD = -1, FFTW_BACKWARD = 1 }; /* from its fftw3.h */
enum { NO_PLAN = 1 };

/* FFTW takes twice as long for columns, where they are, as for rows. So rows are transformed, and then some columns at a
   time copied out, each to lie in one piece, transformed and put back; of a filter all that is left is done to them
   meanwhile. What a filter multiplies by is transposed then: a column of the waves is a row of it. Waves of up to
   FIRST_CACHE bytes, which Python tells as well, are left to FFTW as a whole. */
enum { FEW = 32, MANY = 64, LONG = 256 }; /* columns at a time, where they have fewer rows than LONG, and more */

typedef void* (*Make)(int, int, void*, void*, int, unsigned);
typedef void* (*MakeMany)(int, const int*, int, void*, const int*, int, int, void*, const int*, int, int, int, unsigned);
typedef void (*Execute)(const void*, void*, void*);
typedef int (*Keep)(const char*);

typedef struct {
  Make make;
  MakeMany make_many;
  Execute execute;
  Keep keep;
} Functions;

typedef struct {
  Functions both[2];    /* of 64 bits a number, and of 32 */
  char files[2][4096];  /* where to keep what was found for them */
} Library;

typedef void* Pair[2]; /* forward and back */

typedef struct {
  Shape shape;
  Execute execute;
  size_t number, bytes;         /* of a number, and of a wave */
  Pair whole, whole_within;     /* in two dimensions: into another buffer, and in place */
  Pair rows, rows_within;       /* or of rows, likewise */
  Pair columns;                 /* and of columns that are copied out, in place */
  int64_t at_a_time, next;      /* how many columns, and from one to the next: an odd number of cache lines, lest they
                                   share the few places that a cache has for what is 2^n bytes apart */
} Plan;

/* Whole or not at all; what cannot be kept is found again the next time. */
static void kept(const Library* fftw, int single) {
  char draft[4128];
  int length = snprintf(draft, sizeof draft, "%s.%ld", fftw->files[single], (long)getpid());
  if (length < 0 || (size_t)length >= sizeof draft) return;
  if (!fftw->both[single].keep(draft) || rename(draft, fftw->files[single])) remove(draft);
}

/* Room for columns; zeros, as where there are fewer than usual what is beside them is transformed as well. */
static int roomy(const Plan* plan, void** some) {
  size_t bytes = (size_t)(plan->at_a_time * plan->next) * plan->number;
  if (!bytes) return 0;
  if (posix_memalign(some, 64, bytes)) return NO_MEMORY;
  memset(*some, 0, bytes);
  return 0;
}

/* Many transforms of one dimension, each so many numbers behind the one before. */
static void many(const Functions* use, Pair pair, int length, int count, int next, void* in, void* out, unsigned how) {
  for (int i = 0; i < 2; ++i)
    pair[i] = use->make_many(1, &length, count, in, NULL, 1, next, out, NULL, 1, next, i ? FFTW_BACKWARD : FFTW_FORWARD,
                             how);
}

static void whole(const Functions* use, Pair pair, int rows, int columns, void* in, void* out, unsigned how) {
  for (int i = 0; i < 2; ++i) pair[i] = use->make(rows, columns, in, out, i ? FFTW_BACKWARD : FFTW_FORWARD, how);
}

static int complete(const Pair pair) { return pair[0] && pair[1]; }

static Plan begun(const Shape* shape) {
  Plan plan = {.shape = *shape, .number = shape->single ? 8 : 16};
  plan.bytes = (size_t)(shape->rows * shape->columns) * plan.number;
  if (plan.bytes <= FIRST_CACHE) return plan;
  int64_t most = shape->rows < LONG ? FEW : MANY, least = INT64_MAX;
  for (int64_t some = most; some >= most / 2; some -= 4) { /* so that few are transformed for nothing */
    int64_t done = (shape->columns + some - 1) / some * some;
    if (done < least) least = done, plan.at_a_time = some;
  }
  plan.next = ((shape->rows + 7) / 8 | 1) * 8;
  return plan;
}

static int planned(const Library* fftw, const Shape* shape, Plan* plan) {
  const Functions* use = &fftw->both[shape->single];
  *plan = begun(shape);
  plan->execute = use->execute;
  int rows = (int)shape->rows, columns = (int)shape->columns, next = (int)plan->next, status = NO_MEMORY;
  /* XLA's buffers begin where 16 divides the address at least, which is all that FFTW looks at; then so do the waves */
  unsigned how = FFTW_MEASURE | (plan->bytes % 16 ? FFTW_UNALIGNED : 0);
  void *in = NULL, *out = NULL, *some = NULL;
  if (!posix_memalign(&in, 64, plan->bytes) && !posix_memalign(&out, 64, plan->bytes) && !roomy(plan, &some)) {
    if (plan->at_a_time) {
      many(use, plan->rows, columns, rows, columns, in, out, how);
      many(use, plan->rows_within, columns, rows, columns, out, out, how);
      many(use, plan->columns, rows, (int)plan->at_a_time, next, some, some, FFTW_MEASURE);
      status = complete(plan->rows) && complete(plan->rows_within) && complete(plan->columns) ? 0 : NO_PLAN;
    } else {
      whole(use, plan->whole, rows, columns, in, out, how);
      whole(use, plan->whole_within, rows, columns, out, out, how);
      status = complete(plan->whole) && complete(plan->whole_within) ? 0 : NO_PLAN;
    }
    if (!status) kept(fftw, shape->single);
  }
  free(in);
  free(out);
  free(some);
  return status;
}

#define TRANSPOSE(number, first_row, first_column)                              \
  for (int64_t i = first_row; i < rows; ++i)                                     \
    for (int64_t j = first_column; j < columns; ++j)                             \
      ((number*)to)[j * to_next + i] = ((const number*)from)[i * from_next + j];

typedef struct {
  double real, imaginary;
} Number;

typedef double Four __attribute__((vector_size(32))); /* numbers of 32 bits, both halves of each as one */

#ifdef __clang__
#define PICK(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
typedef int64_t Places __attribute__((vector_size(32)));
#define PICK(a, b, i, j, k, l) __builtin_shuffle(a, b, (Places){i, j, k, l})
#endif

#define LOAD(value, from) Four value; memcpy(&value, from, sizeof value)
#define STORE(to, ...) value = PICK(__VA_ARGS__); memcpy(to, &value, sizeof value)

static inline void four_by_four(double* restrict to, int64_t to_next, const double* restrict from, int64_t from_next) {
  LOAD(a, from);
  LOAD(b, from + from_next);
  LOAD(c, from + 2 * from_next);
  LOAD(d, from + 3 * from_next);
  Four ab = PICK(a, b, 0, 4, 2, 6), ba = PICK(a, b, 1, 5, 3, 7);
  Four cd = PICK(c, d, 0, 4, 2, 6), dc = PICK(c, d, 1, 5, 3, 7);
  Four value;
  STORE(to, ab, cd, 0, 1, 4, 5);
  STORE(to + to_next, ba, dc, 0, 1, 4, 5);
  STORE(to + 2 * to_next, ab, cd, 2, 3, 6, 7);
  STORE(to + 3 * to_next, ba, dc, 2, 3, 6, 7);
}

/* The inner loop is along the shorter edge: rows of the wave are many memory pages apart, and so often 2^n bytes that
   few of them are in the cache at a time. */
FOR_WHAT_RUNS static void transpose_single(double* restrict to, int64_t to_next, const double* restrict from,
                                           int64_t from_next, int64_t rows, int64_t columns) {
  int64_t whole_rows = rows / 4 * 4, whole_columns = columns / 4 * 4;
  if (columns <= rows) {
    for (int64_t i = 0; i < whole_rows; i += 4)
      for (int64_t j = 0; j < whole_columns; j += 4)
        four_by_four(to + j * to_next + i, to_next, from + i * from_next + j, from_next);
  } else {
    for (int64_t j = 0; j < whole_columns; j += 4)
      for (int64_t i = 0; i < whole_rows; i += 4)
        four_by_four(to + j * to_next + i, to_next, from + i * from_next + j, from_next);
  }
  TRANSPOSE(double, whole_rows, 0)
  rows = whole_rows;
  TRANSPOSE(double, 0, whole_columns)
}

static void transpose(int single, void* to, int64_t to_next, const void* from, int64_t from_next, int64_t rows,
                      int64_t columns) {
  if (single)
    transpose_single(to, to_next, from, from_next, rows, columns);
  else
    TRANSPOSE(Number, 0, 0)
}

/* Columns transformed; those of a filter, which is where `by` is given, then multiplied and transformed back. */
static void do_columns(const Plan* plan, int inverse, char* wave, const char* by, char* some) {
  int64_t rows = plan->shape.rows, columns = plan->shape.columns, number = (int64_t)plan->number;
  int single = plan->shape.single;
  double scale = 1.0 / ((double)rows * (double)columns);
  for (int64_t first = 0; first < columns; first += plan->at_a_time) {
    int64_t count = columns - first < plan->at_a_time ? columns - first : plan->at_a_time;
    transpose(single, some, plan->next, wave + first * number, columns, rows, count);
    plan->execute(plan->columns[inverse], some, some);
    for (int64_t j = 0; by && j < count; ++j)
      multiply(single, some + j * plan->next * number, by + (first + j) * rows * number, scale, rows);
    if (by) plan->execute(plan->columns[!inverse], some, some);
    transpose(single, wave + first * number, columns, some, plan->next, count, rows);
  }
}

static void do_wave(const Plan* plan, int inverse, void* in, const void* by, void* out, void* some) {
  if (plan->at_a_time) {
    plan->execute((in == out ? plan->rows_within : plan->rows)[inverse], in, out);
    do_columns(plan, inverse, out, by, some);
    if (by) plan->execute(plan->rows_within[!inverse], out, out);
    return;
  }
  plan->execute((in == out ? plan->whole_within : plan->whole)[inverse], in, out);
  if (!by) return;
  int64_t points = plan->shape.rows * plan->shape.columns;
  multiply(plan->shape.single, out, by, 1.0 / (double)points, points);
  plan->execute(plan->whole_within[!inverse], out, out);
}

static int filtered(const Library* fftw, const Plan* plan, int inverse, void* in, const void* by, void* out, void* some) {
  (void)fftw;
  do_wave(plan, inverse, in, by, out, some);
  return 0;
}

static int transformed(const Library* fftw, const Plan* plan, int inverse, void* in, void* out) {
  (void)fftw;
  void* some = NULL;
  if (roomy(plan, &some)) return NO_MEMORY;
  for (int64_t i = 0; i < plan->shape.waves; ++i)
    do_wave(plan, inverse, (char*)in + i * (int64_t)plan->bytes, NULL, (char*)out + i * (int64_t)plan->bytes, some);
  free(some);
  return 0;
}

static const char* message(const Library* fftw, int status) {
  (void)fftw, (void)status;
  return "FFTW cannot plan a transform of this shape";
}
