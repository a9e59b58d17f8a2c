package nn_test

import (
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// colliding returns two names whose leaves of 3 numbers have one hash in g, where the
// leaf of a name has the suffix that is given for it.
func colliding(t *testing.T, g *G.ExprGraph, suffixes [2]string) (names [2]string) {
	t.Helper()
	probe := nn.Leaf(G.NewGraph(), "probe", make([]float32, 3), 3)
	hash := func(name string) uint32 {
		h := fnv.New32a()
		fmt.Fprintf(h, "%v%v%p %s\x00", probe.Type(), probe.Shape(), g, name) // as gorgonia's Node.WriteHash
		return h.Sum32()
	}
	// About 2^18 · 2^18 / 2^32 = 16 pairs collide.
	seen := make(map[uint32]string)
	for i := range 1 << 19 {
		name := fmt.Sprintf("%x", uint64(i)*0x9e3779b97f4a7c15) // FNV tells counted numbers apart too well
		h := hash(name + suffixes[i%2])
		if i%2 == 0 {
			seen[h] = name
		} else if other, ok := seen[h]; ok {
			return [2]string{other, name}
		}
	}
	t.Fatal("found no names that collide")
	return names
}

// TestBuildAgain: two leaves that collide in a graph do not in the next, whether they
// are inputs or parameters, so that building it again helps.
func TestBuildAgain(t *testing.T) {
	params := [2]*nn.Param{nn.NewParam("", 3), nn.NewParam("", 3)}
	suffixes := [2]string{}
	for i, p := range params {
		p.Init(1)
		suffixes[i] = fmt.Sprintf("@%p", p)
	}
	for what, c := range map[string]struct {
		suffixes [2]string
		node     func(g *G.ExprGraph, i int, name string) *G.Node
	}{
		"inputs": {[2]string{}, func(g *G.ExprGraph, _ int, name string) *G.Node {
			return nn.Leaf(g, name, make([]float32, 3), 3)
		}},
		"parameters": {suffixes, func(g *G.ExprGraph, i int, name string) *G.Node {
			params[i].Name = name
			return params[i].Node(g)
		}},
	} {
		t.Run(what, func(t *testing.T) {
			var names [2]string
			builds := 0
			m, err := nn.Build(func(g *G.ExprGraph) ([]*G.Node, error) {
				if builds++; builds == 1 {
					names = colliding(t, g, c.suffixes)
				}
				a, b := c.node(g, 0, names[0]), c.node(g, 1, names[1])
				if builds == 1 && a.Hashcode() != b.Hashcode() {
					t.Error("the names do not collide")
				}
				return []*G.Node{nn.Add(a, b)}, nil
			})
			must(t, err)
			must(t, m.Run())
			if builds < 2 || builds > 4 { // now and then a name that has collided does again
				t.Errorf("%d builds, want 2 or little more", builds)
			}
		})
	}
}

// TestBuildGivesUp where every graph has a collision, after a few.
func TestBuildGivesUp(t *testing.T) {
	builds := 0
	_, err := nn.Build(func(g *G.ExprGraph) ([]*G.Node, error) {
		builds++
		names := colliding(t, g, [2]string{})
		return []*G.Node{nn.Add(nn.Leaf(g, names[0], make([]float32, 3), 3), nn.Leaf(g, names[1], make([]float32, 3), 3))}, nil
	})
	if !errors.Is(err, nn.ErrCollision) || builds > 20 {
		t.Errorf("after %d builds: got error %v, want %v after a few", builds, err, nn.ErrCollision)
	}
}

// explosive is an op of gorgonia's kind that panics.
type explosive struct{ G.Op }

func (explosive) Do(...G.Value) (G.Value, error) { panic("boom") }
func (explosive) WriteHash(h hash.Hash)          { h.Write([]byte("explosive")) }

// TestPanicsOfOps: one in an op, ours or gorgonia's kind, is an error with the place
// where it happened, though gorgonia runs ops on a goroutine of its own.
func TestPanicsOfOps(t *testing.T) {
	for what, build := range map[string]func(x *G.Node) *G.Node{
		"nn: loud of shape (3): panic: boom\n": func(x *G.Node) *G.Node {
			return nn.Apply(nn.Op{Name: "loud", Shape: x.Shape(), Forward: func([]float32, nn.Inputs) { panic("boom") }}, x)
		},
		": panic: boom\n": func(x *G.Node) *G.Node {
			return G.Must(G.ApplyOp(&explosive{G.Must(G.Neg(x)).Op()}, x))
		},
	} {
		m, err := nn.Build(func(g *G.ExprGraph) ([]*G.Node, error) {
			return []*G.Node{build(nn.Leaf(g, "x", make([]float32, 3), 3))}, nil
		})
		must(t, err)
		for range 2 {
			if err := m.Run(); err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), "build_test.go") {
				t.Errorf("got error %v, want …%s… and the file of the panic", err, what)
			}
		}
	}
}

// TestTell: a value is told of when it is there, in the order in which the graph runs, and those
// of leaves are not.
func TestTell(t *testing.T) {
	var nodes []*G.Node
	m, err := nn.Build(func(g *G.ExprGraph) ([]*G.Node, error) {
		x := nn.Leaf(g, "x", []float32{1, 2}, 2)
		y := nn.Add(x, x)
		nodes = []*G.Node{x, y, nn.Add(y, x), nn.Add(y, y)}
		return nodes[1:], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, n := range nodes {
		if told := m.Tell(n, func(v []float32) { got = append(got, fmt.Sprint(i, v)) }); told != (i > 0) {
			t.Errorf("node %d is told of: %v", i, told)
		}
	}
	for range 2 {
		got = nil
		if err := m.Run(); err != nil {
			t.Fatal(err)
		}
		if want := "[1 [2 4] 2 [3 6] 3 [4 8]]"; fmt.Sprint(got) != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
	if m.Tell(nil, func([]float32) {}) || m.Tell(nodes[1], nil) || new(nn.Machine).Tell(nodes[1], func([]float32) {}) {
		t.Error("nothing is told of")
	}
}
