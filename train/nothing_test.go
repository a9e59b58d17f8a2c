package train_test

import (
	"testing"

	"github.com/goclip/goclip/internal/nothing"
	"github.com/goclip/goclip/train"
)

// TestNothingPanics: no exported function and no method of a nil or zero value panics of
// itself when it is called with nothing.
func TestNothingPanics(t *testing.T) {
	for _, panicked := range nothing.Panics(
		train.New, train.Constant, train.ConstantCooldown, train.Cosine, train.Linear, train.Groups(77), train.ObserverFunc(nil),
		(*train.AdamW)(nil), &train.AdamW{}, train.Checkpoints{}, train.Checkpoints{Dir: t.TempDir()}, &train.Diagnosis{},
		(*train.Trainer)(nil), &train.Trainer{}, (*train.Stored)(nil), &train.Stored{}, train.OpenStored, train.Captions, train.Negatives,
		train.LocalRanks, (*train.LocalRank)(nil), &train.LocalRank{}, train.Agree,
	) {
		t.Error(panicked)
	}
}
