//go:build amd64 && !noasm

package kernel

import "golang.org/x/sys/cpu"

// available lists the sets of this machine, the best last.
var available = func() []instructions {
	sets := []instructions{portable}
	if x := &cpu.X86; x.HasAVX2 && x.HasFMA {
		sets = append(sets, avx2)
		if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL {
			sets = append(sets, avx512)
		}
	}
	return sets
}()
