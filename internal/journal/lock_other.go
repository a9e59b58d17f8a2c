//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package journal

import (
	"errors"
	"os"
)

func tryLock(*os.File) error { return errors.ErrUnsupported }
