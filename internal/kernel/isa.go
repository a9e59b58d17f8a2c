package kernel

import "fmt"

// instructions is a set that kernels exist for. They are ordered by preference.
type instructions uint8

const (
	portable instructions = iota
	neon
	avx2
	avx512
)

func (i instructions) String() string {
	return [...]string{"go", "neon", "avx2", "avx512"}[i]
}

// isa is the set in use: the best of this machine, unless a test says otherwise.
var isa = available[len(available)-1]

// ISA names the instruction set that the kernels use: "avx512", "avx2", "neon"
// or "go".
func ISA() string { return isa.String() }

// ForceISA makes the kernels use the named instruction set until restore is
// called, or returns an error where this machine lacks it. It is for tests, and
// must not be called while kernels run.
func ForceISA(name string) (restore func(), err error) {
	was := isa
	for _, i := range available {
		if i.String() == name {
			isa = i
			return func() { isa = was }, nil
		}
	}
	return nil, fmt.Errorf("kernel: instruction set %q, this build on this machine has %v", name, available)
}
