package train_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/train"
)

// onRanks calls f on n ranks at once and returns their errors.
func onRanks(n int, f func(r *train.LocalRank) error) []error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i, r := range train.LocalRanks(n) {
		all.Add(1)
		go func() {
			defer all.Done()
			defer r.Close() // so that no rank waits for one that failed
			errs[i] = train.Agree(context.Background(), r, f(r))
		}()
	}
	all.Wait()
	return errs
}

// ranked is a run of some steps in a folder; change may be nil.
func ranked(t *testing.T, n, steps int, dir string, micro int, change func(*train.Config, *encoder.Model) *encoder.Model) []error {
	t.Helper()
	return rankedOn(t, n, func(int) dataset.Source { return drawn(t, 60) }, plan(dir, steps), micro, change)
}

// rankedOn is a run on the sets that the ranks have.
func rankedOn(t *testing.T, n int, set func(rank int) dataset.Source, run train.Run, micro int, change func(*train.Config, *encoder.Model) *encoder.Model) []error {
	t.Helper()
	return onRanks(n, func(r *train.LocalRank) error {
		m := model(t, 1)
		cfg := config(100)
		cfg.EMA, cfg.PatchDropout, cfg.Seed, cfg.MicroBatch, cfg.Ranks = 0.9, 0.25, runSeed, micro, r
		if change != nil {
			m = change(&cfg, m)
		}
		tr, err := train.New(m, cfg)
		if err != nil {
			return err
		}
		run := run
		run.Batches.Ledger = &dataset.Ledger{} // a ledger is one rank's
		return tr.Fit(context.Background(), set(r.Rank()), run)
	})
}

// checkpointFiles are the bytes of all files in a folder, by their names.
func checkpointFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err)
	files := make(map[string][]byte)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "step-") {
			files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name()))
			check(t, err)
		}
	}
	return files
}

// tensorsIn are the bytes of a checkpoint's tensors, by their names.
func tensorsIn(t *testing.T, path string) map[string][]byte {
	t.Helper()
	f, err := safetensors.Open(path)
	check(t, err)
	defer f.Close()
	tensors := make(map[string][]byte)
	for _, name := range f.Names() {
		if name != "goclip.training" {
			data, err := f.Bytes(name)
			check(t, err)
			tensors[name] = bytes.Clone(data)
		}
	}
	return tensors
}

func sameFiles(t *testing.T, what string, got, want map[string][]byte) {
	t.Helper()
	if len(got) == 0 || len(got) != len(want) {
		t.Errorf("%s: %d of them, want %d", what, len(got), len(want))
	}
	for name, w := range want {
		if !bytes.Equal(got[name], w) {
			t.Errorf("%s: %s has other bytes than on one rank", what, name)
		}
	}
}

