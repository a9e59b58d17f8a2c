package nn_test

import (
	"testing"

	"github.com/goclip/goclip/nn"
)

// TestNothing: what is missing or empty is an error that names it, and no panic.
func TestNothing(t *testing.T) {
	_, grad := nn.Grad(nil)
	_, machine := nn.NewMachine(nil)
	_, build := nn.Build(nil)
	for want, err := range map[string]error{
		"nn: gradient: cost is nil":                        grad,
		"nn: machine: the graph is nil":                    machine,
		"nn: build: the function is nil":                   build,
		"nn: machine: it is empty, want one of NewMachine": new(nn.Machine).Run(),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}
