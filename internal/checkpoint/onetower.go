package checkpoint

import "github.com/goclip/goclip/internal/tensorfile"

// scaled is a file of a text tower that was trained towards the features of another model
// and has no logit_scale, with one.
type scaled struct {
	weights
	scale float64
}

const logitScale = "logit_scale"

func (s *scaled) Names() []string { return append([]string{logitScale}, s.weights.Names()...) }

func (s *scaled) Info(name string) (tensorfile.Info, bool) {
	if name == logitScale {
		return tensorfile.Info{DType: tensorfile.F32}, true
	}
	return s.weights.Info(name)
}

func (s *scaled) Float32(name string, dst []float32) error {
	if name == logitScale {
		dst[0] = float32(s.scale)
		return nil
	}
	return s.weights.Float32(name, dst)
}

func (s *scaled) View(name string) ([]float32, bool) {
	if name == logitScale {
		return nil, false
	}
	return s.weights.View(name)
}

func (s *scaled) Release(name string) {
	if name != logitScale {
		s.weights.Release(name)
	}
}

// withoutScale is the Spec of such a tower, whose weights get CLIP's initial scale.
func withoutScale(f *files, c Spec) Spec {
	f.weights = &scaled{f.weights, clipLogitScale}
	c.InitLogitScale, c.NoLogitScale = clipLogitScale, true
	return c
}
