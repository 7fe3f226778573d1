/* 2D complex Fourier transforms by a library, as handlers of XLA's foreign function interface.

   Over the last two axes of one buffer into another. Compiled when it is first used, against the headers of the JAX that
   is installed. LIBRARY is a header that says how the library plans and transforms:

     typedef Library          its functions, in the order in which Python hands them over
     typedef Plan             what it keeps for a shape
     int planned(const Library*, const Shape*, Plan*)                      0, or why not
     int transformed(const Library*, const Plan*, int inverse, void* in, void* out)
     const char* message(const Library*, int)                              what such a number means */

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "xla/ffi/api/c_api.h"

typedef struct {
  int64_t waves, rows, columns;
  int single; /* 32 bits a number, not 64 */
} Shape;

enum { NO_MEMORY = -1 };

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
  Shape shape = {1, in->dims[in->rank - 2], in->dims[in->rank - 1], in->dtype == XLA_FFI_DataType_C64};
  for (int64_t i = 0; i < in->rank - 2; ++i) shape.waves *= in->dims[i];
  if (shape.waves == 0) return NULL;

  const Plan* plan;
  int status = plan_of(&shape, &plan);
  if (!status) status = transformed(&library, plan, inverse, in->data, out->data);
  if (status == NO_MEMORY) return failure(call->api, "Fourier transform: no memory for a plan");
  return status ? failure(call->api, message(&library, status)) : NULL;
}

XLA_FFI_Error* adorym_fft2(XLA_FFI_CallFrame* call) { return transform(call, 0); }

XLA_FFI_Error* adorym_ifft2(XLA_FFI_CallFrame* call) { return transform(call, 1); }
