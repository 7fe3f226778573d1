/* 2D complex Fourier transforms by MKL, as handlers of XLA's foreign function interface.

   Over the last two axes of one buffer into another; the inverse is divided by the number of points. Compiled when it is
   first used, against the headers of the JAX that is installed. */

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "xla/ffi/api/c_api.h"

/* From MKL's mkl_dfti.h. */
enum { DFTI_COMPLEX = 32, DFTI_SINGLE = 35, DFTI_DOUBLE = 36, DFTI_NOT_INPLACE = 44 };
enum {
  DFTI_BACKWARD_SCALE = 5,
  DFTI_NUMBER_OF_TRANSFORMS = 7,
  DFTI_PLACEMENT = 11,
  DFTI_INPUT_DISTANCE = 14,
  DFTI_OUTPUT_DISTANCE = 15,
  DFTI_THREAD_LIMIT = 27
};

typedef void* Descriptor;

typedef struct {
  long (*create)(Descriptor*, int, int, long, ...);
  long (*set)(Descriptor, int, ...);
  long (*commit)(Descriptor);
  long (*forward)(Descriptor, void*, ...);
  long (*backward)(Descriptor, void*, ...);
  const char* (*message)(long);
} Dfti;

static Dfti dfti;

/* Tells where MKL's functions are, in the order of `Dfti`. */
void adorym_use(const Dfti* functions) { dfti = *functions; }

typedef struct {
  int64_t waves, rows, columns;
  int precision;
} Shape;

typedef struct Plan {
  Shape shape;
  Descriptor descriptor;
  struct Plan* next;
} Plan;

static Plan* newest = NULL; /* plans are only added, in front, so that the list may be read without the lock */
static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;

static Descriptor found(const Shape* shape) {
  for (const Plan* plan = __atomic_load_n(&newest, __ATOMIC_ACQUIRE); plan; plan = plan->next) {
    const Shape* s = &plan->shape;
    if (s->waves == shape->waves && s->rows == shape->rows && s->columns == shape->columns &&
        s->precision == shape->precision)
      return plan->descriptor;
  }
  return NULL;
}

static long planned(const Shape* shape, Descriptor* descriptor) {
  long lengths[2] = {shape->rows, shape->columns};
  long points = shape->rows * shape->columns;
  long status = dfti.create(descriptor, shape->precision, DFTI_COMPLEX, 2L, lengths);
  if (!status) status = dfti.set(*descriptor, DFTI_PLACEMENT, (long)DFTI_NOT_INPLACE);
  if (!status) status = dfti.set(*descriptor, DFTI_NUMBER_OF_TRANSFORMS, (long)shape->waves);
  if (!status) status = dfti.set(*descriptor, DFTI_INPUT_DISTANCE, points);
  if (!status) status = dfti.set(*descriptor, DFTI_OUTPUT_DISTANCE, points);
  /* one thread: cores are kept busy by dealing waves out over devices */
  if (!status) status = dfti.set(*descriptor, DFTI_THREAD_LIMIT, 1L);
  if (!status) status = dfti.set(*descriptor, DFTI_BACKWARD_SCALE, 1.0 / (double)points);
  if (!status) status = dfti.commit(*descriptor);
  return status;
}

static long descriptor_of(const Shape* shape, Descriptor* descriptor) {
  long status = 0;
  if ((*descriptor = found(shape))) return status;
  pthread_mutex_lock(&adding);
  if (!(*descriptor = found(shape))) { /* nobody else has added it meanwhile */
    Plan* plan = malloc(sizeof(Plan));
    status = plan ? planned(shape, descriptor) : -1;
    if (status) {
      free(plan);
    } else {
      *plan = (Plan){*shape, *descriptor, newest};
      __atomic_store_n(&newest, plan, __ATOMIC_RELEASE);
    }
  }
  pthread_mutex_unlock(&adding);
  return status;
}

static XLA_FFI_Error* failure(const XLA_FFI_Api* api, const char* message) {
  XLA_FFI_Error_Create_Args told = {XLA_FFI_Error_Create_Args_STRUCT_SIZE, NULL, message, XLA_FFI_Error_Code_INTERNAL};
  return api->XLA_FFI_Error_Create(&told);
}

static XLA_FFI_Error* transform(XLA_FFI_CallFrame* call, int inverse) {
  XLA_FFI_Extension_Base* extension = call->extension_start;
  if (extension && extension->type == XLA_FFI_Extension_Metadata) { /* XLA asks what this was compiled against */
    XLA_FFI_Metadata* metadata = ((XLA_FFI_Metadata_Extension*)extension)->metadata;
    metadata->api_version.major_version = XLA_FFI_API_MAJOR;
    metadata->api_version.minor_version = XLA_FFI_API_MINOR;
    return NULL;
  }
  if (call->stage != XLA_FFI_ExecutionStage_EXECUTE) return NULL;

  const XLA_FFI_Buffer* in = call->args.args[0];
  const XLA_FFI_Buffer* out = call->rets.rets[0];
  Shape shape = {1, in->dims[in->rank - 2], in->dims[in->rank - 1],
                 in->dtype == XLA_FFI_DataType_C64 ? DFTI_SINGLE : DFTI_DOUBLE};
  for (int64_t i = 0; i < in->rank - 2; ++i) shape.waves *= in->dims[i];
  if (shape.waves == 0) return NULL;

  Descriptor descriptor;
  long status = descriptor_of(&shape, &descriptor);
  if (status < 0) return failure(call->api, "MKL: no memory for a plan");
  if (!status) status = (inverse ? dfti.backward : dfti.forward)(descriptor, in->data, out->data);
  return status ? failure(call->api, dfti.message(status)) : NULL;
}

XLA_FFI_Error* adorym_fft2(XLA_FFI_CallFrame* call) { return transform(call, 0); }

XLA_FFI_Error* adorym_ifft2(XLA_FFI_CallFrame* call) { return transform(call, 1); }
