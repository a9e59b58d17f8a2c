package encoder_test

import (
	"math"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
)

// TestBlend: the ends are the two models to the bit, what lies between is theirs in
// proportion.
func TestBlend(t *testing.T) {
	var models []*encoder.Model
	for seed := range uint64(3) {
		m, err := encoder.New(config(), letters.Tokenizer{}, seed)
		if err != nil {
			t.Fatal(err)
		}
		models = append(models, m)
	}
	start, tuned, m := models[0], models[1], models[2]
	for _, alpha := range []float64{0, 0.25, 1} {
		if err := m.Blend(start, tuned, alpha); err != nil {
			t.Fatal(err)
		}
		for i, p := range m.Params() {
			for j, v := range p.Data {
				want := float32((1-alpha)*float64(start.Params()[i].Data[j]) + alpha*float64(tuned.Params()[i].Data[j]))
				if math.Float32bits(v) != math.Float32bits(want) {
					t.Fatalf("alpha %g: %s[%d] is %g, want %g", alpha, p.Name, j, v, want)
				}
			}
		}
	}
	if err := m.Blend(start, m, 0); err != nil { // in place
		t.Fatal(err)
	}
	if err := m.Blend(start, tuned, math.NaN()); err == nil || !strings.Contains(err.Error(), "alpha is NaN, want 0 to 1") {
		t.Errorf("got error %v", err)
	}
	if err := m.Blend(start, nil, 0.5); err == nil {
		t.Error("without a model: no error")
	}
}