// TestRanksAreBits: any number of ranks writes the same checkpoints, whatever is trained.
func TestRanksAreBits(t *testing.T) {
	teacher := model(t, 9)
	stored, _, err := train.Store(t.Context(), teacher, drawn(t, 60))
	check(t, err)
	for _, c := range []struct {
		name   string
		micro  int
		change func(*train.Config, *encoder.Model) *encoder.Model
	}{
		{"plain", 1, nil},
		{"a rest, and fewer micro-batches than ranks", 3, nil},
		{"one micro-batch", 20, nil},
		{"clipped, decayed by layer", 2, func(c *train.Config, m *encoder.Model) *encoder.Model {
			c.ClipNorm, c.LayerDecay = 0.01, 0.7
			return m
		}},
		{"sigmoid", 1, func(c *train.Config, _ *encoder.Model) *encoder.Model {
			c.Loss = loss.Sigmoid{}
			return biased(t)
		}},
		{"locked image tower", 1, func(c *train.Config, m *encoder.Model) *encoder.Model {
			c.LockImage = true
			return m
		}},
		{"locked towers", 1, func(c *train.Config, m *encoder.Model) *encoder.Model {
			c.LockImage, c.LockText = true, true
			return m
		}},
		{"adapters", 1, func(_ *train.Config, m *encoder.Model) *encoder.Model {
			if err := m.AddLoRA(encoder.LoRA{Rank: 2}, 4); err != nil {
				t.Error(err)
			}
			return m
		}},
		{"moments of bfloat16", 1, func(c *train.Config, m *encoder.Model) *encoder.Model {
			c.Moments = train.MomentsBFloat16
			return m
		}},
		{"moments of 8 bits", 1, func(c *train.Config, m *encoder.Model) *encoder.Model {
			c.Moments = train.Moments8Bit
			return m
		}},
		{"a teacher and several captions", 1, func(c *train.Config, m *encoder.Model) *encoder.Model {
			c.Teacher, c.Texts = teacher, train.Captions(2)
			return m
		}},
		{"a stored teacher", 1, func(c *train.Config, m *encoder.Model) *encoder.Model {
			c.Stored = stored
			return m
		}},
		{"hard negatives, activations computed again", 3, func(c *train.Config, m *encoder.Model) *encoder.Model {
			c.GradCheckpointing, c.Texts = true, func(p dataset.Pair) ([]train.Text, error) {
				return []train.Text{{Caption: p.Caption, Share: 1}, {Caption: "not " + p.Caption}}, nil
			}
			return m
		}},
		{"smoothed, by label, partly frozen, locked text tower", 2, func(c *train.Config, m *encoder.Model) *encoder.Model {
			c.LabelSmoothing, c.Groups, c.LockText, c.Freeze = 0.1, train.GroupByLabel, true, []string{"visual.transformer.resblocks.0.*", "logit_scale"}
			return m
		}},
		{"a loss of one's own", 1, func(c *train.Config, m *encoder.Model) *encoder.Model {
			c.Loss = loss.ByRows("apart", func(row *loss.Row) float64 {
				for j := range row.Gradient {
					row.Gradient[j] = row.Similarities[j]
				}
				row.Gradient[row.Right[0]] = -1
				return 1 - float64(row.Similarities[row.Right[0]])
			})
			return m
		}},
		{"patches", 1, func(c *train.Config, _ *encoder.Model) *encoder.Model {
			c.PatchDropout = 0
			return gridded(t)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want map[string][]byte
			for n := 1; n <= 4; n++ {
				dir := t.TempDir()
				for rank, err := range ranked(t, n, 4, dir, c.micro, c.change) {
					if err != nil {
						t.Fatalf("rank %d of %d: %v", rank, n, err)
					}
				}
				got := checkpointFiles(t, dir)
				if n == 1 {
					want = got
				}
				sameFiles(t, fmt.Sprintf("%d ranks", n), got, want)
			}
		})
	}
}

// TestRanksResume: a run goes on on another number of ranks, to the same bytes.
func TestRanksResume(t *testing.T) {
	for _, kind := range kinds() {
		moments := func(c *train.Config, m *encoder.Model) *encoder.Model {
			c.Moments = kind
			return m
		}
		whole := t.TempDir()
		check(t, errors.Join(ranked(t, 2, 9, whole, 1, moments)...))
		dir := t.TempDir()
		for i, n := range []int{3, 1, 4, 2} {
			check(t, errors.Join(ranked(t, n, []int{2, 4, 7, 9}[i], dir, 1, moments)...))
		}
		name := "step-00000009.safetensors"
		if got, want := checkpointFiles(t, dir)[name], checkpointFiles(t, whole)[name]; got == nil || !bytes.Equal(got, want) {
			t.Errorf("%v: %d bytes of the interrupted run's last checkpoint differ from the %d of the whole one's", kind, len(got), len(want))
		}
		for _, err := range ranked(t, 2, 12, dir, 2, moments) {
			if want := "train.MicroBatch: the checkpoint has 1, this run 2"; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got error %v, want %s", err, want)
			}
		}
	}
}

