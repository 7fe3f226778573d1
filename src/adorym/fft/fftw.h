/* FFTW 3; the inverse is not divided by the number of points.

   It plans by trying what is fastest, which overwrites what it is given, and may be planned by one thread at a time: the
   lock of plans sees to that. What was found is kept in a file, as another plan rounds differently, and a run that goes
   on is to go on bit for bit. One wave is planned, and all are transformed one after the other. */

#include <stdio.h>
#include <unistd.h>

enum { FFTW_MEASURE = 0, FFTW_UNALIGNED = 2, FFTW_FORWARD = -1, FFTW_BACKWARD = 1 }; /* from its fftw3.h */
enum { DIVIDED = 0, NO_PLAN = 1 };

typedef void* (*Make)(int, int, void*, void*, int, unsigned);
typedef void (*Execute)(const void*, void*, void*);
typedef int (*Keep)(const char*);

typedef struct {
  Make make;
  Execute execute;
  Keep keep;
} Functions;

typedef struct {
  Functions both[2];    /* of 64 bits a number, and of 32 */
  char files[2][4096];  /* where to keep what was found for them */
} Library;

typedef struct {
  void *forward, *backward;
  Execute execute;
  int64_t waves;
  size_t bytes; /* of a wave */
} Plan;

/* Whole or not at all; what cannot be kept is found again the next time. */
static void kept(const Library* fftw, int single) {
  char draft[4128];
  int length = snprintf(draft, sizeof draft, "%s.%ld", fftw->files[single], (long)getpid());
  if (length < 0 || (size_t)length >= sizeof draft) return;
  if (!fftw->both[single].keep(draft) || rename(draft, fftw->files[single])) remove(draft);
}

static int planned(const Library* fftw, const Shape* shape, Plan* plan) {
  Functions use = fftw->both[shape->single];
  int rows = (int)shape->rows, columns = (int)shape->columns;
  size_t bytes = (size_t)rows * (size_t)columns * (shape->single ? 8 : 16);
  /* XLA's buffers begin where 16 divides the address at least, which is all that FFTW looks at; then so do the waves */
  unsigned flags = FFTW_MEASURE | (bytes % 64 ? FFTW_UNALIGNED : 0);
  void *in = NULL, *out = NULL;
  int status = NO_MEMORY;
  if (!posix_memalign(&in, 64, bytes) && !posix_memalign(&out, 64, bytes)) {
    void* to = shape->in_place ? in : out;
    *plan = (Plan){use.make(rows, columns, in, to, FFTW_FORWARD, flags),
                   use.make(rows, columns, in, to, FFTW_BACKWARD, flags), use.execute, shape->waves, bytes};
    status = plan->forward && plan->backward ? 0 : NO_PLAN;
    if (!status) kept(fftw, shape->single);
  }
  free(in);
  free(out);
  return status;
}

static int transformed(const Library* fftw, const Plan* plan, int inverse, void* in, void* out) {
  (void)fftw;
  for (int64_t i = 0; i < plan->waves; ++i)
    plan->execute(inverse ? plan->backward : plan->forward, (char*)in + i * plan->bytes, (char*)out + i * plan->bytes);
  return 0;
}

static const char* message(const Library* fftw, int status) {
  (void)fftw, (void)status;
  return "FFTW cannot plan a transform of this shape";
}
