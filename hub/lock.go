package hub

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// errBusy is what tryLock fails with while another process holds the lock. Any other
// error means that nothing can be locked here.
var errBusy = errors.New("locked")

// lock takes the lock of a file that huggingface_hub takes too, and waits for whoever
// holds it, who may have done all the work then. The lock file stays, as its does: a
// process that waits for it has it open. Where nothing can be locked there is no lock:
// two downloads then disturb each other, and the hash tells.
func lock(ctx context.Context, path string, waiting func()) (release func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, err
	}
	refused := 0
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o664)
		if err == nil {
			switch err = tryLock(f); {
			case err == nil && !isAt(f, path): // somebody removed it, as older versions did
				_ = f.Close()
				continue
			case !errors.Is(err, errBusy):
				return func() { _ = f.Close() }, nil
			}
			_ = f.Close()
		} else if refused++; !inUse(err) || refused > 10 {
			return nil, err
		}
		waiting()
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

func isAt(f *os.File, path string) bool {
	mine, err1 := f.Stat()
	other, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(mine, other)
}
