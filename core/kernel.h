// What CPU and CUDA code share.
#pragma once

#ifdef __CUDACC__
#define CASIMIR_HD __host__ __device__
#else
#define CASIMIR_HD
#endif
