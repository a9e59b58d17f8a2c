//go:build !windows

package command

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goclip/goclip/internal/golden"
)

// TestStoppedTrainingGoesOn: a training without an end in sight is stopped
// wherever it is, politely and not, and goes on to the weights of one that never
// was.
func TestStoppedTrainingGoesOn(t *testing.T) {
	data := tree(t, 4)
	flags := func(out string, steps int) []string {
		return []string{"train", "--data", data, "--out", out, "--steps", fmt.Sprint(steps), "--batch-size", "4",
			"--schedule", "constant", "--warmup", "3", "--checkpoint-every", "5", "--augment", "crop"}
	}
	for _, how := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGINT, interrupted}, {syscall.SIGTERM, interrupted}, {syscall.SIGKILL, -1}} {
		out := filepath.Join(t.TempDir(), "stopped")
		cmd := program(t, flags(out, 1<<30)...)
		var said bytes.Buffer
		cmd.Stderr = &said
		check(t, cmd.Start())
		waitFor(t, filepath.Join(out, "events.jsonl"), 8)
		check(t, cmd.Process.Signal(how.signal))
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != how.code {
			t.Errorf("%v: exit code %d, want %d\n%s", how.signal, code, how.code, &said)
		}
		if polite := how.code == interrupted; polite != strings.Contains(said.String(), "the same command resumes") || strings.Contains(said.String(), "canceled") {
			t.Errorf("%v: it said\n%s", how.signal, &said)
		}
		log, err := os.ReadFile(filepath.Join(out, "events.jsonl"))
		check(t, err)
		steps := bytes.Count(log, []byte("\n")) + 7

		whole := filepath.Join(t.TempDir(), "whole")
		works(t, nil, flags(whole, steps)...)
		works(t, nil, flags(out, steps)...)
		if weightsOf(t, out) != weightsOf(t, whole) {
			t.Errorf("%v: after %d steps the weights differ from those of a training that was not stopped", how.signal, steps)
		}
		// Done is done: once more is a matter of reading, and changes nothing.
		works(t, nil, flags(out, steps)...)
		if weightsOf(t, out) != weightsOf(t, whole) {
			t.Errorf("%v: the finished training changed", how.signal)
		}
		_, errs, code := goclip(t, append(flags(out, steps), "--seed", "2")...)
		if code == 0 || !strings.Contains(errs, "Seed") {
			t.Errorf("%v: another seed: exit code %d\n%s", how.signal, code, errs)
		}
	}
}

// TestRunOfTheFirstVersion: what the first version left half done goes on.
func TestRunOfTheFirstVersion(t *testing.T) {
	dir := t.TempDir()
	check(t, os.CopyFS(dir, os.DirFS(golden.Shared(t, "compat"))))
	events := filepath.Join(dir, "halfway", "events.jsonl")
	check(t, os.Chmod(events, 0o666))
	before, err := os.ReadFile(events)
	check(t, err)
	cmd := program(t, "train", "--data", "pics.csv", "--arch", "arch.json", "--out", "halfway", "--steps", "3000", "--batch-size", "36", "--lr", "2e-3")
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said
	check(t, cmd.Start())
	waitFor(t, events, bytes.Count(before, []byte("\n"))+2)
	check(t, cmd.Process.Signal(syscall.SIGINT))
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != interrupted {
		t.Errorf("exit code %d, want %d\n%s", code, interrupted, &said)
	}
	after, err := os.ReadFile(events)
	check(t, err)
	if next := string(after[len(before):]); !strings.HasPrefix(next, `{"step":23,`) {
		t.Errorf("it went on with %.80s, want step 23", next)
	}
}

// waitFor waits until a file has so many lines. The training it belongs to does
// not end by itself.
func waitFor(t *testing.T, path string, lines int) {
	t.Helper()
	for {
		f, err := os.Open(path)
		if err == nil {
			data, err := io.ReadAll(f)
			check(t, err)
			check(t, f.Close())
			if bytes.Count(data, []byte("\n")) >= lines {
				return
			}
		}
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestNothingLeftToTrain: a training that was complete is not said to have a loss.
func TestNothingLeftToTrain(t *testing.T) {
	data := tree(t, 3)
	args := []string{"train", "--data", data, "--out", filepath.Join(t.TempDir(), "model"), "--steps", "3", "--batch-size", "4"}
	var first, second map[string]any
	works(t, &first, args...)
	works(t, &second, args...)
	if _, ok := first["loss"]; !ok {
		t.Errorf("the training says %v, want a loss", first)
	}
	if loss, ok := second["loss"]; ok || second["steps"] != 3.0 {
		t.Errorf("nothing was left, and it says steps %v and loss %v", second["steps"], loss)
	}
}
