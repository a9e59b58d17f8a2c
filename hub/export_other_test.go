//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package hub

var diskFullError error
