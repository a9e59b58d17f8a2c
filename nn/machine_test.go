package nn_test

import (
	"runtime"
	"testing"
	"weak"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// TestMachineIsFreed: a machine that is told of by what knows it leaves memory with it.
func TestMachineIsFreed(t *testing.T) {
	made := func() weak.Pointer[nn.Machine] {
		g := G.NewGraph()
		y := nn.Exp(leaf(g, "x", []float64{1, 2, 3}, []int{3}))
		m, err := nn.NewMachine(g, y)
		if err != nil {
			t.Fatal(err)
		}
		if !m.Tell(y, func([]float32) { runtime.KeepAlive(m) }) {
			t.Fatal("nothing is told")
		}
		if err := m.Run(); err != nil {
			t.Fatal(err)
		}
		return weak.Make(m)
	}()
	for range 10 {
		runtime.GC()
		if made.Value() == nil {
			return
		}
	}
	t.Error("the machine is still in memory")
}
