package structure

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// freeText are the settings that are strings because anything may stand in them:
// paths, names, patterns.
var freeText = []string{
	"dataset.Options.CaptionKey", "dataset.Options.ImageKey", "dataset.Options.LabelKey",
	"encoder.Options.Architecture",          // one of 150 names, as encoder.ConfigByName takes them
	"serve.Options.Folder",                  // a path
	"tokenizer.HuggingFaceOptions.Language", // any token of the vocabulary
}

// TestChoicesAreTypes: what a setting may be is a type of its own with a constant
// for each choice, so that a misspelt one does not compile.
func TestChoicesAreTypes(t *testing.T) {
	found := stringSettings(sources(t))
	matches(t, "a setting that is a string and not known as free text: give it a type with a constant for each choice",
		without(found, freeText), nil)
	for _, name := range freeText {
		if !slices.Contains(found, name) {
			t.Errorf("%s is no string any more: take it off freeText", name)
		}
	}
}

// TestChoicesAreSeen tries the rule on settings that nobody should write.
func TestChoicesAreSeen(t *testing.T) {
	files := []source{
		invented(t, "nn/gate.go", "package nn\ntype Gate string\ntype Door = Gate\ntype Number int"),
		invented(t, "vision/net.go", `package vision
import other "github.com/goclip/goclip/nn"
type Net struct { A, B string; C int; D other.Door; E *other.Gate; F []other.Gate; G other.Number; h string; H []string; I struct{ J string } }
func (*Net) Family() string { return "net" }
type Result struct { Text string }
type netOptions struct { Text string }
type NetOptions struct { Text string }
type Config struct { Text string }`),
		invented(t, "internal/net/net.go", "package net\ntype Config struct { Text string }"),
	}
	got := stringSettings(files)
	want := []string{"vision.Config.Text", "vision.Net.A", "vision.Net.B", "vision.Net.D", "vision.Net.E", "vision.Net.F", "vision.Net.I.J", "vision.NetOptions.Text"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// stringSettings are the fields of public configurations that hold a string, or a
// type that is one by another name.
func stringSettings(files []source) []string {
	strung := stringTypes(files)
	families := familyTypes(files)
	var found []string
	for _, s := range files {
		if !s.public() {
			continue
		}
		for _, spec := range typeSpecs(s) {
			name := spec.Name.Name
			body, ok := spec.Type.(*ast.StructType)
			settings := slices.ContainsFunc([]string{"Config", "Options", "Preprocess"}, func(end string) bool { return strings.HasSuffix(name, end) })
			if !ok || !spec.Name.IsExported() || !settings && !families[typeName{s.dir(), name}] {
				continue
			}
			found = append(found, stringFields(s, s.dir()+"."+name, body, strung)...)
		}
	}
	slices.Sort(found)
	return found
}

func stringFields(s source, path string, body *ast.StructType, strung map[typeName]bool) []string {
	var found []string
	for _, field := range body.Fields.List {
		for _, name := range field.Names {
			at := path + "." + name.Name
			if inner, ok := field.Type.(*ast.StructType); ok {
				found = append(found, stringFields(s, at, inner, strung)...)
			} else if name.IsExported() && holdsString(s, field.Type, strung, false) {
				found = append(found, at)
			}
		}
	}
	return found
}

// holdsString tells whether a type is a string, or a list of what is a string by
// another name. A list of plain strings is free text: patterns, labels, prompts.
func holdsString(s source, x ast.Expr, strung map[typeName]bool, listed bool) bool {
	switch x := x.(type) {
	case *ast.StarExpr:
		return holdsString(s, x.X, strung, listed)
	case *ast.ArrayType:
		return holdsString(s, x.Elt, strung, true)
	case *ast.Ident:
		if x.Name == "string" {
			return !listed
		}
	}
	name, ok := s.named(x)
	return ok && strung[name]
}

// typeName is a type of the module: the folder of its package, and its name.
type typeName struct{ dir, name string }

// named returns the type that an expression names in the file.
func (s source) named(x ast.Expr) (typeName, bool) {
	switch x := x.(type) {
	case *ast.Ident:
		return typeName{s.dir(), x.Name}, true
	case *ast.SelectorExpr:
		pkg, ok := x.X.(*ast.Ident)
		if !ok {
			return typeName{}, false
		}
		for i, spec := range s.syntax.Imports {
			own, ok := strings.CutPrefix(s.imports[i], module+"/")
			local := own[strings.LastIndex(own, "/")+1:]
			if spec.Name != nil {
				local = spec.Name.Name
			}
			if ok && local == pkg.Name {
				return typeName{own, x.Sel.Name}, true
			}
		}
	}
	return typeName{}, false
}

// stringTypes are the named types that are strings, through any number of names.
func stringTypes(files []source) map[typeName]bool {
	strung := map[typeName]bool{}
	for grew := true; grew; {
		grew = false
		for _, s := range files {
			for _, spec := range typeSpecs(s) {
				name := typeName{s.dir(), spec.Name.Name}
				basic, _ := spec.Type.(*ast.Ident)
				under, named := s.named(spec.Type)
				if !strung[name] && (basic != nil && basic.Name == "string" || named && strung[under]) {
					strung[name], grew = true, true
				}
			}
		}
	}
	return strung
}

func typeSpecs(s source) []*ast.TypeSpec {
	var specs []*ast.TypeSpec
	for _, d := range s.syntax.Decls {
		if d, ok := d.(*ast.GenDecl); ok {
			for _, spec := range d.Specs {
				if spec, ok := spec.(*ast.TypeSpec); ok {
					specs = append(specs, spec)
				}
			}
		}
	}
	return specs
}

// matches reports what is found and not listed, and what is listed and not found,
// so that a list of what is still wrong only becomes shorter.
func matches(t *testing.T, wrong string, found, listed []string) {
	t.Helper()
	for _, name := range without(found, listed) {
		t.Errorf("%s: %s", name, wrong)
	}
	for _, name := range without(listed, found) {
		t.Errorf("%s is mended: take it off the list", name)
	}
}

func without(names, gone []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(gone, name) })
}