// TestRanksFailTogether: what goes wrong on one rank is the error of all, with its number.
func TestRanksFailTogether(t *testing.T) {
	batchFailure := func(r *train.LocalRank, tr *train.Trainer, m *encoder.Model, spoil func(*train.Batch)) error {
		b := noise(m, 12)
		if r.Rank() == 2 {
			spoil(b)
		}
		_, err := tr.StepBatch(context.Background(), b)
		return err
	}
	for _, c := range []struct {
		name, want string
		run        func(r *train.LocalRank, tr *train.Trainer, m *encoder.Model) error
	}{
		{"a pixel", "rank 2 of 3: train: step 0: loss NaN, gradient norm NaN: not finite in the pixels of image 10 of the batch; the step changed nothing", func(r *train.LocalRank, tr *train.Trainer, m *encoder.Model) error {
			return batchFailure(r, tr, m, func(b *train.Batch) { b.Pixels[10*3*32*32+5] = float32(nan()) })
		}},
		{"a batch of another size", "rank 2 of 3: train: 2 groups for 12 pairs", func(r *train.LocalRank, tr *train.Trainer, m *encoder.Model) error {
			return batchFailure(r, tr, m, func(b *train.Batch) { b.Groups = b.Groups[:2] })
		}},
		{"another batch", "train: rank 2 of 3 has other data, or is at another step, than rank 0: do all read the same set?", func(r *train.LocalRank, tr *train.Trainer, m *encoder.Model) error {
			return batchFailure(r, tr, m, func(b *train.Batch) { b.Tokens[1]++ })
		}},
		{"a bad file", "dataset: batches: shapes: 00000002: gone (with a Ledger it would be recorded and skipped)", func(_ *train.LocalRank, tr *train.Trainer, _ *encoder.Model) error {
			return tr.Fit(context.Background(), without(t, 3, 2), train.Run{Steps: 3, Batches: dataset.BatchOptions{Size: 3, Epochs: 9}})
		}},
		{"a file that one cannot read", "rank 1 of 3: dataset: batches: shapes: 00000001: gone (other processes can read it)", func(r *train.LocalRank, tr *train.Trainer, _ *encoder.Model) error {
			run := train.Run{Steps: 3, Batches: dataset.BatchOptions{Size: 3, Epochs: 9, Ledger: &dataset.Ledger{}}}
			if r.Rank() == 1 {
				return tr.Fit(context.Background(), without(t, 3, 1), run)
			}
			return tr.Fit(context.Background(), without(t, 3), run)
		}},
		{"an observer", "rank 0 of 3: train: step 1: enough", func(_ *train.LocalRank, tr *train.Trainer, _ *encoder.Model) error {
			stop := train.ObserverFunc(func(e train.Event) error {
				if e.Step == 1 {
					return errors.New("enough")
				}
				return nil
			})
			run := plan("", 5)
			run.Observers = []train.Observer{stop}
			return tr.Fit(context.Background(), drawn(t, 60), run)
		}},
		{"another set", "", func(r *train.LocalRank, tr *train.Trainer, _ *encoder.Model) error {
			run := plan(filepath.Join(os.TempDir(), "goclip-never-written"), 5)
			return tr.Fit(context.Background(), drawn(t, 60+r.Rank()/2), run)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			models := make([]*encoder.Model, 3)
			for rank, err := range onRanks(3, func(r *train.LocalRank) error {
				m := model(t, 1)
				models[r.Rank()] = m
				cfg := config(10)
				cfg.MicroBatch, cfg.Ranks = 2, r
				tr, err := train.New(m, cfg)
				if err != nil {
					return err
				}
				return c.run(r, tr, m)
			}) {
				if err == nil || c.want != "" && err.Error() != c.want {
					t.Errorf("rank %d: got  %v\nwant %s", rank, err, c.want)
				}
				if c.want == "" && !strings.Contains(err.Error(), "rank 2 of 3: train: this rank is of another run than rank 0") {
					t.Errorf("rank %d: %v", rank, err)
				}
			}
		})
	}
}

// TestRanksStopTogether: where one is interrupted, all stop after the same step and the run
// can go on.
func TestRanksStopTogether(t *testing.T) {
	whole, dir := t.TempDir(), t.TempDir()
	check(t, errors.Join(ranked(t, 1, 6, whole, 1, nil)...))
	steps := make([]int, 3)
	for rank, err := range onRanks(3, func(r *train.LocalRank) error {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		m := model(t, 1)
		cfg := config(100)
		cfg.EMA, cfg.PatchDropout, cfg.Seed, cfg.MicroBatch, cfg.Ranks = 0.9, 0.25, runSeed, 1, r
		cfg.LR = func(step int) float64 {
			if r.Rank() == 1 && step == 2 {
				cancel()
			}
			return config(100).LR(step)
		}
		tr, err := train.New(m, cfg)
		if err != nil {
			return err
		}
		err = tr.Fit(ctx, drawn(t, 60), plan(dir, 6))
		steps[r.Rank()] = tr.Steps()
		return err
	}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("rank %d: got error %v, want %v", rank, err, context.Canceled)
		}
	}
	if slices.Min(steps) != slices.Max(steps) {
		t.Errorf("the ranks stopped after steps %v, want one number", steps)
	}
	check(t, errors.Join(ranked(t, 2, 6, dir, 1, nil)...))
	// The ledger has counted bad samples of the interrupted step twice.
	got, want := tensorsIn(t, filepath.Join(dir, "step-00000006.safetensors")), tensorsIn(t, filepath.Join(whole, "step-00000006.safetensors"))
	sameFiles(t, "interrupted on one rank", got, want)
}

