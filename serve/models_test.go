package serve

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goclip/goclip/encoder"
)

// several are models that count how often they are loaded.
func several(t *testing.T, names ...string) (models []Model, loads map[string]*atomic.Int64) {
	m := modelOf(t)
	loads = map[string]*atomic.Int64{}
	for _, name := range names {
		n := new(atomic.Int64)
		loads[name] = n
		models = append(models, Model{Name: name, Bytes: 1, Load: func(ctx context.Context) (*encoder.Model, error) {
			n.Add(1)
			return m.Load(ctx)
		}})
	}
	return models, loads
}

func textOf(t *testing.T, base, model string) (int, string) {
	t.Helper()
	var a openAIAnswer
	status := post(t, base+"/v1/embeddings", `{"model":"`+model+`","input":"a cat"}`, &a)
	return status, a.Error.Message
}

// TestModelsLoadAtFirstUse: once, however many ask, and by any spelling of the name.
func TestModelsLoadAtFirstUse(t *testing.T) {
	models, loads := several(t, "ViT-B-32/laion2b_s34b_b79k", "other")
	_, base := serving(t, func(o *Options) { o.Models = models })
	if loads["other"].Load() != 0 {
		t.Error("loaded before it was asked for")
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if status, says := textOf(t, base, "vit-b-32__laion2b-s34b-b79k"); status != http.StatusOK {
				t.Errorf("status %d: %s", status, says)
			}
		}()
	}
	wg.Wait()
	if n := loads["ViT-B-32/laion2b_s34b_b79k"].Load(); n != 1 || loads["other"].Load() != 0 {
		t.Errorf("loaded %d times, want once, and the other not at all", n)
	}
	if _, err := New(Options{Models: []Model{{Name: "a/b", Load: models[0].Load}, {Name: "A__b", Load: models[0].Load}}}); err == nil {
		t.Error("two models of one name are no error")
	}
	if _, err := New(Options{}); err == nil {
		t.Error("no model is no error")
	}
}

func TestIdleModelsLeave(t *testing.T) {
	models, loads := several(t, "a")
	s, base := serving(t, func(o *Options) { o.Models, o.Idle = models, 50*time.Millisecond })
	for i := range 2 {
		if status, says := textOf(t, base, "a"); status != http.StatusOK {
			t.Fatalf("status %d: %s", status, says)
		}
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			s.models.mu.Lock()
			gone := s.models.entries[0].loaded == nil
			s.models.mu.Unlock()
			if gone {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("use %d: it was never unloaded", i)
			}
		}
	}
	if n := loads["a"].Load(); n != 2 {
		t.Errorf("loaded %d times, want 2", n)
	}
}

// TestModelMemory: a model makes room for another, unless it is in use.
func TestModelMemory(t *testing.T) {
	m := load(t)
	one := weights(m)
	models, loads := several(t, "a", "b", "c")
	s, base := serving(t, func(o *Options) { o.Models, o.ModelBytes = models, 2*one })
	for _, name := range []string{"a", "b", "a", "c", "a", "b"} { // c takes b's place, b c's
		if status, says := textOf(t, base, name); status != http.StatusOK {
			t.Fatalf("%s: %d %s", name, status, says)
		}
	}
	if a, b, c := loads["a"].Load(), loads["b"].Load(), loads["c"].Load(); a != 1 || b != 2 || c != 1 {
		t.Errorf("loaded a %d, b %d, c %d times, want 1, 2, 1", a, b, c)
	}
	_, release, err := s.models.use(t.Context(), "a")
	check(t, err)
	_, release2, err := s.models.use(t.Context(), "b")
	check(t, err)
	if status, says := textOf(t, base, "c"); status != http.StatusServiceUnavailable || !strings.Contains(says, "no memory") {
		t.Errorf("with both others in use: %d %q", status, says)
	}
	release2()
	if status, says := textOf(t, base, "c"); status != http.StatusOK {
		t.Errorf("once one is free: %d %q", status, says)
	}
	release()
	models[0].Bytes = 3 * one
	_, base = serving(t, func(o *Options) { o.Models, o.ModelBytes = models, 2*one })
	if status, _ := textOf(t, base, "a"); status != http.StatusInsufficientStorage || loads["a"].Load() != 1 {
		t.Errorf("one that is too large: %d, want 507 without loading it", status)
	}
}

// TestBrokenModel: its error says so and not more, and it is not tried all the time.
func TestBrokenModel(t *testing.T) {
	n := 0
	broken := Model{Name: "a", Load: func(context.Context) (*encoder.Model, error) {
		n++
		panic(errors.New("secret path"))
	}}
	_, base := serving(t, func(o *Options) { o.Models = []Model{broken} })
	for range 3 {
		status, says := textOf(t, base, "a")
		if status != http.StatusInternalServerError || !strings.Contains(says, "cannot be loaded") || strings.Contains(says, "secret") {
			t.Errorf("got %d %q", status, says)
		}
	}
	if n != 1 {
		t.Errorf("tried %d times, want once", n)
	}
}
