package convert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/goclip/goclip/vision"
)

// errLimit is in the errors about programs that were stopped.
var errLimit = errors.New("over the limit")

// run converts an image by a process of a program. What it reads and writes lies in a
// new folder, in which it starts, under names that no program takes for a flag.
func run(ctx context.Context, o Options, p program, path string, f vision.ForeignFormat, data []byte, maxPixels int) (_ []byte, err error) {
	dir, err := os.MkdirTemp("", "goclip-convert-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	in, out := "image"+suffix(f, data), "converted.png"
	if f == vision.JPEG2000 && p.name == "opj_decompress" {
		if inks(data) {
			out = "converted.tif" // in which it leaves them as they are
		}
		data = withoutProfile(data)
	}
	if err := os.WriteFile(filepath.Join(dir, in), data, 0o600); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, p.arguments(in, out)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "VIPS_CONCURRENCY=1")
	said := &tail{}
	cmd.Stderr = said
	cmd.WaitDelay = time.Second // for children that keep stderr
	ownGroup(cmd)
	// Four samples of 16 bits for each pixel, and what surrounds them.
	most := int64(1 << 20)
	if int64(maxPixels) < math.MaxInt64/9-most {
		most += 9 * int64(maxPixels)
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	confine(cmd.Process.Pid, limits{memory: o.MaxMemory, file: most, cpu: o.Timeout})
	err = cmd.Wait()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("%w: it took more than %v", errLimit, o.Timeout)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case exceeded(cmd.ProcessState):
		return nil, fmt.Errorf("%w: it wrote more than %d bytes, or computed for more than %v", errLimit, most, o.Timeout)
	case err != nil:
		return nil, fmt.Errorf("%w: %s", err, said)
	}
	return read(dir, out, most, said)
}

// read returns the file that was written. Some programs number the images of a file.
func read(dir, name string, most int64, said *tail) ([]byte, error) {
	path := filepath.Join(dir, name)
	if _, err := os.Lstat(path); err != nil {
		ext := filepath.Ext(name)
		path = strings.TrimSuffix(path, ext) + "-1" + ext
	}
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("it wrote no image: %s", said)
	case !info.Mode().IsRegular():
		return nil, errors.New("what it wrote is not a regular file")
	case info.Size() > most:
		return nil, fmt.Errorf("%w: it wrote %d bytes, want at most %d", errLimit, info.Size(), most)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, most))
}

// suffix is the one by which programs tell what they get.
func suffix(f vision.ForeignFormat, data []byte) string {
	switch f {
	case vision.HEIC:
		return ".heic"
	case vision.AVIF:
		return ".avif"
	case vision.JPEGXL:
		return ".jxl"
	}
	if bytes.HasPrefix(data, []byte("\xff\x4f")) {
		return ".j2k"
	}
	return ".jp2"
}

// colour finds the method of JP2's box for colours (ISO/IEC 15444-1, I.5.3.3).
func colour(data []byte) (method []byte, rest []byte) {
	head, _, _ := bytes.Cut(data[:min(len(data), 1<<16)], []byte("jp2c"))
	i := bytes.Index(head, []byte("colr"))
	if i < 0 || len(head) < i+11 {
		return nil, nil
	}
	return head[i+4 : i+5], head[i+7:]
}

// inks tells of CMYK.
func inks(data []byte) bool {
	method, rest := colour(data)
	return method != nil && method[0] == 1 && bytes.HasPrefix(rest, []byte{0, 0, 0, 12})
}

// withoutProfile makes a profile of colours one that is not understood: opj_decompress
// would apply it, and Pillow does not.
func withoutProfile(data []byte) []byte {
	if method, _ := colour(data); method == nil || method[0] != 2 {
		return data
	}
	data = bytes.Clone(data)
	method, _ := colour(data)
	method[0] = 3
	return data
}

// tail keeps the end of what a program says.
type tail struct{ kept []byte }

const mostSaid = 500

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	p = p[max(0, n-mostSaid):]
	t.kept = append(t.kept[:0:0], append(t.kept, p...)...)
	t.kept = t.kept[max(0, len(t.kept)-mostSaid):]
	return n, nil
}

func (t *tail) String() string {
	if s := strings.Join(strings.Fields(strings.ToValidUTF8(string(t.kept), "?")), " "); s != "" {
		return s
	}
	return "it said nothing"
}
