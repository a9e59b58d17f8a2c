package mpi

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestKilled: a rank that is killed at any time ends the others, and the same command goes on
// from the last checkpoint, on another number of ranks too, to the bytes of a run that was
// never killed.
func TestKilled(t *testing.T) {
	const steps = 30
	all := programs(t)
	want := alone(t, steps)
	for _, program := range all {
		t.Run(filepath.Base(program), func(t *testing.T) {
			folder, seed := t.TempDir(), uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 1))
			for kills := 0; ; kills++ {
				n := 2 + random.IntN(3)
				if kills == 4 {
					n = 2
				}
				out, ended := killed(t, program, n, folder, steps, random, kills < 4)
				if ended {
					break
				}
				if kills >= 4 {
					t.Fatalf("a run that nobody killed failed:\n%s", out)
				}
			}
			if got := last(t, filepath.Join(folder, "model"), steps); !bytes.Equal(tensors(t, got), tensors(t, want)) {
				t.Error("the run that was killed and went on came to other weights and moments")
			}
		})
	}
}

// killed runs the training and kills one of its ranks, unless it ends before.
func killed(t *testing.T, program string, n int, folder string, steps int, random *rand.Rand, kill bool) (out string, ended bool) {
	t.Helper()
	for rank := range n {
		_ = os.Remove(filepath.Join(folder, "pid-"+strconv.Itoa(rank))) // of the run before
	}
	cmd := launch(t, program, n, "train", folder)
	cmd.Env = append(cmd.Env, "GOCLIP_MPI_STEPS="+strconv.Itoa(steps))
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	victim, pids := random.IntN(n), make([]int, n)
	if kill {
		for rank := range pids { // all are there
			pids[rank] = pidOf(t, folder, rank, over)
		}
		select {
		case err := <-over:
			return text.String(), err == nil
		case <-time.After(time.Duration(random.IntN(3000)) * time.Millisecond):
		}
		_ = syscall.Kill(pids[victim], syscall.SIGKILL) // it may have ended
	}
	select {
	case err := <-over:
		if err != nil && kill {
			gone(t, pids)
			if text.Len() == 0 {
				t.Error("the run ended without a message")
			}
		}
		return text.String(), err == nil
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		t.Fatalf("%d of %d was killed, and the others still run:\n%s", victim, n, text.String())
	}
	return "", false
}

// pidOf waits for a rank to say its process.
func pidOf(t *testing.T, folder string, rank int, over chan error) int {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if text, err := os.ReadFile(filepath.Join(folder, "pid-"+strconv.Itoa(rank))); err == nil && len(text) > 0 {
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
		if len(over) > 0 {
			return 0
		}
	}
	t.Fatalf("rank %d did not begin", rank)
	return 0
}

// gone waits until none of the processes runs.
func gone(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		for end := time.Now().Add(patience); pid > 0 && syscall.Kill(pid, 0) == nil; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("process %d still runs", pid)
			}
		}
	}
}

// tensors are a checkpoint's without the state, whose ledger counts what was read twice.
func tensors(t *testing.T, file []byte) []byte {
	t.Helper()
	begin := bytes.Index(file, []byte(`{"version":`))
	end := bytes.LastIndex(file[max(0, begin):], []byte("}"))
	if begin < 0 {
		t.Fatal("the checkpoint has no state")
	}
	header := bytes.Index(file, []byte("__metadata__")) // checksums, of the state's too
	if header < 0 {
		t.Fatal("the checkpoint has no header")
	}
	size := int(file[0]) | int(file[1])<<8 | int(file[2])<<16
	return append(bytes.Clone(file[8+size:begin]), file[begin+end+1:]...)
}
