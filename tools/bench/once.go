package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// program is a whole program, which is started anew in each round: it prints a line when
// its work is done. binary is what its size is measured of, packages of Python otherwise.
type program struct {
	name     string
	command  []string
	binary   string
	packages []string
	seconds  []float64
	printed  string  // the line, the last one
	most     float64 // MiB of it and its children at most
}

// once are the works of whole programs.
func (o *options) once(ctx context.Context, w io.Writer) error {
	model := filepath.Join(o.folder, b32)
	out := filepath.Join(o.scripts, "out")
	script := func(args ...string) []string {
		return append([]string{o.python, filepath.Join(o.scripts, "once.py"), o.folder, b32}, args...)
	}
	photo := filepath.Join(o.folder, "folder", "000.jpg")
	works := []struct {
		row      row
		memory   float64 // at most what share of the quickest peer's
		programs []program
	}{
		{row{name: "cold", title: "cold process to a first embedding, checkpoint of 605 MB", wanted: 2.7}, 0, []program{
			{name: "goclip", command: []string{o.worker, o.folder, "embed", b32, photo}, binary: o.worker},
			{name: "ONNX Runtime", command: script("onnxruntime", photo), packages: []string{"onnxruntime", "numpy", "numpy.libs", "PIL", "pillow.libs"}},
			{name: "OpenVINO", command: script("openvino", photo), packages: []string{"openvino", "numpy", "numpy.libs", "PIL", "pillow.libs"}},
			{name: "PyTorch", command: script("eager", photo), packages: []string{"torch", "torchvision", "open_clip", "timm", "numpy", "numpy.libs", "PIL", "pillow.libs"}},
		}},
		{row{name: "folder", title: "a folder of 256 photographs to embeddings", wanted: 1.6}, 0.5, []program{
			{name: "goclip", command: []string{o.goclip, "embed", "-q", "--model", model, "--format", "npy", "--out", out, filepath.Join(o.folder, "folder")}, binary: o.goclip},
			{name: "open_clip + OpenVINO", command: script("openvino", filepath.Join(o.folder, "folder"), out)},
			{name: "open_clip", command: script("eager", filepath.Join(o.folder, "folder"), out)},
		}},
	}
	for _, work := range works {
		if len(o.chosen("once", []row{work.row})) == 0 {
			continue
		}
		if err := o.prepare(ctx, []string{b32, "folder"}); err != nil {
			return err
		}
		for round := range o.rounds {
			for i := range work.programs {
				p := &work.programs[(i+round)%len(work.programs)]
				fmt.Fprintf(os.Stderr, "once/%s, round %d: %s\n", work.row.name, round+1, p.name)
				if err := o.whole(ctx, p); err != nil {
					return fmt.Errorf("once/%s: %s: %w", work.row.name, p.name, err)
				}
				os.RemoveAll(out)
			}
		}
		if err := o.printOnce(ctx, w, work.row, work.memory, work.programs); err != nil {
			return err
		}
		if work.row.name == "cold" {
			if err := agreeing(work.programs); err != nil {
				return err
			}
		}
	}
	return nil
}

// agreeing compares the numbers that programs printed with the first one's.
func agreeing(all []program) error {
	var want float64
	for i, p := range all {
		x, err := strconv.ParseFloat(strings.TrimSpace(p.printed), 64)
		if i == 0 {
			want = x
		}
		if err != nil || !(math.Abs(x-want) <= 1e-4) {
			return fmt.Errorf("%s printed %q, %s %q", p.name, p.printed, all[0].name, all[0].printed)
		}
	}
	return nil
}

// whole runs a program from its start to the line that it prints, and samples its memory.
func (o *options) whole(ctx context.Context, p *program) error {
	cmd := exec.CommandContext(ctx, p.command[0], p.command[1:]...)
	cmd.Env = o.environment()
	var failed strings.Builder
	cmd.Stderr = &failed
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	began, done, sampled := time.Now(), make(chan bool), make(chan float64)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		most := 0.0
		for {
			most = max(most, residentOf(cmd.Process.Pid))
			select {
			case <-done:
				sampled <- most
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	lines := bufio.NewScanner(out)
	printed := lines.Scan()
	seconds := time.Since(began).Seconds()
	p.printed = lines.Text()
	for lines.Scan() {
	}
	close(done)
	p.most = max(p.most, <-sampled)
	switch err := cmd.Wait(); {
	case err != nil:
		return fmt.Errorf("%w: %s", err, lastLines(failed.String()))
	case !printed:
		return fmt.Errorf("nothing printed: %s", lastLines(failed.String()))
	}
	p.most = max(p.most, peakOf(cmd.ProcessState))
	p.seconds = append(p.seconds, seconds)
	return nil
}

func (o *options) printOnce(ctx context.Context, w io.Writer, r row, memory float64, all []program) error {
	fmt.Fprintf(w, "\n| %s | s: shortest / median | time over goclip's | peak memory, MiB | size, MB |\n|---|---|---|---|---|\n", r.title)
	ours := all[0]
	least, smallest := math.Inf(1), math.Inf(1)
	for i, p := range all {
		size, err := o.sizeOf(ctx, p)
		if err != nil {
			return err
		}
		ratio := slices.Min(p.seconds) / slices.Min(ours.seconds)
		fmt.Fprintf(w, "| %s | %s / %s | %.2f | %.0f | %s |\n", p.name, figures(slices.Min(p.seconds)), figures(median(p.seconds)), ratio, p.most, size)
		if i > 0 {
			least, smallest = min(least, ratio), min(smallest, p.most)
		}
	}
	fmt.Fprintf(w, "\n| %s | quickest peer | wanted |\n|---|---|---|\n| time | %s |\n", r.name, verdict(least, r.wanted, false))
	fmt.Fprintf(w, "| our peak memory over the smallest | %s |\n", verdict(ours.most/smallest, memory, true))
	return nil
}

// sizeOf is what a program takes on a disk, Python itself not counted.
func (o *options) sizeOf(ctx context.Context, p program) (string, error) {
	if p.binary != "" {
		info, err := os.Stat(p.binary)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%.0f, one file", float64(info.Size())/1e6), nil
	}
	if p.packages == nil {
		return "", nil
	}
	site, err := exec.CommandContext(ctx, o.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").Output()
	if err != nil {
		return "", err
	}
	total := 0.0
	for _, name := range p.packages {
		for _, in := range []string{o.peers, strings.TrimSpace(string(site))} {
			err := filepath.WalkDir(filepath.Join(in, name), func(_ string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return nil // a package is in one of the two
				}
				if info, err := d.Info(); err == nil {
					total += float64(info.Size())
				}
				return nil
			})
			if err != nil {
				return "", err
			}
		}
	}
	return fmt.Sprintf("%.0f, packages", total/1e6), nil
}

// residentOf is the memory of a process and of all below it in MiB, what they share counted once; 0
// where the system does not say.
func residentOf(pid int) float64 {
	sum := 0.0
	for _, p := range append(childrenOf(pid), pid) {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p))
		_, rest, _ := strings.Cut(string(text), "\nPss:")
		if words := strings.Fields(rest); len(words) > 0 {
			kib, _ := strconv.ParseFloat(words[0], 64)
			sum += kib / 1024
		}
	}
	return sum
}

func childrenOf(pid int) (all []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, word := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				all = append(append(all, child), childrenOf(child)...)
			}
		}
	}
	return all
}
