//go:build unix

package train_test

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFullDisk: where a checkpoint cannot be written, the error says what the
// system says, and the one before is whole. The writer is another process,
// since it gives up its rights.
func TestFullDisk(t *testing.T) {
	const mode = "GOCLIP_TRAIN_OBSTACLE"
	src := drawn(t, 120)
	switch os.Getenv(mode) {
	case "full": // no file may grow beyond 100 KB; a checkpoint has more
		signal.Ignore(syscall.SIGXFSZ)
		check(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 100_000, Max: 100_000}))
	case "unwritable":
		if os.Getuid() == 0 {
			check(t, syscall.Setuid(65534)) // permissions do not bind root
		}
	}
	if os.Getenv(mode) != "" {
		tr, _ := trainer(t)
		check(t, tr.Fit(context.Background(), src, plan(".", 6)))
		return
	}
	for name, want := range map[string]string{"full": "file too large", "unwritable": "permission denied"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			tr, m := trainer(t)
			check(t, tr.Fit(context.Background(), src, plan(dir, 3)))
			files, before := names(t, dir), weights(m)
			if name == "unwritable" {
				check(t, os.Chmod(dir, 0o555))
				defer os.Chmod(dir, 0o755)
			}
			cmd := exec.Command(os.Args[0], "-test.run=^TestFullDisk$")
			cmd.Dir, cmd.Env = dir, append(os.Environ(), mode+"="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "train: checkpoint of step 6: ") || !strings.Contains(string(out), want) {
				t.Errorf("got %v and output\n%s\nwant an error of step 6 and %q", err, out, want)
			}
			if got := names(t, dir); !slices.Equal(got, files) {
				t.Errorf("the folder has %v, want %v", got, files)
			}
			tr, m = trainer(t)
			check(t, tr.Fit(context.Background(), src, plan(dir, 3)))
			sameBits(t, "the checkpoint before", weights(m), before)
		})
	}
}