// TestRanksEndWithOne: no rank waits for one that is gone.
func TestRanksEndWithOne(t *testing.T) {
	for rank, err := range onRanks(3, func(r *train.LocalRank) error {
		m := model(t, 1)
		cfg := config(10)
		cfg.MicroBatch, cfg.Ranks = 2, r
		tr, err := train.New(m, cfg)
		if err != nil {
			return err
		}
		for range 3 {
			if _, err := tr.StepBatch(context.Background(), noise(m, 12)); err != nil {
				return err
			}
			if r.Rank() == 1 {
				return errors.Join(r.Close(), errors.New("rank 1 has ended"))
			}
		}
		return nil
	}) {
		if err == nil || !strings.Contains(err.Error(), "has ended") {
			t.Errorf("rank %d: got error %v, want that another has ended", rank, err)
		}
	}
}

// TestRanksConfig: what a trainer refuses of them.
func TestRanksConfig(t *testing.T) {
	m := model(t, 1)
	cfg := config(1)
	cfg.Ranks = train.LocalRanks(1)[0]
	if _, err := train.New(m, cfg); err == nil || err.Error() != "train: MicroBatch is 0 beside Ranks, which share the micro-batches of a batch: want 1 or more" {
		t.Errorf("without a MicroBatch: %v", err)
	}
}

// TestRanksShareTheMoments: each keeps those of a part of the parameters.
func TestRanksShareTheMoments(t *testing.T) {
	kept := make([]int, 3)
	check(t, errors.Join(onRanks(3, func(r *train.LocalRank) error {
		m := model(t, 1)
		cfg := config(10)
		cfg.MicroBatch, cfg.Ranks = 2, r
		tr, err := train.New(m, cfg)
		if err != nil {
			return err
		}
		if _, err := tr.StepBatch(context.Background(), noise(m, 12)); err != nil {
			return err
		}
		kept[r.Rank()] = train.OwnMoments(tr)
		return nil
	})...))
	all := 0
	for _, p := range model(t, 1).Params() {
		all += p.Size()
	}
	if slices.Max(kept) > all*2/5 || kept[0]+kept[1]+kept[2] != all {
		t.Errorf("the ranks keep moments of %v parameters, want about a third of %d each", kept, all)
	}
}

func nan() float64 { var zero float64; return zero / zero }

// TestRanksSum: all ranks get the sums along the tree, whatever their number and the length.
func TestRanksSum(t *testing.T) {
	for n := 1; n <= 5; n++ {
		for _, length := range []int{0, 1, 3, 1000, 1<<20*2 + 12345} {
			value := func(rank, i int) float32 { return float32(rank+1)*0.1 + float32(i%997)*1e-3 }
			check(t, errors.Join(onRanks(n, func(r *train.LocalRank) error {
				data := make([]float32, length)
				for i := range data {
					data[i] = value(r.Rank(), i)
				}
				if err := train.Sum(context.Background(), r, data); err != nil {
					return err
				}
				for i, got := range data {
					var v [8]float32
					for rank := range n {
						v[rank] = value(rank, i)
					}
					want := v[0]
					switch n { // neighbours first, then pairs of neighbours
					case 2:
						want = v[0] + v[1]
					case 3:
						want = (v[0] + v[1]) + v[2]
					case 4:
						want = (v[0] + v[1]) + (v[2] + v[3])
					case 5:
						want = ((v[0] + v[1]) + (v[2] + v[3])) + v[4]
					}
					if got != want {
						return fmt.Errorf("number %d of %d on %d ranks is %g, want %g", i, length, n, got, want)
					}
				}
				return nil
			})...))
		}
	}
	check(t, train.Sum(context.Background(), nil, []float32{1}))
}
