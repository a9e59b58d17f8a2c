package structure

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestPackagesSayWhatTheyAre: each has a comment, in one file.
func TestPackagesSayWhatTheyAre(t *testing.T) {
	said := map[string][]string{}
	for _, s := range sources(t) {
		said[s.dir()] = append(said[s.dir()], nil...)
		if s.syntax.Doc == nil {
			continue
		}
		said[s.dir()] = append(said[s.dir()], s.file)
		if text := s.syntax.Doc.Text(); s.name != "main" && !strings.HasPrefix(text, "Package "+s.name+" ") {
			t.Errorf("%s: the package's comment begins %.30q, want Package %s …", s.file, text, s.name)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(said)) {
		if len(said[dir]) != 1 {
			t.Errorf("package %s has comments in %q, want one", dir, said[dir])
		}
	}
}

// TestPublicNamesAreExplained: what an importer can name has a comment; in a group
// of constants or variables the group's may do. Error and String mean what they
// always mean.
func TestPublicNamesAreExplained(t *testing.T) {
	for _, s := range sources(t) {
		for _, name := range unexplained(s) {
			t.Error(name + " has no comment")
		}
	}
}

// TestSilenceIsSeen tries the rule on names that nobody should leave bare.
func TestSilenceIsSeen(t *testing.T) {
	s := invented(t, "vision/net.go", `package vision
func F() {}
func f() {}
// G is.
func G() {}
type T struct{}
func (T) M() {}
func (T) String() string { return "" }
type hidden struct{}
func (hidden) M() {}
const C = 1
// These are.
const ( D = 1; E = 2 )
const (
	H = 1 // is
	I = 2
)`)
	got := unexplained(s)
	want := []string{"vision/net.go:2: F", "vision/net.go:6: T", "vision/net.go:7: T.M", "vision/net.go:11: C", "vision/net.go:16: I"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if inside := unexplained(invented(t, "internal/net/net.go", "package net\nfunc F() {}")); len(inside) != 0 {
		t.Errorf("got %q of an internal package, want nothing", inside)
	}
}

func unexplained(s source) []string {
	if !s.public() {
		return nil
	}
	var bare []string
	missing := func(at token.Pos, name string) { bare = append(bare, s.position(at)+": "+name) }
	for _, d := range s.syntax.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name, public := d.Name.Name, d.Name.IsExported()
			if d.Recv != nil {
				public = public && ast.IsExported(receiver(d)) && name != "Error" && name != "String"
				name = receiver(d) + "." + name
			}
			if public && d.Doc == nil {
				missing(d.Pos(), name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil {
						missing(spec.Pos(), spec.Name.Name)
					}
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						if name.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
							missing(name.Pos(), name.Name)
						}
					}
				}
			}
		}
	}
	return bare
}
