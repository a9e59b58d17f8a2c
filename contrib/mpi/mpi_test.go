package mpi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/train/job"
)

// The test's own program is what the launchers start: as a rank it plays a role.
const roleVariable, folderVariable = "GOCLIP_MPI_ROLE", "GOCLIP_MPI_FOLDER"

var roles = map[string]func(ctx context.Context, w *World, folder string) error{
	"exchange": exchangeRole, "train": trainRole, "fail": failRole, "step": stepRole, "allreduce": allReduceRole,
}

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	w, err := Open(Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	folder := os.Getenv(folderVariable)
	if err := os.WriteFile(filepath.Join(folder, fmt.Sprint("pid-", w.Rank())), []byte(strconv.Itoa(os.Getpid())), 0o666); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	err = train.Agree(ctx, w, roles[role](ctx, w, folder))
	if err != nil && w.Rank() == 0 {
		fmt.Fprintln(os.Stderr, "failed:", err)
	}
	if closed := w.Close(); closed != nil {
		fmt.Fprintln(os.Stderr, closed)
	}
	if err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// programs are the launchers that there are here; without any the test is skipped, unless
// GOCLIP_MPI says that they are to be here.
func programs(t testing.TB) (found []string) {
	t.Helper()
	for _, name := range []string{"mpirun.openmpi", "mpirun.mpich"} {
		if path, err := exec.LookPath(name); err == nil {
			found = append(found, path)
		} else if os.Getenv("GOCLIP_MPI") != "" {
			t.Errorf("GOCLIP_MPI is set: %v", err)
		}
	}
	if found == nil {
		t.Skip("no MPI launcher is installed (Debian: openmpi-bin, mpich): GOCLIP_MPI=1 makes that an error")
	}
	return found
}

// launch prepares n ranks in a role.
func launch(t testing.TB, program string, n int, role, folder string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args = append(args, "-n", strconv.Itoa(n))
	if strings.Contains(program, "openmpi") {
		args = append(args, "--oversubscribe")
	}
	cmd := exec.Command(program, append(args, self)...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, folderVariable+"="+folder, "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "GOMAXPROCS=1")
	return cmd
}

// everywhere runs a test with each launcher and number of ranks.
func everywhere(t *testing.T, f func(t *testing.T, program string, n int)) {
	for _, program := range programs(t) {
		for _, n := range []int{2, 3, 4} {
			t.Run(fmt.Sprintf("%s-%d", filepath.Base(program), n), func(t *testing.T) { f(t, program, n) })
		}
	}
}

// TestExchange: messages of all lengths arrive, each from everybody.
func TestExchange(t *testing.T) {
	everywhere(t, func(t *testing.T, program string, n int) {
		out, err := launch(t, program, n, "exchange", t.TempDir()).CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

func exchangeRole(ctx context.Context, w *World, _ string) error {
	value := func(from, to, i int) float32 { return float32(from*7 + to*13 + i%1021) }
	for _, length := range []int{0, 1, 5, 1000, most + 1, 2*most + 17} {
		var send, receive []train.Message
		for r := range w.Size() {
			if r == w.Rank() {
				continue
			}
			data := make([]float32, length)
			for i := range data {
				data[i] = value(w.Rank(), r, i)
			}
			send = append(send, train.Message{Rank: r, Data: data}, train.Message{Rank: r, Data: data[:length/2]})
			receive = append(receive, train.Message{Rank: r, Data: make([]float32, length)}, train.Message{Rank: r, Data: make([]float32, length/2)})
		}
		if err := w.Exchange(ctx, send, receive); err != nil {
			return err
		}
		for _, m := range receive {
			for i, v := range m.Data {
				if want := value(m.Rank, w.Rank(), i); v != want {
					return fmt.Errorf("number %d of %d from rank %d is %g, want %g", i, len(m.Data), m.Rank, v, want)
				}
			}
		}
	}
	if err := w.Exchange(ctx, []train.Message{{Rank: w.Rank()}}, nil); err == nil {
		return errors.New("a message to oneself was sent")
	}
	return survives()
}

// survives that a nil pointer is a panic, not the end, also after MPI has begun.
func survives() (err error) {
	defer func() {
		if recover() == nil {
			err = errors.New("a nil pointer was no panic")
		}
	}()
	var nothing *World
	_ = nothing.lib
	return nil
}

// toy is a short training on drawn images, of which some cannot be decoded.
func toy(ranks train.Ranks, out string, steps int) (*job.Training, error) {
	drawn, err := shapes.Set{Seed: 1}.Train(200)
	if err != nil {
		return nil, err
	}
	set := dataset.NewIndexed(200, func(i int) dataset.Sample {
		s := drawn.At(i)
		if i%11 == 4 {
			s.Decode = func() (image.Image, error) { return nil, errors.New("spoilt") }
		}
		return s
	})
	j := job.Job{
		Out: out, Set: set, CheckpointEvery: 2, Steps: steps,
		Config:  train.Config{ClipNorm: 1, WeightDecay: 0.1, EMA: 0.9, PatchDropout: 0.25, Ranks: ranks},
		Batches: dataset.BatchOptions{Size: 16, Ledger: &dataset.Ledger{}},
	}
	return job.Plan{Job: j, Vocab: 300, Seed: 3, LR: 1e-3, Augment: []string{"crop", "flip"}}.Open(context.Background())
}

const toySteps = 6

func trainRole(ctx context.Context, w *World, folder string) error {
	steps, err := strconv.Atoi(os.Getenv("GOCLIP_MPI_STEPS"))
	if err != nil {
		steps = toySteps
	}
	training, err := toy(w, filepath.Join(folder, "model"), steps)
	if err != nil {
		return err
	}
	_, err = training.Run(ctx)
	return errors.Join(err, training.Close())
}

// alone trains as the ranks do, on one of this process.
func alone(t *testing.T, steps int) (checkpoint []byte) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "model")
	training, err := toy(train.LocalRanks(1)[0], out, steps)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := training.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return last(t, out, steps)
}

func last(t *testing.T, out string, steps int) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(out, "checkpoints", fmt.Sprintf("step-%08d.safetensors", steps)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestSameBits: the checkpoint of any number of processes, by any library, has the bytes of
// one process without MPI.
func TestSameBits(t *testing.T) {
	programs(t)
	want := alone(t, toySteps)
	everywhere(t, func(t *testing.T, program string, n int) {
		folder := t.TempDir()
		if out, err := launch(t, program, n, "train", folder).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if got := last(t, filepath.Join(folder, "model"), toySteps); !bytes.Equal(got, want) {
			t.Errorf("the checkpoint of %d bytes differs from that of one process, of %d", len(got), len(want))
		}
	})
}

// TestFailsTogether: an error on one rank ends all, and is told once, with the rank.
func TestFailsTogether(t *testing.T) {
	everywhere(t, func(t *testing.T, program string, n int) {
		out, err := launch(t, program, n, "fail", t.TempDir()).CombinedOutput()
		want := fmt.Sprintf("failed: rank 1 of %d: the file on this machine is spoilt", n)
		if err == nil || strings.Count(string(out), want) != 1 {
			t.Errorf("got %v and %s, want %s once", err, out, want)
		}
	})
}

func failRole(ctx context.Context, w *World, folder string) error {
	training, err := toy(w, filepath.Join(folder, "model"), toySteps)
	if err != nil {
		return err
	}
	if w.Rank() == 1 {
		return errors.New("the file on this machine is spoilt")
	}
	_, err = training.Run(ctx)
	return err
}

// TestOpen: what is said without a launcher, and of a library that is none.
func TestOpen(t *testing.T) {
	if _, err := Open(Options{Environ: []string{"HOME=/"}}); err == nil || !strings.Contains(err.Error(), "no MPI launcher has started this process") {
		t.Errorf("without a launcher: %v", err)
	}
	if _, err := Open(Options{Environ: []string{"PMI_SIZE=2"}, Library: "/nowhere/libmpi.so"}); err == nil || !strings.Contains(err.Error(), "the launcher is MPICH's, but its library cannot be loaded: ") {
		t.Errorf("without a library: %v", err)
	}
	if _, err := Open(Options{Environ: []string{"OMPI_COMM_WORLD_SIZE=2", "PMI_RANK=0"}, Library: "libc.so.6"}); err == nil || !strings.Contains(err.Error(), "libc.so.6 is no library of Open MPI: it lacks ") {
		t.Errorf("with another library: %v", err)
	}
	var none *World
	if none.Size() != 0 || none.Close() != nil || none.Exchange(context.Background(), nil, nil) == nil {
		t.Error("a nil World works")
	}
}

// patience is for a machine that has much else to do.
const patience = 4 * time.Minute
