package main

import (
	"bytes"
	"fmt"
	"log"
	"path/filepath"
	"strings"
)

// sizes of the types that functions and structs have, on the machines that have
// assembly.
var sizes = map[string]int{"int": 8, "float64": 8, "float32": 4, "*float32": 8, "*int8": 8, "*uint8": 8, "*uint16": 8, "*int32": 8, "uint32": 4, "[]float32": 24, "*Tile": 8, "*IntegerTile": 8}

func sizeOf(typ string) (size, align int) {
	for _, s := range structures {
		if s.name == typ {
			return s.layout()
		}
	}
	size, ok := sizes[typ]
	if !ok {
		log.Fatalf("no size of type %s", typ)
	}
	return size, min(size, 8)
}

func roundUp(x, to int) int { return (x + to - 1) / to * to }

// signature is that of a function, in Go's words and as it lies in the frame:
// arguments, and results behind them.
type signature struct {
	text  string
	at    map[string]int
	typ   map[string]string
	frame int
}

// sign makes a signature of lists in Go's words: "a, b []float32, n int". The
// results have names.
func sign(args, results string) signature {
	s := signature{text: "(" + args + ")", at: map[string]int{}, typ: map[string]string{}}
	if results != "" {
		s.text += " (" + results + ")"
	}
	s.place(args)
	if results != "" {
		s.frame = roundUp(s.frame, 8)
		s.place(results)
	}
	return s
}

func (s *signature) place(list string) {
	items := strings.Split(list, ", ")
	for i, item := range items {
		name, typ, _ := strings.Cut(item, " ")
		for j := i; typ == ""; j++ {
			_, typ, _ = strings.Cut(items[j], " ")
		}
		size, align := sizeOf(typ)
		s.at[name], s.typ[name] = roundUp(s.frame, align), typ
		s.frame = s.at[name] + size
	}
}

// ref is an argument or result as the assembler writes it. That of a slice is
// its address; x_len is its length, and s_F the field F of a struct.
func (s *signature) ref(name string) string {
	whole, part, _ := strings.Cut(name, "_")
	at, ok := s.at[whole]
	switch typ := s.typ[whole]; {
	case !ok:
		log.Fatalf("no argument %s in %s", name, s.text)
	case typ == "[]float32" && part == "":
		name += "_base"
	case typ == "[]float32":
		at += map[string]int{"len": 8, "cap": 16}[part]
	case part != "":
		at += structureNamed(typ).offset(part)
	}
	return fmt.Sprintf("%s+%d(FP)", name, at)
}

// structure is a struct that assembly reads. Its declaration in Go and the
// offsets in the assembly both come from here.
type structure struct {
	name, doc string
	fields    []field
}

type field struct{ name, typ, doc string }

var structures = []structure{
	{"Tile", `// Tile is the argument of a tile function, which computes
//
//	C = Alpha·Σ_k A[:,k]·B[k,:] + Add
//
// for panels of rows, one below the other. Distances are in bytes.`, []field{
		{"K", "int", "at least 1"},
		{"A", "*float32", "the first panel"},
		{"Row", "int", "from one row of A to the next"},
		{"Col", "int", "from one column of A to the next"},
		{"Panel", "int", "from one panel of A's rows to the next"},
		{"B", "*float32", "a packed panel"},
		{"C", "*float32", ""},
		{"Ldc", "int", ""},
		{"Add", "*float32", "C itself, a row of bias with LdAdd 0, or nil"},
		{"LdAdd", "int", ""},
		{"Panels", "int", "at least 1"},
		{"Tail", "int", "columns used of the last vector, at least 1"},
		{"Alpha", "float32", ""},
		{"Ahead", "int", "from a panel of A to what is asked for beside it: eight times for"},
		{"Line", "int", "every 16 k, so far apart,"},
		{"Turn", "int", "and then so far from the next eight"},
		{"Step", "int", "added to Ahead at each panel"},
	}},
	{"IntegerTile", `// IntegerTile is the argument of a tile function of integers, which computes
//
//	C = (Σ_k A[:,k]·B[k,:] - Shift)·(Rows·Scale) + Bias
//
// for tiles one below the other, in three roundings behind the exact sum. Distances are in bytes.`, []field{
		{"Groups", "int", "of four columns of A, at least 1"},
		{"A", "*uint8", ""},
		{"Lda", "int", ""},
		{"B", "*int8", "panels of 16 columns, 64·Groups bytes each"},
		{"Shift", "*int32", "128 times the sum of each column of B"},
		{"Scale", "*float32", "of each column"},
		{"Bias", "*float32", "of each column"},
		{"Rows", "*float32", "the scale of each row"},
		{"C", "*float32", ""},
		{"Ldc", "int", ""},
		{"Tiles", "int", "at least 1"},
	}},
	{"AdamWScalars", `// AdamWScalars are the numbers of one step of AdamW.`, []field{
		{"Beta1", "float32", ""},
		{"Rest1", "float32", "1-β1"},
		{"Beta2", "float32", ""},
		{"Rest2", "float32", "1-β2"},
		{"Rate", "float32", "lr/c1, c1 the first moment's correction"},
		{"Root", "float32", "1/√c2, c2 the second's"},
		{"Eps", "float32", ""},
		{"Decay", "float32", "1-lr·wd"},
		{"Grad", "float32", "what gradients are multiplied by"},
	}},
	{"Taps", `// Taps is where what an output of a depthwise convolution sees lies. Distances are in
// bytes.`, []field{
		{"Rows", "int", "of the kernel, at least 1"},
		{"Cols", "int", "of the kernel, at least 1"},
		{"Channels", "int", ""},
		{"Pitch", "int", "from one row of x to the next"},
		{"Step", "int", "from what an output sees to what the next one does"},
	}},
}

