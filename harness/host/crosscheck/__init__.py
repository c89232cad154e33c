"""Our times of a TensorRT engine against those that NVIDIA's own trtexec takes of the very same file."""
