package structure

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// atHome are the packages that know families of towers by name: they hold them, or
// read and write their checkpoints.
var atHome = []string{"vision", "text", "internal/checkpoint"}

// makers build models from nothing, so they choose a family: programs, as a reader
// of theirs would.
var makers = []string{"cmd/", "examples/", "tools/", "train/job"}

// askers are the files that name a family elsewhere still. The list only becomes
// shorter.
var askers []string

// TestFamiliesStayHome: no package asks which family a tower is of. What some have
// and others not is an interface, so a new family is a file in its own package.
func TestFamiliesStayHome(t *testing.T) {
	matches(t, "names a family of towers: ask for an interface instead", familiesAbroad(sources(t)), askers)
}

// TestFamiliesAreSeen tries the rule on files that nobody should write.
func TestFamiliesAreSeen(t *testing.T) {
	files := []source{
		invented(t, "vision/net.go", `package vision
type Net struct{}
func (Net) Family() string { return "net" }
type Other struct{}
func (*Other) Family() string { return "other" }
type hidden struct{}
func (hidden) Family() string { return "hidden" }
type Tower interface { Family() string }
var _ = Net{}`),
		invented(t, "scaling/flops.go", `package scaling
import ( "github.com/goclip/goclip/vision"; see "github.com/goclip/goclip/vision" )
func f(c vision.Tower) { switch c.(type) { case see.Net, *vision.Other: } }`),
		invented(t, "train/depth.go", `package train
import "github.com/goclip/goclip/vision"
func f(c vision.Tower) string { return c.Family() }`),
		invented(t, "cmd/goclip/arch.go", `package main
import "github.com/goclip/goclip/vision"
var _ = vision.Net{}`),
	}
	got, want := familiesAbroad(files), []string{"scaling/flops.go: vision.Net", "scaling/flops.go: vision.Other"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// familiesAbroad are the places, one for each file and family, that name a family's
// type away from home.
func familiesAbroad(files []source) []string {
	families := familyTypes(files)
	var found []string
	for _, s := range files {
		if slices.Contains(atHome, s.dir()) || slices.ContainsFunc(makers, func(m string) bool { return strings.HasPrefix(s.file, m) }) {
			continue
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			if x, ok := n.(*ast.SelectorExpr); ok {
				if name, ok := s.named(x); ok && families[name] {
					found = append(found, s.file+": "+name.dir+"."+name.name)
				}
			}
			return true
		})
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// familyTypes are the exported types of vision and text that say which family of
// towers they are.
func familyTypes(files []source) map[typeName]bool {
	families := map[typeName]bool{}
	for _, s := range files {
		if s.dir() != "vision" && s.dir() != "text" {
			continue
		}
		for _, d := range s.syntax.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Name.Name != "Family" || f.Recv == nil {
				continue
			}
			if name := receiver(f); ast.IsExported(name) {
				families[typeName{s.dir(), name}] = true
			}
		}
	}
	return families
}

// receiver is the name of the type that a method belongs to.
func receiver(f *ast.FuncDecl) string {
	x := f.Recv.List[0].Type
	for {
		switch y := x.(type) {
		case *ast.StarExpr:
			x = y.X
		case *ast.IndexExpr:
			x = y.X
		case *ast.IndexListExpr:
			x = y.X
		case *ast.Ident:
			return y.Name
		default:
			return ""
		}
	}
}
