/* 2D complex Fourier transforms by a library, as handlers of XLA's foreign function interface.

   Over the last two axes of one buffer into another. Compiled when it is first used, against the headers of the JAX that
   is installed. LIBRARY is a header that says how the library plans and transforms:

     typedef Library          its functions, in the order in which Python hands them over
     typedef Plan             what it keeps for a shape
     int planned(const Library*, const Shape*, Plan*)                      0, or why not
     int transformed(const Library*, const Plan*, int inverse, void* in, void* out)
     int roomy(const Plan*, void** room)                                   what `filtered` needs beside a wave; 0, or why not
     int filtered(const Library*, const Plan*, int inverse, void* in, const void* by, void* out, void* room)
     const char* message(const Library*, int)                              what such a number means

   A filter is a transform, the product with `by`, and the transform back, divided by the number of points; of one wave,
   which may be filtered in place. */

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "xla/ffi/api/c_api.h"

typedef struct {
  int64_t waves, rows, columns;
  int single; /* 32 bits a number, not 64 */
} Shape;

enum { NO_MEMORY = -1 };

/* The product is compiled for the vectors of several processors, of which the right one is found when this is loaded:
   what is compiled may lie in a home that many machines share. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__has_attribute)
#if __has_attribute(target_clones)
#define FOR_WHAT_RUNS __attribute__((target_clones("avx512f", "avx2", "default")))
#endif
#endif
#ifndef FOR_WHAT_RUNS
#define FOR_WHAT_RUNS
#endif

#define MULTIPLY(name, real, from)                                                                          \
  FOR_WHAT_RUNS static void name(real* restrict z, const real* restrict w, const real* restrict by,         \
                                 double scale, int64_t points) {                                            \
    real part = (real)scale;                                                                                \
    for (int64_t i = 0; i < points; ++i) {                                                                  \
      real x = from[2 * i], y = from[2 * i + 1], u = by[2 * i] * part, v = by[2 * i + 1] * part;            \
      z[2 * i] = x * u - y * v;                                                                             \
      z[2 * i + 1] = x * v + y * u;                                                                         \
    }                                                                                                       \
  }

MULTIPLY(multiply_single, float, z)
MULTIPLY(multiply_double, double, z)
MULTIPLY(product_single, float, w)
MULTIPLY(product_double, double, w)

/* Multiplies values by others, and by a number. */
static void multiply(int single, void* values, const void* by, double scale, int64_t points) {
  if (single)
    multiply_single(values, NULL, by, scale, points);
  else
    multiply_double(values, NULL, by, scale, points);
}

/* A wave that has crossed what is seen of a slab, which lies in its middle; around it is vacuum. */
static void cross(const Shape* shape, const char* in, const XLA_FFI_Buffer* slab, char* out) {
  const char* seen = slab->data;
  int64_t rows = slab->dims[slab->rank - 2], columns = slab->dims[slab->rank - 1];
  int64_t number = shape->single ? 8 : 16, line = shape->columns * number;
  int64_t before = (shape->columns - columns) / 2 * number, within = columns * number;
  int64_t top = (shape->rows - rows) / 2, rest = line - before - within;
  memcpy(out, in, (size_t)(top * line));
  for (int64_t i = top; i < top + rows; ++i, seen += within) {
    const char* from = in + i * line;
    char* to = out + i * line;
    memcpy(to, from, (size_t)before);
    if (shape->single)
      product_single((float*)(to + before), (const float*)(from + before), (const float*)seen, 1.0, columns);
    else
      product_double((double*)(to + before), (const double*)(from + before), (const double*)seen, 1.0, columns);
    memcpy(to + before + within, from + before + within, (size_t)rest);
  }
  memcpy(out + (top + rows) * line, in + (top + rows) * line, (size_t)((shape->rows - top - rows) * line));
}

#include LIBRARY

static Library library;

/* Tells where the library's functions are. */
void adorym_use(const Library* functions) { library = *functions; }

typedef struct Known {
  Shape shape;
  Plan plan;
  struct Known* next;
} Known;

static Known* newest = NULL; /* plans are only added, in front, so that the list may be read without the lock */
static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;

static const Plan* found(const Shape* shape) {
  for (const Known* known = __atomic_load_n(&newest, __ATOMIC_ACQUIRE); known; known = known->next) {
    const Shape* s = &known->shape;
    if (s->waves == shape->waves && s->rows == shape->rows && s->columns == shape->columns &&
        s->single == shape->single)
      return &known->plan;
  }
  return NULL;
}

