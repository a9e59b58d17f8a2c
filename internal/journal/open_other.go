//go:build !windows

package journal

import "os"

// openShared opens a file that others may rename and remove meanwhile.
func openShared(path string, flag int) (*os.File, error) { return os.OpenFile(path, flag, 0o666) }

// inUse reports whether an operation failed because a program has the file open,
// which it does on Windows only.
func inUse(error) bool { return false }
