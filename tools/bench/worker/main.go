// Worker is goclip's side of a benchmark: a process that keeps its model and does a
// case when it is told to, so that a runner can let peers take turns on one machine in
// the same minutes.
//
//	worker FOLDER towers MODEL [PRECISION] | training MODEL | losses | products | images [draft] | search | tokenizers "" FOLDER
//	worker FOLDER embed MODEL PHOTO        loads, embeds, prints the first number
//
// The folder is that of tools/bench/peers/prepare.py. The first line that it prints says
// what it is; then it answers each line of standard input, a command with its arguments, with a
// line of JSON: prepare CASE; time CASE SECONDS, the times of runs for so long, one at
// least; features CASE FILE; drop CASE. PROFILE names a file for a CPU profile of what is timed.
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/vision"
)

// work is a case that is set up: a run of it, which gives what it computes.
type work func() ([]float32, error)

// maker sets a case up.
type maker func(name string) (work, error)

func main() {
	log.SetFlags(0)
	args := append(os.Args[1:], "", "", "", "")
	root, what, model, arg := args[0], args[1], args[2], args[3]
	if what == "embed" {
		check(embed(filepath.Join(root, model), arg))
		return
	}
	kinds := map[string]func() (maker, error){
		"towers":     func() (maker, error) { return towers(root, model, arg) },
		"training":   func() (maker, error) { return training(root, model), nil },
		"losses":     func() (maker, error) { return losses(root), nil },
		"products":   func() (maker, error) { return product, nil },
		"images":     func() (maker, error) { return images(root, model == "draft"), nil },
		"search":     func() (maker, error) { return search(root) },
		"tokenizers": func() (maker, error) { return tokenizers(root, arg) },
	}
	if kinds[what] == nil {
		log.Fatalf("no work %q; the documentation is at the top of tools/bench/worker", what)
	}
	set := "goclip, " + kernel.ISA()
	if what == "towers" {
		set += ", " + cmp.Or(arg, "float32")
	}
	make, err := kinds[what]()
	check(err)
	check(serve(make, set))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

type answer struct {
	What  string    `json:"what,omitempty"`
	Error string    `json:"error,omitempty"`
	Times []float64 `json:"times,omitempty"`
	CPU   float64   `json:"cpu,omitempty"`
	Wall  float64   `json:"wall,omitempty"`
}

func serve(make maker, what string) error {
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(answer{What: what}); err != nil {
		return err
	}
	live := map[string]work{}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		words := append(strings.Fields(in.Text()), "", "", "")
		a, err := command(make, live, words[0], words[1], words[2])
		if err != nil {
			a.Error = err.Error()
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
	return in.Err()
}

func command(make maker, live map[string]work, command, name, arg string) (a answer, err error) {
	run := live[name]
	if run == nil && command != "prepare" {
		return a, fmt.Errorf("the case %q is not prepared", name)
	}
	switch command {
	case "prepare":
		if live[name], err = make(name); err != nil {
			return a, err
		}
		for range 2 {
			if _, err := live[name](); err != nil {
				return a, err
			}
		}
		return a, nil
	case "time":
		return timed(run, arg)
	case "features":
		x, err := run()
		if err != nil {
			return a, err
		}
		data, err := binary.Append(nil, binary.LittleEndian, x)
		if err != nil {
			return a, err
		}
		return a, os.WriteFile(arg, data, 0o666)
	case "drop":
		delete(live, name)
		debug.FreeOSMemory()
		return a, nil
	}
	return a, fmt.Errorf("no command %q", command)
}

func timed(run work, seconds string) (a answer, err error) {
	least, err := strconv.ParseFloat(seconds, 64)
	if err != nil {
		return a, err
	}
	if path := os.Getenv("PROFILE"); path != "" && least > 0 {
		f, err := os.Create(path)
		if err != nil {
			return a, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return a, err
		}
		defer pprof.StopCPUProfile()
	}
	if least == 0 { // the run before those that count, which find what it leaves in pools
		runtime.GC()
	}
	began, cpu := time.Now(), cpuSeconds()
	for len(a.Times) == 0 || time.Since(began).Seconds() < least {
		start := time.Now()
		if _, err := run(); err != nil {
			return a, err
		}
		a.Times = append(a.Times, time.Since(start).Seconds())
	}
	a.CPU, a.Wall = cpuSeconds()-cpu, time.Since(began).Seconds()
	return a, nil
}

// caseOf takes a case such as image/8 apart.
func caseOf(name string) (what string, n int, err error) {
	what, count, _ := strings.Cut(name, "/")
	n, err = strconv.Atoi(count)
	return what, n, err
}

// numbers reads the first n numbers of a file of 4-byte ones.
func numbers[T float32 | int32](path string, n int) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	x := make([]T, n)
	return x, binary.Read(bufio.NewReaderSize(f, 1<<20), binary.LittleEndian, x)
}

func embed(dir, photo string) error {
	m, err := encoder.Load(dir, nil)
	if err != nil {
		return err
	}
	img, err := vision.DecodeFile(photo, nil)
	if err != nil {
		return err
	}
	e, err := m.EncodeImages(context.Background(), img)
	if err != nil {
		return err
	}
	_, err = fmt.Println(e.Data[0])
	return err
}
