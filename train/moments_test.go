package train_test

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/train"
)

func kinds() []train.Moments {
	return []train.Moments{train.MomentsFloat32, train.MomentsBFloat16, train.Moments8Bit}
}

// TestMomentsLearn: with moments in less memory the loss of the same batches falls as with
// float32, within a tenth of what it falls there.
func TestMomentsLearn(t *testing.T) {
	const steps = 120
	curve := func(kind train.Moments) (losses []float64) {
		cfg := config(steps)
		cfg.Moments = kind
		tr, err := train.New(model(t, 1), cfg)
		check(t, err)
		for i := range steps {
			s, err := tr.Step(context.Background(), pairs(t, 16*(i%8), 16))
			check(t, err)
			losses = append(losses, s.Loss)
		}
		return losses
	}
	mean := func(x []float64) (sum float64) {
		for _, v := range x {
			sum += v / float64(len(x))
		}
		return sum
	}
	want := curve(train.MomentsFloat32)
	fall := want[0] - mean(want[steps-8:])
	if !(fall > 0.5) {
		t.Fatalf("the loss falls by %g with float32, want more than 0.5", fall)
	}
	for _, kind := range kinds()[1:] {
		got := curve(kind)
		for _, at := range []int{16, 48, 80, steps} {
			g, w := mean(got[at-8:at]), mean(want[at-8:at])
			t.Logf("%v: steps %d to %d: loss %.4f, with float32 %.4f", kind, at-8, at, g, w)
			if diff := math.Abs(g - w); !(diff <= fall/10) {
				t.Errorf("%v: the loss of steps %d to %d is %.4f, want within %.2f of %.4f", kind, at-8, at, g, fall/10, w)
			}
		}
	}
}

// TestMomentsResume: a run that is interrupted ends as one that is not, to the bit, and
// one with other moments does not go on from it.
func TestMomentsResume(t *testing.T) {
	src := drawn(t, 60)
	for _, kind := range kinds() {
		dir := filepath.Join(t.TempDir(), "run")
		fit := func(dir string, steps int, kind train.Moments) ([]float32, error) {
			m := model(t, 1)
			cfg := config(8)
			cfg.Moments = kind
			tr, err := train.New(m, cfg)
			check(t, err)
			err = tr.Fit(context.Background(), src, plan(dir, steps))
			return weights(m), err
		}
		want, err := fit("", 8, kind)
		check(t, err)
		_, err = fit(dir, 4, kind)
		check(t, err)
		got, err := fit(dir, 8, kind)
		check(t, err)
		sameBits(t, kind.String(), got, want)
		other := kinds()[(int(kind)+1)%3]
		if _, err := fit(dir, 9, other); err == nil || !strings.Contains(err.Error(), "train.Moments") {
			t.Errorf("%v after %v: got error %v, want one of train.Moments", other, kind, err)
		}
	}
}

// TestMomentsAreChecked before they lose what a step changes.
func TestMomentsAreChecked(t *testing.T) {
	cfg := config(1)
	cfg.Moments, cfg.Beta2 = train.MomentsBFloat16, 0.999
	if _, err := train.New(model(t, 1), cfg); err == nil || !strings.Contains(err.Error(), "Beta2 is 0.999") {
		t.Errorf("got error %v", err)
	}
	cfg.Moments = 7
	if _, err := train.New(model(t, 1), cfg); err == nil || !strings.Contains(err.Error(), "Moments") {
		t.Errorf("got error %v", err)
	}
}
