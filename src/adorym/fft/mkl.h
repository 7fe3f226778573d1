/* Intel's Math Kernel Library; the inverse is divided by the number of points. */

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

typedef struct {
  Shape shape;
  void* all;           /* waves, from one buffer into another */
  void *one, *one_within; /* and one of them, in place as well */
} Plan;

typedef struct {
  long (*create)(void**, int, int, long, ...);
  long (*set)(void*, int, ...);
  long (*commit)(void*);
  long (*forward)(void*, void*, ...);
  long (*backward)(void*, void*, ...);
  const char* (*message)(long);
} Library;

static long described(const Library* mkl, const Shape* shape, int64_t waves, int in_place, void** plan) {
  long lengths[2] = {shape->rows, shape->columns};
  long points = shape->rows * shape->columns;
  long status = mkl->create(plan, shape->single ? DFTI_SINGLE : DFTI_DOUBLE, DFTI_COMPLEX, 2L, lengths);
  if (!status) status = mkl->set(*plan, DFTI_PLACEMENT, (long)(in_place ? DFTI_INPLACE : DFTI_NOT_INPLACE));
  if (!status) status = mkl->set(*plan, DFTI_NUMBER_OF_TRANSFORMS, (long)waves);
  if (!status) status = mkl->set(*plan, DFTI_INPUT_DISTANCE, points);
  if (!status) status = mkl->set(*plan, DFTI_OUTPUT_DISTANCE, points);
  /* one thread: cores are kept busy by dealing waves out over devices */
  if (!status) status = mkl->set(*plan, DFTI_THREAD_LIMIT, 1L);
  if (!status) status = mkl->set(*plan, DFTI_BACKWARD_SCALE, 1.0 / (double)points);
  return status ? status : mkl->commit(*plan);
}

static int planned(const Library* mkl, const Shape* shape, Plan* plan) {
  plan->shape = *shape;
  long status = described(mkl, shape, shape->waves, 0, &plan->all);
  if (!status) status = described(mkl, shape, 1, 0, &plan->one);
  if (!status) status = described(mkl, shape, 1, 1, &plan->one_within);
  return (int)status;
}

static int transformed(const Library* mkl, const Plan* plan, int inverse, void* in, void* out) {
  return (int)(inverse ? mkl->backward : mkl->forward)(plan->all, in, out);
}

static int roomy(const Plan* plan, void** room) {
  (void)plan, (void)room;
  return 0;
}

static int filtered(const Library* mkl, const Plan* plan, int inverse, void* in, const void* by, void* out, void* room) {
  (void)room;
  long status = in == out ? (inverse ? mkl->backward : mkl->forward)(plan->one_within, out)
                          : (inverse ? mkl->backward : mkl->forward)(plan->one, in, out);
  multiply(plan->shape.single, out, by, 1.0, plan->shape.rows * plan->shape.columns);
  return (int)(status ? status : (inverse ? mkl->forward : mkl->backward)(plan->one_within, out));
}

static const char* message(const Library* mkl, int status) { return mkl->message(status); }
