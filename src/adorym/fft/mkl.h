/* Intel's Math Kernel Library; the inverse is divided by the number of points. */

enum { DIVIDED = 1 };

/* From its mkl_dfti.h. */
enum { DFTI_COMPLEX = 32, DFTI_SINGLE = 35, DFTI_DOUBLE = 36, DFTI_INPLACE = 43, DFTI_NOT_INPLACE = 44 };
enum {
  DFTI_BACKWARD_SCALE = 5,
  DFTI_NUMBER_OF_TRANSFORMS = 7,
  DFTI_PLACEMENT = 11,
  DFTI_INPUT_DISTANCE = 14,
  DFTI_OUTPUT_DISTANCE = 15,
  DFTI_THREAD_LIMIT = 27
};

typedef void* Plan;

typedef struct {
  long (*create)(Plan*, int, int, long, ...);
  long (*set)(Plan, int, ...);
  long (*commit)(Plan);
  long (*forward)(Plan, void*, ...);
  long (*backward)(Plan, void*, ...);
  const char* (*message)(long);
} Library;

static int planned(const Library* mkl, const Shape* shape, Plan* plan) {
  long lengths[2] = {shape->rows, shape->columns};
  long points = shape->rows * shape->columns;
  long status = mkl->create(plan, shape->single ? DFTI_SINGLE : DFTI_DOUBLE, DFTI_COMPLEX, 2L, lengths);
  if (!status) status = mkl->set(*plan, DFTI_PLACEMENT, (long)(shape->in_place ? DFTI_INPLACE : DFTI_NOT_INPLACE));
  if (!status) status = mkl->set(*plan, DFTI_NUMBER_OF_TRANSFORMS, (long)shape->waves);
  if (!status) status = mkl->set(*plan, DFTI_INPUT_DISTANCE, points);
  if (!status) status = mkl->set(*plan, DFTI_OUTPUT_DISTANCE, points);
  /* one thread: cores are kept busy by dealing waves out over devices */
  if (!status) status = mkl->set(*plan, DFTI_THREAD_LIMIT, 1L);
  if (!status) status = mkl->set(*plan, DFTI_BACKWARD_SCALE, 1.0 / (double)points);
  if (!status) status = mkl->commit(*plan);
  return (int)status;
}

static int transformed(const Library* mkl, const Plan* plan, int inverse, void* in, void* out) {
  return (int)(inverse ? mkl->backward : mkl->forward)(*plan, in, out);
}

static const char* message(const Library* mkl, int status) { return mkl->message(status); }
