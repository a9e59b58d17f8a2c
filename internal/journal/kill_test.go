package journal_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goclip/goclip/internal/journal"
)

// TestMain runs this binary as the process that a test kills: GOCLIP_JOURNAL_CHILD
// says what it does, to the folder GOCLIP_JOURNAL_DIR.
func TestMain(m *testing.M) {
	var err error
	dir := os.Getenv("GOCLIP_JOURNAL_DIR")
	switch what, number, _ := strings.Cut(os.Getenv("GOCLIP_JOURNAL_CHILD"), " "); what {
	case "":
		os.Exit(m.Run())
	case "write": // states from a number on, without end
		err = writeOn(dir, atoi(number), 1)
	case "odd", "even": // every second one
		err = writeOn(dir, atoi(number), 2)
	case "stop": // state 2, killed before an operation
		n := atoi(number)
		err = journal.Write(dir, journal.Traced(func(string, string) error {
			if n--; n < 0 {
				kill()
			}
			return nil
		}), put(2))
	case "lock":
		if _, err = journal.Lock(dir); err == nil {
			fmt.Println("locked")
			time.Sleep(time.Hour)
		}
	case "file": // a file that is never complete
		err = journal.WriteFile(dir+"/file", func(w io.Writer) error {
			_, _ = w.Write(make([]byte, 1<<20))
			fmt.Println("half")
			time.Sleep(time.Hour)
			return nil
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// writeOn writes states and says so after each.
func writeOn(dir string, from, step int) error {
	for state := from; ; state += step {
		if err := journal.Write(dir, nil, put(state)); err != nil {
			return err
		}
		fmt.Println(state)
	}
}

// kill ends this process on the spot, without any deferred call.
func kill() {
	p, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {}
}

// child is another process at work on a folder.
type child struct {
	*exec.Cmd
	first chan struct{} // closed after its first line
	last  atomic.Int64  // the number in its last line
	ended sync.WaitGroup
	err   strings.Builder
}

func start(t *testing.T, dir, what string) *child {
	t.Helper()
	c := &child{Cmd: exec.Command(os.Args[0]), first: make(chan struct{})}
	c.Env = append(os.Environ(), "GOCLIP_JOURNAL_CHILD="+what, "GOCLIP_JOURNAL_DIR="+dir)
	c.Stderr = &c.err
	out, err := c.StdoutPipe()
	check(t, err)
	check(t, c.Start())
	c.ended.Add(1)
	go func() {
		defer c.ended.Done()
		lines := bufio.NewScanner(out)
		for once := false; lines.Scan(); once = true {
			c.last.Store(int64(atoi(lines.Text())))
			if !once {
				close(c.first)
			}
		}
	}()
	t.Cleanup(func() { _ = c.Process.Kill() })
	return c
}

// wait returns when the process has ended, and all that it said is known.
func (c *child) wait() {
	c.ended.Wait()
	_ = c.Wait()
}

func (c *child) killed(t *testing.T) {
	t.Helper()
	_ = c.Process.Kill()
	c.wait()
	if c.err.Len() > 0 {
		t.Fatalf("the writer failed: %s", c.err.String())
	}
}

func (c *child) begun(t *testing.T) {
	t.Helper()
	select {
	case <-c.first:
	case <-time.After(time.Minute):
		_ = c.Process.Kill()
		c.wait()
		t.Fatalf("the process said nothing in a minute: %s", c.err.String())
	}
}

// TestKilledAtRandom kills a writer again and again. A reader afterwards sees a state
// as a whole: the last that a Write returned from, or the one that was being written.
// GOCLIP_KILLS is the number of kills.
func TestKilledAtRandom(t *testing.T) {
	kills := 40
	if testing.Short() {
		kills = 8
	}
	if n := atoi(os.Getenv("GOCLIP_KILLS")); n > 0 {
		kills = n
	}
	dir := t.TempDir()
	state, between := 0, 0
	for range kills {
		c := start(t, dir, fmt.Sprint("write ", state+1))
		if rand.IntN(4) > 0 { // or else while it clears up after the last one
			c.begun(t)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(20 * time.Millisecond))))
		c.killed(t)
		done := max(state, int(c.last.Load()))
		state = wantState(t, dir, done, done+1)
		if len(names(t, dir)) > 4 {
			between++
		}
	}
	t.Logf("%d kills, %d of them in the middle of a write", kills, between)
	check(t, journal.Write(dir, nil, put(state+1)))
	wantPlain(t, dir, state+1)
}

// TestKilledAnywhere kills a writer before each operation on the file system in turn.
func TestKilledAnywhere(t *testing.T) {
	seen := map[int]int{}
	n := 0
	for ; ; n++ {
		dir := t.TempDir()
		check(t, journal.Write(dir, nil, put(1)))
		c := start(t, dir, fmt.Sprint("stop ", n))
		c.wait()
		if c.ProcessState.Success() {
			break
		}
		if c.err.Len() > 0 {
			t.Fatalf("operation %d: %s", n, c.err.String())
		}
		state := wantState(t, dir, 1, 2)
		seen[state]++
		if seen[2] > 0 && state == 1 {
			t.Fatalf("operation %d: a reader sees the old state after the new one", n)
		}
		check(t, journal.Write(dir, nil, func(*journal.Stage) error { return nil }))
		wantPlain(t, dir, state)
	}
	t.Logf("%d operations: the old state after %d, the new one after %d", n, seen[1], seen[2])
	if seen[1] < 10 || seen[2] < 6 {
		t.Errorf("the old state after %d operations, the new one after %d: the hook does not see all", seen[1], seen[2])
	}
}

// TestKilledTwice stops a writer before each operation, and the one that clears up
// after it before each of its own.
func TestKilledTwice(t *testing.T) {
	type stop struct{}
	// stopped writes a state and stops before operation n, and does none after that.
	stopped := func(dir string, state, n int) (done bool) {
		defer func() {
			if r := recover(); r != nil && r != any(stop{}) {
				panic(r)
			}
		}()
		err := journal.Write(dir, journal.Traced(func(string, string) error {
			if n--; n < 0 {
				panic(stop{})
			}
			return nil
		}), put(state))
		check(t, err)
		return true
	}
	step := 1
	if testing.Short() {
		step = 7
	}
	for n := 0; ; n += step {
		for m := 0; ; m += step + 2 {
			dir := t.TempDir()
			check(t, journal.Write(dir, nil, put(1)))
			done := stopped(dir, 2, n)
			first := wantState(t, dir, 1, 2)
			again := stopped(dir, 3, m)
			last := wantState(t, dir, first, 3)
			if again {
				wantPlain(t, dir, 3)
			}
			check(t, journal.Write(dir, nil, func(*journal.Stage) error { return nil }))
			wantPlain(t, dir, last)
			check(t, os.RemoveAll(dir))
			if done {
				return
			}
			if again {
				break
			}
		}
	}
}

// TestReadersBesideWriters: a reader in a loop beside one writer in a loop, and beside
// two, never sees a mixture.
func TestReadersBesideWriters(t *testing.T) {
	for _, writers := range [][]string{{"write 1"}, {"odd 1", "even 2"}} {
		t.Run(fmt.Sprint(len(writers)), func(t *testing.T) {
			dir := t.TempDir()
			var children []*child
			for _, w := range writers {
				c := start(t, dir, w)
				c.begun(t)
				children = append(children, c)
			}
			length := 2 * time.Second
			if testing.Short() {
				length /= 4
			}
			states := map[int]bool{}
			reads := 0
			for end := time.Now().Add(length); time.Now().Before(end); reads++ {
				state, err := read(dir)
				if err != nil || state == 0 {
					t.Fatalf("read %d: state %d, %v", reads, state, err)
				}
				states[state] = true
			}
			for _, c := range children {
				c.killed(t)
			}
			t.Logf("%d reads, %d different states", reads, len(states))
			if len(states) < 2 {
				t.Errorf("%d states in %d reads, want the writers at work", len(states), reads)
			}
			check(t, journal.Write(dir, nil, put(1)))
			wantPlain(t, dir, 1)
		})
	}
}

// TestLock: one at a time holds the lock of a folder; a killed process's lock ends.
func TestLock(t *testing.T) {
	dir := t.TempDir()
	c := start(t, dir, "lock")
	c.begun(t)
	_, err := journal.Lock(dir)
	if !errors.Is(err, journal.ErrLocked) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), fmt.Sprint("process ", c.Process.Pid)) {
		t.Errorf("error %v, want ErrLocked with the folder and process %d", err, c.Process.Pid)
	}
	check(t, journal.Write(dir, nil, put(1))) // which is another matter
	c.killed(t)
	release, err := journal.Lock(dir)
	check(t, err)
	if _, err := journal.Lock(dir); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("error %v, want ErrLocked in the same process", err)
	}
	check(t, release())
	wantPlain(t, dir, 1)
	release, err = journal.Lock(dir)
	check(t, err)
	check(t, release())
}
