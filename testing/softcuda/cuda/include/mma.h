// mma.h: what a toolkit has under this name is in softcuda.h, before every kernel.
