// The runtime that streams.c plays, under names of its own: a program may hold the real one as
// well.
#ifndef TESTS_DIST_PLAYED_CUDA_RUNTIME_API_H
#define TESTS_DIST_PLAYED_CUDA_RUNTIME_API_H

#define cudaGetLastError             played_cudaGetLastError
#define cudaGetErrorString           played_cudaGetErrorString
#define cudaStreamCreateWithPriority played_cudaStreamCreateWithPriority
#define cudaStreamDestroy            played_cudaStreamDestroy
#define cudaStreamWaitEvent          played_cudaStreamWaitEvent
#define cudaEventCreateWithFlags     played_cudaEventCreateWithFlags
#define cudaEventDestroy             played_cudaEventDestroy
#define cudaEventRecord              played_cudaEventRecord
#define cudaStreamBeginCapture       played_cudaStreamBeginCapture
#define cudaStreamEndCapture         played_cudaStreamEndCapture
#define cudaGraphInstantiate         played_cudaGraphInstantiate
#define cudaGraphLaunch              played_cudaGraphLaunch
#define cudaGraphDestroy             played_cudaGraphDestroy
#define cudaGraphExecDestroy         played_cudaGraphExecDestroy

#include "tests/cuda_host/include/cuda_runtime_api.h"

#endif
