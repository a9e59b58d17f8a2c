package train_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/train"
)

// withTexts is a batch whose pairs have three texts each: a likely one, a less likely one and
// one that is wrong.
func withTexts(m *encoder.Model, b *train.Batch) *train.Batch {
	more, length := noise(m, 2*b.N+1), m.Config().Text.Dims().ContextLength
	own := b.Tokens
	b.Texts, b.Tokens = 3, nil
	for i := range b.N {
		b.Tokens = append(b.Tokens, own[i*length:][:length]...)
		b.Tokens = append(b.Tokens, more.Tokens[2*i*length:][:2*length]...)
		b.Shares = append(b.Shares, 0.75, 0.25, 0)
	}
	return b
}

// TestHardNegativesTeach: a model that is trained beside wrong captions tells them from the
// right ones.
func TestHardNegativesTeach(t *testing.T) {
	ctx, m, batch := context.Background(), model(t, 1), pairs(t, 0, 12)
	wrong := map[string][]string{}
	for _, p := range batch {
		wrong[p.Caption] = []string{strings.Join(strings.Fields(p.Caption), " no ")}
	}
	cfg := config(60)
	cfg.Texts = train.Negatives(1, 1, wrong)
	tr, err := train.New(m, cfg)
	check(t, err)
	var first, last train.Stats
	for i := range 60 {
		last, err = tr.Step(ctx, batch)
		check(t, err)
		if i == 0 {
			first = last
		}
	}
	if !(last.Loss < first.Loss/2) {
		t.Errorf("the loss went from %g to %g, want half of it", first.Loss, last.Loss)
	}
	right := 0
	for _, p := range batch {
		image, err := m.EncodeImages(ctx, p.Image)
		check(t, err)
		texts, err := m.EncodeTexts(ctx, p.Caption, wrong[p.Caption][0])
		check(t, err)
		var cosines [2]float64
		for k := range cosines {
			for i, v := range image.Data {
				cosines[k] += float64(v) * float64(texts.Data[k*len(image.Data)+i])
			}
		}
		if cosines[0] > cosines[1] {
			right++
		}
	}
	if right < 11 {
		t.Errorf("%d of 12 right captions are before their wrong ones, want 11 or more", right)
	}
}

// TestStoredTeacher: stored embeddings teach as their model does, of several texts too.
func TestStoredTeacher(t *testing.T) {
	ctx, of, batch := context.Background(), teacher(t), pairs(t, 0, 8)
	stored := &train.Stored{Images: map[string][]float32{}, Texts: map[string][]float32{}, Scale: math.Exp(float64(of.LogitScale().Data[0]))}
	for i := range batch {
		batch[i].Captions = []string{batch[i].Caption, "another " + batch[i].Caption}
		e, err := of.EncodeImages(ctx, batch[i].Image)
		check(t, err)
		stored.Images[batch[i].Key] = e.Data
		for _, c := range batch[i].Captions {
			e, err := of.EncodeTexts(ctx, c)
			check(t, err)
			stored.Texts[c] = e.Data
		}
	}
	path := filepath.Join(t.TempDir(), "stored.safetensors")
	check(t, stored.Save(path))
	again, err := train.OpenStored(path)
	check(t, err)
	if again.Scale = stored.Scale; !reflect.DeepEqual(again, stored) { // the scale is a logarithm in the file
		t.Error("what was stored is not what is read")
	}
	for _, n := range []int{1, 2} {
		run := func(set func(*train.Config)) float64 {
			cfg := config(1)
			cfg.Texts = train.Captions(n)
			set(&cfg)
			tr, err := train.New(model(t, 1), cfg)
			check(t, err)
			s, err := tr.Step(ctx, batch)
			check(t, err)
			return s.Loss
		}
		got, want := run(func(c *train.Config) { c.Stored = stored }), run(func(c *train.Config) { c.Teacher = of })
		if got != want {
			t.Errorf("%d texts: the loss of a stored teacher is %v, of the teacher itself %v", n, got, want)
		}
	}
	delete(stored.Texts, batch[3].Caption)
	cfg := config(1)
	cfg.Stored = stored
	tr, err := train.New(model(t, 1), cfg)
	check(t, err)
	if _, err := tr.Step(ctx, batch); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("Stored: 0 numbers for text %q", batch[3].Caption)) {
		t.Errorf("a text that is not stored: got error %v", err)
	}
	cfg.Teacher = of
	if _, err := train.New(model(t, 1), cfg); err == nil {
		t.Error("a teacher and a stored one: got no error")
	}
}

// TestWrongTexts: what a Texts may say wrongly is an error that names the pair.
func TestWrongTexts(t *testing.T) {
	for want, of := range map[string]func(dataset.Pair) ([]train.Text, error){
		"there are 0 wrong texts beside":         train.Negatives(1, 1, nil),
		"0 captions of an image, want 1 or more": train.Captions(0),
		"0 texts, want 1 as for":                 func(dataset.Pair) ([]train.Text, error) { return nil, nil },
		"none of its 1 texts is right":           func(dataset.Pair) ([]train.Text, error) { return []train.Text{{Caption: "a"}}, nil },
		`the share of "a" is 2, want 0 to 1`:     func(dataset.Pair) ([]train.Text, error) { return []train.Text{{Caption: "a", Share: 2}}, nil },
		"panic: oh":                              func(dataset.Pair) ([]train.Text, error) { panic("oh") },
	} {
		cfg := config(1)
		cfg.Texts = of
		tr, err := train.New(model(t, 1), cfg)
		check(t, err)
		batch := pairs(t, 0, 4)
		if _, err := tr.Step(context.Background(), batch); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), batch[0].Key) {
			t.Errorf("got error %v, want %s …: … %s", err, batch[0].Key, want)
		}
	}
	m := model(t, 1)
	tr, err := train.New(m, config(1))
	check(t, err)
	for want, edit := range map[string]func(*train.Batch){
		"-1 texts of each pair":     func(b *train.Batch) { b.Texts = -1 },
		"5 shares of 24 texts":      func(b *train.Batch) { b.Shares = b.Shares[:5] },
		"token ids for 48 captions": func(b *train.Batch) { b.Texts = 6 },
	} {
		b := withTexts(m, noise(m, 8))
		edit(b)
		if _, err := tr.StepBatch(context.Background(), b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

// FuzzOpenStored: whatever the file, there is an error or embeddings of one size.
func FuzzOpenStored(f *testing.F) {
	path := filepath.Join(f.TempDir(), "s")
	s := train.Stored{Images: map[string][]float32{"a": {1, 0}}, Texts: map[string][]float32{"b": {0, 1}, "c": {1, 0}}, Scale: 10}
	check(f, s.Save(path))
	good, err := os.ReadFile(path)
	check(f, err)
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "s")
		check(t, os.WriteFile(path, data, 0o600))
		s, err := train.OpenStored(path)
		if err != nil {
			return
		}
		size := 0
		for _, rows := range []map[string][]float32{s.Images, s.Texts} {
			for _, e := range rows {
				if size == 0 {
					size = len(e)
				}
				if len(e) != size || size == 0 {
					t.Fatalf("embeddings of %d and %d numbers", len(e), size)
				}
			}
		}
	})
}
