//go:build arm64 && !noasm

package kernel

// Every arm64 has NEON.
var available = []instructions{portable, neon}
