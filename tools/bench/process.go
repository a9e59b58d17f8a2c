package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// process keeps a model, or whatever its work needs, and does what it is told, a line each,
// as peers/peers.py describes. Between commands it is stopped.
type process struct {
	name   string
	what   string // what it says it is
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	failed bytes.Buffer
}

// answer is what a process says to a command.
type answer struct {
	What  string    `json:"what,omitempty"`
	Error string    `json:"error,omitempty"`
	Times []float64 `json:"times,omitempty"` // seconds of each run
	CPU   float64   `json:"cpu,omitempty"`   // seconds that the process computed
	Wall  float64   `json:"wall,omitempty"`
}

func start(ctx context.Context, name string, command, env []string) (*process, error) {
	p := &process{name: name, cmd: exec.CommandContext(ctx, command[0], command[1:]...)}
	p.cmd.Env, p.cmd.Stderr = env, &p.failed
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewScanner(out)
	p.out.Buffer(nil, 1<<24)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	a, err := p.answer()
	p.what = a.What
	return p, err
}

func (p *process) ask(format string, a ...any) (answer, error) {
	if err := resume(p.cmd.Process); err != nil {
		return answer{}, err
	}
	if _, err := fmt.Fprintf(p.in, format+"\n", a...); err != nil {
		return answer{}, p.died()
	}
	return p.answer()
}

// answer reads an answer and stops the process.
func (p *process) answer() (a answer, err error) {
	if !p.out.Scan() {
		return a, p.died()
	}
	if err := json.Unmarshal(p.out.Bytes(), &a); err != nil {
		return a, fmt.Errorf("%s answers %q: %w", p.name, p.out.Bytes(), err)
	}
	if a.Error != "" {
		err = fmt.Errorf("%s: %s", p.name, a.Error)
	}
	if stopped := pause(p.cmd.Process); err == nil {
		err = stopped
	}
	return a, err
}

func (p *process) died() error {
	p.end()
	return fmt.Errorf("%s ended: %s", p.name, lastLines(p.failed.String()))
}

// lastLines of what a program wrote say what went wrong.
func lastLines(s string) string {
	s = strings.TrimSpace(s)
	return s[max(0, len(s)-600):]
}

// end waits until the process, which has nothing more to read, is gone.
func (p *process) end() {
	_ = resume(p.cmd.Process) // it may be gone already
	p.in.Close()
	_ = p.cmd.Wait()
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
