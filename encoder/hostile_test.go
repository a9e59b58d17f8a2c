package encoder_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/vision"
)

// spent is a tower, and its configuration, that answer some questions a few times only.
type spent struct {
	CNN
	left *int
}

func (s spent) Family() string { return "spent" }

func (s spent) New() (vision.Tower, error) {
	if *s.left--; *s.left < 0 {
		panic("out of towers")
	}
	t, err := s.CNN.New()
	return &spentTower{t, 1}, err
}

type spentTower struct {
	vision.Tower
	left int
}

func (s *spentTower) Params() []*nn.Param {
	if s.left--; s.left < 0 {
		panic("out of parameters")
	}
	return s.Tower.Params()
}

// TestSpentTower: a tower is asked once for its parameters, and a configuration that
// panics later is an error of saving.
func TestSpentTower(t *testing.T) {
	left := 1
	cfg := ownConfig()
	cfg.Vision = spent{cfg.Vision.(CNN), &left}
	m, err := encoder.New(cfg, letters.Tokenizer{}, 1)
	check(t, err)
	_, err = m.EncodeImages(context.Background(), someImages(3)...)
	check(t, err)
	if n := len(m.Params()); n < 5 {
		t.Errorf("%d parameters", n)
	}
	dir := filepath.Join(t.TempDir(), "model")
	if err := m.Save(dir); err == nil {
		t.Error("a configuration with a pointer was saved")
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		t.Errorf("%v was left", entries)
	}
	check(t, m.Close())
}

// TestJoinedAgain: models that are joined of joined ones share a part, whose Close waits
// for them and for which nobody waits twice.
func TestJoinedAgain(t *testing.T) {
	for range 20 {
		a, b := model(t, config()), model(t, config())
		ab, err := encoder.Join(a, b)
		check(t, err)
		again, err := encoder.Join(ab, b)
		check(t, err)
		var wg sync.WaitGroup
		for range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for {
					_, err := again.EncodeTexts(context.Background(), "a")
					if errors.Is(err, encoder.ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			}()
		}
		done := make(chan struct{})
		go func() {
			time.Sleep(time.Millisecond)
			check(t, b.Close())
			wg.Wait()
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatal("they wait for each other")
		}
		check(t, errors.Join(again.Close(), ab.Close(), a.Close()))
	}
}

// TestAdaptersOfAPart: a joined model is not saved without the adapters of a part.
func TestAdaptersOfAPart(t *testing.T) {
	a, b := model(t, config()), model(t, config())
	ab, err := encoder.Join(a, b)
	check(t, err)
	check(t, a.AddLoRA(encoder.LoRA{Rank: 1}, 1))
	fails(t, "the model has adapters", ab.Save(t.TempDir()))
}

// TestSaveMerged: it writes the files that MergeLoRA and Save would, and the model keeps
// its adapters.
func TestSaveMerged(t *testing.T) {
	dir := t.TempDir()
	m := storable(t)
	check(t, m.AddLoRA(encoder.LoRA{Rank: 2, Alpha: 3}, 1))
	for _, p := range m.Adapters() {
		for i := range p.Data {
			p.Data[i] += float32(i%7) / 50
		}
	}
	merged, apart := filepath.Join(dir, "merged"), filepath.Join(dir, "apart")
	fails(t, "the model has adapters", m.Save(merged))
	before := m.Fingerprint()
	check(t, m.SaveWith(apart, "", encoder.SaveOptions{Merged: true}))
	if m.Fingerprint() != before {
		t.Error("saving changed the model")
	}
	check(t, m.MergeLoRA())
	check(t, m.Save(merged))
	entries, err := os.ReadDir(merged)
	check(t, err)
	for _, e := range entries {
		if read(t, apart, e.Name()) != read(t, merged, e.Name()) {
			t.Errorf("%s differs", e.Name())
		}
	}
}

// TestImageErrors: each image that cannot be encoded is one of the errors that are joined.
func TestImageErrors(t *testing.T) {
	m := model(t, config())
	imgs := someImages(4)
	imgs[1], imgs[3] = hostile{}, nil
	_, err := m.EncodeImages(context.Background(), imgs...)
	var first *encoder.ImageError
	if !errors.As(err, &first) || first.Index != 1 {
		t.Errorf("got error %v, want one of image 1", err)
	}
	fails(t, "encoder: image 3: ", err)
	_, err = m.EncodeImagesFunc(context.Background(), -1, nil)
	fails(t, "-1 images", err)
	_, err = m.EncodeImagesFunc(context.Background(), 2, nil)
	fails(t, "2 images, opened by a function that is there: false", err)
}

// TestSavesAtOnce: one model may be saved by several goroutines to the folder that it is
// mapped from, beside readers and encoding.
func TestSavesAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	check(t, storable(t).Save(dir))
	m, err := encoder.Load(dir, nil)
	check(t, err)
	before, want := m.Fingerprint(), embeddings(t, m)
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(2)
		go func() {
			defer wg.Done()
			for range 5 {
				if err := m.Save(dir); err != nil {
					t.Error(err)
				}
			}
		}()
		go func() {
			defer wg.Done()
			for range 5 {
				again, err := encoder.Load(dir, nil)
				if err != nil {
					t.Error(err)
					continue
				}
				if again.Fingerprint() != before {
					t.Error("another model was loaded")
				}
				if err := again.Close(); err != nil {
					t.Error(err)
				}
				if _, err := m.EncodeTexts(context.Background(), "a", "b c"); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	same(t, "embeddings", embeddings(t, m), want)
	check(t, m.Close())
}
