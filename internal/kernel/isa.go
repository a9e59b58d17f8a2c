package kernel

// ISA names the instruction set that the kernels use on this machine: "avx512",
// "avx2", "neon" or "go".
func ISA() string { return "go" }
