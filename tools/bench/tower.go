package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goclip/goclip/encoder"
)

// tower is a process that keeps a model and does what it is told, a line each, as
// families.py describes. Between commands it is stopped.
type tower struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	failed bytes.Buffer
}

// answer is what a tower says to a command.
type answer struct {
	Error string    `json:"error,omitempty"`
	Times []float64 `json:"times,omitempty"` // seconds of each run
	CPU   float64   `json:"cpu,omitempty"`   // seconds that the process computed
	Wall  float64   `json:"wall,omitempty"`
}

func startTower(ctx context.Context, command, env []string) (*tower, error) {
	t := &tower{cmd: exec.CommandContext(ctx, command[0], command[1:]...)}
	t.cmd.Env, t.cmd.Stderr = env, &t.failed
	var err error
	if t.in, err = t.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := t.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	t.out = bufio.NewScanner(out)
	t.out.Buffer(nil, 1<<24)
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	if !t.out.Scan() { // it says an empty answer when it has begun
		return nil, t.died()
	}
	return t, pause(t.cmd.Process)
}

func (t *tower) String() string { return strings.Join(t.cmd.Args, " ") }

func (t *tower) died() error {
	t.end()
	return fmt.Errorf("%s ended\n%s", t, t.failed.String())
}

func (t *tower) ask(format string, a ...any) (answer, error) {
	var reply answer
	if err := resume(t.cmd.Process); err != nil {
		return reply, err
	}
	if _, err := fmt.Fprintf(t.in, format+"\n", a...); err != nil || !t.out.Scan() {
		return reply, t.died()
	}
	if err := json.Unmarshal(t.out.Bytes(), &reply); err != nil {
		return reply, fmt.Errorf("%s answers %q: %w", t, t.out.Bytes(), err)
	}
	if reply.Error != "" {
		return reply, fmt.Errorf("%s: %s", t, reply.Error)
	}
	return reply, pause(t.cmd.Process)
}

// end waits until the process, which has nothing more to read, is gone.
func (t *tower) end() {
	_ = resume(t.cmd.Process) // it may be gone already
	t.in.Close()
	_ = t.cmd.Wait()
}

// answerFamily is our own tower.
func (o *options) answerFamily(ctx context.Context, name string) error {
	m, err := encoder.Load(filepath.Join(o.familyDir, name), nil)
	if err != nil {
		return err
	}
	defer m.Close()
	size := m.Config().Vision.Dims().ImageSize
	all, err := readFloats(filepath.Join(o.familyDir, "pixels"))
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(answer{}); err != nil {
		return err
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		words := strings.Fields(in.Text())
		n, err := strconv.Atoi(words[1])
		if err != nil {
			return err
		}
		pixels := all[:n*3*size[0]*size[1]]
		run := func() ([]float32, error) {
			e, err := m.ImageFeatures(ctx, pixels)
			if err != nil {
				return nil, err
			}
			return e.Data, nil
		}
		var reply answer
		switch words[0] {
		case "prepare":
			if _, err = run(); err == nil {
				_, err = run()
			}
		case "features":
			var x []float32
			if x, err = run(); err == nil {
				err = writeFloats(words[2], x)
			}
		case "time":
			reply, err = timed(words[2], run)
		default:
			err = errors.New("no such command")
		}
		if err != nil {
			reply.Error = err.Error()
		}
		if err := out.Encode(reply); err != nil {
			return err
		}
	}
	return nil
}

// timed runs for so many seconds, once at least.
func timed(seconds string, run func() ([]float32, error)) (a answer, err error) {
	least, err := strconv.ParseFloat(seconds, 64)
	if err != nil {
		return a, err
	}
	began, cpu := time.Now(), processorTime()
	for len(a.Times) == 0 || time.Since(began).Seconds() < least {
		start := time.Now()
		if _, err := run(); err != nil {
			return a, err
		}
		a.Times = append(a.Times, time.Since(start).Seconds())
	}
	a.CPU, a.Wall = processorTime()-cpu, time.Since(began).Seconds()
	return a, nil
}

func readFloats(path string) ([]float32, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	x := make([]float32, len(data)/4)
	_, err = binary.Decode(data, binary.LittleEndian, x)
	return x, err
}

func writeFloats(path string, x []float32) error {
	data, err := binary.Append(nil, binary.LittleEndian, x)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o666)
}

// busyCores is how many seconds all cores together were busy, or taken away, since the
// system began; 0 where it does not say.
func busyCores() float64 {
	text, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(text), "\n")
	sum := 0.0
	for i, word := range strings.Fields(line) {
		ticks, err := strconv.ParseFloat(word, 64)
		if idle := i == 4 || i == 5; err == nil && !idle && i < 9 {
			sum += ticks / 100
		}
	}
	return sum
}