func structureNamed(name string) structure {
	for _, s := range structures {
		if s.name == name {
			return s
		}
	}
	log.Fatalf("no struct %s", name)
	return structure{}
}

// offset is that of a field, in bytes.
func (s structure) offset(name string) int {
	at := 0
	for _, f := range s.fields {
		size, align := sizeOf(f.typ)
		at = roundUp(at, align)
		if f.name == name {
			return at
		}
		at += size
	}
	log.Fatalf("no field %s in %s", name, s.name)
	return 0
}

func (s structure) layout() (size, align int) {
	for _, f := range s.fields {
		n, a := sizeOf(f.typ)
		size, align = roundUp(size, a)+n, max(align, a)
	}
	return roundUp(size, align), align
}

const packageDoc = `// Package asm is the assembly of package kernel, written by the program in
// internal/kernel/_gen, and the structs that it reads.
//
// On amd64 a name without a suffix needs AVX2 and FMA, and one that ends in
// AVX512 AVX-512; on arm64 all need NEON. Functions of one name do the same
// operations in the same order, so their results are the same bits. Other
// builds, and those with the tag noasm, have the types alone.
//
// Nothing is checked here: of several slices the first has the length that is
// worked on, and the others must be as long. What a function computes is
// specified by its Go version in package kernel.
package asm

`

const tilesType = `// TileSet is the tile functions of an instruction set, by the tile's rows and
// vectors of columns. There is one for every number of rows up to Rows; its
// columns are whole vectors of Lanes, the last of which may be partly used.
type TileSet struct {
	Rows, Cols, Lanes int // of the largest
	By                [][]func(*Tile)
}

`

const integerTilesType = `// IntegerTileSet is the tile functions of integers, by the tile's rows and panels of 16 columns.
type IntegerTileSet struct {
	Rows, Panels int // of the largest
	By           [][]func(*IntegerTile)
}

`

// writeArguments declares the structs for every build, and asserts for those with
// assembly that the compiler lays them out as the assembly has it.
func writeArguments(dir string) {
	var decls, checks bytes.Buffer
	for _, s := range structures {
		fmt.Fprintf(&decls, "%s\ntype %s struct {\n", s.doc, s.name)
		for _, f := range s.fields {
			fmt.Fprintf(&decls, "%s %s", f.name, f.typ)
			if f.doc != "" {
				fmt.Fprintf(&decls, " // %s", f.doc)
			}
			fmt.Fprintf(&decls, "\n")
			fmt.Fprintf(&checks, "_ [%d]byte = [unsafe.Offsetof(%s{}.%s)]byte{}\n", s.offset(f.name), s.name, f.name)
		}
		size, _ := s.layout()
		fmt.Fprintf(&decls, "}\n\n")
		fmt.Fprintf(&checks, "_ [%d]byte = [unsafe.Sizeof(%s{})]byte{}\n", size, s.name)
	}
	putGo(filepath.Join(dir, "arguments.go"), mark+packageDoc+decls.String()+tilesType+integerTilesType)
	putGo(filepath.Join(dir, "offsets.go"), mark+"//go:build (amd64 || arm64) && !noasm\n\npackage asm\n\nimport \"unsafe\"\n\n"+
		"// The offsets in the assembly: where one is not the compiler's, this does not compile.\nvar (\n"+checks.String()+")\n")
}
