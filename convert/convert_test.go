//go:build unix

package convert

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goclip/goclip/vision"
)

// heic is a file of that kind, as far as one can tell without a decoder.
const heic = "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"

// fake puts a program into a folder that is all of PATH but for the system's own.
func fake(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv("TMPDIR", t.TempDir())
}

// decode reads data with a converter, and wants nothing left of it.
func decode(t *testing.T, ctx context.Context, o *Options, data string) (image.Image, error) {
	t.Helper()
	img, err := vision.Decode(strings.NewReader(data), &vision.DecodeOptions{MaxPixels: 1 << 20, Converter: New(ctx, o)})
	if left, _ := os.ReadDir(os.TempDir()); len(left) > 0 {
		t.Errorf("%d files are left", len(left))
	}
	return img, err
}

func TestConverts(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 7, 5))); err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(t.TempDir(), "image.png")
	if err := os.WriteFile(source, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"converted.png", "converted-1.png"} {
		fake(t, "heif-dec", `[ "$*" = "--quiet image.heic converted.png" ] && /bin/cp '`+source+`' `+target)
		img, err := decode(t, t.Context(), nil, heic)
		if err != nil || img.Bounds().Size() != image.Pt(7, 5) {
			t.Errorf("%s: got %v and error %v, want 7×5 pixels", target, img, err)
		}
	}
}

// TestMisbehaviour: programs that misbehave cost time and memory within the limits, and say what
// they said.
func TestMisbehaviour(t *testing.T) {
	linux := runtime.GOOS == "linux"
	for _, c := range []struct {
		name, script, want string
		skip               bool
	}{
		{"hangs", "/bin/sleep 600", "over the limit: it took more than 2s", false},
		{"hangs in a child", "/bin/sleep 600 & wait", "over the limit: it took more than 2s", false},
		{"ignores signals", "trap '' TERM INT HUP; while :; do /bin/sleep 1; done", "over the limit", false},
		{"floods", "while :; do echo nonsense nonsense; echo nonsense nonsense >&2; done", "over the limit", false},
		{"crashes", "kill -SEGV $$", "signal: segmentation fault", false},
		{"complains", "echo it is no good >&2; exit 3", "heif-dec: exit status 3: it is no good", false},
		{"writes nothing", "exit 0", "heif-dec: it wrote no image: it said nothing", false},
		{"writes nonsense", "echo nonsense > converted.png", "converted: ", false},
		{"writes a folder", "/bin/mkdir converted.png", "not a regular file", false},
		{"writes a link", "/bin/ln -s /etc/passwd converted.png", "not a regular file", false},
		{"writes a pipe", "/usr/bin/mkfifo converted.png", "not a regular file", false},
		{"writes without end", "exec /bin/cat /dev/zero > converted.png", "over the limit", !linux},
		{"takes memory", "x=0123456789; while :; do x=$x$x; done", "heif-dec: ", !linux},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.skip {
				t.Skip("the system limits a process only from within")
			}
			fake(t, "heif-dec", c.script)
			began := time.Now()
			_, err := decode(t, t.Context(), &Options{Timeout: 2 * time.Second, MaxMemory: 256 << 20}, heic)
			if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 1500 {
				t.Errorf("got error %v, want %q", err, c.want)
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestEndsWithContext kills a program, and what it has started.
func TestEndsWithContext(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	fake(t, "heif-dec", "/bin/sleep 600 & echo $! > '"+pids+".new'; /bin/mv '"+pids+".new' '"+pids+"'; wait")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			if _, err := os.Stat(pids); err == nil {
				cancel()
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	if _, err := decode(t, ctx, nil, heic); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
	text, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for range 500 {
		if err := syscall.Kill(pid, 0); err != nil || zombie(pid) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d still runs", pid)
}

// zombie tells of a process that has ended, and waits for its parent to see it.
func zombie(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && bytes.Contains(stat, []byte(") Z "))
}

// TestNotInstalled: the error says what to install.
func TestNotInstalled(t *testing.T) {
	fake(t, "other", "")
	for data, want := range map[string]string{
		heic: "a HEIC image: install libheif-examples, which has heif-dec or heif-convert",
		"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif":          "an AVIF image: install libavif-bin, which has avifdec",
		"\x00\x00\x00\x0cJXL \r\n\x87\n":                            "a JPEG XL image: install libjxl-tools, which has djxl",
		"\x00\x00\x00\x0cjP  \r\n\x87\n":                            "a JPEG 2000 image: install libopenjp2-tools, which has opj_decompress",
		"\xff\x4f\xff\x51" + strings.Repeat("\x00\x00\x00\x01", 12): "a JPEG 2000 image: install libopenjp2-tools",
	} {
		if _, err := decode(t, t.Context(), nil, data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: got error %v, want %q", data, err, want)
		}
	}
}

// TestFailureIsSaid: an error has what the program said.
func TestFailureIsSaid(t *testing.T) {
	fake(t, "avifdec", "echo too old >&2; exit 1")
	if _, err := decode(t, t.Context(), nil, "\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif"); err == nil || !strings.Contains(err.Error(), "avifdec: exit status 1: too old") {
		t.Errorf("got error %v, want what avifdec said", err)
	}
}
