//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package hub

import (
	"errors"
	"os"
)

func tryLock(*os.File) error { return errors.ErrUnsupported }

func inUse(error) bool { return false }

func diskFull(error) bool { return false }
