package train_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/train"
)

// TestFrozen: what is frozen keeps its bits, what is not gets the gradient that
// it would get otherwise, and no gradient flows further down than it must.
func TestFrozen(t *testing.T) {
	gradients := func(cfg train.Config) (*train.Trainer, map[string][]float32, []string) {
		m := model(t, 1)
		before := make(map[string][]float32)
		for _, p := range m.Params() {
			before[p.Name] = slices.Clone(p.Data)
		}
		tr, err := train.New(m, cfg)
		check(t, err)
		_, err = tr.Step(context.Background(), pairs(t, 0, 4))
		check(t, err)
		grads, frozen := make(map[string][]float32), []string{}
		for _, p := range m.Params() {
			if g := tr.Gradient(p.Name); g != nil {
				grads[p.Name] = slices.Clone(g)
			} else if frozen = append(frozen, p.Name); !slices.Equal(p.Data, before[p.Name]) {
				t.Errorf("%s is frozen and changed", p.Name)
			}
		}
		return tr, grads, frozen
	}
	_, all, _ := gradients(config(1))
	for _, c := range []struct {
		name       string
		set        func(*train.Config)
		frozen     func(name string) bool
		attentions int // whose gradient is computed, of three
	}{
		{"locked image tower", func(c *train.Config) { c.LockImage = true },
			func(name string) bool { return strings.HasPrefix(name, "visual.") }, 1},
		{"locked text tower", func(c *train.Config) { c.LockText = true },
			func(name string) bool { return !strings.HasPrefix(name, "visual.") && name != "logit_scale" }, 2},
		{"both", func(c *train.Config) { c.LockImage, c.LockText = true, true },
			func(name string) bool { return name != "logit_scale" }, 0},
		{"all below the last block", func(c *train.Config) {
			c.Freeze = []string{"visual.conv1.*", "visual.*_embedding", "visual.ln_pre.*", "visual.transformer.resblocks.0.*"}
		}, func(name string) bool {
			for _, part := range []string{"visual.conv1", "visual.class", "visual.pos", "visual.ln_pre", "visual.transformer.resblocks.0."} {
				if strings.HasPrefix(name, part) {
					return true
				}
			}
			return false
		}, 2},
		{"temperature", func(c *train.Config) { c.Freeze, c.MaxLogitScale = []string{"logit_scale"}, 2 },
			func(name string) bool { return name == "logit_scale" }, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(1)
			c.set(&cfg)
			tr, grads, frozen := gradients(cfg)
			for name, want := range all {
				got, ok := grads[name]
				if ok == c.frozen(name) {
					t.Errorf("%s is frozen: %t, want %t", name, !ok, c.frozen(name))
				}
				for i := range got {
					if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
						t.Fatalf("gradient of %s[%d] is %g, want %g to the bit", name, i, got[i], want[i])
					}
				}
			}
			if got := train.Ops(tr)["attention.grad0"]; got != c.attentions {
				t.Errorf("%d attentions have a gradient with %v frozen, want %d", got, frozen, c.attentions)
			}
		})
	}
}

func TestFreezeErrors(t *testing.T) {
	for want, set := range map[string]func(*train.Config){
		`Freeze: "visual.resblocks.*" matches no parameter of the model`: func(c *train.Config) { c.Freeze = []string{"ln_final.*", "visual.resblocks.*"} },
		`Freeze: "[" is a malformed pattern`:                             func(c *train.Config) { c.Freeze = []string{"["} },
		`NoDecay: "bias" matches no parameter of the model`:              func(c *train.Config) { c.NoDecay = []string{"bias"} },
		"every parameter is frozen":                                      func(c *train.Config) { c.Freeze = []string{"*"} },
	} {
		cfg := config(1)
		set(&cfg)
		if _, err := train.New(model(t, 1), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want …%s", err, want)
		}
	}
}
