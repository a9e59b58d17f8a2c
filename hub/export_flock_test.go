//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package hub

import "syscall"

var diskFullError error = syscall.ENOSPC
