// Worker is goclip's side of a benchmark: a process that keeps its model and does a
// case when it is told to, so that a runner can let peers take turns on one machine in
// the same minutes.
//
//	worker FOLDER towers MODEL|losses|products|training|pixels DIR|search
//	worker embed MODEL PHOTO        loads, embeds, prints the first number
//
// It answers each line of standard input, a command with its arguments, with a line of
// JSON: cases; prepare CASE; time CASE SECONDS LEAST, the times of runs for so many
// seconds, at least so many; features CASE FILE; drop CASE; reset and rss, for the
// memory; quit.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"math"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/vision"
)

// work is a case that is set up: a run of it, and what it computes.
type work struct {
	run      func() error
	features func() ([]float32, error)
}

type cases struct {
	names []string
	make  map[string]func() (work, error)
}

func (c *cases) add(name string, f func() (work, error)) {
	if c.make == nil {
		c.make = map[string]func() (work, error){}
	}
	c.names, c.make[name] = append(c.names, name), f
}

func main() {
	log.SetFlags(0)
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "worker" { // as runners of an earlier edition call it
		args = args[1:]
	}
	if len(args) == 3 && args[0] == "embed" {
		check(embed(args[1], args[2]))
		return
	}
	if len(args) < 2 {
		log.Fatal("usage: worker FOLDER WHAT [ARG] | worker embed MODEL PHOTO")
	}
	root, arg := args[0], ""
	if len(args) > 2 {
		arg = args[2]
	}
	var c cases
	switch what := args[1]; what {
	case "towers":
		towers(&c, root, arg)
	case "losses":
		losses(&c, root)
	case "products":
		products(&c)
	case "training":
		training(&c, root)
	case "pixels":
		pixels(&c, arg)
	case "search":
		search(&c, root)
	default:
		log.Fatalf("no work %q", what)
	}
	serve(&c)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func serve(c *cases) {
	out := json.NewEncoder(os.Stdout)
	check(out.Encode(map[string]any{"ready": c.names}))
	live := map[string]work{}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		w := strings.Fields(in.Text())
		answer, err := command(c, live, w)
		if err != nil {
			answer = map[string]any{"error": err.Error()}
		}
		check(out.Encode(answer))
		if w[0] == "quit" {
			return
		}
	}
}

func command(c *cases, live map[string]work, w []string) (map[string]any, error) {
	switch w[0] {
	case "cases":
		return map[string]any{"cases": c.names}, nil
	case "prepare":
		start := time.Now()
		x, err := c.make[w[1]]()
		if err != nil {
			return nil, err
		}
		live[w[1]] = x
		if err := x.run(); err != nil {
			return nil, err
		}
		first := time.Since(start).Seconds()
		return map[string]any{"prepared_s": first}, x.run()
	case "time":
		seconds, err := strconv.ParseFloat(w[2], 64)
		if err != nil {
			return nil, err
		}
		least, err := strconv.Atoi(w[3])
		if err != nil {
			return nil, err
		}
		if path := os.Getenv("PEER_PROFILE"); path != "" {
			f, err := os.Create(path)
			check(err)
			check(pprof.StartCPUProfile(f))
			defer pprof.StopCPUProfile()
		}
		var times []float64
		begin, cpu := time.Now(), cpuSeconds()
		for len(times) < least || time.Since(begin).Seconds() < seconds {
			start := time.Now()
			if err := live[w[1]].run(); err != nil {
				return nil, err
			}
			times = append(times, time.Since(start).Seconds())
		}
		return map[string]any{"times": times, "cpu": cpuSeconds() - cpu, "wall": time.Since(begin).Seconds()}, nil
	case "features":
		x, err := live[w[1]].features()
		if err != nil {
			return nil, err
		}
		f, err := os.Create(w[2])
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return map[string]any{"shape": []int{len(x)}}, binary.Write(f, binary.LittleEndian, x)
	case "drop":
		delete(live, w[1])
		debug.FreeOSMemory()
		return map[string]any{}, nil
	case "reset":
		debug.FreeOSMemory()
		return map[string]any{"rss_mib": status("VmRSS:")}, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	case "rss":
		return map[string]any{"rss_mib": status("VmHWM:")}, nil
	case "quit":
		return map[string]any{}, nil
	}
	return nil, fmt.Errorf("no command %q", w[0])
}

func status(field string) float64 {
	data, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(data), field)
	kb, _ := strconv.ParseFloat(strings.Fields(rest + " 0")[0], 64)
	return kb / 1024
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
	if math.IsNaN(float64(e.Data[0])) {
		return fmt.Errorf("not a number")
	}
	fmt.Println(e.Data[0])
	return nil
}
