//go:build amd64 && !noasm

package kernel

import "github.com/goclip/goclip/internal/kernel/asm"

func ask(x *float32, ld, rows, n int) { asm.Ask(x, ld, rows, n) }
