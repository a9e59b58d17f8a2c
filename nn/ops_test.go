package nn_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
)

// TestGradientsOfAll: of every name that this package gives to an op, TestGradients has one,
// but for relevance, which is made of gradients and has none itself.
func TestGradientsOfAll(t *testing.T) {
	tried := map[string]bool{}
	for _, l := range allLayers() {
		c := newCase(l)
		g := G.NewGraph()
		var x []*G.Node
		for i, s := range l.shapes {
			x = append(x, leaf(g, "x"+strconv.Itoa(i), c.x[i], s))
		}
		l.build(g, x)
		for _, n := range g.AllNodes() {
			if n.Op() != nil {
				tried[n.Op().String()] = true
			}
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if name, ok := opName(n); ok {
				all[name] = true
			}
			return true
		})
	}
	if len(all) < 40 {
		t.Errorf("only the names %v were found", slices.Sorted(maps.Keys(all)))
	}
	for name := range all {
		if !tried[name] && name != "relevance" {
			t.Errorf("no gradient of %q is checked", name)
		}
	}
}

// opName is the name in a literal of an Op.
func opName(n ast.Node) (string, bool) {
	lit, ok := n.(*ast.CompositeLit)
	if !ok {
		return "", false
	}
	if id, ok := lit.Type.(*ast.Ident); !ok || id.Name != "Op" {
		return "", false
	}
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Name" {
				if v, ok := kv.Value.(*ast.BasicLit); ok {
					name, err := strconv.Unquote(v.Value)
					return name, err == nil
				}
			}
		}
	}
	return "", false
}
