package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goclip/goclip/vision"
)

//go:embed pictures.py
var picturesScript []byte

// contestant makes pixels of picture files: a process that reads a path a line and
// answers with the seconds that the file took.
type contestant struct {
	name   string
	args   []string
	path   string // PYTHONPATH
	cores  int    // 0 means one
	in     io.WriteCloser
	out    *bufio.Scanner
	failed bytes.Buffer
}

// contestants are ours and the peers; behind those that give the pixels of the default
// are those that decode at a part of the size.
func (o *options) contestants(script string) ([]*contestant, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	all := []*contestant{{name: "goclip", args: []string{self, "-ours", "pictures"}}}
	for _, kind := range []string{"pillow", "opencv", "torchvision"} {
		all = append(all, &contestant{name: kind, args: []string{o.python, script, kind}, path: o.opencv})
	}
	if o.simd != "" {
		all = append(all, &contestant{name: "pillow-simd", args: []string{o.python, script, "pillow"}, path: o.simd})
	}
	return append(all, &contestant{name: "goclip draft", args: []string{self, "-ours", "drafts"}},
		&contestant{name: "pillow draft", args: []string{o.python, script, "draft"}},
		&contestant{name: "opencv reduced", args: []string{o.python, script, "reduced"}, path: o.opencv}), nil
}

// pictures writes the files, has each contestant read each of them in turns, and prints
// the least times and their ratios.
func (o *options) pictures(ctx context.Context) error {
	scratch, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	script := filepath.Join(scratch, "pictures.py")
	if err := os.WriteFile(script, picturesScript, 0o666); err != nil {
		return err
	}
	if entries, _ := os.ReadDir(o.pictureDir); len(entries) == 0 {
		if out, err := exec.CommandContext(ctx, o.python, script, "write", o.pictureDir).CombinedOutput(); err != nil {
			return fmt.Errorf("writing images: %w\n%s", err, out)
		}
	}
	files, err := filepath.Glob(filepath.Join(o.pictureDir, "*-*.*"))
	if err != nil {
		return err
	}
	files = slices.DeleteFunc(files, func(f string) bool { return !o.only.MatchString(filepath.Base(f)) })
	all, err := o.contestants(script)
	if err != nil {
		return err
	}
	for _, c := range all {
		stop, err := c.start(ctx)
		if err != nil {
			return err
		}
		defer stop()
	}
	times := map[string][]float64{} // by file, of each contestant
	for round := range o.rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, o.rounds)
		for _, f := range files {
			for i := range all {
				at := (i + round) % len(all)
				s, err := all[at].time(f)
				if err != nil {
					return err
				}
				if times[f] == nil {
					times[f] = slices.Repeat([]float64{math.Inf(1)}, len(all))
				}
				times[f][at] = min(times[f][at], s)
			}
		}
	}
	return comparison(os.Stdout, files, all, times)
}

// comparison prints the table: milliseconds of ours, and what each peer's time is of it.
func comparison(w io.Writer, files []string, all []*contestant, times map[string][]float64) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "| image\t| ms")
	for _, c := range all[1:] {
		fmt.Fprintf(t, "\t| %s", c.name)
	}
	fmt.Fprintf(t, "\t|\n|---%s\t|\n", strings.Repeat("\t|---", len(all)))
	for _, f := range files {
		own := times[f][0]
		fmt.Fprintf(t, "| %s\t| %s", filepath.Base(f), figures(1000*own))
		for _, s := range times[f][1:] {
			if math.IsInf(s, 1) {
				fmt.Fprint(t, "\t| –")
			} else {
				fmt.Fprintf(t, "\t| %.2f", s/own)
			}
		}
		fmt.Fprint(t, "\t|\n")
	}
	return t.Flush()
}

func (c *contestant) start(ctx context.Context) (stop func(), err error) {
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Env = append(environment(), "PYTHONPATH="+c.path, "GOMAXPROCS="+strconv.Itoa(max(1, c.cores)))
	cmd.Stderr = &c.failed
	if c.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewScanner(out)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if c.out.Scan(); c.out.Text() != "ready" {
		c.in.Close()
		return nil, fmt.Errorf("%s: %w\n%s", c.name, cmd.Wait(), c.failed.String())
	}
	return func() {
		c.in.Close()
		_ = cmd.Wait() // it has nothing more to say
	}, nil
}

// time returns the seconds that a file takes, +Inf where it cannot be read.
func (c *contestant) time(file string) (float64, error) {
	if _, err := fmt.Fprintln(c.in, file); err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", c.name, err, c.failed.String())
	}
	if !c.out.Scan() {
		return 0, fmt.Errorf("%s ended at %s\n%s", c.name, file, c.failed.String())
	}
	if c.out.Text() == "none" {
		return math.Inf(1), nil
	}
	return strconv.ParseFloat(c.out.Text(), 64)
}

// answerPictures is our own contestant.
func answerPictures(drafts bool) error {
	p := vision.CLIPPreprocess(224)
	p.Draft = drafts
	opts := &vision.DecodeOptions{Draft: p.DraftSide()}
	dst := make([]float32, 3*224*224)
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		shortest := math.Inf(1)
		for range 2 {
			start := time.Now()
			img, err := vision.DecodeFile(in.Text(), opts)
			if err == nil {
				err = p.Image(dst, img)
			}
			if err != nil {
				return err
			}
			shortest = min(shortest, time.Since(start).Seconds())
		}
		fmt.Println(shortest)
		runtime.GC() // between the images, as they come
	}
	return nil
}
