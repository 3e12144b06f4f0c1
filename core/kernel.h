// What CPU and CUDA code share.
#pragma once

#ifdef __CUDACC__
#define CASIMIR_HD __host__ __device__
#else
#define CASIMIR_HD
#endif

// The same for functions inside loops, which are vector code only without calls.
#ifdef __CUDACC__
#define CASIMIR_HD_INLINE __host__ __device__ inline
#else
#define CASIMIR_HD_INLINE __attribute__((always_inline)) inline
#endif