static int plan_of(const Shape* shape, const Plan** plan) {
  int status = 0;
  if ((*plan = found(shape))) return status;
  pthread_mutex_lock(&adding);
  if (!(*plan = found(shape))) { /* nobody else has added it meanwhile */
    Known* known = malloc(sizeof(Known));
    status = known ? planned(&library, shape, &known->plan) : NO_MEMORY;
    if (status) {
      free(known);
    } else {
      known->shape = *shape;
      known->next = newest;
      *plan = &known->plan;
      __atomic_store_n(&newest, known, __ATOMIC_RELEASE);
    }
  }
  pthread_mutex_unlock(&adding);
  return status;
}

static XLA_FFI_Error* told(const XLA_FFI_Api* api, int status) {
  if (!status) return NULL;
  const char* why = status == NO_MEMORY ? "Fourier transform: no memory for a plan" : message(&library, status);
  XLA_FFI_Error_Create_Args error = {XLA_FFI_Error_Create_Args_STRUCT_SIZE, NULL, why, XLA_FFI_Error_Code_INTERNAL};
  return api->XLA_FFI_Error_Create(&error);
}

/* Whether a call is to do its work; before the first XLA asks what this was compiled against. */
static int asked_to_work(XLA_FFI_CallFrame* call) {
  XLA_FFI_Extension_Base* extension = call->extension_start;
  if (extension && extension->type == XLA_FFI_Extension_Metadata) {
    XLA_FFI_Metadata* metadata = ((XLA_FFI_Metadata_Extension*)extension)->metadata;
    metadata->api_version.major_version = XLA_FFI_API_MAJOR;
    metadata->api_version.minor_version = XLA_FFI_API_MINOR;
    return 0;
  }
  return call->stage == XLA_FFI_ExecutionStage_EXECUTE;
}

static Shape shape_of(const XLA_FFI_Buffer* in) {
  Shape shape = {1, in->dims[in->rank - 2], in->dims[in->rank - 1], in->dtype == XLA_FFI_DataType_C64};
  for (int64_t i = 0; i < in->rank - 2; ++i) shape.waves *= in->dims[i];
  return shape;
}

static XLA_FFI_Error* transform(XLA_FFI_CallFrame* call, int inverse) {
  if (!asked_to_work(call)) return NULL;
  const XLA_FFI_Buffer *in = call->args.args[0], *out = call->rets.rets[0];
  Shape shape = shape_of(in);
  if (shape.waves == 0) return NULL;
  const Plan* plan;
  int status = plan_of(&shape, &plan);
  if (!status) status = transformed(&library, plan, inverse, in->data, out->data);
  return told(call->api, status);
}

XLA_FFI_Error* adorym_fft2(XLA_FFI_CallFrame* call) { return transform(call, 0); }

XLA_FFI_Error* adorym_ifft2(XLA_FFI_CallFrame* call) { return transform(call, 1); }

/* One wave after the other, which stays in the cache. */
static int filter_each(const Plan* plan, const Shape* shape, int inverse, char* in, const char* by,
                       const XLA_FFI_Buffer* seen, char* out) {
  int64_t bytes = shape->rows * shape->columns * (shape->single ? 8 : 16);
  void* room = NULL;
  int status = roomy(plan, &room);
  for (int64_t i = 0; i < shape->waves && !status; ++i, in += bytes, out += bytes) {
    if (seen) cross(shape, in, seen, out);
    status = filtered(&library, plan, inverse, seen ? out : in, by, out, room);
  }
  free(room);
  return status;
}

static XLA_FFI_Error* filter(XLA_FFI_CallFrame* call, int inverse) {
  if (!asked_to_work(call)) return NULL;
  const XLA_FFI_Buffer *in = call->args.args[0], *by = call->args.args[1], *out = call->rets.rets[0];
  const XLA_FFI_Buffer* seen = call->args.size > 2 ? call->args.args[2] : NULL;
  Shape shape = shape_of(in);
  if (shape.waves == 0) return NULL;
  const Plan* plan;
  int status = plan_of(&shape, &plan);
  if (!status) status = filter_each(plan, &shape, inverse, in->data, by->data, seen, out->data);
  return told(call->api, status);
}

/* A third argument is what is seen of a slab that is crossed before. */
XLA_FFI_Error* adorym_filter2(XLA_FFI_CallFrame* call) { return filter(call, 0); }

XLA_FFI_Error* adorym_ifilter2(XLA_FFI_CallFrame* call) { return filter(call, 1); }
